import { sshHostKeysUnit } from "@prestage/disk";
import type { SettingChange } from "@prestage/disk";

const systemd = "etc/systemd/system";
export const agentUnit = "prestage-agent.service";
export const cleanUpUnit = "prestage-clean-up.service";
/** Where /prestage goes in the moment it is not needed any more; what is found under this name is only to be deleted. */
export const removedFolder = ".prestage-removed";

/** Everything the services consist of, below the root; the clean-up's own files last. */
export const serviceFiles: readonly string[] = [agentUnit, cleanUpUnit].flatMap((unit) => [`${systemd}/multi-user.target.wants/${unit}`, `${systemd}/${unit}`]);

/**
 * The service that goes on with the sequence in the installed system, and one that finishes the clean-up after a power cut in it.
 * Not `oneshot`: starting the system would last as long as the sequence. Behind the ssh host keys: a step that restarts, or the end of the deployment, would cut them off.
 */
export function agentServiceSettings(): SettingChange[] {
  const agent = `[Unit]
Description=Prestage: finish the deployment of this computer
Wants=network-online.target
After=network-online.target ${sshHostKeysUnit}
ConditionPathExists=/prestage/agent/agent.mjs
StartLimitIntervalSec=0

[Service]
Type=exec
Environment=PRESTAGE_ENVIRONMENT=installed
WorkingDirectory=/
ExecStart=/prestage/agent/node /prestage/agent/agent.mjs
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
`;
  const cleanUp = `[Unit]
Description=Prestage: remove what a finished deployment left
ConditionPathExists=!/prestage

[Service]
Type=oneshot
ExecStart=/bin/rm -rf /${removedFolder}
ExecStart=/bin/rm -f ${serviceFiles.map((path) => `/${path}`).join(" ")}

[Install]
WantedBy=multi-user.target
`;
  return [
    { kind: "file", path: `${systemd}/${agentUnit}`, mode: 0o644, content: agent },
    { kind: "file", path: `${systemd}/${cleanUpUnit}`, mode: 0o644, content: cleanUp },
    ...[agentUnit, cleanUpUnit].map((unit): SettingChange => ({ kind: "link", path: `${systemd}/multi-user.target.wants/${unit}`, target: `/${systemd}/${unit}` })),
  ];
}
