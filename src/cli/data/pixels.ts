import { totalmem } from "node:os";
import { DataError } from "../../data/index.ts";
import { cacheFile, cacheFolder, LEAST_IMAGES, openCache, writeCache } from "./cache.ts";
import { decodeImage, ImageError, type Sharp, sideBySide } from "./decoder.ts";
import type { ImageFile } from "./folders.ts";
import type { ImagePreprocessing, Reading } from "./opened.ts";

/** The pixels of all files, one after another, and the files that cannot be decoded with their reasons. */
export async function pixelsOf(
  sharp: Sharp,
  root: string,
  files: readonly ImageFile[],
  preprocessing: ImagePreprocessing,
  reading: Reading,
): Promise<{ pixels: Uint8Array; failed: ReadonlyMap<number, string> }> {
  const size = preprocessing.height * preprocessing.width * preprocessing.channels;
  const pixels = bytesFor(root, files.length, preprocessing);
  const path = cacheFile(root, preprocessing, JSON.stringify([sharp.versions.sharp, sharp.versions.vips]));
  const cache = openCache(path, preprocessing);
  let decoded = 0;
  const decode = async (i: number): Promise<void> => {
    const file = files[i]!;
    const to = pixels.subarray(i * size, (i + 1) * size);
    if (cache?.read(file, to)) return;
    if (file.size === 0) throw new ImageError("is empty");
    to.set(await decodeImage(sharp, file.path, preprocessing));
    decoded++;
  };
  let failed: ReadonlyMap<number, string>;
  try {
    failed = await sideBySide(files.length, decode, reading);
  } finally {
    cache?.close();
  }
  if (decoded >= LEAST_IMAGES) {
    const good = files.map((_, i) => i).filter((i) => !failed.has(i));
    writeCache(
      path,
      cacheFolder(),
      good.map((i) => [files[i]!, pixels.subarray(i * size, (i + 1) * size)]),
    );
  }
  return { pixels, failed };
}

function bytesFor(root: string, count: number, { height, width, channels }: ImagePreprocessing): Uint8Array {
  const length = count * height * width * channels;
  try {
    if (length > totalmem() / 2) throw new RangeError("too large");
    return new Uint8Array(length);
  } catch {
    const gigabytes = (length / 1e9).toFixed(1);
    throw new DataError(
      root,
      `${count} images of ${height}×${width} pixels with ${channels} channels take ${gigabytes} GB of memory: pass a smaller --image-size, or --limit`,
    );
  }
}

/**
 * Moves images within their array, so that image i becomes the one that was at `order[i]`. Images that `order` lacks
 * are moved behind the images of `order`.
 */
export function arrange(pixels: Uint8Array, size: number, order: readonly number[]): void {
  const count = size === 0 ? 0 : pixels.length / size;
  const at = Int32Array.from({ length: count }, (_, i) => i); // where the image that was at i is now
  const held = Int32Array.from(at); // which image is at i now
  const spare = new Uint8Array(size);
  for (const [i, wanted] of order.entries()) {
    const from = at[wanted]!;
    if (from === i) continue;
    spare.set(pixels.subarray(i * size, (i + 1) * size));
    pixels.copyWithin(i * size, from * size, (from + 1) * size);
    pixels.set(spare, from * size);
    const displaced = held[i]!;
    [held[i], held[from]] = [wanted, displaced];
    [at[wanted], at[displaced]] = [i, from];
  }
}
