export type DiskBus = "virtio" | "nvme" | "sata" | "usb";

export interface MachineShape {
  disks: readonly { file: { path: string } | { nbdSocket: string }; bus: DiskBus; readOnly?: boolean | undefined }[];
  secureBoot: boolean;
  firmware: { code: string; variables: string };
  memoryMiB: number;
  smp: number;
  cpu: string;
  network: { mode: "none" | "user"; capture: string };
  rtcBase: string | undefined;
  width: number;
  height: number;
  qmpSocket: string;
  serialLog: string;
  stopOnRestart: boolean;
}

/** QEMU's arguments for a machine; the first disk is the one it starts from. */
export function qemuArguments(shape: MachineShape): string[] {
  const args = ["-machine", shape.secureBoot ? "q35,smm=on" : "q35", "-accel", "tcg,thread=multi", "-cpu", shape.cpu, "-smp", String(shape.smp), "-m", String(shape.memoryMiB)];
  args.push("-nodefaults", "-display", "none", "-device", `VGA,xres=${shape.width},yres=${shape.height}`);
  if (shape.secureBoot) args.push("-global", "driver=cfi.pflash01,property=secure,value=on");
  args.push("-drive", `if=pflash,unit=0,format=raw,readonly=on,file=${escapeValue(shape.firmware.code)}`);
  args.push("-drive", `if=pflash,unit=1,format=raw,file=${escapeValue(shape.firmware.variables)}`);
  if (shape.disks.some((disk) => disk.bus === "usb")) args.push("-device", "qemu-xhci,id=xhci");
  shape.disks.forEach((disk, index) => args.push(...diskArguments(disk, index)));
  if (shape.network.mode === "user") {
    args.push("-netdev", "user,id=net0", "-device", "virtio-net-pci,id=nic0,netdev=net0,romfile=");
    // The first 256 bytes of each packet: enough to see who spoke with whom, and a download does not fill the disk.
    args.push("-object", `filter-dump,id=capture,netdev=net0,maxlen=256,file=${escapeValue(shape.network.capture)}`);
  }
  args.push("-device", "virtio-rng-pci");
  if (shape.rtcBase !== undefined) args.push("-rtc", `base=${shape.rtcBase}`);
  if (shape.stopOnRestart) args.push("-no-reboot");
  args.push("-chardev", `stdio,id=serial,signal=off,logfile=${escapeValue(shape.serialLog)},logappend=on`, "-serial", "chardev:serial");
  args.push("-qmp", `unix:${escapeValue(shape.qmpSocket)},server=on,wait=off`);
  return args;
}

function diskArguments(disk: MachineShape["disks"][number], index: number): string[] {
  const id = `disk${index}`;
  const source = "path" in disk.file ? `file=${escapeValue(disk.file.path)}` : `file.driver=nbd,file.server.type=unix,file.server.path=${escapeValue(disk.file.nbdSocket)}`;
  const drive = `if=none,id=${id},format=raw,${source},cache=writeback,discard=unmap,detect-zeroes=unmap${disk.readOnly === true ? ",readonly=on" : ""}`;
  const boot = index === 0 ? ",bootindex=1" : "";
  const serial = `serial=PRESTAGELAB${index}`;
  const device = {
    virtio: `virtio-blk-pci,drive=${id},${serial}${boot}`,
    nvme: `nvme,drive=${id},${serial}${boot}`,
    sata: `ide-hd,drive=${id},bus=ide.${index},${serial}${boot}`,
    usb: `usb-storage,drive=${id},bus=xhci.0,${serial}${boot}`,
  }[disk.bus];
  return ["-drive", drive, "-device", device];
}

/** QEMU separates options by commas; a comma inside a value is doubled. */
function escapeValue(value: string): string {
  return value.replaceAll(",", ",,");
}
