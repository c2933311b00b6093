import { Generator } from "../tensor/index.ts";
import { seedFor } from "../variables/index.ts";
import { fromHalves, type Halves, toHalves } from "./float16.ts";
import type { Shard, ShardResult } from "./shards.ts";

/** The gradients of a shard in half precision. The random numbers depend on the seed of the run and the shard only. */
export function halvesOf({ gradients }: ShardResult, seed: number, { task, shard }: Shard): readonly (Halves | null)[] {
  const random = new Generator(seedFor(seed, `float16 ${task.epoch}/${task.batch}/${shard}`));
  return gradients.map((gradient) => (gradient === null ? null : toHalves(gradient, random)));
}

/** The result of a shard as the coordinator receives it from a worker. */
export function roundedResult(result: ShardResult, element: "float32" | "float16", seed: number, shard: Shard): ShardResult {
  if (element === "float32") return result;
  const gradients = halvesOf(result, seed, shard).map((half) => (half === null ? null : fromHalves(half)));
  return { ...result, gradients };
}
