/** Runs `fn` without Node's modules, as in a browser. */
export function withoutNode(fn: () => void): void {
  const builtin = process.getBuiltinModule;
  Reflect.deleteProperty(process, "getBuiltinModule");
  try {
    fn();
  } finally {
    process.getBuiltinModule = builtin;
  }
}
