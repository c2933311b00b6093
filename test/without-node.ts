/** Runs `fn` where there is none of Node's modules to be asked for, as in a browser. */
export function withoutNode(fn: () => void): void {
  const builtin = process.getBuiltinModule;
  Reflect.deleteProperty(process, "getBuiltinModule");
  try {
    fn();
  } finally {
    process.getBuiltinModule = builtin;
  }
}
