import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { replaceFile } from "../../io/index.ts";
import { RUN_FILES } from "../run/files.ts";
import { KEPT_SECONDS } from "./job.ts";

/** Where the files of runs are while a run may go from worker to worker. */
export type Store = {
  /** Saves the files of a run folder. Returns the names of files that are too large to be saved. */
  readonly save: (id: string, folder: string) => Promise<string[]>;
  /** Writes the saved files of a run into a folder. Returns whether there are any. */
  readonly load: (id: string, folder: string) => Promise<boolean>;
  /** Removes the saved files of a run. */
  readonly remove: (id: string) => Promise<void>;
};

/**
 * The files in the order in which they are read. The checkpoint comes first: a run that trains on may then replace the
 * others by later ones, which `resume` accepts, as after a kill.
 */
const NAMES: readonly string[] = [
  RUN_FILES.checkpoint,
  RUN_FILES.metrics,
  RUN_FILES.best,
  RUN_FILES.evaluation,
  RUN_FILES.report,
  RUN_FILES.config,
];

/** Bytes of the largest file that goes through Redis. */
const LARGEST = 16 * 2 ** 20;

function filesIn(folder: string, largest: number): { readonly files: [name: string, bytes: Buffer][]; readonly left: string[] } {
  const present = NAMES.filter((name) => existsSync(join(folder, name)));
  const left = present.filter((name) => statSync(join(folder, name)).size > largest);
  const files = present.filter((name) => !left.includes(name));
  return { files: files.map((name) => [name, readFileSync(join(folder, name))]), left };
}

/** Writes files so that a kill leaves a folder that `resume` accepts: the checkpoint last, the configuration first. */
function writeFiles(folder: string, files: readonly (readonly [name: string, bytes: Uint8Array])[]): boolean {
  if (files.length === 0) return false;
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of [...files].reverse()) replaceFile("worker", join(folder, name), [bytes]);
  return true;
}

/** Files in Redis: a hash for each run, which is replaced by one command. Larger files than 16 MB are left out. */
export function redisStore(client: Redis): Store {
  const key = (id: string): string => `hashgrad-run-files:${id}`;
  return {
    save: async (id, folder) => {
      const { files, left } = filesIn(folder, LARGEST);
      if (files.length > 0) await client.hset(key(id), new Map(files));
      await client.expire(key(id), KEPT_SECONDS);
      return left;
    },
    load: async (id, folder) => {
      const files: [string, Buffer][] = [];
      for (const name of NAMES) {
        const size = await client.hstrlen(key(id), name);
        if (size === 0 || size > LARGEST) continue;
        const bytes = await client.hgetBuffer(key(id), name);
        if (bytes !== null) files.push([name, bytes]);
      }
      return writeFiles(folder, files);
    },
    remove: async (id) => void (await client.del(key(id))),
  };
}

/** Files in a folder that workers and the caller share: a run folder for each run. */
export function folderStore(shared: string): Store {
  const path = (id: string): string => join(shared, id);
  const copy = async (from: string, to: string): Promise<boolean> =>
    writeFiles(to, filesIn(from, Number.POSITIVE_INFINITY).files);
  return {
    save: async (id, folder) => {
      await copy(folder, path(id));
      return [];
    },
    load: async (id, folder) => existsSync(path(id)) && copy(path(id), folder),
    remove: async (id) => rmSync(path(id), { recursive: true, force: true }),
  };
}

/** The store of a command: a shared folder if one is given. */
export const storeOf = (client: Redis, shared: string | null): Store =>
  shared === null ? redisStore(client) : folderStore(shared);
