// Devices and their progress, live. The token stays in this tab's memory and session storage; it is never put in a URL.
const element = (id) => document.getElementById(id);
let token = sessionStorage.getItem("prestage-token") ?? "";

const api = (path, options = {}) => fetch(path, { ...options, headers: { ...options.headers, authorization: `Bearer ${token}` } });

element("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  token = element("token").value.trim();
  void follow();
});

/** Follows the event stream for good; reconnects when it ends. */
async function follow() {
  for (;;) {
    try {
      const answer = await api("/v1/devices/events");
      if (answer.status === 401) return signInAgain();
      sessionStorage.setItem("prestage-token", token);
      element("sign-in").hidden = true;
      element("connection").textContent = "Live";
      await readEvents(answer.body, { devices: show, deployments: showDeployments, alerts: showAlerts });
    } catch {
      // The line below says so; the next attempt follows.
    }
    element("connection").textContent = "Connection lost, trying again";
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

function signInAgain() {
  sessionStorage.removeItem("prestage-token");
  element("sign-in").hidden = false;
  element("sign-in-error").textContent = "This is not the site's token.";
}

async function readEvents(body, listeners) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const field = (name) => part.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field("data");
      if (data) listeners[field("event")]?.(JSON.parse(data));
    }
  }
}

function show(devices) {
  const waiting = devices.filter((device) => device.state === "waiting");
  element("waiting").hidden = waiting.length === 0;
  element("waiting").querySelector("ul").replaceChildren(...waiting.map(waitingItem));
  const rest = devices.filter((device) => device.state !== "waiting");
  element("devices").hidden = false;
  element("no-devices").hidden = rest.length > 0;
  const table = element("devices").querySelector("table");
  table.hidden = rest.length === 0;
  table.querySelector("tbody").replaceChildren(...rest.map(deviceRow));
}

function showAlerts(alerts) {
  element("alerts").hidden = alerts.length === 0;
  element("alerts").querySelector("ul").replaceChildren(...alerts.map((alert) => {
    const what = alert.kind === "success-below" ? `${alert.percent} % succeeded, fewer than ${alert.threshold} %` : `${alert.percent} % failed, more than ${alert.threshold} %`;
    return make("li", {},
      make("span", { className: "who" }, make("strong", { textContent: `${alert.taskSequenceName} (${alert.deploymentId}): ${what}` }), make("br"), make("span", { className: "small", textContent: `Since ${new Date(alert.opened).toLocaleString()}` })),
      make("button", { type: "button", textContent: "Close", className: "quiet", onclick: async () => void (await api(`/v1/alerts/${alert.id}/close`, { method: "POST" })) }),
    );
  }));
}

function showDeployments(deployments) {
  element("deployments").hidden = deployments.length === 0;
  element("deployments").querySelector("tbody").replaceChildren(...deployments.map(deploymentRow));
}

function deploymentRow(deployment) {
  const { reached, succeeded, failed, running, overdue } = deployment.computers;
  const how = [deployment.purpose, deployment.highRisk ? "operating system" : "", deployment.debug ? "debug" : "", deployment.enabled ? "" : "disabled"].filter(Boolean).join(", ");
  const when = [deployment.availableFrom ? `from ${time(deployment.availableFrom)}` : "", ...deployment.assignments.map((one) => (one.at ? `due ${time(one.at)}` : `due ${time(one.from)}, every ${one.every} ${one.unit}`)), deployment.expires ? `until ${time(deployment.expires)}` : ""].filter(Boolean).join("; ");
  const rest = [failed ? `${failed} failed` : "", running ? `${running} running` : "", overdue ? `${overdue} overdue` : ""].filter(Boolean).join(", ");
  return make("tr", {},
    make("td", {}, deployment.taskSequenceName, make("br"), make("span", { className: "small", textContent: `${deployment.id}${deployment.comment ? `: ${deployment.comment}` : ""}` })),
    make("td", {}, how, make("br"), make("span", { className: "small", textContent: when })),
    make("td", {}, make("progress", { max: Math.max(1, reached), value: succeeded }), make("br"), make("span", { className: "small", textContent: `${succeeded} of ${reached} succeeded` })),
    make("td", { className: failed ? "bad" : overdue ? "warn" : "", textContent: rest }),
  );
}

