/** The prefix of the keys of BullMQ. The name of a run is the name of its queue. */
export const QUEUE_PREFIX = "hashgrad:shards";

/** The keys of a run in Redis, beside those of BullMQ. */
export type Keys = {
  /** The token of the coordinator. */
  readonly lock: string;
  /** The manifest: what workers must know of the run. */
  readonly manifest: string;
  /** The trained numbers and the task of the current step. */
  readonly weights: string;
  /** The number of the last run that ended. */
  readonly ended: string;
  /** The list of the answers of workers. */
  readonly answers: (run: string) => string;
};

export function keysOf(name: string): Keys {
  const key = (what: string): string => `hashgrad:run:${name}:${what}`;
  return {
    lock: key("lock"),
    manifest: key("manifest"),
    weights: key("weights"),
    ended: key("ended"),
    answers: (run) => key(`answers:${run}`),
  };
}

/** Waits. The timer does not keep the process alive. */
export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });

/** Waits for a promise, but at most some milliseconds. Errors of the promise are dropped. */
export const within = (milliseconds: number, promise: Promise<unknown>): Promise<unknown> =>
  Promise.race([promise.catch(() => undefined), sleep(milliseconds)]);
