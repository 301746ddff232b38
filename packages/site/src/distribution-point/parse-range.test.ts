import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseRange } from "./parse-range.ts";

test("the cases of RFC 9110 section 14", () => {
  const cases: [string | undefined, number, ReturnType<typeof parseRange>][] = [
    [undefined, 10, "whole"], ["bytes=0-0", 10, { first: 0, last: 0 }], ["bytes=0-9", 10, { first: 0, last: 9 }], ["bytes=3-", 10, { first: 3, last: 9 }], ["bytes=-4", 10, { first: 6, last: 9 }],
    ["bytes=-400", 10, { first: 0, last: 9 }], ["bytes=5-400", 10, { first: 5, last: 9 }], ["bytes=9-9", 10, { first: 9, last: 9 }], ["bytes=10-", 10, "unsatisfiable"], ["bytes=10-20", 10, "unsatisfiable"],
    ["bytes=-0", 10, "unsatisfiable"], ["bytes=5-4", 10, "unsatisfiable"], [`bytes=${"9".repeat(50)}-`, 10, "unsatisfiable"], [`bytes=2-${"9".repeat(50)}`, 10, { first: 2, last: 9 }],
    ["bytes=0-0", 0, "unsatisfiable"], ["bytes=0-", 0, "unsatisfiable"], [undefined, 0, "whole"],
    // What may be ignored is: another unit, several ranges, no range at all.
    ["bytes=-", 10, "whole"], ["bytes=0-1,3-4", 10, "whole"], ["lines=0-1", 10, "whole"], ["bytes=a-b", 10, "whole"], ["bytes = 0-1", 10, "whole"], ["", 10, "whole"],
  ];
  for (const [header, size, expected] of cases) assert.deepEqual(parseRange(header, size), expected, `${header} of ${size}`);
});

test("whatever the header, a range lies inside the file", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `bytes=${a}-${b}`), fc.nat().map((a) => `bytes=-${a}`)), fc.nat(5000), (header, size) => {
      const range = parseRange(header, size);
      if (typeof range === "object") assert.ok(range.first >= 0 && range.first <= range.last && range.last < size);
    }),
  );
});
