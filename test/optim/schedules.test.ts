import { expect, test } from "vitest";
import { constant, cosineDecay, exponentialDecay, type Schedule, stepDecay, warmUp } from "../../src/optim/index.ts";
import { thrown } from "../thrown.ts";

const at = (schedule: Schedule, steps: number[]): number[] => steps.map(schedule);
const close = (values: number[]): number[] => values.map((v) => expect.closeTo(v, 12));

test("constant is 1 at every step", () => {
  expect(at(constant, [0, 1, 1e6])).toEqual([1, 1, 1]);
});

test("stepDecay multiplies by the factor after every interval of steps, by 0.1 by default", () => {
  expect(at(stepDecay({ every: 3, factor: 0.5 }), [0, 2, 3, 5, 6, 9])).toEqual([1, 1, 0.5, 0.5, 0.25, 0.125]);
  expect(at(stepDecay({ every: 10 }), [9, 10, 20])).toEqual(close([1, 0.1, 0.01]));
});

test("exponentialDecay is the factor to the power of the step", () => {
  expect(at(exponentialDecay({ factor: 0.9 }), [0, 1, 5])).toEqual(close([1, 0.9, 0.9 ** 5]));
  expect(at(exponentialDecay({ factor: 0.25, every: 4 }), [0, 2, 4, 6])).toEqual(close([1, 0.5, 0.25, 0.125]));
});

test("cosineDecay falls along half a cosine and stays at its end", () => {
  expect(at(cosineDecay({ steps: 6 }), [0, 2, 3, 4, 6, 100])).toEqual(close([1, 0.75, 0.5, 0.25, 0, 0]));
  expect(at(cosineDecay({ steps: 6, end: 0.2 }), [0, 2, 3, 6, 7])).toEqual(close([1, 0.8, 0.6, 0.2, 0.2]));
});

test("warmUp rises linearly from above 0, and its schedule counts from the end of the rise", () => {
  expect(at(warmUp(4), [0, 1, 2, 3, 4, 50])).toEqual(close([0.2, 0.4, 0.6, 0.8, 1, 1]));
  expect(at(warmUp(1, cosineDecay({ steps: 6 })), [0, 1, 3, 7])).toEqual(close([0.5, 1, 0.75, 0]));
  expect(at(warmUp(0, stepDecay({ every: 1, factor: 0.5 })), [0, 1])).toEqual([1, 0.5]);
});

test.each([
  [() => stepDecay({ every: 0 }), "ValueError: stepDecay: every must be a finite number above 0, got 0"],
  [
    () => exponentialDecay({ factor: 0.5, every: -1 }),
    "ValueError: exponentialDecay: every must be a finite number above 0, got -1",
  ],
  [() => cosineDecay({ steps: Number.NaN }), "ValueError: cosineDecay: steps must be a finite number above 0, got NaN"],
  [
    () => cosineDecay({ steps: Number.POSITIVE_INFINITY }),
    "ValueError: cosineDecay: steps must be a finite number above 0, got Infinity",
  ],
  [() => warmUp(-1), "ValueError: warmUp: steps must be a finite number at least 0, got -1"],
])("a schedule refuses a length of 0: %s", (make, text) => {
  expect(thrown(make)).toBe(text);
});
