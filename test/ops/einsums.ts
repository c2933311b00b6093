import fc from "fast-check";
import { einsum } from "../../src/ops/index.ts";
import { tensors } from "../../src/testing/arbitraries.ts";
import { type Case, gradientLaw, type Law, whole } from "./law.ts";

/** Two operands over up to four labels, and a result of any of their labels in any order. */
export const einsums: fc.Arbitrary<{ equation: string; a: number[]; b: number[] }> = fc
  .tuple(
    fc.shuffledSubarray(["i", "j", "k", "l"], { maxLength: 3 }),
    fc.shuffledSubarray(["i", "j", "k", "l"], { maxLength: 3 }),
    fc.record({ i: whole(1, 3), j: whole(1, 3), k: whole(1, 3), l: whole(1, 3) }),
  )
  .chain(([inA, inB, lengths]) =>
    fc.shuffledSubarray([...new Set([...inA, ...inB])]).map((result) => {
      const shape = (labels: string[]): number[] => labels.map((label) => lengths[label as keyof typeof lengths]);
      return { equation: `${inA.join("")},${inB.join("")}->${result.join("")}`, a: shape(inA), b: shape(inB) };
    }),
  );

export const einsumLaw: Law = gradientLaw(
  einsums.chain(({ equation, a, b }) =>
    fc.tuple(tensors(a), tensors(b)).map((xs): Case => ({ f: (u, v) => einsum(equation, u!, v!), xs, note: equation })),
  ),
);
