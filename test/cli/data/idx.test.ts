import { join } from "node:path";
import { expect, test } from "vitest";
import { openData } from "../../../src/cli/data/open.ts";
import type { DataOptions } from "../../../src/cli/data/opened.ts";
import { encodeIdx, lengthOf, readMnist, sourceOf } from "../../../src/data/index.ts";
import { temporaryFolder } from "../../temporary-folder.ts";
import { TEST_IMAGES, TRAIN_IMAGES, writeMnist } from "../tiny-mnist.ts";
import { optionsOf } from "./pictures.ts";

const root = temporaryFolder();
const folder = writeMnist(join(root, "plain"));

const options = (more: Partial<DataOptions> = {}): DataOptions => optionsOf(folder, more);

test("IDX files become training and test images with names of classes", async () => {
  const { train, validation, test: held, ...rest } = await openData(options());
  expect([lengthOf(train), validation, lengthOf(held!)]).toEqual([TRAIN_IMAGES, null, TEST_IMAGES]);
  expect(rest).toEqual({
    kind: "idx",
    inputShape: [28, 28, 1],
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    preprocessing: { kind: "images", height: 28, width: 28, channels: 1 },
    digest: expect.stringMatching(/^[\da-f]{64}$/),
    skipped: [],
  });
});

test("training and validation images together are the images of the file, each once", async () => {
  const { train, validation } = await openData(options({ validation: 0.25 }));
  expect([lengthOf(train), lengthOf(validation!)]).toEqual([30, 10]);
  const rowsOf = async (data: typeof train): Promise<string[]> => {
    const { inputs, targets } = await sourceOf(data).batch(Int32Array.from({ length: lengthOf(data) }, (_, i) => i));
    const size = 28 * 28;
    const numbers = (inputs as { data: Float32Array }).data;
    return Array.from(targets as Int32Array, (label, i) => `${label}: ${numbers.slice(i * size, (i + 1) * size)}`);
  };
  const both = [...(await rowsOf(train)), ...(await rowsOf(validation!))];
  expect(both.sort()).toEqual((await rowsOf(readMnist(folder).train)).sort());
});

test("the digest depends on a single pixel, and not on the compression of the files", async () => {
  const { digest } = await openData(options());
  expect((await openData(options({ data: writeMnist(join(root, "packed"), { gzip: true }) }))).digest).toBe(digest);
  const { train } = readMnist(folder);
  const pixels = Uint8Array.from(train.inputs);
  pixels[5_000]! ^= 1;
  const changes = { "train-images-idx3-ubyte": encodeIdx([TRAIN_IMAGES, 28, 28], pixels) };
  expect((await openData(options({ data: writeMnist(join(root, "changed"), { changes }) }))).digest).not.toBe(digest);
});

test("a limit takes the first training images, before the split", async () => {
  const { train, validation } = await openData(options({ limit: 20, validation: 0.5 }));
  expect([lengthOf(train), lengthOf(validation!)]).toEqual([10, 10]);
});
