import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTaskSequenceYaml } from "../parse-yaml.ts";
import { deviceDescriptionSchema } from "./device-description.ts";
import { simulate } from "./simulate.ts";

const run = (steps: string, device: object = {}) => simulate(parseTaskSequenceYaml(`name: t\nsteps:\n${steps}`), deviceDescriptionSchema.parse(device));
const told = (steps: string, device: object = {}) => run(steps, device).steps.map((one) => [one.name, one.action, one.why]);
const script = '  - { name: Ask, type: run-script, with: { script: "hostname", outputVariable: Branch } }\n';
const command = (name: string, when: string) => `  - { name: ${name}, type: run-command-line, with: { command: "echo %Branch%" }, when: ${when} }\n`;
const onAsk = 'depends on Branch, set by the step "Ask" at run time';

test("a condition on what a step finds out is neither met nor not, unless the others decide it; what is put in is said to be unknown", () => {
  const both = (kind: string, other: string) => `{ ${kind}: [{ variable: branch, equals: Lyon }, { variable: Role, equals: ${other} }] }`;
  const role = "  - { name: Role, type: set-variable, with: { name: Role, value: desk } }\n";
  const steps = script + role + command("Plain", "{ variable: Branch, equals: Lyon }") + command("All", both("all", "desk")) + command("Not all", both("all", "kiosk")) + command("Any", both("any", "desk")) + command("None", both("none", "desk")) + command("Compared", '{ variable: Role, equals: "%Branch%" }') + command("File", '{ file: "/etc/%Branch%", exists: true }');
  assert.deepEqual(told(steps).slice(2), [
    ["Plain", "depends", onAsk], ["All", "depends", onAsk], ["Not all", "skipped", 'Role is "desk"'], ["Any", "runs", 'Role is "desk"'], ["None", "skipped", 'Role is "desk"'], ["Compared", "depends", onAsk], ["File", "depends", onAsk],
  ]);
  const { steps: seen, outcome, notDescribed } = run(steps, { variables: { device: { Branch: "Paris" } } });
  assert.deepEqual(seen.find(({ name }) => name === "Any")?.variables, [{ name: "Branch", value: undefined, setBy: "Ask", insteadOf: [] }, { name: "Role", value: "desk", source: "task-sequence", insteadOf: [] }]);
  assert.deepEqual([seen[0]?.setsWhenRun, seen.find(({ name }) => name === "Any")?.settings, outcome, notDescribed], [["Branch"], { command: "echo %Branch%" }, "succeeded", []]);
});

test("a variable set to a value that is not known is not known, either; one that is set anew is", () => {
  const steps = `${script}  - { name: Name, type: set-variable, with: { name: OSDComputerName, value: "%Branch%-7" } }\n${command("Derived", "{ variable: OSDComputerName, like: 'A*' }")}  - { name: Mine, type: set-variable, with: { name: Branch, value: Lyon } }\n${command("Anew", "{ variable: Branch, equals: Lyon }")}`;
  assert.deepEqual(told(steps).slice(2).filter(([name]) => name !== "Mine"), [["Derived", "depends", 'depends on OSDComputerName, set by the step "Name" at run time'], ["Anew", "runs", 'Branch is "Lyon"']]);
});

test("each kind of step says what it finds out: output, folders, partitions, stores, kept settings, what a command sets by prestage-variable", () => {
  const named: [string, string][] = [
    ["{ name: S, type: connect-network-folder, with: { path: //files.example.org/a, variable: Folder } }", "Folder"],
    ["{ name: S, type: download-package-content, with: { packages: [ABC00005, ABC00006], variable: Fetched } }", "Fetched02"],
    ["{ name: S, type: partition-disk, with: { disk: /dev/sdb, partitions: [{ name: data, variable: Data }] } }", "Data"],
    ["{ name: S, type: request-state-store, with: { action: capture, store: local } }", "OSDStateStorePath"],
    ["{ name: S, type: capture-system-settings }", "OSDComputerName"],
    ["{ name: S, type: check-readiness }", "_TS_CRMEMORY"],
    ["{ name: S, type: run-command-line, with: { command: 'prestage-variable Role \"$(cat /etc/role)\"' } }", "Role"],
  ];
  for (const [step, name] of named) {
    const { steps } = run(`  - ${step}\n  - { name: On it, type: run-command-line, with: { command: "true" }, when: { variable: ${name}, exists: true } }\n`, { variables: { collection: { [name]: "given" } } });
    assert.deepEqual([steps[1]?.action, steps[1]?.why], ["depends", `depends on ${name}, set by the step "S" at run time`], step);
  }
  const [, kept] = run("  - { name: S, type: capture-system-settings, with: { computerName: false } }\n  - { name: On it, type: run-command-line, with: { command: 'true' }, when: { variable: OSDComputerName, exists: true } }\n", { variables: { device: { OSDComputerName: "PC" } } }).steps;
  assert.equal(kept?.action, "runs", "a setting that is off sets nothing");
  const released = told("  - { name: Done, type: release-state-store }\n  - { name: On it, type: run-command-line, with: { command: 'true' }, when: { variable: OSDStateStorePath, exists: true } }\n".replace("  - { name: Done", "  - { name: R, type: restart }\n  - { name: Done"), { variables: { device: { OSDStateStorePath: "/mnt/store" } } });
  assert.deepEqual(released.at(-1)?.slice(1), ["skipped", "OSDStateStorePath does not exist"]);
});

