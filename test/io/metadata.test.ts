import { expect, test } from "vitest";
import {
  decodeSafetensors,
  encodeCheckpoint,
  encodeWeights,
  info,
  loadWeights,
  saveCheckpoint,
  saveWeights,
} from "../../src/io/index.ts";
import { dense } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { compress } from "../../src/smh/index.ts";
import { DenseVariables } from "../../src/variables/index.ts";
import { thrown } from "../thrown.ts";
import { temporaryFolder } from "./folder.ts";

const { newPath } = temporaryFolder();

const vars = new DenseVariables();
dense(vars, 3, 2);
const optimizer = sgd(vars.parameters());
const metadata = { classes: '["cat","dog"]', note: "größer als 1" };

test("files of weights and checkpoints hold the strings of a user, and info returns the strings", () => {
  const [weights, checkpoint] = [newPath(), newPath()];
  saveWeights(weights, vars, { metadata, dtype: "int8" });
  saveCheckpoint(checkpoint, { vars, optimizer }, 2, { metadata });
  for (const source of [weights, checkpoint, encodeWeights(vars, { metadata })])
    expect(info(source).metadata).toMatchObject(metadata);
  expect(loadWeights(weights, vars).loaded).toEqual(["kernel", "bias"]);
});

test("the checksum covers the strings of a user", () => {
  const bytes = encodeWeights(vars, { metadata: { note: "abc" } });
  const at = Buffer.from(bytes).indexOf("abc");
  expect(thrown(() => decodeSafetensors(bytes.with(at, 120)))).toMatch(/does not fit its checksum/);
});

test.each(["format", "dtype", "checksum", "training", "pool", "pool_1", "core", "modifier", "placements_12", "initializers"])(
  "metadata of the reserved name %s are refused",
  (name) => {
    const given = { metadata: { [name]: "x" } };
    const text = `metadata "${name}" has the name of a record of the file; choose another, such as "my_${name}"`;
    expect(thrown(() => encodeWeights(vars, given))).toBe(`ValueError: encodeWeights: ${text}`);
    expect(thrown(() => encodeCheckpoint({ vars, optimizer }, 1, given))).toBe(`ValueError: encodeCheckpoint: ${text}`);
  },
);

test("every record of a compressed model's file has a reserved name", () => {
  const small = compress((vars) => dense(vars, 30, 20), { fraction: 0.5 });
  const state = { vars: small.vars, optimizer: sgd(small.vars.parameters()) };
  for (const name of Object.keys(info(encodeCheckpoint(state, 1)).metadata))
    expect(thrown(() => encodeWeights(vars, { metadata: { [name]: "x" } }))).toMatch(/has the name of a record of the file/);
});

test("metadata must be an object of strings", () => {
  const wrong = { metadata: { epochs: 3 } } as unknown;
  expect(thrown(() => encodeWeights(vars, wrong as { metadata: Record<string, string> }))).toBe(
    'ValueError: encodeWeights: metadata "epochs" must be a string, got 3',
  );
});
