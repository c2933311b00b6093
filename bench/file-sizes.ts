// The table of docs/guides/files.md: bytes of a file and test accuracy after loading it, in four element types. The toy
// network on MNIST, dense and with its weights in a product pool. Each network trains 3 epochs by the recipe of the
// command line. Results go to bench/results/file-sizes.jsonl. Networks that the file holds are not trained again.
//
// `npm run file-sizes`, or `npm run file-sizes -- --fractions 1,0.1 --images 6000 --out <file>`. A fraction of 1 is the
// dense network. `--print` trains nothing. With the default options the script also writes the table into the page.
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { buildModel, buildOptimizer } from "../src/cli/recipe.ts";
import { batchCount, lengthOf, readMnist, takeFirst } from "../src/data/index.ts";
import { configure } from "../src/index.ts";
import { encodeWeights, loadWeights, type WeightsDtype } from "../src/io/index.ts";
import { evaluate, train } from "../src/train/index.ts";
import { linesIn } from "./evidence/results.ts";

const { values } = parseArgs({
  options: {
    fractions: { type: "string", default: "1,0.4,0.1,0.05" },
    images: { type: "string", default: "60000" },
    epochs: { type: "string", default: "3" },
    data: { type: "string" },
    out: { type: "string" },
    print: { type: "boolean", default: false },
  },
});

type Line = {
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
const PAGE = fileURLToPath(new URL("../docs/guides/files.md", import.meta.url));
const [BEGIN, END] = ["<!-- npm run file-sizes: begin -->\n", "<!-- npm run file-sizes: end -->"];
const SEED = 1;
const BATCH = 64;
const out = values.out ?? fileURLToPath(new URL("results/file-sizes.jsonl", import.meta.url));
const fractions = values.fractions.split(",").map(Number);
const [images, epochs] = [Number(values.images), Number(values.epochs)];

/** Trains a network, and appends a line for each element type. */
async function measure(fraction: number): Promise<void> {
  const mnist = readMnist(values.data);
  const data = takeFirst(mnist.train, images);
  const asked = { model: "toy", pool: fraction === 1 ? null : "product", fraction, seed: SEED } as const;
  const { vars, model } = buildModel(asked, data);
  const optimizer = buildOptimizer({ ...asked, learningRate: null }, vars, epochs * batchCount(lengthOf(data), BATCH));
  await train({ model, optimizer, data, epochs, batchSize: BATCH, seed: SEED });
  const lines: Line[] = [];
  for (const dtype of DTYPES) {
    const file = encodeWeights(vars, { dtype });
    const loaded = buildModel(asked, data);
    loadWeights(file, loaded.vars);
    const { accuracy } = await evaluate({ model: loaded.model, data: mnist.test });
    lines.push({ fraction, dtype, seed: SEED, epochs, images, bytes: file.length, gzip: gzipSync(file).length, accuracy });
  }
  mkdirSync(dirname(out), { recursive: true });
  appendFileSync(out, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

const isOf = (line: Line, fraction: number): boolean =>
  line.fraction === fraction && line.images === images && line.epochs === epochs && line.seed === SEED;

/** A row for each network and element type, in Markdown. */
function report(lines: readonly Line[]): string {
  const rows = fractions.flatMap((fraction) =>
    lines
      .filter((line) => isOf(line, fraction))
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
  for (const fraction of fractions) {
    if (linesIn<Line>(out).some((line) => isOf(line, fraction))) continue;
    await measure(fraction);
    console.log(`measured fraction ${fraction}`);
  }
}
const table = report(linesIn<Line>(out));
console.log(table);
if (values.out === undefined && values.data === undefined) {
  const [before = "", rest = ""] = readFileSync(PAGE, "utf8").split(BEGIN);
  const after = rest.split(END)[1];
  if (after === undefined) throw new Error(`docs/guides/files.md lacks the lines ${BEGIN.trim()} and ${END}`);
  writeFileSync(PAGE, `${before}${BEGIN}${table}${END}${after}`);
}
