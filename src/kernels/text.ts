/**
 * The UTF-8 bytes of a text. Jest's jsdom environment has no `TextEncoder`, so this is done by hand. A lone surrogate
 * becomes U+FFFD.
 */
export function encodeText(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0)!;
    const code = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), tail(code));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), tail(code >> 6), tail(code));
    else bytes.push(0xf0 | (code >> 18), tail(code >> 12), tail(code >> 6), tail(code));
  }
  return Uint8Array.from(bytes);
}

const tail = (code: number): number => 0x80 | (code & 0x3f);

/**
 * The text that UTF-8 bytes stand for. Throws a TypeError if the bytes are not UTF-8. Drops a byte order mark at the
 * front.
 */
export function decodeText(bytes: Uint8Array): string {
  // Jest's jsdom environment has no global TextDecoder.
  const Decoder = globalThis.TextDecoder ?? process.getBuiltinModule("node:util").TextDecoder;
  return new Decoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}
