// The import table of the design: a package imports only those its row names; each row only those above it.
export const importTable = {
  wim: [],
  trust: [],
  content: ["wim", "trust"],
  sequence: [],
  media: ["wim", "trust", "content"],
  contract: ["trust", "content", "sequence", "media"],
  disk: ["wim", "content"],
  staging: ["trust", "content", "media", "disk"],
  "boot-image": ["trust"],
  agent: ["wim", "trust", "content", "sequence", "media", "contract", "disk"],
  site: ["wim", "trust", "content", "sequence", "media", "contract", "boot-image"],
  console: ["contract"],
  lab: ["wim", "trust", "content", "sequence", "media", "contract", "disk", "staging", "boot-image", "agent", "site", "console"],
  cli: ["wim", "trust", "content", "sequence", "media", "contract", "disk", "staging", "boot-image", "agent", "site", "console", "lab"],
};