const time = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function waitingItem(device) {
  const decide = (decision) => async () => {
    await api(`/v1/approvals/${device.approvalCode}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ decision }) });
  };
  const { manufacturer = "", model = "", serialNumber = "", macAddresses = [] } = device.attributes;
  return make("li", {},
    make("span", { className: "code", textContent: device.approvalCode }),
    make("span", { className: "who" }, `${device.name}${device.known ? "" : " (unknown computer)"}${device.conflictId ? " (conflict: another computer used the claim of this disk)" : ""}`, make("br"), make("span", { className: "small", textContent: [`${manufacturer} ${model}`.trim(), serialNumber, macAddresses.join(", ")].filter(Boolean).join(" · ") })),
    make("button", { type: "button", textContent: "Approve", onclick: decide("approve") }),
    make("button", { type: "button", textContent: "Refuse", className: "quiet", onclick: decide("refuse") }),
  );
}

/** As packages/contract/src/status-messages.ts says of each kind. */
const words = {
  "verification-started": "Verifying media", "verification-finished": "Media verified", enrolled: "Enrolled", "sequence-started": "Task sequence started", "step-started": "Running", "step-finished": "Finished", "step-skipped": "Skipped",
  "content-resolved": "Content found", "content-fetch-progress": "Fetching", "content-fetch-finished": "Fetched", "distribution-point-failed": "Distribution point failed", restart: "Restarting", restarted: "Started again", "group-started": "Group started", "group-finished": "Group finished", debugger: "Debugger", "sequence-finished": "Task sequence finished", "file-damaged": "Damaged file", error: "Error",
  "support-shell-opened": "Support shell opened", "support-shell-closed": "Support shell closed", "user-device-affinity": "Users",
};

function deviceRow(device) {
  const status = device.lastStatus;
  const step = device.lastStep;
  const ended = status?.kind === "sequence-finished";
  const failed = status?.outcome === "failed" || status?.kind === "error";
  const now = ended ? `Task sequence ${status.outcome}` : step ? `${words[step.kind] ?? step.kind}: ${step.step.name}` : status ? (words[status.kind] ?? status.kind) : "-";
  const overdue = device.lastRun?.overdue ? `Runs longer than ${device.lastRun.maximumMinutes} minutes` : "";
  const detail = status?.error ? `${status.error.code}: ${status.error.message}` : status === step ? "" : [words[status?.kind] ?? "", status?.group?.name, status?.content?.name, status?.content?.state, status?.text].filter(Boolean).join(", ");
  return make("tr", {},
    make("td", {}, device.name, make("br"), make("span", { className: "small", textContent: [device.attributes.model, ...device.users.filter((user) => user.state !== "refused").map((user) => `${user.name}${user.state === "pending" ? " (to be approved)" : ""}`)].filter(Boolean).join(", ") })),
    make("td", { textContent: device.conflictId ? `${device.state}, in conflict` : device.state, className: device.conflictId || device.state === "refused" || device.state === "revoked" ? "bad" : "" }),
    make("td", { className: failed ? "bad" : ended ? "good" : "" }, now, make("br"), make("span", { className: "small", textContent: detail }), ...(overdue ? [make("br"), make("span", { className: "small warn", textContent: overdue })] : [])),
    make("td", {}, status?.progress ? make("progress", { max: status.progress.total, value: status.progress.done }) : ""),
    make("td", { className: "small", textContent: device.lastSeen ? new Date(device.lastSeen).toLocaleTimeString() : "-" }),
  );
}

if (token) void follow();
