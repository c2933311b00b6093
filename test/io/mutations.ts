import {
  decodeSafetensors,
  encodeCheckpoint,
  encodeSafetensors,
  encodeTorchWeights,
  encodeWeights,
  info,
  loadCheckpoint,
  loadTorchWeights,
  loadWeights,
  type TrainingState,
  type WeightsDtype,
} from "../../src/io/index.ts";
import { cifarResNet } from "../../src/models/index.ts";
import { dense } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { Generator, HashgradError, tensor } from "../../src/tensor/index.ts";
import { DenseVariables, scope, type VariableCreator, weightsOf } from "../../src/variables/index.ts";

/** A file format under test: a valid file, and what reads a damaged one. */
export type Format = {
  readonly file: Uint8Array;
  /** The class of the error that refuses the file; null if it is read. @throws anything else that reading throws. */
  readonly read: (bytes: Uint8Array) => string | null;
};

const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
const odd = [
  "null", "true", '"F32"', '"F16"', '"BF16"', '"I8"', '"I64"', '"BOOL"', '"int8"', '"float16"', '""', "-1", "-0", "1.5", "1e308", "1e999", "4294967296", "9007199254740993",
  "[]", "{}", "[null]", "[-1,4]", "[1e308,1e308]", "[1e308,0]", "[4294967296,4294967296,0]", "[0,0]", "[4,0]", "[0,4]", "[0,4,8]",
  '{"toString":1,"valueOf":1}', '{"__proto__":{"polluted":1}}', '{"length":4000000000}', deep(70), deep(3000), "NaN", '"\\ud800"',
  '{"a":1,"a":1}', '{"constructor":[[{"begin":0,"length":1}]]}', '[["toString"]]',
]; // biome-ignore format: a list of values
const names = [
  "constructor",
  "__proto__",
  "toString",
  "optimizer/x",
  "",
  "__metadata__",
  "checksum",
  "format",
  "training",
  "placements",
  "dtype",
  "core",
  "d/kernel:scales",
  "variable_left",
];

/** Text in which one value or one name of a JSON text became another, or one entry is there twice. */
function mutatedJson(text: string, random: Generator): string {
  const pick = (list: readonly string[]): string => list[random.below(list.length)]!;
  const parts = text.split(/(\[[^[\]{}]*\]|"(?:[^"\\]|\\.)*"|-?\d[\d.e+-]*)/);
  const at = Math.min(parts.length - 1, 1 + 2 * random.below(Math.ceil(parts.length / 2)));
  const isKey = /^\s*:/.test(parts[at + 1] ?? "");
  const choice = random.below(8);
  if (choice === 0) return text.slice(0, random.below(text.length + 1));
  if (choice === 1) return text.replace("{", `{${JSON.stringify(pick(names))}:${pick(odd)},`);
  if (choice === 2 && parts[at]?.startsWith('"{')) parts[at] = JSON.stringify(mutatedJson(JSON.parse(parts[at]!), random));
  else parts[at] = isKey ? JSON.stringify(pick(names)) : pick(odd);
  return parts.join("");
}

const frame = (header: string, body: Uint8Array): Uint8Array => {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(body, 8 + text.length);
  return bytes;
};

/**
 * A file with one structured mutation, or several: cut, grown, other bytes, another length, another header, other
 * records.
 */
export function mutated(file: Uint8Array, random: Generator): Uint8Array {
  const bytes = file.slice();
  const view = new DataView(bytes.buffer);
  const header = 8 + Number(view.getBigUint64(0, true));
  const choice = random.below(10);
  if (choice === 0) return bytes.subarray(0, random.below(bytes.length));
  if (choice === 1) {
    for (let i = 0; i <= random.below(4); i++)
      bytes[random.below(random.below(2) === 0 ? header : bytes.length)] = random.below(256);
    return bytes;
  }
  if (choice === 2) {
    const lengths = [
      0n,
      1n,
      BigInt(header - 9),
      BigInt(header),
      2n ** 31n,
      2n ** 32n,
      2n ** 53n + 1n,
      2n ** 63n,
      2n ** 64n - 1n,
      BigInt(bytes.length),
    ];
    view.setBigUint64(0, lengths[random.below(lengths.length)]!, true);
    return bytes;
  }
  if (choice === 3) return Uint8Array.from([...bytes, ...Array.from({ length: 1 + random.below(9) }, () => random.below(256))]);
  let text = new TextDecoder().decode(bytes.subarray(8, header));
  // So that the other checks are reached.
  if (random.below(2) === 0) text = text.replace(/"checksum":"[^"]*",?/, "").replace(",}", "}");
  for (let i = 0; i <= random.below(2); i++) text = mutatedJson(text, random);
  return frame(text, bytes.subarray(header));
}

