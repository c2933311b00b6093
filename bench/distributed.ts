// Data-parallel training on one machine (docs/guides/distributed.md): steps per second and bytes per step for the toy
// network, dense and compressed, with 1, 2 and 4 workers. `npm run bench:distributed`. Needs redis-server. Each process
// has one thread. Bytes are those that Redis counts itself.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Redis } from "ioredis";
import { type Dataset, syntheticDigits } from "../src/data/index.ts";
import { openRedis } from "../src/distributed/connection.ts";
import { joinTraining, trainDistributed } from "../src/distributed/index.ts";
import { configure, DenseVariables, Generator, type VariableCreator } from "../src/index.ts";
import { type Layer, toyNetwork } from "../src/nn/index.ts";
import { adam } from "../src/optim/index.ts";
import { compress } from "../src/smh/index.ts";
import { sizesOf } from "../src/variables/index.ts";
import { startRedis } from "../test/distributed/redis-server.ts";
import { markdown } from "./page.ts";

const FRACTIONS = [null, 0.4, 0.1, 0.05] as const;
type Fraction = (typeof FRACTIONS)[number];
/** A batch of 256 examples in 4 shards. */
const [BATCH, SHARDS, STEPS, WARM] = [256, 4, 24, 4];

function build(fraction: Fraction): { model: Layer; vars: VariableCreator; data: Dataset } {
  const data = syntheticDigits(BATCH * 4, new Generator(1));
  if (fraction !== null) return { ...compress((vars) => toyNetwork(vars), { fraction, seed: 1 }), data };
  const vars = new DenseVariables({ seed: 1 });
  return { vars, model: toyNetwork(vars), data };
}

/** Steps per second after the first steps, and the bytes that Redis has received and sent for a step. */
type Measured = { readonly stepsPerSecond: number; readonly received: number; readonly sent: number };

async function bytesOf(redis: Redis): Promise<{ received: number; sent: number }> {
  const text = await redis.info("stats");
  const number = (name: string): number => Number(new RegExp(`${name}:(\\d+)`).exec(text)?.[1]);
  return { received: number("total_net_input_bytes"), sent: number("total_net_output_bytes") };
}

/** Trains some steps. `url` null: in this process. */
async function measure(fraction: Fraction, url: string | null, redis: Redis): Promise<Measured> {
  const { model, vars, data } = build(fraction);
  let [began, before] = [0, { received: 0, sent: 0 }];
  let steps = 0;
  await trainDistributed({
    ...{ model, vars, data, optimizer: adam(vars.parameters()), connection: url, shards: SHARDS, batchSize: BATCH },
    epochs: STEPS / 4,
    onBatch: async () => {
      steps++;
      if (steps !== WARM) return;
      [before, began] = [await bytesOf(redis), performance.now()];
    },
  });
  const seconds = (performance.now() - began) / 1000;
  const after = await bytesOf(redis);
  const count = STEPS - WARM;
  return {
    stepsPerSecond: count / seconds,
    received: (after.received - before.received) / count,
    sent: (after.sent - before.sent) / count,
  };
}

const children = new Set<ChildProcess>();
function child(...args: string[]): ChildProcess {
  const started = spawn(process.execPath, ["--import", "tsx", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  children.add(started);
  return started;
}
const self = fileURLToPath(import.meta.url);

/** Measures one row with workers of its own. */
async function row(fraction: Fraction, workers: number, url: string, redis: Redis): Promise<Measured> {
  await redis.flushall();
  const started = Array.from({ length: workers }, () => child(self, "--worker", url, `${fraction ?? "dense"}`));
  await Promise.all(started.map((one) => once(one.stdout!, "data")));
  const measured = await measure(fraction, url, redis);
  await Promise.all(started.map((one) => one.exitCode ?? once(one, "exit")));
  return measured;
}

const digits = (n: number): string => (n < 10 ? n.toFixed(1) : n.toFixed(0));
const kilobytes = (n: number): string => (n / 1000).toFixed(1);
const nameOf = (fraction: Fraction): string => (fraction === null ? "dense" : `${fraction}`);

async function report(): Promise<void> {
  const server = await startRedis();
  const redis = await openRedis("bench", server.url);
  try {
    const rows: string[][] = [];
    for (const fraction of FRACTIONS) {
      const { vars } = build(fraction);
      const alone = await measure(fraction, null, redis);
      const measured: Measured[] = [];
      for (const workers of [1, 2, 4]) measured.push(await row(fraction, workers, server.url, redis));
      rows.push([
        ...[nameOf(fraction), sizesOf(vars).trainedSize.toLocaleString("en"), digits(alone.stepsPerSecond)],
        ...measured.map(({ stepsPerSecond }) => digits(stepsPerSecond)),
        ...measured.map(({ received, sent }) => `${kilobytes(received)} + ${kilobytes(sent)}`),
      ]);
    }
    const steps = ["this process", "1 worker", "2 workers", "4 workers"].map((name) => `steps/s, ${name}`);
    const bytes = [1, 2, 4].map((n) => `kB to + from Redis per step, ${n} worker${n === 1 ? "" : "s"}`);
    console.log(markdown(["weights", "trained numbers", ...steps, ...bytes], rows));
  } finally {
    for (const one of children) one.kill("SIGKILL");
    redis.disconnect();
    await server.remove();
  }
}

configure({ threads: 1 });
const [, , flag, url, name] = process.argv;
if (flag === "--worker") {
  const { model, vars, data } = build(name === "dense" ? null : (Number(name) as Fraction));
  console.log("ready");
  await joinTraining({ model, vars, data, connection: url! });
} else {
  await report();
}
