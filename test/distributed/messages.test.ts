import fc from "fast-check";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRedis } from "../../src/distributed/connection.ts";
import { fromHalves, toHalves } from "../../src/distributed/float16.ts";
import { identityDigest } from "../../src/distributed/identity.ts";
import { type DistributedOptions, joinTraining, type Notice, trainDistributed } from "../../src/distributed/index.ts";
import { keysOf } from "../../src/distributed/keys.ts";
import { decodeManifest, printable } from "../../src/distributed/manifest.ts";
import {
  decodeAnswer,
  decodeWeights,
  encodeGradients,
  encodeWeights,
  type Frame,
  Refusal,
  sizesOf,
} from "../../src/distributed/messages.ts";
import { tensorsOf } from "../../src/distributed/shards.ts";
import { mean, mul } from "../../src/ops/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { Generator, type Tensor } from "../../src/tensor/index.ts";
import { isRedisMissing, type RedisServer, startRedis } from "./redis-server.ts";
import { bits, build } from "./runs.ts";
import "../fixed-seed.ts";

// Messages are checked before use. Coordinator and worker run in this process, beside a client that writes what it
// should not write.

const { vars, optimizer } = build("norm");
const tensors = tensorsOf(vars, optimizer.parameters);
const frame = (element: Frame["element"] = "float32"): Frame => ({
  run: new Uint8Array(16).fill(7),
  identity: new Uint8Array(32).fill(9),
  element,
});
const step = { step: 3, epoch: 2, batch: 1, group: 5, isFirst: false, trained: true, indices: Int32Array.of(4, 0, 9) };
const random = new Generator(1);
const drawn = (size: number): Float32Array => Float32Array.from({ length: size }, () => random.normal());
const result = {
  ...{ loss: 0.5, correct: 2 },
  gradients: tensors.trained.map(({ tensor }, i) => (i === 1 ? null : drawn(tensor.size))),
  assigned: tensors.others.map(([, tensor]) => drawn(tensor.size)),
};
const refusal = (fn: () => unknown): string => {
  try {
    fn();
  } catch (error) {
    return error instanceof Refusal ? error.message : `no refusal: ${String(error)}`;
  }
  return "accepted";
};

test("a message of weights and an answer give back what was encoded", () => {
  const decoded = decodeWeights(encodeWeights(frame(), step, tensors), frame(), sizesOf(tensors), 10);
  expect(decoded.step).toEqual(step);
  expect(decoded.weights).toEqual(
    [...tensors.trained.map(({ tensor }) => tensor), ...tensors.others.map(([, x]) => x)].map((x) => x.toArray()),
  );
  expect(decodeAnswer(encodeGradients(frame(), 3, 1, result, null), frame(), tensors, 3, 2)).toEqual({
    kind: "gradients",
    shard: 1,
    result,
  });
  const halves = result.gradients.map((gradient) => (gradient === null ? null : toHalves(gradient, new Generator(2))));
  const rounded = { ...result, gradients: halves.map((half) => (half === null ? null : fromHalves(half))) };
  const half = frame("float16");
  expect(decodeAnswer(encodeGradients(half, 3, 1, result, halves), half, tensors, 3, 2)).toEqual({
    kind: "gradients",
    shard: 1,
    result: rounded,
  });
});

test("a message that is cut, extended or changed in its head is refused", () => {
  const weights = encodeWeights(frame(), step, tensors);
  const answer = encodeGradients(frame(), 3, 1, result, null);
  const reads = [
    [weights, (bytes: Uint8Array) => decodeWeights(bytes, frame(), sizesOf(tensors), 10)],
    [answer, (bytes: Uint8Array) => decodeAnswer(bytes, frame(), tensors, 3, 2)],
  ] as const;
  for (const [bytes, read] of reads) {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), (end) => {
        expect(refusal(() => read(bytes.subarray(0, end)))).not.toBe("accepted");
      }),
    );
    expect(refusal(() => read(Buffer.concat([bytes, Buffer.alloc(1)])))).toMatch(/^a message has \d+ bytes, not \d+$/);
    for (let at = 0; at < 56; at++) {
      if (at === 7) continue; // a byte that is not used
      const changed = Buffer.from(bytes);
      changed[at]! ^= 0x55;
      expect([at, refusal(() => read(changed))]).not.toEqual([at, "accepted"]);
    }
    const infinite = Buffer.from(bytes);
    infinite.writeFloatLE(Number.POSITIVE_INFINITY, bytes.length - 4);
    expect(refusal(() => read(infinite))).toBe("a message has a number that is not finite");
  }
  const outside = encodeWeights(frame(), { ...step, indices: Int32Array.of(10) }, tensors);
  expect(refusal(() => decodeWeights(outside, frame(), sizesOf(tensors), 10))).toBe(
    "a message of weights names an example outside the 10 examples of the data",
  );
  expect(refusal(() => decodeAnswer(encodeGradients(frame(), 3, 2, result, null), frame(), tensors, 3, 2))).toBe(
    "an answer names the shard 2 of 2",
  );
  expect(refusal(() => decodeAnswer(encodeGradients(frame(), 4, 1, result, null), frame(), tensors, 3, 2))).toBe(
    "an answer names a step that has not been published",
  );
  expect(decodeAnswer(encodeGradients(frame(), 2, 1, result, null), frame(), tensors, 3, 2)).toBe(null);
});

