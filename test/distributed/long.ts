// `npm run test:distributed`: the faults that take long, with a real Redis and the default times. A worker is paused
// for 30 seconds, one is killed, and Redis is restarted without its keys. The weights must be those of one process.
import { trainDistributed } from "../../src/distributed/index.ts";
import { VERSION } from "../../src/distributed/version.ts";
import { killAll, programs, start } from "./processes.ts";
import { startRedis } from "./redis-server.ts";
import { bits, build } from "./runs.ts";

const options = { epochs: 8, batchSize: 16, seed: 3, shards: 4 } as const;
const weightsOf = (built: ReturnType<typeof build>): string =>
  JSON.stringify(bits(built.vars).map(([name, numbers]) => [name, ...numbers]));

const [redis, program] = [await startRedis(), await programs(VERSION)];
const began = performance.now();
const say = (text: string): void => console.log(`${((performance.now() - began) / 1000).toFixed(1)} s: ${text}`);
const sleep = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
try {
  const [alone, built] = [build("norm"), build("norm")];
  await trainDistributed({ ...alone, ...options, connection: null });
  const worker = { role: "worker", url: redis.url, name: "long", kind: "norm", delay: 1000 } as const;
  const [paused, killed, third] = [1, 2, 3].map(() => start(program.current, worker));
  const onNotice = ({ kind, message }: { readonly kind: string; readonly message: string }): void => say(`${kind}: ${message}`);
  const training = trainDistributed({ ...built, ...options, connection: redis.url, name: "long", onNotice });
  await paused!.wrote("shard", 2);
  say("a worker is paused");
  paused!.kill("SIGSTOP");
  void sleep(30).then(() => {
    say("the worker continues");
    paused!.kill("SIGCONT");
  });
  await killed!.wrote("shard", 3);
  say("a worker is killed");
  killed!.kill("SIGKILL");
  await third!.wrote("shard", 6);
  say("Redis is restarted without its keys");
  await redis.stop("SIGKILL");
  await sleep(2);
  await redis.start();
  await training;
  const isSame = weightsOf(built) === weightsOf(alone);
  say(isSame ? "the weights are those of one process" : "FAILED: the weights differ from those of one process");
  process.exitCode = isSame ? 0 : 1;
} finally {
  killAll();
  program.remove();
  await redis.remove();
}
