import type { Data, Dataset, InputsOf, TargetsOf } from "../data/index.ts";
import {
  describe,
  Generator,
  type Outputs,
  readCount,
  readFunction,
  readName,
  readNumber,
  readObject,
  readOptions,
  readText,
  type Tensor,
  ValueError,
} from "../tensor/index.ts";
import type { AnyModel, Loss, StopSignal, TrainOptions, Transform } from "../train/index.ts";
import { readCreator, type VariableCreator } from "../variables/index.ts";
import type { Connection } from "./address.ts";

/** What coordinator or worker report beside their result. The library prints nothing. */
export type Notice = {
  /**
   * - "refused": a message or a worker does not fit this run; the message was ignored.
   * - "failed": a worker could not compute a shard, so the coordinator computes the shard.
   * - "again": a shard or the weights are sent again, because an answer is late or Redis lost keys.
   * - "waiting": no worker has taken a shard for some time.
   * - "connection": an error of the connection to Redis, which reconnects by itself.
   */
  readonly kind: "refused" | "failed" | "again" | "waiting" | "connection";
  /** One sentence for people. Text of other processes is cut to 500 characters and has no control characters. */
  readonly message: string;
};

/** What coordinator and workers must give in the same way. */
export type SharedOptions = {
  /** The variables of the model. */
  readonly vars: VariableCreator;
  /**
   * Every generator that the model draws from in training, such as that of dropout, by names of your choice (default
   * none). Each shard seeds them by the seed of the run, the epoch, the batch and the shard.
   */
  readonly generators?: Readonly<Record<string, Generator>>;
  /**
   * The name of the run in Redis: letters, digits, ".", "_" and "-" (default "training"). Coordinator and workers give
   * the same name; runs with different names do not touch each other.
   */
  readonly name?: string;
  /**
   * A text that identifies the data, for data that are not in memory. Default: a digest of the data. Required for data
   * that are a source, unless `connection` is null.
   */
  readonly digest?: string;
  /** Receives reports, such as of a refused worker (default: reports are dropped). */
  readonly onNotice?: (notice: Notice) => void;
};

/** Options of `trainDistributed`: those of `train`, and how to divide the work. */
export type DistributedOptions<D extends Data = Dataset, R extends Outputs = Tensor, M extends string = string> = Omit<
  TrainOptions<D, R, M>,
  "vars" | "generators"
> &
  SharedOptions & {
    /** The address of Redis. null: this process computes all shards, with the same result. */
    readonly connection: Connection | null;
    /** The number of parts of each batch. The result depends on this number, not on the number of workers. */
    readonly shards: number;
    /**
     * The element type in which gradients travel (default "float32"). "float16" halves the bytes: each gradient is
     * scaled by a power of two and rounded at random up or down, so that rounding errors average out.
     */
    readonly gradients?: "float32" | "float16";
    /**
     * The path of a checkpoint (default: none). The run saves it after each epoch, every `checkpointSeconds`, and when
     * the signal ends the run. If the file exists, the run continues from it.
     */
    readonly checkpoint?: string;
    /** Seconds between two checkpoints within an epoch (default 300). */
    readonly checkpointSeconds?: number;
    /** Seconds after which another worker also computes a shard that has no answer yet (default 30). */
    readonly shardSeconds?: number;
    /** Seconds after which the name is free again if the coordinator is killed (default 15). */
    readonly lockSeconds?: number;
  };

/** Options of `joinTraining`. */
export type JoinOptions<D extends Data = Dataset, R extends Outputs = Tensor> = SharedOptions & {
  /** The model, as in the coordinator. */
  readonly model: AnyModel<R>;
  /** The training data, as in the coordinator. */
  readonly data: D;
  /** The loss, as in the coordinator, with the default of `train`. */
  readonly loss?: Loss<R, TargetsOf<D>>;
  /** Changes each shard, as in the coordinator (default: no change). */
  readonly transform?: Transform<TargetsOf<D>, InputsOf<D>>;
  /** The address of Redis. */
  readonly connection: Connection;
  /**
   * Seconds after which BullMQ gives the shard of a silent worker to another one (default 30). A shard blocks the event
   * loop while it is computed, so this must be longer than a shard takes.
   */
  readonly lockSeconds?: number;
  /** Ends the worker after its current shard (default: the worker ends with the run). */
  readonly signal?: StopSignal;
};

const SHARED = ["vars", "generators", "name", "digest", "onNotice"] as const;
const TRAIN = [
  ...(["model", "optimizer", "data", "epochs", "firstEpoch", "firstBatch", "batchSize", "accumulate", "seed"] as const),
  ...(["loss", "metrics", "validation", "earlyStopping", "transform", "beforeUpdate", "onBatch", "onEpoch", "signal"] as const),
] as const;
const DISTRIBUTED = [
  ...(["connection", "shards", "gradients", "checkpoint", "checkpointSeconds", "shardSeconds", "lockSeconds"] as const),
] as const;
const JOIN = ["model", "data", "loss", "transform", "connection", "lockSeconds", "signal"] as const;

