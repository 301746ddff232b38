/** 5x7 letters, a row a byte, the highest of the five bits on the left. */
const glyphs: Readonly<Record<string, string>> = {
  A: "0E11111F111111", B: "1E11111E11111E", C: "0E11101010110E", D: "1E11111111111E", E: "1F10101E10101F", F: "1F10101E101010", G: "0E11101711110F",
  H: "1111111F111111", I: "0E04040404040E", J: "0702020202120C", K: "11121418141211", L: "1010101010101F", M: "111B1515111111", N: "11111915131111",
  O: "0E11111111110E", P: "1E11111E101010", Q: "0E11111115120D", R: "1E11111E141211", S: "0F10100E01011E", T: "1F040404040404", U: "1111111111110E",
  V: "11111111110A04", W: "1111111515150A", X: "11110A040A1111", Y: "11110A04040404", Z: "1F01020408101F", 0: "0E11131519110E", 1: "040C040404040E",
  2: "0E11010204081F", 3: "1F02040201110E", 4: "02060A121F0202", 5: "1F101E0101110E", 6: "0608101E11110E", 7: "1F010204080808", 8: "0E11110E11110E", 9: "0E11110F01020C",
};
const rows = 7;
const columns = 5;

/** A text in letters of blocks, as large as fits; a dot is two characters wide, since characters are twice as high as wide. Too long a text comes back as it is. */
export function blockLetters(text: string, width: number, height: number): string[] {
  const letters = text.toUpperCase().split("");
  const widthAt = (scale: number) => letters.length * (columns + 1) * 2 * scale - 2 * scale;
  let scale = 0;
  while (widthAt(scale + 1) <= width && rows * (scale + 1) <= height) scale++;
  if (scale === 0 || letters.some((letter) => glyphs[letter] === undefined)) return [letters.join(" ")];
  const lines: string[] = [];
  for (let row = 0; row < rows; row++) {
    const dots = letters.map((letter) => {
      const bits = Number.parseInt((glyphs[letter] ?? "").slice(row * 2, row * 2 + 2), 16);
      return Array.from({ length: columns }, (_, i) => ((bits >> (columns - 1 - i)) & 1 ? "█" : " ").repeat(2 * scale)).join("");
    });
    const whole = dots.join("  ".repeat(scale));
    for (let i = 0; i < scale; i++) lines.push(whole);
  }
  return lines;
}
