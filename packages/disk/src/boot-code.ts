/** Where the partition table's own fields begin in the first sector: boot code may use what is before. */
const bootCodeSize = 440;
const loadAddress = 0x7c00;

/**
 * What a computer that starts the BIOS way runs from the protective MBR: a text that says what to do, and nothing else.
 * 16-bit code: registers and stack set, each character of the text by interrupt 10h function 0Eh, then halted.
 */
export function biosMessageCode(text = "Prestage needs UEFI. Switch this computer's firmware from BIOS (legacy, CSM) to UEFI and start again."): Uint8Array {
  const head = [0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, 0xfb, 0xfc]; // cli; ax=0; ds=es=ss=ax; sp=7c00; sti; cld
  const print = [0xac, 0x84, 0xc0, 0x74, 0x09, 0xb4, 0x0e, 0xbb, 0x07, 0x00, 0xcd, 0x10, 0xeb, 0xf2]; // lodsb; test al,al; jz +9; mov ah,0e; mov bx,7; int 10; jmp -14
  const halt = [0xf4, 0xeb, 0xfd]; // hlt; jmp -3
  const codeSize = head.length + 3 + print.length + halt.length;
  const address = loadAddress + codeSize;
  const message = Buffer.from(`\r\n${text}\r\n\0`, "latin1");
  if (codeSize + message.length > bootCodeSize) throw new RangeError(`The text has room for ${bootCodeSize - codeSize - 5} characters.`);
  const code = Buffer.alloc(bootCodeSize);
  Buffer.from([...head, 0xbe, address & 0xff, address >> 8, ...print, ...halt]).copy(code); // mov si, address
  message.copy(code, codeSize);
  return code;
}
