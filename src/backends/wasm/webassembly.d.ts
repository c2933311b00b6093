/**
 * The part of WebAssembly's JavaScript interface that is used here. TypeScript's own declarations come only with those
 * of the whole DOM.
 */
declare namespace WebAssembly {
  function validate(bytes: Uint8Array): boolean;
  class Memory {
    constructor(options: { initial: number; maximum: number; shared: boolean });
    readonly buffer: SharedArrayBuffer;
    grow(pages: number): number;
  }
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance<Exports> {
    constructor(module: Module, imports: Record<string, Record<string, Memory | ((...numbers: number[]) => unknown)>>);
    readonly exports: Exports;
  }
}
