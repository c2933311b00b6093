import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { Kernels, Numbers } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import { isNear } from "./exact.ts";

/** Numbers of every exponent and sign: denormals, infinities and NaN too. */
const everywhere = (): Numbers => {
  const patterns = new Uint32Array(200_000);
  for (let i = 0; i < patterns.length; i++) patterns[i] = Math.imul(i, 0x9e3779b1);
  patterns.set([0, 0x80000000, 1, 0x80000001, 0x7f800000, 0xff800000, 0x7fc00000, 0x3f800000, 0x3f7fffff, 0x3f800001]);
  return new Float32Array(patterns.buffer);
};
/** Numbers from −110 to 110, where exponentials neither overflow nor vanish. */
const ordinary = (): Numbers => Float32Array.from({ length: 200_000 }, (_, i) => (i - 100_000) * 0.0011);

const plain: Kernels = { ...reference };
const fast: Kernels = { ...reference, ...wasmBackend().kernels };

describe.each([
  ["of every exponent", everywhere()],
  ["from −110 to 110", ordinary()],
])("numbers %s", (_, x) => {
  test.each(["exp", "log", "tanh", "sigmoid", "silu", "softplus", "gelu"] as const)(
    "%s is within 1 ulp of the reference",
    (name) => {
      const [want, got] = [new Float32Array(x.length), new Float32Array(x.length)];
      plain[name](x, want);
      fast[name](x, got);
      // Far below 0, 1 + tanh loses what gelu would need, in the reference as here.
      const far = want.findIndex((v, i) => !isNear(got[i]!, v, 1, name === "gelu" ? 2 ** -51 * Math.abs(x[i]!) : 0));
      expect(far < 0 ? "" : `${name}(${x[far]}) = ${got[far]}, want ${want[far]}`).toBe("");
    },
  );

  type Slope = (t: Kernels, ones: Numbers, dx: Numbers) => void;
  const slopes: Readonly<Record<string, Slope>> = {
    siluGrad: (t, ones, dx) => t.siluGrad(x, x, ones, dx, false),
    softplusGrad: (t, ones, dx) => t.softplusGrad(x, x, ones, dx, false),
    geluGrad: (t, ones, dx) => t.geluGrad(x, ones, dx, false),
    eluGrad: (t, ones, dx) => t.eluGrad(x, ones, dx, false, 1),
  };
  test.each(Object.entries(slopes))("%s is within 1 ulp or 2⁻³⁰ of the reference", (name, slope) => {
    const [want, got, ones] = [new Float32Array(x.length), new Float32Array(x.length), new Float32Array(x.length).fill(1)];
    slope(plain, ones, want);
    slope(fast, ones, got);
    const far = want.findIndex((v, i) => !isNear(got[i]!, v, 1, 2 ** -30));
    expect(far < 0 ? "" : `${name}(${x[far]}) = ${got[far]}, want ${want[far]}`).toBe("");
  });
});
