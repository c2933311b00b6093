import { describe, expect, test } from "vitest";
import { run } from "./golden-adapter.ts";
import { differences, type GoldenCase, goldenCases } from "./golden-cases.ts";

describe("golden cases, computed in float64 by NumPy and PyTorch", () => {
  test.each(goldenCases.map((one): [string, GoldenCase] => [one.id, one]))("%s", (_, one) => {
    if (one.kind === "error") expect(() => run(one)).toThrow(/^\w+: .+/);
    else expect(differences(one, run(one))).toEqual([]);
  });

  test("the comparison fails for a wrong answer", () => {
    const one = goldenCases.find(({ id }) => id === "matmul.0")!;
    const right = run(one);
    const { shape, data } = right.outputs!.y!;
    const wrong = { ...right, outputs: { y: { shape, data: Array.from(data, (v, i) => (i === 7 ? v * 1.001 : v)) } } };
    expect(differences(one, wrong)).toHaveLength(1);
    expect(differences(one, { ...right, grads: {} })).toHaveLength(2);
  });
});
