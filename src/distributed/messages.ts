import { areFinite } from "../tensor/index.ts";
import { fromHalves, type Halves } from "./float16.ts";
import type { ShardResult, Tensors } from "./shards.ts";

// The binary messages in Redis. Everything is checked before use: kind, version of the protocol, run, size, bounds and
// finite numbers. Numbers are little-endian.
//
//   0  magic "HGRD"            24  digest of the identity, 32 bytes
//   4  kind, 1 byte            56  number of the step
//   5  protocol, 1 byte        60  epoch (weights), shard (answers)
//   6  element type, 1 byte    64  the fields of the kind, 16 bytes
//   8  run, 16 bytes           80  content

export const PROTOCOL = 1;
/** The bytes of the head of every message. */
export const HEAD = 80;
/** The bytes of a head that name kind, run and step. */
export const NAMED = 60;
const MAGIC = 0x44524748; // "HGRD"
const MOST_TEXT = 4 * 2 ** 20;

export const KINDS = { weights: 1, gradients: 2, fault: 3, stranger: 4, unreadable: 5 } as const;
export type Kind = keyof typeof KINDS;

/** A message that is not used. Its text says why. */
export class Refusal extends Error {}

/** What all messages of a run have in common. */
export type Frame = {
  /** The number of the run: 16 random bytes. */
  readonly run: Uint8Array;
  /** The digest of the identity. */
  readonly identity: Uint8Array;
  readonly element: "float32" | "float16";
};

/** The position of a step, and the examples of its batch. */
export type Step = {
  readonly step: number;
  readonly epoch: number;
  readonly batch: number;
  /** The number of examples of the update. */
  readonly group: number;
  readonly isFirst: boolean;
  readonly trained: boolean;
  readonly indices: Int32Array;
};

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const bytesOf = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

function headOf(kind: Kind, { run, identity, element }: Frame, step: number, place: number): Uint8Array {
  const head = new Uint8Array(HEAD);
  const view = viewOf(head);
  view.setUint32(0, MAGIC, true);
  head.set([KINDS[kind], PROTOCOL, element === "float16" ? 1 : 0], 4);
  head.set(run, 8);
  head.set(identity, 24);
  view.setUint32(56, step, true);
  view.setUint32(60, place, true);
  return head;
}

/** The sizes of all tensors, the trained ones first. */
export const sizesOf = ({ trained, others }: Tensors): readonly number[] => [
  ...trained.map(({ tensor }) => tensor.size),
  ...others.map(([, tensor]) => tensor.size),
];
const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);

/** The trained numbers, and the task of a step. */
export function encodeWeights(frame: Frame, step: Step, tensors: Tensors): Buffer {
  const head = headOf("weights", frame, step.step, step.epoch);
  const view = viewOf(head);
  view.setUint32(64, step.batch, true);
  view.setUint32(68, step.group, true);
  view.setUint32(72, step.indices.length, true);
  view.setUint32(76, (step.isFirst ? 1 : 0) + (step.trained ? 2 : 0), true);
  const arrays = [...tensors.trained.map(({ tensor }) => tensor.data), ...tensors.others.map(([, tensor]) => tensor.data)];
  return Buffer.concat([head, bytesOf(step.indices), ...arrays.map(bytesOf)]);
}

/**
 * The step of a message of weights, and the numbers of each tensor. `length` is the number of examples of the data.
 * @throws Refusal
 */
export function decodeWeights(
  bytes: Uint8Array,
  frame: Frame,
  sizes: readonly number[],
  length: number,
): { readonly step: Step; readonly weights: readonly Float32Array[] } {
  const view = readHead(bytes, "weights", frame);
  const count = view.getUint32(72, true);
  checkSize(bytes, HEAD + 4 * count + 4 * sum(sizes));
  const step = {
    ...{ step: view.getUint32(56, true), epoch: view.getUint32(60, true), batch: view.getUint32(64, true) },
    ...{ group: view.getUint32(68, true), isFirst: (view.getUint32(76, true) & 1) > 0, trained: view.getUint32(76, true) > 1 },
    indices: new Int32Array(copied(bytes, HEAD, 4 * count)),
  };
  if (count === 0 || step.group < count || step.epoch === 0) throw new Refusal("a message of weights has an empty or wrong task");
  if (step.indices.some((index) => index < 0 || index >= length))
    throw new Refusal(`a message of weights names an example outside the ${length} examples of the data`);
  return { step, weights: arraysIn(bytes, HEAD + 4 * count, sizes) };
}

/** The answer to a shard. `halves` are the gradients in half precision, null for float32. */
export function encodeGradients(
  frame: Frame,
  step: number,
  shard: number,
  { loss, correct, gradients, assigned }: ShardResult,
  halves: readonly (Halves | null)[] | null,
): Buffer {
  const head = headOf("gradients", frame, step, shard);
  const view = viewOf(head);
  view.setFloat64(64, loss, true);
  view.setInt32(72, correct ?? -1, true);
  const present = Uint8Array.from([...gradients, ...assigned], (array) => (array === null ? 0 : 1));
  const exponents = Int16Array.from(halves ?? [], (half) => half?.exponent ?? 0);
  const numbers = halves === null ? gradients : halves.map((half) => half?.bits ?? null);
  const arrays = [...numbers, ...assigned].flatMap((array) => (array === null ? [] : [bytesOf(array)]));
  return Buffer.concat([head, present, bytesOf(exponents), ...arrays]);
}

/** Why a shard has no gradients: a text. For a stranger: its identity as JSON. */
export function encodeText(
  kind: "fault" | "stranger" | "unreadable",
  frame: Frame,
  step: number,
  shard: number,
  text: string,
): Buffer {
  return Buffer.concat([headOf(kind, frame, step, shard), Buffer.from(text.slice(0, MOST_TEXT / 4), "utf8")]);
}

