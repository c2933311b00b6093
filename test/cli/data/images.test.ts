import { mkdirSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { decodeImage, ImageError, loadSharp, type Sharp } from "../../../src/cli/data/decoder.ts";
import { openImages } from "../../../src/cli/data/images.ts";
import type { OpenedData } from "../../../src/cli/data/opened.ts";
import { arrange } from "../../../src/cli/data/pixels.ts";
import type { Data, Dataset } from "../../../src/data/index.ts";
import { folderWithCache, optionsOf, png, write } from "./pictures.ts";

const root = folderWithCache();
let folders = 0;
const folder = (files: Readonly<Record<string, string | Uint8Array>>): string => write(join(root, `${folders++}`), files);

let [red, green, blue]: Buffer[] = [];
let loaded: Sharp;
beforeAll(async () => {
  [red, green, blue] = await Promise.all(["#ff0000", "#00ff00", "#0000ff"].map((color) => png(color)));
  loaded = await loadSharp();
});

/** Labels and first pixels of a part, in its order. */
function contentOf(data: Data | null): readonly (readonly number[])[] {
  const { inputs, inputShape, labels } = data as Dataset;
  const size = inputShape.reduce((a, b) => a * b, 1);
  return Array.from(labels, (label, i) => [label, ...inputs.subarray(i * size, i * size + inputShape[2]!)]);
}
const skippedOf = ({ skipped }: OpenedData): string[] => skipped.map(({ where, reason }) => `${where}: ${reason}`);

describe("a folder of images", () => {
  test("one folder per class becomes labels in the order of the names", async () => {
    const data = await openImages(optionsOf(folder({ "b/1.png": green!, "a/2.png": red!, "a/1.png": blue!, "C/1.png": red! })));
    expect(data.classes).toEqual(["C", "a", "b"]);
    expect(data.inputShape).toEqual([4, 4, 3]);
    expect(contentOf(data.train)).toEqual([
      [0, 255, 0, 0],
      [1, 0, 0, 255],
      [1, 255, 0, 0],
      [2, 0, 255, 0],
    ]);
    expect([data.validation, data.test, data.skipped]).toEqual([null, null, []]);
    expect(data.preprocessing).toEqual({ kind: "images", height: 4, width: 4, channels: 3 });
  });

  test("train, test and val are the parts, with the classes of train", async () => {
    const files = { "train/a/1.png": red!, "train/b/1.png": green!, "test/b/1.png": blue!, "val/a/1.png": green! };
    const data = await openImages(optionsOf(folder(files), { validation: 0.5 }));
    expect(data.classes).toEqual(["a", "b"]);
    expect([data.train, data.validation, data.test].map(contentOf)).toEqual([
      [
        [0, 255, 0, 0],
        [1, 0, 255, 0],
      ],
      [[0, 0, 255, 0]],
      [[1, 0, 0, 255]],
    ]);
  });

  test("a class may have the name train", async () => {
    const data = await openImages(optionsOf(folder({ "train/1.png": red!, "test/1.png": green!, "car/1.png": blue! })));
    expect(data.classes).toEqual(["car", "test", "train"]);
  });

  test("hidden files are ignored, folders inside a class belong to the class, and the extension may be any", async () => {
    const data = await openImages(
      optionsOf(
        folder({
          "a/1.PNG": red!,
          "a/deep/er/2": blue!,
          "a/.DS_Store": "x",
          "a/Thumbs.db": "x",
          ".git/x": "x",
          "__MACOSX/a/1.png": "x",
          "b/1.jpg": green!,
        }),
      ),
    );
    expect(data.classes).toEqual(["a", "b"]);
    expect(contentOf(data.train).map(([label]) => label)).toEqual([0, 0, 1]);
    expect(data.skipped).toEqual([]);
  });

  test("broken files, empty folders and stray files are listed with their reasons, and --strict refuses them", async () => {
    const noise = await sharp({
      create: { width: 64, height: 64, channels: 3, background: "#777777", noise: { type: "gaussian", mean: 128, sigma: 30 } },
    })
      .jpeg()
      .toBuffer();
    const files = {
      "a/1.png": red!,
      "a/empty.png": "",
      "a/notes.txt": "no image",
      "a/cut.jpg": noise.subarray(0, noise.length / 2),
      "b/1.png": green!,
      "stray.png": red!,
    };
    const path = folder(files);
    mkdirSync(join(path, "none"));
    symlinkSync(join(path, "nothing"), join(path, "b/link.png"));
    symlinkSync(path, join(path, "b/loop"));
    const data = await openImages(optionsOf(path));
    expect(data.classes).toEqual(["a", "b"]);
    expect(contentOf(data.train)).toEqual([
      [0, 255, 0, 0],
      [1, 0, 255, 0],
    ]);
    expect(skippedOf(data)).toEqual([
      "stray.png: lies outside the folders of the classes",
      "b/link.png: does not exist, or is a link to nothing",
      "b/loop/: is a link to a folder around it",
      "none/: holds no images, so it is no class",
      "a/cut.jpg: premature end of JPEG image",
      "a/empty.png: is empty",
      "a/notes.txt: is not a complete JPEG, PNG, WebP, GIF, AVIF, TIFF or SVG image",
    ]);
    await expect(openImages(optionsOf(path, { strict: true }))).rejects.toThrow(
      `${path}: --strict refuses this folder: stray.png: lies outside the folders of the classes; b/link.png:`,
    );
  });

  test("a refusal lists ten broken images and counts the rest", async () => {
    const broken = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`a/${String.fromCharCode(97 + i)}.png`, "x"]));
    const path = folder({ ...broken, "a/1.png": red!, "b/1.png": green! });
    const error = await openImages(optionsOf(path, { strict: true })).catch((error: Error) => error);
    expect((error as Error).message).toMatch(
      /^\S+: --strict refuses 12 of 14 images: a\/a\.png: is not .*; a\/j\.png: [^;]*; and 2 more$/,
    );
  });

  test.each([
    ["an empty folder", {}, /: is empty: need a folder for each class with its images, such as cats\/ and dogs\/$/],
    ["images without folders", { "1.png": "red" }, /: holds 1 files and no folder: need a folder for each class/],
    ["one class", { "a/1.png": "red" }, /: holds images of one class only, a: need at least two folders with images$/],
    ["no image", { "a/1": "x", "b/1": "x" }, /: holds no image that can be read: .*; left out: 2 entries, such as a\/1: is not/],
    ["test alone", { "test/a/1.png": "red", "val/a/1.png": "red" }, /: holds test\/ and val\/ only: train\/ .* is missing$/],
    [
      "two of validation",
      { "train/a/1.png": "red", "val/a/1": "red", "valid/a/1": "red" },
      /holds val\/ and valid\/: need one folder/,
    ],
    [
      "a class that train lacks",
      { "train/a/1.png": "red", "train/b/1.png": "red", "test/c/1.png": "red" },
      /: test\/c\/1\.png is of class c, of which train\/ has no image that can be read$/,
    ],
  ])("%s is refused", async (_, files, message) => {
    const path = folder(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, text === "red" ? red! : text])));
    mkdirSync(path, { recursive: true });
    await expect(openImages(optionsOf(path))).rejects.toThrow(message);
  });

  test("without a size, images have the size of the first image, which must be small", async () => {
    const path = folder({ "a/0.png": "broken", "a/1.png": await png("#ff0000", 6, 4), "b/1.png": green! });
    expect((await openImages(optionsOf(path))).inputShape).toEqual([6, 4, 3]);
    expect((await openImages(optionsOf(path, { imageSize: [2, 3], gray: true }))).inputShape).toEqual([2, 3, 1]);
    const large = folder({ "a/1.png": await png("#ff0000", 20, 300), "b/1.png": green! });
    await expect(openImages(optionsOf(large))).rejects.toThrow(
      "the first image, a/1.png, has 20×300 pixels (height×width), which is slow to train on: pass a size such as --image-size 64",
    );
  });

  test("images that do not fit into memory are refused with their size", async () => {
    const path = folder({ "a/1.png": red!, "b/1.png": green! });
    await expect(openImages(optionsOf(path, { imageSize: [2e6, 2e6] }))).rejects.toThrow(
      "2 images of 2000000×2000000 pixels with 3 channels take 24000.0 GB of memory: pass a smaller --image-size, or --limit",
    );
  });

  test("a validation share takes images of each class, the same for the same seed, and --limit takes classes in turns", async () => {
    const colors = Array.from({ length: 12 }, (_, i) => `#${(10 + i).toString(16).padStart(2, "0").repeat(3)}`);
    const images = await Promise.all(colors.map((color) => png(color, 1, 1)));
    const files = Object.fromEntries(
      images.map((image, i) => [`${"ab"[Number(i > 8)]}/${String(i).padStart(2, "0")}.png`, image]),
    );
    const path = folder(files);
    const open = (seed: number): Promise<OpenedData> => openImages(optionsOf(path, { validation: 0.3, seed }));
    const [first, again, other] = [await open(1), await open(1), await open(2)];
    expect(first).toEqual(again);
    expect(first.digest).not.toBe(other.digest);
    const [train, validation] = [contentOf(first.train), contentOf(first.validation)];
    expect(validation.map(([label]) => label)).toEqual([0, 0, 0, 1]);
    expect([...train, ...validation].sort((a, b) => a[1]! - b[1]!).map(([label, level]) => [label, level])).toEqual(
      colors.map((_, i) => [Number(i > 8), 10 + i]),
    );
    const limited = await openImages(optionsOf(path, { limit: 4 }));
    expect(contentOf(limited.train).map(([, level]) => level)).toEqual([10, 11, 19, 20]);
    await expect(openImages(optionsOf(path, { limit: 1 }))).rejects.toThrow("--limit 1 leaves images of one class only");
  });

  test("the digest depends on pixels and class names, and not on file names", async () => {
    const digest = async (files: Readonly<Record<string, Uint8Array>>): Promise<string> =>
      (await openImages(optionsOf(folder(files)))).digest;
    const one = await digest({ "a/1.png": red!, "b/1.png": green! });
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(await digest({ "a/2.png": red!, "b/3.png": green! })).toBe(one);
    expect(await digest({ "a/1.png": blue!, "b/1.png": green! })).not.toBe(one);
    expect(await digest({ "a/1.png": red!, "c/1.png": green! })).not.toBe(one);
  });

  test("reports its progress, and an abort ends it with the reason of the signal", async () => {
    const path = folder(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${"ab"[i % 2]}/${i}.png`, red!])));
    const seen: number[] = [];
    await openImages(optionsOf(path), { onProgress: (done, total) => seen.push(done / total) });
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => (i + 1) / 40));
    const stop = new AbortController();
    const reason = new Error("stopped");
    let last = 0;
    const reading = openImages(optionsOf(path), {
      signal: stop.signal,
      onProgress: (done) => {
        last = done;
        if (done === 10) stop.abort(reason);
      },
    });
    await expect(reading).rejects.toBe(reason);
    expect(last).toBeLessThan(20);
  });
});

describe("decoded pixels", () => {
  const decode = async (image: Uint8Array, height: number, width: number, channels = 3): Promise<number[]> => [
    ...(await decodeImage(loaded, image, { kind: "images", height, width, channels })),
  ];
  const raw = (pixels: ArrayLike<number>, height: number, width: number, channels: 1 | 3 | 4): ReturnType<Sharp> =>
    sharp(Uint8Array.from(pixels), { raw: { height, width, channels } });

  test("a lossless file of the right size keeps every byte", async () => {
    const image = fc.record({ height: fc.integer({ min: 1, max: 9 }), width: fc.integer({ min: 1, max: 9 }), seed: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(image, fc.constantFrom("png", "webp", "tiff"), async ({ height, width, seed }, format) => {
        const pixels = Uint8Array.from({ length: height * width * 3 }, (_, i) => (i * 37 + seed * 11) % 256);
        const file = await raw(pixels, height, width, 3)
          .toFormat(format as "png", { lossless: true, compression: "none" } as object)
          .toBuffer();
        expect(await decode(file, height, width)).toEqual([...pixels]);
      }),
      { numRuns: 20 },
    );
  });

  test("a JPEG file differs by a few levels at most", async () => {
    const pixels = Array.from({ length: 16 * 16 * 3 }, (_, i) => 100 + Math.floor(i / 48) * 5);
    const decoded = await decode(await raw(pixels, 16, 16, 3).jpeg({ quality: 95 }).toBuffer(), 16, 16);
    expect(Math.max(...decoded.map((level, i) => Math.abs(level - pixels[i]!)))).toBeLessThan(8);
  });

  test("the EXIF orientation turns the image upright", async () => {
    const image = await raw([255, 0, 0, 0, 0, 255], 1, 2, 3).withMetadata({ orientation: 6 }).png().toBuffer();
    expect(await decode(image, 2, 1)).toEqual([255, 0, 0, 0, 0, 255]); // a row that lies down becomes a column
    const path = folder({ "a/1.png": image, "b/1.png": image });
    expect((await openImages(optionsOf(path))).inputShape).toEqual([2, 1, 3]);
  });

  test("a wide image is scaled to cover the size, then cut at both ends", async () => {
    const columns = [
      [255, 0, 0],
      [0, 255, 0],
      [0, 255, 0],
      [0, 0, 255],
    ];
    const pixels = Array.from({ length: 2 }, () => columns.flat()).flat();
    const decoded = await decode(await raw(pixels, 2, 4, 3).png().toBuffer(), 2, 2);
    expect(decoded).toEqual(Array.from({ length: 4 }, () => [0, 255, 0]).flat());
  });

  test.each([
    ["transparent", [9, 9, 9, 0], [255, 255, 255]],
    ["half transparent black", [0, 0, 0, 128], [127, 127, 127]],
    ["opaque", [9, 8, 7, 255], [9, 8, 7]],
  ])("a %s pixel lies on white", async (_, pixel, result) => {
    expect(await decode(await raw(pixel, 1, 1, 4).png().toBuffer(), 1, 1)).toEqual(result);
  });

  test("16 bits per channel become 8, CMYK becomes RGB, RGB becomes gray, gray becomes RGB", async () => {
    const deep = await sharp(Uint16Array.of(0, 25700, 65535, 32768), { raw: { width: 4, height: 1, channels: 1 } })
      .toColourspace("grey16")
      .png()
      .toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe("ushort");
    expect(await decode(deep, 1, 4, 1)).toEqual([0, 100, 255, 128]);
    expect(await decode(deep, 1, 4)).toEqual([0, 100, 255, 128].flatMap((level) => [level, level, level]));
    const printed = await sharp(red!).toColourspace("cmyk").jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(printed).metadata()).space).toBe("cmyk");
    const [r, g, b] = await decode(printed, 1, 1);
    expect(r! > 200 && g! < 60 && b! < 60).toBe(true);
    expect(await decode(await png("#646464", 1, 1), 1, 1, 1)).toEqual([100]);
    expect(await decode(printed, 1, 1, 1)).toHaveLength(1);
  });

  test("an animation gives its first frame", async () => {
    const frames = await sharp(
      Uint8Array.from({ length: 24 }, (_, i) => (i < 12 ? 255 : 0)),
      {
        raw: { width: 2, height: 4, channels: 3, pageHeight: 2 },
      },
    )
      .gif()
      .toBuffer();
    expect((await sharp(frames).metadata()).pages).toBe(2);
    expect(await decode(frames, 2, 2)).toEqual(Array(12).fill(255));
  });

  test("a damaged file is never more than an error or other pixels", async () => {
    const whole = await png("#123456", 8, 8);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (at, change, isCut) => {
        const damaged = Buffer.from(isCut ? whole.subarray(0, at) : whole);
        if (!isCut) damaged[at]! ^= change;
        const result = await decode(damaged, 8, 8).catch((error: Error) => error);
        if (result instanceof Error) expect([result instanceof ImageError, result.message.includes("\n")]).toEqual([true, false]);
        else expect(result).toHaveLength(192);
      }),
      { numRuns: 30 },
    );
  });
});

describe("sharp", () => {
  const missing = (): Promise<never> => Promise.reject(Object.assign(new Error("no"), { code: "ERR_MODULE_NOT_FOUND" }));
  test("is named with the remedy if it is missing", async () => {
    await expect(loadSharp(root, missing)).rejects.toThrow(
      /^images: reading images takes the package sharp: run `npm install sharp`$/,
    );
  });
  test("is found in the working directory if it is not beside hashgrad", async () => {
    expect(typeof (await loadSharp(process.cwd(), missing))).toBe("function");
  });
  test("is named with the remedy if it does not load", async () => {
    const fails = (): Promise<never> => Promise.reject(new Error('Could not load the "sharp" module\nPossible solutions:'));
    await expect(loadSharp(root, fails)).rejects.toThrow(
      'images: the package sharp does not load (Could not load the "sharp" module); run `npm install sharp` on this machine',
    );
  });
});

describe("the cache of pixels", () => {
  test("gives the same data, reads changed files again, and survives damage", async () => {
    const image = await png("#0a0b0c", 2, 2);
    const path = folder(Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`${"ab"[i % 2]}/${i}.png`, image])));
    const first = await openImages(optionsOf(path));
    // The cache knows files by size and time, so a file that is broken at the same size and time shows that it is read.
    const time = new Date(1e12);
    for (let i = 0; i < 120; i++) utimesSync(join(path, `${"ab"[i % 2]}/${i}.png`), time, time);
    expect(await openImages(optionsOf(path))).toEqual(first); // decoded again, and written
    write(path, { "a/0.png": Buffer.alloc(image.length) });
    utimesSync(join(path, "a/0.png"), time, time);
    expect(await openImages(optionsOf(path))).toEqual(first); // from the cache
    write(path, { "a/0.png": await png("#ffffff", 2, 2) });
    const changed = await openImages(optionsOf(path));
    expect(contentOf(changed.train)[0]).toEqual([0, 255, 255, 255]);
    expect(contentOf(changed.train).slice(1)).toEqual(contentOf(first.train).slice(1));
  });
});

test("arrange moves images to the positions of an order, and may leave images out", () => {
  const cases = fc.tuple(fc.nat(12), fc.integer({ min: 1, max: 4 })).chain(([count, size]) =>
    fc.record({
      size: fc.constant(size),
      count: fc.constant(count),
      order: fc.shuffledSubarray(Array.from({ length: count }, (_, i) => i)),
    }),
  );
  fc.assert(
    fc.property(cases, ({ size, count, order }) => {
      const pixels = Uint8Array.from({ length: count * size }, (_, i) => i);
      const before = pixels.slice();
      arrange(pixels, size, order);
      expect([...pixels.subarray(0, order.length * size)]).toEqual(
        order.flatMap((image) => [...before.subarray(image * size, (image + 1) * size)]),
      );
    }),
  );
});
