import fc from "fast-check";
import type * as ops from "../../src/ops/index.ts";
import { Generator, Tensor } from "../../src/tensor/index.ts";
import { broadcastablePairs, seeds, shapes, tensors, type ValueOptions } from "../../src/testing/arbitraries.ts";
import { compareGradient, type Differentiable } from "../../src/testing/index.ts";
import "../fixed-seed.ts";
import { checkReplay } from "./replay.ts";

/** A function to differentiate, the inputs, and a note for the message of a failure. */
export type Case = { readonly f: Differentiable; readonly xs: readonly Tensor[]; readonly note?: string };

/** Checks a property. Throws if the property does not hold. */
export type Law = () => void;

/** Called with each case of a law, after its properties held. */
export const observers: ((of: Case) => void)[] = [];

const TOLERANCE = 2e-3;

/**
 * The derivatives that laws compared since the list was cleared. They differ if a bit of a result or of a gradient
 * differs.
 */
export const slopes: number[] = [];

/**
 * Checks two properties of every case. The gradient agrees with central differences, along a random direction and with
 * a random upstream gradient. The recorded graph, replayed, gives the same numbers as f.
 */
export function gradientLaw(cases: fc.Arbitrary<Case>): Law {
  return () =>
    fc.assert(
      fc.property(
        cases.map((c) => ({ ...c, [fc.toStringMethod]: () => `${c.note ?? ""} ${c.xs.join(", ")}` })),
        seeds(),
        ({ f, xs }, seed) => {
          const random = new Generator(seed);
          const { exact, numeric, error } = compareGradient(f, xs, () => random.uniform());
          slopes.push(exact, numeric);
          if (!(error < TOLERANCE)) throw new Error(`relative error ${error} is not below ${TOLERANCE}`);
          checkReplay(f, xs);
          for (const observe of observers) observe({ f, xs });
        },
      ),
    );
}

/** Options as text, for the note of a case. */
export const note = (options: unknown): string => JSON.stringify(options, (_, v) => (v instanceof Tensor ? String(v) : v));
export const whole = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
export const oneOf = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

/** f of one tensor of any shape, element by element. */
export function elementwise(f: (x: Tensor) => Tensor, values: ValueOptions = {}): Law {
  return gradientLaw(
    shapes()
      .chain((shape) => tensors(shape, values))
      .map((x) => ({ f, xs: [x] })),
  );
}

export type Pairwise = (a: Tensor | number, b: Tensor | number) => Tensor;

/** f of two tensors that broadcast, of a tensor and a number, and of a number and a tensor. */
export function pairwise(f: Pairwise, aValues: ValueOptions = {}, bValues: ValueOptions = {}): Law {
  const both = broadcastablePairs({ maxLength: 3 })
    .chain(([a, b]) => fc.tuple(tensors(a, aValues), tensors(b, bValues)))
    .map(([a, b]): Case => ({ f, xs: [a, b] }));
  const numbers = shapes({ maxLength: 3 })
    .chain((shape) => fc.tuple(tensors(shape, aValues), tensors(shape, bValues), tensors([], aValues), tensors([], bValues)))
    .chain(([a, b, s, t]) =>
      oneOf<Case>(
        { f: (x) => f(x!, t.item()), xs: [a], note: `number ${t.item()} after` },
        { f: (x) => f(s.item(), x!), xs: [b], note: `number ${s.item()} before` },
      ),
    );
  return gradientLaw(fc.oneof(both, both, numbers));
}

/** The same tensor on both sides: two contributions to one gradient. */
export const doubled = (f: Pairwise, values: ValueOptions = {}): Law => elementwise((x) => f(x, x), values);

export const all =
  (...laws: Law[]): Law =>
  () => {
    for (const law of laws) law();
  };

export type Reduce = (x: Tensor, axis?: ops.Axis, options?: ops.ReduceOptions) => Tensor;

/** f over all axes, over one axis (counted from either end), or over any set of axes; with and without keepDims. */
export function reduction(f: Reduce, values: ValueOptions = {}): Law {
  const given = (axes: number): fc.Arbitrary<{ axis?: ops.Axis; options?: ops.ReduceOptions }> => {
    const one = axes === 0 ? [] : [whole(-axes, axes - 1)];
    const some = fc.shuffledSubarray(Array.from({ length: axes }, (_, i) => i));
    const options = fc.record({ keepDims: fc.boolean() }, { requiredKeys: [] });
    return fc.record({ axis: fc.oneof(some, ...one), options }, { requiredKeys: [] });
  };
  return gradientLaw(
    shapes({ maxLength: 3 }).chain((shape) =>
      fc.record({ x: tensors(shape, values), o: given(shape.length) }).map(({ x, o }) => ({
        f: (v: Tensor) => f(v, o.axis, o.options),
        xs: [x],
        note: note(o),
      })),
    ),
  );
}

/** f of a tensor with at least one axis, along one of its axes, counted from either end. */
export function alongAxis(f: (x: Tensor, axis: number) => Tensor | Tensor[], values: ValueOptions = {}): Law {
  return gradientLaw(
    shapes({ minAxes: 1, maxLength: 3 }).chain((shape) =>
      fc.tuple(tensors(shape, values), whole(-shape.length, shape.length - 1)).map(([x, axis]) => ({
        f: (v: Tensor) => f(v, axis),
        xs: [x],
        note: `axis ${axis}`,
      })),
    ),
  );
}

export const pair = (min: number, max: number): fc.Arbitrary<readonly [number, number]> =>
  fc.tuple(whole(min, max), whole(min, max));

/** Numbers near integers, and numbers near the midpoints between integers. A pair of both kinds is never a tie. */
export const nearWhole: ValueOptions = { awayFrom: [-1.5, -0.5, 0.5, 1.5], gap: 0.25 };
export const nearHalf: ValueOptions = { awayFrom: [-2, -1, 0, 1, 2], gap: 0.35 };
