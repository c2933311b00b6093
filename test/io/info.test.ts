import { truncateSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  decodeSafetensors,
  encodeCheckpoint,
  encodeSafetensors,
  encodeWeights,
  info,
  saveCheckpoint,
} from "../../src/io/index.ts";
import { dense } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { HashVariablePool, MetaVariablePool, ProductVariablePool, VariableFactory } from "../../src/smh/index.ts";
import { Generator, ones } from "../../src/tensor/index.ts";
import { DenseVariables, scope, sizesOf } from "../../src/variables/index.ts";
import { thrown } from "../thrown.ts";
import { temporaryFolder } from "./folder.ts";
import { reframed } from "./frames.ts";

const { newPath } = temporaryFolder();

function compressed(): VariableFactory {
  const vars = new VariableFactory({ pool: new ProductVariablePool({ poolSize: 24, fraction: 0.5, indexStore: "cyclic" }) });
  dense(scope(vars, "hidden"), 4, 6);
  return vars;
}

describe("info describes the file", () => {
  test("of a dense model", () => {
    const vars = new DenseVariables();
    dense(scope(vars, "hidden"), 4, 6);
    const bytes = encodeWeights(vars);
    expect(info(bytes)).toEqual({
      kind: "weights",
      format: "hashgrad 1",
      batch: null,
      bytes: bytes.length,
      tensors: [
        { name: "hidden/kernel", dtype: "F32", shape: [4, 6], bytes: 96 },
        { name: "hidden/bias", dtype: "F32", shape: [6], bytes: 24 },
      ],
      pools: [],
      epoch: null,
      steps: null,
      metadata: decodeSafetensors(bytes).metadata,
    });
  });

  test("of a compressed model in int8: factors, scales, pool and placements", () => {
    const { tensors, pools, metadata } = info(encodeWeights(compressed(), { dtype: "int8" }));
    expect(tensors.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape}]`)).toEqual([
      "variable_left F32 [5,1]",
      "variable_right I8 [1,5]",
      "variable_right:scales F32 [1]",
      "hidden/kernel/scale F32 []",
      "hidden/bias F32 [6]",
    ]);
    expect(pools).toEqual([
      {
        kind: "product",
        options: { poolSize: 24, fraction: 0.5, stddev: 1, indexStore: "cyclic" },
        fraction: 0.5,
        trainedSize: 10,
        denseSize: 24,
        modifier: "initializer scale",
        placements: { "hidden/kernel": [[{ begin: 0, length: 24 }]] },
      },
    ]);
    expect(metadata.dtype).toBe("int8");
  });

  test("of several pools with the sizes of the model's report", () => {
    const inner = new VariableFactory({
      pool: new HashVariablePool({ poolSize: 18, fraction: 0.5, name: "inner" }),
      applyTo: "out/kernel",
    });
    const parts = [
      new ProductVariablePool({ poolSize: 24, fraction: 0.5 }),
      new HashVariablePool({ poolSize: 24, fraction: 0.25 }),
    ];
    const pool = new MetaVariablePool({ parts, reduce: "sum" });
    const vars = new VariableFactory({ pool, applyTo: "hidden/kernel", variables: inner });
    dense(scope(vars, "hidden"), 4, 6);
    dense(scope(vars, "out"), 6, 3);
    const { pools, tensors } = info(encodeWeights(vars));
    const wanted = vars.report().pools.map(({ kind, coreSize, used }) => ({ kind, trainedSize: coreSize, denseSize: used }));
    expect(pools).toMatchObject(wanted);
    expect(tensors.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(4 * sizesOf(vars).trainedSize);
  });

  test("of a checkpoint: epoch, steps and the optimizer's state", () => {
    const vars = compressed();
    const path = newPath();
    saveCheckpoint(path, { vars, optimizer: adam(vars.parameters()), generators: { dropout: new Generator(1) } }, 3);
    const found = info(path);
    expect(found).toMatchObject({ kind: "checkpoint", epoch: 3, steps: 0, format: "hashgrad 1" });
    expect(found.pools).toHaveLength(1);
    expect(found).toEqual(
      info(encodeCheckpoint({ vars, optimizer: adam(vars.parameters()), generators: { dropout: new Generator(1) } }, 3)),
    );
  });

  test("of another program, with its own element types and metadata", () => {
    const bytes = reframed(
      { x: { dtype: "I64", shape: [2], bytes: new BigInt64Array(2) } },
      { format: "pt", pool: "no JSON", training: "x" },
    );
    expect(info(bytes)).toMatchObject({
      kind: "safetensors",
      format: null,
      tensors: [{ name: "x", dtype: "I64", shape: [2], bytes: 16 }],
      pools: [],
      metadata: { format: "pt", pool: "no JSON", training: "x" },
    });
  });

  test("of an older version, which does not record the trained size of the pool", () => {
    const { tensors, metadata } = decodeSafetensors(encodeWeights(compressed()));
    const { core: _, checksum: __, ...old } = metadata;
    expect(info(encodeSafetensors({ tensors, metadata: old })).pools[0]).toMatchObject({ trainedSize: null, denseSize: 24 });
  });

  test("at a path without reading the numbers, even for a sparse file of 40 GB", () => {
    const header = JSON.stringify({ x: { dtype: "F32", shape: [10 ** 10], data_offsets: [0, 4e10] } });
    const path = newPath();
    writeFileSync(path, Buffer.concat([Buffer.from(BigUint64Array.of(BigInt(header.length)).buffer), Buffer.from(header)]));
    try {
      truncateSync(path, 8 + header.length + 4e10); // sparse: takes no space
    } catch {
      return; // a file system without sparse files
    }
    expect(info(path).tensors).toEqual([{ name: "x", dtype: "F32", shape: [10 ** 10], bytes: 4e10 }]);
  });
});

describe("info refuses hostile files:", () => {
  const saved = decodeSafetensors(encodeWeights(compressed()));
  const { checksum: _, ...metadata } = saved.metadata;
  const refusal = (more: Readonly<Record<string, string>>): string =>
    thrown(() => info(encodeSafetensors({ tensors: saved.tensors, metadata: { ...metadata, ...more } })));

  test.each([
    ["pool", "{", "its record of the pool is not readable; it was saved by something else"],
    ["pool", "[]", "its record of the pool is not readable; it was saved by something else"],
    ["pool", '{"kind":{"toString":1}}', "the kind of its pool must be a string, got an object with the keys toString"],
    ["pool", "{}", "the kind of its pool must be a string, got undefined"],
    ["placements", "null", "its record of where variables lie in the pool is not readable; it was saved by something else"],
    ["core", "{}", "its record of the pool's numbers is not readable; it was saved by something else"],
    ["core", "[1]", "its record of the pool's numbers is not readable; it was saved by something else"],
    ["core", '["gone"]', 'the numbers "gone" of its pool are not in the file'],
    ["training", "{}", "its record of training is not readable; it was saved by something else"],
  ])("a record %s that reads %s", (name, text, message) => {
    expect(refusal({ [name]: text })).toBe(`FormatError: file: ${message}`);
  });

  test("placements without valid ranges, for which it reports no size", () => {
    for (const text of ['{"a":1}', '{"a":[]}', '{"a":[[{"length":1e999}]]}', '{"a":[[null]]}', '{"a":[[{"length":0.5}]]}']) {
      const { pools } = info(encodeSafetensors({ tensors: saved.tensors, metadata: { ...metadata, placements: text } }));
      expect(pools[0]!.denseSize).toBeNull();
    }
  });

  test("a file that is truncated at any byte", () => {
    const bytes = encodeWeights(compressed(), { dtype: "int8" });
    const path = newPath();
    for (let end = 0; end < bytes.length; end += 7) {
      writeFileSync(path, bytes.subarray(0, end));
      expect(thrown(() => info(path))).toMatch(/^FormatError: .*safetensors: .*(cut off|not JSON)/);
    }
  });

  test("a missing file, and values that are neither a path nor bytes", () => {
    expect(thrown(() => info(newPath()))).toMatch(/^FileError: info: .* cannot be read: there is no such file \(ENOENT\)$/);
    for (const value of [null, undefined, 1, {}, [], ones([1])] as never[])
      expect(thrown(() => info(value))).toMatch(/^ValueError: info: source must be a path, a Uint8Array or an ArrayBuffer, got /);
    for (const end of [0, 5, 20]) expect(thrown(() => info(new Uint8Array(end)))).toMatch(/^FormatError: file: /);
  });
});
