/**
 * Trains a model by several processes, with BullMQ and Redis. Needs Node.js and the packages bullmq and ioredis.
 * @module distributed
 */
export type { Connection, ConnectionOptions, TlsOptions } from "./address.ts";
/** @internal The command uses it. Its types need ioredis. */
export { openRedis } from "./connection.ts";
export { DistributedError } from "./errors.ts";
export { type JoinResult, joinTraining } from "./join-training.ts";
export type { DistributedOptions, JoinOptions, Notice, SharedOptions } from "./options.ts";
export { trainDistributed } from "./train-distributed.ts";
