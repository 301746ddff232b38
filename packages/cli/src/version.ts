/** The version of this program; stands in receipts and status. */
export const version = "0.1.0";
