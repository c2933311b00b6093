import { describe, readFunction, readList, readObject, readTensor, ValueError } from "../tensor/index.ts";
import { type ModelState, stateOf, type VariableCreator } from "../variables/index.ts";

/** The path of a safetensors file (in Node.js, Deno and Bun), or its bytes. */
export type Source = string | ArrayBufferView | ArrayBuffer;

/** A path that the file system can take. @throws ValueError for anything else. */
export function readPath(who: string, path: string): string {
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return path;
  throw new ValueError(who, `path must be a string that is not empty and has no null character, got ${describe(path)}`);
}

/**
 * The bytes behind a buffer or a view, of this realm or another (a vm context, an iframe); null if `value` is neither.
 */
export function bytesIn(value: unknown): Uint8Array | null {
  try {
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    const kind = Object.prototype.toString.call(value);
    if (kind === "[object ArrayBuffer]" || kind === "[object SharedArrayBuffer]") return new Uint8Array(value as ArrayBuffer);
  } catch {
    // A transferred buffer holds no bytes any more.
  }
  return null;
}

/** The model whose weights are read or written. @throws ValueError unless `vars` is a creator of variables. */
export function readCreator(who: string, name: string, vars: VariableCreator): VariableCreator {
  readObject(who, name, vars);
  if (typeof vars.parameters === "function" && typeof vars.variables === "function") return vars;
  throw new ValueError(who, `${name} must create variables, as DenseVariables and VariableFactory do, got ${describe(vars)}`);
}

/**
 * All that a file must hold of a model. @throws ValueError if a creator of a user's own returns anything else than
 * tensors by name.
 */
export function modelOf(who: string, vars: VariableCreator): ModelState {
  if (vars.state === undefined) {
    for (const variable of readList(who, "vars.variables()", vars.variables()))
      readFunction(who, "a variable's read", variable?.read);
    for (const parameter of readList(who, "vars.parameters()", vars.parameters()))
      readTensor(who, "a parameter's tensor", parameter?.tensor);
  }
  const state = readObject(who, "the state of vars", stateOf(vars));
  if (!isMap(state.weights)) throw new ValueError(who, `the weights of vars must be a Map, got ${describe(state.weights)}`);
  for (const pool of readList(who, "the pools of vars", state.pools)) readList(who, "the core of a pool", pool?.core);
  for (const [name, tensor] of state.weights) readTensor(who, `the weight ${describe(name)}`, tensor);
  return state;
}

/** Whether a value is a Map, of this realm or another. */
export function isMap(value: unknown): boolean {
  try {
    return Map.prototype.has.call(value as Map<unknown, unknown>, "") || true;
  } catch {
    return false;
  }
}
