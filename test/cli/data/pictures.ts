import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterAll } from "vitest";
import type { DataOptions } from "../../../src/cli/data/opened.ts";
import { temporaryFolder } from "../../temporary-folder.ts";

/** A temporary folder that is removed after the tests of the file. Caches of pixels go there. */
export function folderWithCache(): string {
  const folder = temporaryFolder();
  const before = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = join(folder, "cache");
  afterAll(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
  });
  return folder;
}

/** The bytes of a PNG file of one color, as "#rrggbb". */
export const png = (color: string, height = 4, width = 4): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: color } })
    .png()
    .toBuffer();

/** Writes files by path below a folder. */
export function write(root: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

export const optionsOf = (data: string, more: Partial<DataOptions> = {}): DataOptions => ({
  data,
  target: null,
  imageSize: null,
  gray: false,
  validation: 0,
  limit: null,
  strict: false,
  seed: 1,
  ...more,
});
