import type { Identity } from "./identity.ts";
import { PROTOCOL, Refusal } from "./messages.ts";

/** What workers must know of a run before they compute. */
export type Manifest = {
  /** 16 random bytes in hexadecimal digits. */
  readonly run: string;
  readonly identity: Identity;
  readonly seed: number;
  readonly shards: number;
  readonly element: "float32" | "float16";
};

const KIND = "hashgrad run";
const MOST_TEXT = 4 * 2 ** 20;

export const encodeManifest = (manifest: Manifest): string => JSON.stringify({ kind: KIND, protocol: PROTOCOL, ...manifest });

/** The manifest in a text of Redis, checked. @throws Refusal */
export function decodeManifest(text: string): Manifest {
  const { kind, protocol, run, identity, seed, shards, element } = recordIn(text, "the manifest");
  if (kind !== KIND) throw new Refusal("the manifest is not one of hashgrad");
  if (protocol !== PROTOCOL) throw new Refusal(`the manifest has version ${String(protocol)} of the protocol, not ${PROTOCOL}`);
  const isValid =
    typeof run === "string" &&
    /^[0-9a-f]{32}$/.test(run) &&
    Number.isSafeInteger(seed) &&
    Number.isSafeInteger(shards) &&
    (shards as number) >= 1 &&
    (element === "float32" || element === "float16");
  if (!isValid) throw new Refusal("the manifest has a field of the wrong kind");
  return { run, identity: readIdentity(identity), seed: seed as number, shards: shards as number, element };
}

/** The identity in a JSON text of a worker, checked. @throws Refusal */
export const decodeIdentity = (text: string): Identity => readIdentity(recordIn(text, "an identity"));

function recordIn(text: string, what: string): Readonly<Record<string, unknown>> {
  if (text.length > MOST_TEXT) throw new Refusal(`${what} has ${text.length} characters`);
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return value;
  } catch {
    // falls through to the one error below
  }
  throw new Refusal(`${what} is not readable`);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function readIdentity(value: unknown): Identity {
  if (!isRecord(value)) throw new Refusal("an identity is not readable");
  const { version, kernels, trained, others, pools, data } = value;
  const texts = [version, kernels, pools, data].map((text) => {
    if (typeof text !== "string" || text.length > 500) throw new Refusal("an identity has a field of the wrong kind");
    return printable(text);
  });
  const [ownVersion, ownKernels, ownPools, ownData] = texts as [string, string, string, string];
  const lists = { trained: readTensors(trained), others: readTensors(others) };
  return { version: ownVersion, kernels: ownKernels, ...lists, pools: ownPools, data: ownData };
}

function readTensors(value: unknown): Identity["trained"] {
  if (!Array.isArray(value)) throw new Refusal("an identity has a field of the wrong kind");
  return value.map((one: unknown): [string, number[]] => {
    const [name, shape] = Array.isArray(one) ? (one as readonly unknown[]) : [];
    const isValid =
      typeof name === "string" &&
      Array.isArray(shape) &&
      shape.length <= 32 &&
      shape.every((n) => Number.isSafeInteger(n) && n >= 0);
    if (!isValid) throw new Refusal("an identity has a tensor of the wrong kind");
    return [name, shape as number[]];
  });
}

/** A text of another process for messages: without control characters, at most 500 characters. */
export function printable(text: string): string {
  const clean = text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, " ");
  return clean.length > 500 ? `${clean.slice(0, 499)}…` : clean;
}
