import { writeSync } from "node:fs";
import { joinTraining, trainDistributed } from "../../src/distributed/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { bits, build, type Kind } from "./runs.ts";

// A worker or a coordinator in a process of its own. Writes a line for each shard, each batch and each notice; at the
// end a line with the result or the error.

export type ProcessOptions = {
  readonly role: "worker" | "coordinator";
  readonly url: string;
  readonly name: string;
  readonly kind: Kind;
  /** Milliseconds that each shard of a worker takes longer; it blocks the event loop. */
  readonly delay?: number;
  readonly lockSeconds?: number;
  readonly shardSeconds?: number;
  readonly shards?: number;
  readonly checkpoint?: string;
};

const say = (line: unknown): void => void writeSync(1, `${JSON.stringify(line)}\n`);

export async function main(text: string): Promise<void> {
  const options = JSON.parse(text) as ProcessOptions;
  const { role, url, name, kind, delay = 0, shards = 3, checkpoint } = options;
  const { optimizer, model, ...built } = build(kind);
  const common = { ...built, name, connection: url, onNotice: (notice: unknown) => say({ notice }) };
  const times = { ...(options.lockSeconds !== undefined && { lockSeconds: options.lockSeconds }) };

  const slow = (x: Tensor): Tensor => {
    say("shard");
    if (delay > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delay);
    return model(x);
  };

  try {
    if (role === "worker") say({ result: await joinTraining({ ...common, ...times, model: slow }) });
    else {
      const { shardSeconds = 5 } = options;
      const run = { ...common, ...times, model, optimizer, shards, shardSeconds, epochs: 2, batchSize: 16, seed: 3 };
      const saved = checkpoint === undefined ? {} : { checkpoint, checkpointSeconds: 1e-9 };
      await trainDistributed({ ...run, ...saved, onBatch: () => say("batch") });
      say({ result: bits(built.vars).map(([weight, numbers]) => [weight, [...numbers]]) });
    }
  } catch (error) {
    say({ error: String(error) });
  }
}
