import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { readCapture } from "./capture.ts";
import { bootDisk } from "./machine.ts";
import { qemuArguments, type MachineShape } from "./qemu-command.ts";

const shape: MachineShape = {
  disks: [{ file: { path: "/d/a,b.img" }, bus: "usb" }, { file: { path: "/d/c.img" }, bus: "sata", readOnly: true }],
  secureBoot: true, firmware: { code: "/f/code", variables: "/f/vars" }, memoryMiB: 2048, smp: 2, cpu: "qemu64", network: { mode: "none", capture: "/c" },
  rtcBase: "1970-01-01T00:00:00", width: 1920, height: 1080, qmpSocket: "/q", serialLog: "/s", stopOnRestart: true,
};

test("the machine's arguments say what was asked for", () => {
  const text = qemuArguments(shape).join(" ");
  for (const part of ["q35,smm=on", "property=secure,value=on", "file=/d/a,,b.img", "usb-storage,drive=disk0,bus=xhci.0,serial=PRESTAGELAB0,bootindex=1", "ide-hd,drive=disk1,bus=ide.1,serial=PRESTAGELAB1 ", "readonly=on", "-rtc base=1970-01-01T00:00:00", "-no-reboot", "VGA,xres=1920,yres=1080"]) {
    assert.ok(`${text} `.includes(part), part);
  }
  assert.ok(!text.includes("-netdev"));
  assert.ok(qemuArguments({ ...shape, network: { mode: "user", capture: "/c.pcap" } }).join(" ").includes("filter-dump,id=capture,netdev=net0,maxlen=256,file=/c.pcap"));
});

test("a capture is read packet by packet, and a cut-off last one is left out", () => {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  const packet = Buffer.alloc(16 + 14);
  packet.writeUInt32LE(5, 0);
  packet.writeUInt32LE(14, 8);
  packet.write("ffffffffffff5254001234560806", 16, "hex");
  const packets = readCapture(Buffer.concat([head, packet, packet.subarray(0, 20)]));
  assert.deepEqual(packets, [{ time: 5, destination: "ff:ff:ff:ff:ff:ff", source: "52:54:00:12:34:56", etherType: 0x0806 }]);
  assert.deepEqual(readCapture(Buffer.alloc(0)), []);
  assert.throws(() => readCapture(Buffer.alloc(30)), { code: "PRESTAGE_LAB_BAD_CAPTURE" });
});

test("a disk that is not there is refused before anything starts", async () => {
  await assert.rejects(bootDisk({ disk: "/nonexistent.img", workDir: tmpdir() }), { code: "PRESTAGE_LAB_PROGRAM_MISSING" });
});