/** An answer of a worker. */
export type Answer =
  | { readonly kind: "gradients"; readonly shard: number; readonly result: ShardResult }
  | { readonly kind: "fault" | "stranger" | "unreadable"; readonly shard: number; readonly text: string };

/**
 * An answer to the step `step` with `shards` shards; null for an answer to an earlier step.
 * @throws Refusal
 */
export function decodeAnswer(bytes: Uint8Array, frame: Frame, tensors: Tensors, step: number, shards: number): Answer | null {
  const view = readHead(bytes, null, frame);
  const kind = (Object.keys(KINDS) as Kind[]).find((name) => KINDS[name] === bytes[4])!;
  const answered = view.getUint32(56, true);
  if (answered > step) throw new Refusal("an answer names a step that has not been published");
  if (answered < step) return null;
  const shard = view.getUint32(60, true);
  if (shard >= shards) throw new Refusal(`an answer names the shard ${shard} of ${shards}`);
  if (kind === "weights") throw new Refusal("an answer is a message of weights");
  if (kind === "gradients") return { kind, shard, result: readResult(bytes, view, frame, tensors) };
  if (bytes.length > HEAD + MOST_TEXT) throw new Refusal(`a text has ${bytes.length - HEAD} bytes`);
  return { kind, shard, text: Buffer.from(bytes.subarray(HEAD)).toString("utf8") };
}

function readResult(bytes: Uint8Array, view: DataView, { element }: Frame, { trained, others }: Tensors): ShardResult {
  const isHalf = element === "float16";
  const first = HEAD + trained.length + others.length + (isHalf ? 2 * trained.length : 0);
  if (bytes.length < first) throw new Refusal(`an answer is cut: it has ${bytes.length} bytes`);
  const flags = bytes.subarray(HEAD, HEAD + trained.length + others.length);
  if (flags.some((flag) => flag > 1)) throw new Refusal("an answer has an unknown flag");
  const present = (at: number, size: number): number => (flags[at] === 1 ? size : 0);
  const sizes = trained.map(({ tensor }, i) => present(i, tensor.size));
  const more = others.map(([, tensor], i) => present(trained.length + i, tensor.size));
  const second = first + (isHalf ? 2 : 4) * sum(sizes);
  checkSize(bytes, second + 4 * sum(more));
  const exponents = new Int16Array(copied(bytes, HEAD + flags.length, isHalf ? 2 * trained.length : 0));
  const gradients = isHalf ? halvesIn(bytes, first, sizes, exponents) : arraysIn(bytes, first, sizes);
  const assigned = arraysIn(bytes, second, more);
  const [loss, correct] = [view.getFloat64(64, true), view.getInt32(72, true)];
  if (!Number.isFinite(loss) || correct < -1) throw new Refusal("an answer has scores that are not possible");
  const orNull = (at: number) => (array: Float32Array, i: number) => (flags[at + i] === 1 ? array : null);
  return {
    ...{ loss, correct: correct === -1 ? null : correct },
    gradients: gradients.map(orNull(0)),
    assigned: assigned.map(orNull(trained.length)),
  };
}

/** Checks a head; `kind` null: any. @throws Refusal */
function readHead(bytes: Uint8Array, kind: Kind | null, { run, identity, element }: Frame): DataView {
  if (bytes.length < HEAD) throw new Refusal(`a message is cut: it has ${bytes.length} bytes`);
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== MAGIC) throw new Refusal("a message is not one of hashgrad");
  if (bytes[5] !== PROTOCOL) throw new Refusal(`a message has version ${bytes[5]} of the protocol, not ${PROTOCOL}`);
  const known = kind === null ? Object.values(KINDS).some((value) => value === bytes[4]) : bytes[4] === KINDS[kind];
  if (!known) throw new Refusal(`a message has the wrong kind ${bytes[4]}`);
  if (!isSame(bytes.subarray(8, 24), run)) throw new Refusal("a message belongs to another run");
  const isStranger = bytes[4] === KINDS.stranger;
  if (!isStranger && !isSame(bytes.subarray(24, 56), identity))
    throw new Refusal("a message comes from a process with another version, model or data");
  if (bytes[6] !== (element === "float16" ? 1 : 0)) throw new Refusal(`a message has the element type ${bytes[6]}`);
  return view;
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

function checkSize(bytes: Uint8Array, size: number): void {
  if (bytes.length !== size) throw new Refusal(`a message has ${bytes.length} bytes, not ${size}`);
}

/** A copy of bytes with an alignment that fits every array. */
function copied(bytes: Uint8Array, begin: number, length: number): ArrayBuffer {
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(begin, begin + length));
  return copy.buffer;
}

function arraysIn(bytes: Uint8Array, begin: number, sizes: readonly number[]): Float32Array[] {
  return split(new Float32Array(copied(bytes, begin, 4 * sum(sizes))), sizes);
}

function halvesIn(bytes: Uint8Array, begin: number, sizes: readonly number[], exponents: Int16Array): Float32Array[] {
  const all = new Uint16Array(copied(bytes, begin, 2 * sum(sizes)));
  let end = 0;
  return sizes.map((size, i) => {
    end += size;
    return finite(fromHalves({ exponent: exponents[i]!, bits: all.subarray(end - size, end) }));
  });
}

function split(all: Float32Array, sizes: readonly number[]): Float32Array[] {
  finite(all);
  let end = 0;
  return sizes.map((size) => {
    end += size;
    return all.slice(end - size, end);
  });
}

function finite(numbers: Float32Array): Float32Array {
  if (!areFinite(numbers)) throw new Refusal("a message has a number that is not finite");
  return numbers;
}
