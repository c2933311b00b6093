/** Whether Node's modules are there, by `process.getBuiltinModule`: an import of them could not be followed in a browser. */
export function isNode(): boolean {
  return typeof process !== "undefined" && typeof process.getBuiltinModule === "function";
}