type Required<T, K extends keyof T> = T & { readonly [P in K]-?: NonNullable<T[P]> };
/** The options of `trainDistributed` with their defaults. */
export type DistributedRun = Required<
  DistributedOptions<Data, Outputs>,
  | ("generators" | "name" | "onNotice" | "gradients" | "checkpointSeconds" | "shardSeconds" | "lockSeconds")
  | ("seed" | "accumulate" | "batchSize")
>;
/** The options of `joinTraining` with their defaults. */
export type JoinRun = Required<JoinOptions<Data, Outputs>, "generators" | "name" | "onNotice" | "lockSeconds">;

/** The most shards of a batch. */
const MOST_SHARDS = 65_536;
/** A day. */
const MOST_SECONDS = 86_400;
const seconds = (who: string, name: string, value: number): number =>
  readNumber(who, name, value, { above: 0, most: MOST_SECONDS });

function readShared(
  who: string,
  { vars, generators = {}, name = "training", digest, onNotice = () => undefined }: SharedOptions,
): Required<SharedOptions, "generators" | "name" | "onNotice"> {
  readCreator(who, "vars", vars);
  for (const [key, generator] of Object.entries(readObject(who, "generators", generators)))
    if (!(generator instanceof Generator))
      throw new ValueError(who, `generators.${key} must be a Generator, got ${describe(generator)}`);
  if (!/^[\w.-]{1,100}$/.test(readText(who, "name", name)))
    throw new ValueError(who, `name must be 1 to 100 letters, digits, ".", "_" or "-", got ${describe(name)}`);
  if (digest !== undefined && !/^[\p{L}\p{N}\p{P}\p{S} ]{1,200}$/u.test(readText(who, "digest", digest)))
    throw new ValueError(who, `digest must be 1 to 200 letters, digits, punctuation or spaces, got ${describe(digest)}`);
  readFunction(who, "onNotice", onNotice);
  return { vars, generators, name, onNotice, ...(digest === undefined ? {} : { digest }) };
}

/** The options of `trainDistributed`, checked. `trainWith` checks those of `train`. */
export function readDistributedOptions(given: DistributedOptions<Data, Outputs>): DistributedRun {
  const who = "trainDistributed";
  const options = readOptions(who, given, [...TRAIN, ...SHARED, ...DISTRIBUTED]);
  const { shards, gradients = "float32", checkpoint, metrics = {}, validation, earlyStopping } = options;
  const { checkpointSeconds = 300, shardSeconds = 30, lockSeconds = 15 } = options;
  const { seed = 0, accumulate = 1, batchSize = 128 } = options;
  if (!Array.isArray(readObject(who, "optimizer", options.optimizer).parameters))
    throw new ValueError(who, "optimizer must be an optimizer, such as adam(vars.parameters())");
  readCount(who, "shards", shards, 1, MOST_SHARDS);
  readName(who, "gradients", gradients, ["float32", "float16"]);
  for (const [name, value] of Object.entries({ checkpointSeconds, shardSeconds, lockSeconds })) seconds(who, name, value);
  if (checkpoint !== undefined) {
    readText(who, "checkpoint", checkpoint);
    if (options.firstEpoch !== undefined || options.firstBatch !== undefined)
      throw new ValueError(who, "checkpoint decides where the run begins: leave out firstEpoch and firstBatch");
  }
  const monitor = earlyStopping?.monitor ?? "loss";
  if (validation === undefined && Object.keys(metrics).includes(monitor))
    throw new ValueError(who, `earlyStopping monitors "${monitor}", which needs validation data: workers return no metrics`);
  const times = { checkpointSeconds, shardSeconds, lockSeconds };
  return { ...options, ...readShared(who, options), gradients, ...times, seed, accumulate, batchSize };
}

/** The options of `joinTraining`, checked. */
export function readJoinOptions(given: JoinOptions<Data, Outputs>): JoinRun {
  const who = "joinTraining";
  const options = readOptions(who, given, [...SHARED, ...JOIN]);
  const { model, loss, transform, signal, lockSeconds = 30 } = options;
  readFunction(who, "model", model);
  if (loss !== undefined) readFunction(who, "loss", loss);
  if (transform !== undefined) readFunction(who, "transform", transform);
  if (signal !== undefined && typeof signal?.aborted !== "boolean")
    throw new ValueError(who, `signal must be an AbortSignal, got ${describe(signal)}`);
  seconds(who, "lockSeconds", lockSeconds);
  return { ...options, ...readShared(who, options), lockSeconds };
}
