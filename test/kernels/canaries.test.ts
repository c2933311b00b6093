import { expect, test } from "vitest";
import { betweenCanaries } from "./canaries.ts";

test.each([true, false])("canaries detect a kernel that writes beyond an operand (in place: %s)", (inPlace) => {
  const { fast, place } = betweenCanaries(inPlace);
  const [x, y] = [place(new Float32Array(300).fill(1)), place(new Float32Array(290))];
  expect(() => fast.relu?.(x, x)).not.toThrow();
  expect(() => fast.relu?.(x, y)).toThrow(/^relu.*wrote beyond/);
});
