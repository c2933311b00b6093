import type { Tensor } from "../tensor/index.ts";

/** The key of the checksum in a file's metadata. */
export const CHECKSUM = "checksum";

/** MurmurHash3 (x86, 32 bits, seed 0; Austin Appleby) of 32-bit words. A change of one word always changes the hash. */
export function hashWords(words: Uint32Array, byteLength: number = 4 * words.length): number {
  let hash = 0;
  for (let i = 0; i < words.length; i++) {
    let word = Math.imul(words[i]!, 0xcc9e2d51);
    word = (word << 15) | (word >>> 17);
    hash ^= Math.imul(word, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= byteLength;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function hashText(text: string): number {
  const bytes = new TextEncoder().encode(text);
  const words = new Uint32Array(Math.ceil(bytes.length / 4));
  for (let i = 0; i < bytes.length; i++) words[i >> 2]! |= bytes[i]! << (8 * (i & 3));
  return hashWords(words, bytes.length);
}

const byKey = ([a]: readonly [string, ...unknown[]], [b]: readonly [string, ...unknown[]]): number =>
  a < b ? -1 : a > b ? 1 : 0;

/**
 * A checksum of names, shapes, numbers and metadata (without the checksum itself), in whatever order a file lists them.
 * It finds accidental damage; it does not protect against deliberate changes.
 */
export function checksumOf(tensors: ReadonlyMap<string, Tensor>, metadata: Readonly<Record<string, string>>): string {
  const strings = Object.entries(metadata).filter(([key]) => key !== CHECKSUM);
  const arrays = [...tensors].map(([name, { shape, data }]) => {
    const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
    return [name, shape, hashWords(words)] as const;
  });
  const hash = hashText(JSON.stringify([strings.sort(byKey), arrays.sort(byKey)]));
  return `murmur3 ${hash.toString(16).padStart(8, "0")}`;
}
