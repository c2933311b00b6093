import { deflateSync } from "node:zlib";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** The remainders of all bytes, for the checksum that PNG asks of each chunk. */
const CRCS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRCS[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** A chunk: length, type, content, checksum of type and content. */
function chunk(type: string, content: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + content.length);
  bytes.writeUInt32BE(content.length, 0);
  bytes.write(type, 4, "latin1");
  bytes.set(content, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + content.length)), 8 + content.length);
  return bytes;
}

export type Pixels = {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Bytes [height, width, channels]. */
  readonly bytes: Uint8Array;
};

/** PNG's numbers for the colors that it has: gray, gray with opacity, RGB, RGB with opacity. */
const COLOR_TYPES: Readonly<Record<number, number>> = { 1: 0, 2: 4, 3: 2, 4: 6 };

/**
 * Returns a PNG file. An image with more than 4 channels shows its first channel.
 * https://www.w3.org/TR/png-3/
 */
export function encodePng({ height, width, channels, bytes }: Pixels): Uint8Array {
  const kept = channels in COLOR_TYPES ? channels : 1;
  const lines = new Uint8Array(height * (1 + width * kept)); // each line begins with its filter, 0: none
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++)
      for (let k = 0; k < kept; k++)
        lines[i * (1 + width * kept) + 1 + j * kept + k] = bytes[(i * width + j) * channels + k] ?? 0;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, COLOR_TYPES[kept]!, 0, 0, 0], 8);
  const chunks = [chunk("IHDR", header), chunk("IDAT", deflateSync(lines, { level: 9 })), chunk("IEND", new Uint8Array(0))];
  return Buffer.concat([SIGNATURE, ...chunks]);
}

export const pngUri = (pixels: Pixels): string => `data:image/png;base64,${Buffer.from(encodePng(pixels)).toString("base64")}`;