test("random bytes are refused as a manifest and as an answer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(refusal(() => decodeAnswer(bytes, frame(), tensors, 3, 2))).not.toMatch(/accepted|no refusal/);
    }),
  );
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(refusal(() => decodeManifest(text))).not.toMatch(/accepted|no refusal/);
    }),
  );
  expect(printable(`a\u001b[31m\n${"x".repeat(600)}`)).toBe(`a [31m ${"x".repeat(492)}…`);
});

test("half precision rounds to a neighbor, and the mean of many roundings is exact", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, min: Math.fround(-1e30), max: Math.fround(1e30) }), fc.integer(), (x, seed) => {
      const [y] = fromHalves(toHalves(Float32Array.of(x), new Generator(seed)));
      expect(Math.abs(y! - x)).toBeLessThanOrEqual(Math.abs(x) * 2 ** -10);
    }),
  );
  const [large, small] = [1, 1e-6];
  const numbers = Float32Array.from({ length: 100_001 }, (_, i) => (i === 0 ? large : small + 1e-10));
  const rounded = fromHalves(toHalves(numbers, new Generator(1)));
  const average = rounded.subarray(1).reduce((sum, x) => sum + x, 0) / 100_000;
  expect(Math.abs(average / (small + 1e-10) - 1)).toBeLessThan(1e-5);
  expect(new Set(rounded.subarray(1)).size).toBe(2);
});

test("weights after gradients in half precision are close to those of float32", async () => {
  const trained = async (gradients: "float32" | "float16"): Promise<[string, Float32Array][]> => {
    const { optimizer: _, ...built } = build("dense");
    const optimizer = sgd(built.vars.parameters(), { learningRate: 0.1 });
    await trainDistributed({ ...built, optimizer, connection: null, shards: 3, epochs: 2, batchSize: 16, gradients });
    return bits(built.vars);
  };
  const exact = await trained("float32");
  for (const [i, [, numbers]] of (await trained("float16")).entries())
    for (const [j, x] of numbers.entries()) expect(Math.abs(x - exact[i]![1][j]!)).toBeLessThan(1e-3);
});

