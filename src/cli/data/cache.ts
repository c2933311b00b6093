import { createHash } from "node:crypto";
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readSync, rmSync, statSync, utimesSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { replaceFile } from "../../io/index.ts";
import type { ImageFile } from "./folders.ts";
import type { ImagePreprocessing } from "./opened.ts";

/** Fewer images are decoded faster than a file of pixels is worth. */
export const LEAST_IMAGES = 100;
/** Files of pixels that no command has used for so long are removed. */
const MOST_DAYS = 30;
const DAY = 24 * 60 * 60 * 1000;

/** The pixels of decoded files. */
export type PixelCache = {
  /** Writes the pixels of a file to `to`; false if the cache lacks the file, or has an older one. */
  readonly read: (file: ImageFile, to: Uint8Array) => boolean;
  readonly close: () => void;
};

/** The folder of caches of this user, as the operating system defines it. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): string {
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, "hashgrad");
  if (platform === "win32") return join(env.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "hashgrad", "cache");
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "hashgrad");
  return join(homedir(), ".cache", "hashgrad");
}

/** The file of pixels of a folder of images. Other sizes and other decoders have other files. */
export function cacheFile(
  root: string,
  preprocessing: ImagePreprocessing,
  decoder: string,
  folder: string = cacheFolder(),
): string {
  const key = JSON.stringify([root, preprocessing, decoder]);
  return join(folder, `images-${createHash("sha256").update(key).digest("hex").slice(0, 32)}`);
}

const idOf = ({ name, size, modified }: ImageFile): string => `${size} ${modified} ${name}`;
const HEADER_LENGTH = 8;

/** Opens a file of pixels; null if there is none, or if it is damaged. */
export function openCache(path: string, { height, width, channels }: ImagePreprocessing): PixelCache | null {
  const size = height * width * channels;
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return null;
  }
  try {
    const first = readAt(file, 0, HEADER_LENGTH);
    const length = Number(first.readBigUInt64LE());
    const bytes = fstatSync(file).size;
    if (length > bytes) throw new Error("damaged");
    const ids: unknown = JSON.parse(readAt(file, HEADER_LENGTH, length).toString());
    if (!Array.isArray(ids) || HEADER_LENGTH + length + ids.length * size !== bytes) throw new Error("damaged");
    utimesSync(path, new Date(), new Date()); // counts as used
    const places = new Map(ids.map((id: unknown, i): [unknown, number] => [id, HEADER_LENGTH + length + i * size]));
    return {
      read: (image, to): boolean => {
        const at = places.get(idOf(image));
        if (at === undefined) return false;
        return readSync(file, to, 0, size, at) === size;
      },
      close: () => closeSync(file),
    };
  } catch {
    closeSync(file);
    return null;
  }
}

function readAt(file: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (readSync(file, bytes, 0, length, at) !== length) throw new Error("damaged");
  return bytes;
}

/**
 * Writes the pixels of files, and removes files of pixels that no command has used for 30 days. Without the permission
 * to write, there is no cache.
 */
export function writeCache(path: string, folder: string, images: readonly (readonly [ImageFile, Uint8Array])[]): void {
  const ids = Buffer.from(JSON.stringify(images.map(([file]) => idOf(file))));
  const header = Buffer.alloc(HEADER_LENGTH);
  header.writeBigUInt64LE(BigInt(ids.length));
  try {
    mkdirSync(folder, { recursive: true });
    removeOld(folder);
    replaceFile("images", path, [header, ids, ...images.map(([, pixels]) => pixels)]);
  } catch {
    // The next command decodes the images again.
  }
}

function removeOld(folder: string): void {
  for (const name of readdirSync(folder).filter((name) => name.startsWith("images-"))) {
    const path = join(folder, name);
    if (Date.now() - statSync(path).mtimeMs > MOST_DAYS * DAY) rmSync(path, { force: true });
  }
}
