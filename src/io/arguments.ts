import { describe, readObject, ValueError } from "../tensor/index.ts";
import type { VariableCreator } from "../variables/index.ts";

/** The path of a safetensors file (in Node.js, Deno and Bun), or its bytes. */
export type Source = string | ArrayBufferView | ArrayBuffer;

/** A path that the file system can take. @throws ValueError for anything else. */
export function readPath(who: string, path: string): string {
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return path;
  throw new ValueError(who, `path must be a string that is not empty and has no null character, got ${describe(path)}`);
}

/** The bytes behind a buffer or a view, of this realm or another (a vm context, an iframe); null if `value` is neither. */
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