describe.skipIf(isRedisMissing())("with Redis", () => {
  let redis: RedisServer;
  let client: Redis;
  beforeAll(async () => {
    redis = await startRedis();
    client = await openRedis("test", redis.url);
  });
  afterAll(async () => {
    client?.disconnect();
    await redis?.remove();
  });

  const options = { epochs: 2, batchSize: 16, seed: 3, shards: 3, lockSeconds: 1 } as const;
  type Ended = { readonly notices: Notice[]; readonly weights: [string, Float32Array][] };
  /** Trains with a worker of this process. */
  async function run(name: string, change: Partial<DistributedOptions> = {}, join: object = {}): Promise<Ended> {
    const [built, { optimizer, ...worker }] = [build("norm"), build("norm")];
    const notices: Notice[] = [];
    const common = { connection: redis.url, name, onNotice: (notice: Notice): void => void notices.push(notice) };
    const ended = new AbortController();
    const training = trainDistributed({ ...built, ...options, ...common, ...change }).finally(() => ended.abort());
    await Promise.all([training, joinTraining({ ...worker, ...common, signal: ended.signal, ...join })]);
    return { notices, weights: bits(built.vars) };
  }
  const reference = async (change: Partial<DistributedOptions> = {}): Promise<[string, Float32Array][]> => {
    const built = build("norm");
    await trainDistributed({ ...built, ...options, connection: null, ...change });
    return bits(built.vars);
  };

  test("hostile messages are refused and reported, and the weights keep their bits", async () => {
    const keys = keysOf("hostile");
    const attacks: ((id: string, own: Frame) => Promise<unknown>)[] = [
      (id) => client.rpush(keys.answers(id), "junk", Buffer.alloc(0), Buffer.alloc(8 * 2 ** 20)),
      (id, own) => client.rpush(keys.answers(id), encodeGradients(own, 2, 0, { ...result, loss: Number.NaN }, null)),
      (id, own) => {
        const nan = result.gradients.map((gradient) => gradient?.map(() => Number.NaN) ?? null);
        return client.rpush(keys.answers(id), encodeGradients(own, 3, 0, { ...result, gradients: nan }, null));
      },
      (id) => client.multi().del(keys.answers(id)).set(keys.answers(id), "text").exec(),
      async () => {
        const weights = (await client.getBuffer(keys.weights))!;
        await client.set(keys.weights, weights.subarray(0, 100));
      },
      async () => {
        const weights = (await client.getBuffer(keys.weights))!;
        weights.writeFloatLE(Number.NaN, weights.length - 4);
        await client.set(keys.weights, weights);
      },
      () => client.multi().del(keys.weights).rpush(keys.weights, "x").exec(),
    ];
    let number = 0;
    const onBatch = async (): Promise<void> => {
      const manifest = decodeManifest((await client.get(keys.manifest))!);
      const own: Frame = {
        run: Buffer.from(manifest.run, "hex"),
        identity: identityDigest(manifest.identity),
        element: "float32",
      };
      const attack = attacks[number++];
      // After the next step has been published.
      if (attack !== undefined) setTimeout(() => void attack(manifest.run, own).catch(() => undefined), 5);
    };
    const { weights, notices } = await run("hostile", { onBatch });
    expect(weights).toEqual(await reference());
    expect(notices.filter(({ kind }) => kind === "refused").length).toBeGreaterThan(2);
    expect(notices.map(({ message }) => message)).toContain("a message is not one of hashgrad; it is ignored");
  });

  test.each(["weights", "manifest"] as const)("%s that another program has changed are published again", async (which) => {
    const name = `changed-${which}`;
    const keys = keysOf(name);
    const [built, { optimizer, ...worker }] = [build("norm"), build("norm")];
    const notices: Notice[] = [];
    const common = { connection: redis.url, name };
    const training = trainDistributed({ ...built, ...options, ...common, onNotice: (notice) => void notices.push(notice) });
    while ((await client.exists(keys.weights)) === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await client.setrange(keys[which], which === "weights" ? 100_000 : 0, "\u00ff\u00ff");
    await joinTraining({ ...worker, ...common });
    await training;
    expect(bits(built.vars)).toEqual(await reference());
    expect(notices.map(({ kind }) => kind)).toContain("again");
    if (which === "weights")
      expect(notices[0]?.message).toMatch(/^a worker could not read the weights \(a message has \d+ bytes, not \d+\)/);
  });

  test("gradients in half precision have the bits of one process", async () => {
    const { weights } = await run("half", { gradients: "float16" });
    expect(weights).toEqual(await reference({ gradients: "float16" }));
    expect(weights).not.toEqual(await reference());
  });

  test("a loss that is not finite ends the run with the error of train", async () => {
    const loss: DistributedOptions["loss"] = (logits) => mul(mean(logits), Number.NaN);
    const failure = await run("nan", { loss }, { loss }).catch((error: unknown) => String(error));
    const built = build("norm");
    const expected = await trainDistributed({ ...built, ...options, connection: null, loss }).catch((error: unknown) =>
      String(error),
    );
    expect(failure).toBe(expected);
    expect(failure).toMatch(/^TrainingError: train: the loss is NaN in epoch 1, batch 1, shard \d/);
  });

  test("an error of a worker ends the worker, and the coordinator computes the shard", async () => {
    const name = "broken";
    const [built, { optimizer, ...worker }] = [build("norm"), build("norm")];
    const notices: Notice[] = [];
    const broken = (): Tensor => {
      throw new RangeError("no such file");
    };
    const common = { connection: redis.url, name };
    const training = trainDistributed({ ...built, ...options, ...common, onNotice: (notice) => void notices.push(notice) });
    await expect(joinTraining({ ...worker, ...common, model: broken })).rejects.toThrow("no such file");
    const { optimizer: _, ...second } = build("norm");
    await joinTraining({ ...second, ...common });
    await training;
    expect(bits(built.vars)).toEqual(await reference());
    expect(notices[0]?.message).toContain("(no such file); the coordinator computes it");
  });

  test("a worker with other data is refused on both sides", async () => {
    const name = "data";
    const notices: Notice[] = [];
    const signal = { aborted: false };
    const common = { connection: redis.url, name };
    const training = trainDistributed({
      ...build("norm"),
      ...options,
      ...common,
      signal,
      onNotice: (notice) => void notices.push(notice),
    });
    const { optimizer, data, ...worker } = build("norm");
    const labels = data.labels.map((label) => 9 - label);
    await expect(joinTraining({ ...worker, ...common, data: { ...data, labels } })).rejects.toThrow(
      /^joinTraining: the run "data" has other data: 50 examples, [0-9a-f]{64} in the coordinator, 50 examples, [0-9a-f]{64} in the worker$/,
    );
    while (notices.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(notices[0]).toMatchObject({
      kind: "refused",
      message: expect.stringContaining("a worker was refused, it has other data"),
    });
    signal.aborted = true; // without workers, the signal ends the wait
    expect((await training).aborted).toBe(true);
    expect(await client.keys("hashgrad:run:data:*")).toEqual(["hashgrad:run:data:ended"]);
  });
});