test("rules of set-dynamic-variables are decided by what is described of the computer; the others only when they run", () => {
  const rules = `  - name: Rules
    type: set-dynamic-variables
    with:
      rules:
        - { make: "LENOVO", model: "ThinkCentre*", set: { Role: desk, Where: here } }
        - { make: "Dell*", model: "*", set: { Role: other } }
        - { variable: { name: Role, equals: desk }, set: { Group: desks } }
        - { location: 10.17.0.1, set: { Where: Lyon } }
        - { computer: { serialNumber: "S1*" }, set: { Serial: one } }
`;
  const described = { hardware: { manufacturer: "Lenovo", model: "ThinkCentre M75" } };
  const [rule, ...rest] = run(rules + ["Role", "Group", "Where", "Serial", "_SMSTSMake", "_SMSTSIPAddresses"].map((name) => `  - { name: On ${name}, type: run-command-line, with: { command: "true" }, when: { variable: ${name}, exists: true } }\n`).join(""), described).steps;
  assert.deepEqual(rule?.sets, [{ name: "_SMSTSMake", value: "Lenovo" }, { name: "_SMSTSModel", value: "ThinkCentre M75" }, { name: "Role", value: "desk" }, { name: "Group", value: "desks" }]);
  assert.deepEqual(rest.map(({ action }) => action), ["runs", "runs", "depends", "depends", "runs", "depends"]);
});

test("a rule on what the step itself finds out, and that is not described, is decided only when it runs", () => {
  for (const [name, value] of [["_SMSTSIPAddresses", "10.*"], ["_SMSTSDefaultGateways", "10.*"], ["_SMSTSMake", "Dell*"]] as const) {
    const rules = `  - { name: Rules, type: set-dynamic-variables, with: { rules: [{ make: "*", model: "*", set: { Place: there } }, { variable: { name: ${name}, equals: "${value}" }, set: { Role: b } }] } }\n${command("On it", "{ variable: Role, equals: b }")}`;
    assert.deepEqual(told(rules, { hardware: { model: "T" }, variables: { device: { Role: "a" } } }).at(-1), ["On it", "depends", 'depends on Role, set by the step "Rules" at run time'], name);
  }
});

test("a step that calls prestage-variable without saying the name, or runs a package's files, may set what is not set; what is set stays", () => {
  const behind = (step: string) => told(`  - { name: S, type: ${step} }\n${command("On it", "{ variable: Role, equals: kiosk }")}${command("On site", "{ variable: Site, equals: Lyon }")}${command("Own", "{ variable: _SMSTSNothing, exists: true }")}`, { variables: { device: { Site: "Lyon" } } }).slice(1).map(([, action, why]) => [action, why]);
  const open = [["depends", 'Role may be set by the step "S" at run time'], ["runs", 'Site is "Lyon"'], ["skipped", "_SMSTSNothing does not exist"]];
  for (const step of [
    "run-script, with: { language: javascript, script: \"require('child_process').execFileSync('prestage-variable',['Role','kiosk'])\" }", "run-command-line, with: { command: 'for v in A B; do prestage-variable $v 1; done; prestage-variable Place here' }",
    "run-command-line, with: { command: 'prestage-variable Role$i 1' }", "run-script, with: { script: 'exec \"$@\"', parameters: [prestage-variable, Role, kiosk] }", "run-script, with: { package: ABC00005, file: a.sh }", "run-command-line, with: { command: ./a.sh, package: ABC00005 }",
  ]) assert.deepEqual(behind(step), open, step);
  for (const step of ["run-command-line, with: { command: 'prestage-variable Place here; echo $(prestage-variable Place)' }", "run-command-line, with: { command: prestage-variable Place }", "run-command-line, with: { command: 'prestage-variable \"Place\" here' }"]) assert.deepEqual(behind(step)[0], ["skipped", "Role does not exist"], step);
});

