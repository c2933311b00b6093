import { expect, test } from "vitest";
import { seed } from "../fixed-seed.ts";
import { formats, fuzz } from "./mutations.ts";

test.each(Object.entries(formats()))("each of 2,000 mutated %s files loads or raises an error of the library", (_, format) => {
  expect(format.read(format.file)).toBe(null);
  const refused = fuzz(format, 2000, seed);
  expect(refused).toBeGreaterThan(500);
  expect(refused).toBeLessThan(2000);
});
