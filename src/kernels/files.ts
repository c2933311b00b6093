/**
 * Whether the module node:fs exists. Asks `process.getBuiltinModule`, because bundlers for browsers cannot follow an
 * import of a module of Node.js.
 */
export function hasFiles(): boolean {
  return typeof process !== "undefined" && process.getBuiltinModule?.("node:fs") !== undefined;
}