test("what may be set by a step that does not say the name is no certain failure, nor does a restart it may ask for leave the place certain", () => {
  const unread = "  - { name: S, type: run-command-line, with: { command: 'prestage-variable $v 1' } }\n";
  assert.equal(run(`${unread}  - { name: Apply, type: apply-os-image, with: { osImage: "%Image%" } }\n`).outcome, "succeeded");
  const asks = "  - { name: S, type: run-script, with: { language: javascript, script: \"execFileSync('prestage-variable', ['SMSTSRebootRequested', 'HD'])\" } }\n";
  assert.equal(told(`${asks}  - { name: Tool, type: install-package, with: { package: ABC00005, program: Run } }\n`).at(-1)?.[1], "depends");
});

test("where the name of a variable is known only to the run, each of its form is, until it is set anew", () => {
  const steps = `${script}  - { name: Set, type: set-variable, with: { name: "N%Branch%", value: z } }\n${command("On NHD", "{ variable: NHD, equals: z }")}${command("On N1", "{ variable: n1, equals: x }")}${command("On M", "{ variable: M, equals: z }")}  - { name: Mine, type: set-variable, with: { name: NHD, value: q } }\n${command("Anew", "{ variable: NHD, equals: z }")}`;
  const found = run(steps, { variables: { device: { N1: "x" } } });
  assert.deepEqual(found.steps.slice(1).map(({ name, action, why }) => [name, action, why]).filter(([name]) => name !== "Mine"), [
    ["Set", "runs", "it has no condition"], ["On NHD", "depends", 'NHD may be set by the step "Set" at run time'], ["On N1", "depends", 'depends on N1, set by the step "Set" at run time'], ["On M", "skipped", "M does not exist"], ["Anew", "skipped", 'NHD is "q"'],
  ]);
  assert.deepEqual([found.steps[1]?.setsWhenRun, found.variables.some(({ name }) => name.includes("*"))], [["N%Branch%"], false]);
});

test("what a step sets of which only the run knows whether it runs is in doubt behind it; so is what a group sets, and where the run is", () => {
  const steps = `${script}  - name: Lyon
    type: group
    when: { variable: Branch, equals: Lyon }
    steps:
      - { name: Set, type: set-variable, with: { name: Role, value: kiosk } }
      - { name: Inside, type: run-command-line, with: { command: "echo %Role%" }, when: { variable: Role, equals: kiosk } }
      - { name: Never, type: run-command-line, with: { command: "true" }, when: { variable: Role, equals: desk } }
      - { name: Restart, type: restart }
${command("Behind", "{ variable: Role, equals: kiosk }")}  - { name: Tool, type: install-package, with: { package: ABC00005, program: Run } }
  - { name: Again, type: restart }
  - { name: Last, type: install-package, with: { package: ABC00005, program: Run } }
`;
  const found = told(steps, { variables: { device: { Role: "desk" } } });
  assert.deepEqual(found, [
    ["Ask", "runs", "it has no condition"], ["Lyon", "depends", onAsk],
    ["Set", "depends", 'where "Lyon" is run: it has no condition'], ["Inside", "depends", 'where "Lyon" is run: Role is "kiosk"'], ["Never", "skipped", 'Role is "kiosk"'], ["Restart", "depends", 'where "Lyon" is run: it has no condition'], ["Lyon", "group-ends", "depends"],
    ["Behind", "depends", 'depends on Role, set by the step "Set" at run time'], ["Tool", "depends", 'depends on _SMSTSInWinPE, set by the step "Restart" at run time'],
    ["Again", "depends", 'where "Tool" does not fail: it has no condition'], ["Last", "depends", 'where "Tool" does not fail: it has no condition'],
  ]);
  const { outcome, variables } = run(steps);
  assert.deepEqual([outcome, variables.find(({ name }) => name === "Role")], ["depends", { name: "Role", value: undefined, setBy: "Set", insteadOf: [] }]);
});

test("a restart that a command may ask for leaves open where the run is only where it leads elsewhere", () => {
  const steps = (value: string) => `  - { name: Ask, type: run-command-line, with: { command: 'prestage-variable SMSTSRebootRequested ${value}' } }\n  - { name: Tool, type: install-package, with: { package: ABC00005, program: Run } }\n`;
  const restart = "  - { name: Restart, type: restart }\n";
  const last = (text: string) => told(text).at(-1);
  assert.deepEqual(last(restart + steps("HD")), ["Tool", "runs", "it has no condition"]);
  for (const text of [restart + steps("WinPE"), restart + steps('"$where"'), steps("HD")]) assert.deepEqual(last(text), ["Tool", "depends", 'depends on _SMSTSInWinPE, set by the step "Ask" at run time'], text);
});
