import { z } from "zod";
import { referenceSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Applies policies without a domain (MDT's Apply Local GPO Package). */
export const applyLocalPolicyStep = defineStepType({
  type: "apply-local-policy",
  title: "Apply local policy",
  reference: ["MDT Local GPO"],
  summary: "Puts backups of group policy objects into the computer's local policy with Microsoft's LGPO.exe, which lies in the package, beside the folders of the backups.",
  environments: ["installed"],
  platforms: ["windows"],
  settings: z.strictObject({ package: referenceSchema.describe("The package: LGPO.exe at its top, the backups in folders below") }),
  again: "The same values are written again.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED"],
  windows: ({ package: policies }, { folderOf }) => ({ commands: [{ what: "applying the local policy", program: `${folderOf(policies)}\\LGPO.exe`, arguments: ["/g", folderOf(policies)] }] }),
  example: `- name: Policy
  type: apply-local-policy
  with: { package: ABC00015 }`,
});
