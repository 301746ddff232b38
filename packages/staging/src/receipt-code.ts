import type { OpenedReceipt } from "@prestage/trust";
import { renderSVG, renderUnicodeCompact } from "uqr";

/**
 * What a scanner reads: enough to find the receipt at the site and to tell disks apart. `PRESTAGE-RECEIPT-1`, then media
 * id, claim id and the receipt's SHA-256 in upper-case hex, then the disk's serial number; a space between.
 */
export function receiptCode(opened: Pick<OpenedReceipt, "receipt" | "sha256">): string {
  const { mediaId, claim, diskSerial } = opened.receipt;
  return ["PRESTAGE-RECEIPT-1", mediaId.toUpperCase(), claim.keyId.toUpperCase(), opened.sha256.toUpperCase(), (diskSerial ?? "-").slice(0, 64)].join(" ");
}

/** The code in characters: light on dark as terminals are, or dark on light as on paper. */
export function receiptCodeText(opened: Pick<OpenedReceipt, "receipt" | "sha256">, options: { paper?: boolean } = {}): string {
  return renderUnicodeCompact(receiptCode(opened), { ecc: "L", border: 2, invert: options.paper ?? false });
}

export function receiptCodeSvg(opened: Pick<OpenedReceipt, "receipt" | "sha256">): string {
  return `${renderSVG(receiptCode(opened), { ecc: "M", border: 4, pixelSize: 8 })}\n`;
}
