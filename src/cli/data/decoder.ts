import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { DataError } from "../../data/index.ts";
import { reasonOf } from "./folders.ts";
import type { ImagePreprocessing, Reading } from "./opened.ts";

/** The package sharp. */
export type Sharp = typeof import("sharp").default;

/**
 * Loads the package sharp, which is installed beside hashgrad or in the working directory.
 * @throws DataError with the remedy if sharp is missing or does not load.
 */
export async function loadSharp(
  folder: string = process.cwd(),
  load: () => Promise<unknown> = () => import("sharp"),
): Promise<Sharp> {
  try {
    return prepared(await load());
  } catch (error) {
    if (!isMissing(error)) throw broken(error);
  }
  const requireFrom = createRequire(join(folder, "index.js")); // `npx` keeps hashgrad in a folder of its own
  try {
    return prepared({ default: requireFrom("sharp") });
  } catch (error) {
    if (!isMissing(error)) throw broken(error);
    throw new DataError("images", "reading images takes the package sharp: run `npm install sharp`");
  }
}

const isMissing = (error: unknown): boolean =>
  ["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"].includes((error as { readonly code?: string }).code ?? "");

const broken = (error: unknown): DataError =>
  new DataError("images", `the package sharp does not load (${reasonOf(error)}); run \`npm install sharp\` on this machine`, {
    cause: error,
  });

function prepared(module: unknown): Sharp {
  const sharp = (module as { readonly default: Sharp }).default;
  sharp.concurrency(1); // images are decoded side by side instead
  sharp.cache(false); // every file is read once
  return sharp;
}

/** An image that cannot be decoded; the message is the reason. */
export class ImageError extends Error {}

/** Calls a function of sharp. @throws ImageError with one line as the reason. */
async function attempt<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const reason = reasonOf(error).replace(/^Vips\w+: /, "");
    const isUnknown = /unsupported image format|Input Buffer is empty/i.test(reason);
    throw new ImageError(isUnknown ? "is not a complete JPEG, PNG, WebP, GIF, AVIF, TIFF or SVG image" : reason, {
      cause: error,
    });
  }
}

/**
 * Returns the pixels of an image file, `[height, width, channels]`: upright by its EXIF orientation, scaled and cropped
 * at the center to the size, 8 bits per channel. Transparent parts become white. Of an animation, the first frame.
 * @param image - a path, or the bytes of a file
 * @throws ImageError with the reason.
 */
export async function decodeImage(
  sharp: Sharp,
  image: string | Uint8Array,
  { height, width, channels }: ImagePreprocessing,
): Promise<Uint8Array> {
  return attempt(async () => {
    const { data, info } = await sharp(image, { failOn: "error" })
      .autoOrient()
      .flatten({ background: "#ffffff" })
      .resize(width, height, { fit: "cover" })
      .toColourspace(channels === 1 ? "b-w" : "srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== channels || data.length !== height * width * channels)
      throw new Error(`has ${info.channels} channels after decoding, need ${channels}`);
    return data;
  });
}

/** Height and width of an image in pixels, upright. @throws ImageError with the reason. */
export async function imageSize(sharp: Sharp, image: string | Uint8Array): Promise<readonly [height: number, width: number]> {
  return attempt(async () => {
    const { autoOrient } = await sharp(image, { failOn: "error" }).metadata();
    return [autoOrient.height, autoOrient.width];
  });
}

/** Images that are decoded at the same time: Node.js has four threads for such work. */
const AT_ONCE = Math.min(4, availableParallelism());

/**
 * Calls `decode` for 0 to `count` − 1, a few at a time. A call that fails is repeated alone, because decoders that fail
 * at the same time share the text of their errors.
 * @returns the reason of each image that cannot be decoded
 */
export async function sideBySide(
  count: number,
  decode: (i: number) => Promise<void>,
  { signal, onProgress }: Reading,
): Promise<ReadonlyMap<number, string>> {
  const failed: number[] = [];
  let [next, done] = [0, 0];
  const work = async (): Promise<void> => {
    while (next < count) {
      signal?.throwIfAborted();
      const i = next++;
      if ((await reasonIf(() => decode(i))) !== null) failed.push(i);
      onProgress?.(++done, count);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  const reasons = new Map<number, string>();
  for (const i of failed.sort((a, b) => a - b)) {
    signal?.throwIfAborted();
    const reason = await reasonIf(() => decode(i));
    if (reason !== null) reasons.set(i, reason);
  }
  return reasons;
}

/** The reason why an image cannot be decoded; null if it can. */
async function reasonIf(decode: () => Promise<void>): Promise<string | null> {
  try {
    await decode();
    return null;
  } catch (error) {
    if (error instanceof ImageError) return error.message;
    throw error;
  }
}
