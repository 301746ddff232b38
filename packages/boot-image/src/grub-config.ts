/**
 * The settings of GRUB on the ESP. Debian's signed GRUB reads them from EFI/debian, whatever it was started from. The
 * file is the same on every disk: which ESP it lies on travels on the kernel's command line, and the switch between boot
 * environment and installed system with its file system in prestage/boot.env. Where that is damaged when a deployment is over,
 * Windows starts if its boot manager is there.
 */
export const grubConfig = `set timeout=0
set esp=$root
probe --set=espid --part-uuid $esp
load_env -f ($esp)/prestage/boot.env boot root_uuid
set windows=($esp)/EFI/Microsoft/Boot/bootmgfw.efi
if [ "$boot" != "windows" -a "$boot" != "installed" -a ! -e ($esp)/prestage/vmlinuz -a -e $windows ]; then
  set boot=windows
fi
if [ "$boot" = "windows" -a -e $windows ]; then
  chainloader $windows
  boot
elif [ "$boot" = "installed" -o ! -e ($esp)/prestage/vmlinuz ]; then
  search --no-floppy --set=root --fs-uuid $root_uuid
  set prefix=($root)/boot/grub
  configfile $prefix/grub.cfg
else
  # The screen's own resolution, kept for the kernel: without this the console shares the serial port's few lines.
  set gfxmode=1920x1080,auto
  set gfxpayload=keep
  terminal_output gfxterm
  echo "Prestage: loading the boot environment"
  linux ($esp)/prestage/vmlinuz prestage.esp=$espid console=tty0 console=ttyS0,115200 panic=10 quiet loglevel=3
  initrd ($esp)/prestage/initrd
  boot
fi
`;

/** boot.env as it is laid down: a GRUB environment block of exactly 1,024 bytes that says "environment". */
export function initialBootEnvironment(): Uint8Array {
  const block = Buffer.alloc(1024, "#");
  block.write("# GRUB Environment Block\nboot=environment\n", "latin1");
  return block;
}