/** What reading throws, by class; errors that do not belong to the library are faults. */
function outcome(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (error) {
    if (error instanceof HashgradError) return error.name;
    throw error;
  }
}

const build = (vars: VariableCreator) => dense(scope(vars, "d"), 4, 3);
function pooled(seed: number): VariableFactory {
  const vars = new VariableFactory({
    pool: new ProductVariablePool({ poolSize: poolSizeFor(build), fraction: 0.9, seed }),
    seed,
  });
  build(vars);
  return vars;
}
function run(seed: number): TrainingState & { readonly vars: VariableFactory } {
  const vars = pooled(seed);
  return { vars, optimizer: adam(vars.parameters()), generators: { dropout: new Generator(seed) } };
}
const numbers = ({ vars, optimizer, generators }: TrainingState): string =>
  JSON.stringify([
    [...weightsOf(vars)].map(([, x]) => [...x.toArray()]),
    optimizer.steps,
    [...optimizer.state().arrays].map(([, array]) => [...array]),
    generators!.dropout!.state,
  ]);

/** Reads into a run; a file that is refused must not have changed the run. */
function intoRun(state: TrainingState, read: () => unknown): string | null {
  const before = numbers(state);
  const found = outcome(read);
  if (found !== null && numbers(state) !== before) throw new Error("a refused file changed the run");
  return found;
}

/** A small network that has names in PyTorch. */
function resNet(seed: number): VariableCreator {
  const vars = new DenseVariables({ seed });
  cifarResNet(vars, 8, { width: 1 / 16, classes: 2 });
  return vars;
}

/** The same check for files without a run: a refused file must not have changed the weights. */
function intoWeights(vars: VariableCreator, read: () => unknown): string | null {
  const state = (): string => JSON.stringify([...weightsOf(vars)].map(([, x]) => [...x.toArray()]));
  const before = state();
  const found = outcome(read);
  if (found !== null && state() !== before) throw new Error("a refused file changed the weights");
  return found;
}

type Formats = "safetensors" | "weights" | "weights in float16" | "weights in int8" | "checkpoint" | "info" | "PyTorch";

export function formats(): Readonly<Record<Formats, Format>> {
  const tensors = new Map([
    [
      "a",
      tensor([
        [1, 2],
        [3, 4],
      ]),
    ],
    ["b", tensor([5])],
    ["none", tensor([], [0, 2])],
  ]);
  const [target, network] = [run(2), resNet(2)];
  const weights = (dtype: WeightsDtype): Format => ({
    file: encodeWeights(pooled(1), { dtype }),
    read: (bytes) => intoRun(target, () => loadWeights(bytes, target.vars, { strict: bytes.length % 2 === 0 })),
  });
  return {
    safetensors: {
      file: encodeSafetensors({ tensors, metadata: { note: "x" } }),
      read: (bytes) => outcome(() => decodeSafetensors(bytes, "file")),
    },
    weights: weights("float32"),
    "weights in float16": weights("float16"),
    "weights in int8": weights("int8"),
    checkpoint: { file: encodeCheckpoint(run(1), 3), read: (bytes) => intoRun(target, () => loadCheckpoint(bytes, target)) },
    info: { file: encodeCheckpoint(run(1), 3), read: (bytes) => outcome(() => info(bytes)) },
    PyTorch: {
      file: encodeTorchWeights(resNet(1)),
      read: (bytes) => intoWeights(network, () => loadTorchWeights(bytes, network, { strict: bytes.length % 2 === 0 })),
    },
  };
}

/** Reads `count` mutated files. Returns how many were refused. @throws Error for the first fault, with its seed. */
export function fuzz(format: Format, count: number, seed: number): number {
  let refused = 0;
  for (let i = 0; i < count; i++) {
    const bytes = mutated(format.file, new Generator(seed + i));
    const begun = performance.now();
    try {
      const found = format.read(bytes);
      if (found !== null) refused++;
      if (found !== null && found !== "FormatError" && found !== "ValueError" && found !== "ShapeError")
        throw new Error(`refused by ${found}`);
    } catch (error) {
      throw new Error(`the mutation with seed ${seed + i} is a fault: ${error}`, { cause: error });
    }
    if (performance.now() - begun > 2000) throw new Error(`the mutation with seed ${seed + i} takes more than two seconds`);
    if (Object.hasOwn(Object.prototype, "polluted")) throw new Error(`the mutation with seed ${seed + i} pollutes a prototype`);
  }
  return refused;
}
