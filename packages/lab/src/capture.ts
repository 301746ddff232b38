import { LabError } from "./error.ts";

export interface CapturedPacket {
  /** Seconds since 1970. */
  time: number;
  /** Hardware addresses, as in 52:54:00:12:34:56. */
  source: string;
  destination: string;
  etherType: number;
  /** The VLAN's number, where the frame carries one (IEEE 802.1Q). */
  vlan?: number;
}

/** Reads a packet capture (libpcap's file format, little endian, as QEMU writes it). A last packet cut off by the machine's end is left out. */
export function readCapture(bytes: Uint8Array): CapturedPacket[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 0) return [];
  if (bytes.length < 24 || view.getUint32(0, true) !== 0xa1b2c3d4) throw new LabError("PRESTAGE_LAB_BAD_CAPTURE", "Expected a packet capture, found something else. Was the machine started with a network?");
  const packets: CapturedPacket[] = [];
  for (let at = 24; at + 16 <= bytes.length; ) {
    const stored = view.getUint32(at + 8, true);
    if (at + 16 + stored > bytes.length) break;
    const frame = bytes.subarray(at + 16, at + 16 + stored);
    if (stored >= 14) {
      const etherType = frameWord(frame, 12);
      packets.push({
        time: view.getUint32(at, true) + view.getUint32(at + 4, true) / 1e6,
        destination: hardwareAddress(frame.subarray(0, 6)),
        source: hardwareAddress(frame.subarray(6, 12)),
        etherType,
        ...(etherType === 0x8100 && { vlan: frameWord(frame, 14) & 0xfff }),
      });
    }
    at += 16 + stored;
  }
  return packets;
}

/** Two bytes, the higher one first. */
function frameWord(frame: Uint8Array, at: number): number {
  return ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
}

function hardwareAddress(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
