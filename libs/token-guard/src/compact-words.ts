/** Eight hexadecimal digits in lower case as a (signed) word whose bytes in memory are in the digits' order. */
export function wordOfHex(text: string, at: number): number {
  return (
    byteOfHex(text, at) |
    (byteOfHex(text, at + 2) << 8) |
    (byteOfHex(text, at + 4) << 16) |
    (byteOfHex(text, at + 6) << 24)
  );
}

const byteOfHex = (text: string, at: number): number =>
  (digitOfHex(text.charCodeAt(at)) << 4) | digitOfHex(text.charCodeAt(at + 1));

/** 0–9 and a–f, without a branch or a table: the letters lie 9 after what their low bits say. */
const digitOfHex = (code: number): number => (code & 15) + (code >>> 6) * 9;

/** Two characters of UTF-16 as a (signed) word whose bytes in memory are in the order that they were read in. */
export const wordOfPair = (text: string, at: number): number =>
  text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16);
