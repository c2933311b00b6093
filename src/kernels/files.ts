/**
 * Whether there are Node's files, by `process.getBuiltinModule`: an import of Node's modules could not be followed in a
 * browser.
 */
export function hasFiles(): boolean {
  return typeof process !== "undefined" && process.getBuiltinModule?.("node:fs") !== undefined;
}
