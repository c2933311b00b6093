import { inflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { spread } from "../../../src/cli/report/chart.ts";
import {
  contrast,
  HEAT_LEVELS,
  heatColors,
  heatLevel,
  seriesColor,
  seriesSymbol,
  THEMES,
} from "../../../src/cli/report/colors.ts";
import { rectangles } from "../../../src/cli/report/layers.ts";
import { brief, duration, share, shown } from "../../../src/cli/report/numbers.ts";
import { encodePng } from "../../../src/cli/report/png.ts";

describe.each(Object.entries(THEMES))("the %s theme", (_, theme) => {
  test("text has a contrast of at least 4.5 to the page and to panels", () => {
    for (const color of [theme.text, theme.faint, theme.link])
      for (const page of [theme.page, theme.panel]) expect(contrast(color, page)).toBeGreaterThanOrEqual(4.5);
  });

  test("counts on each color of the heat scale have a contrast of at least 4.5", () => {
    for (let level = 0; level <= HEAT_LEVELS; level++) {
      const { fill, ink } = heatColors(theme, level);
      expect(contrast(fill, ink)).toBeGreaterThanOrEqual(4.5);
    }
  });

  test("curves have a contrast of at least 3 to the page", () => {
    for (const color of theme.series) expect(contrast(color, theme.page)).toBeGreaterThanOrEqual(3);
  });
});

test("the contrast is that of WCAG", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 10);
  expect(contrast("#777777", "#ffffff")).toBeCloseTo(4.48, 2); // the known gray that just fails
});

test("49 runs have different pairs of color and symbol", () => {
  expect(new Set(Array.from({ length: 49 }, (_, i) => seriesColor(i) + seriesSymbol(i))).size).toBe(49);
});

test("only a share of 0 has the color of the page, and a larger share never a lower level", () => {
  expect([0, 1e-9, 0.01, 1, 2].map(heatLevel)).toEqual([0, 1, 3, 20, 20]);
  const levels = Array.from({ length: 101 }, (_, i) => heatLevel(i / 100));
  expect(levels).toEqual([...levels].sort((a, b) => a - b));
});

test("spread keeps the order and leaves the gap if there is space", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { maxLength: 10 }), (positions) => {
      const moved = spread(positions, 10, 0, 100);
      const sorted = [...moved].sort((a, b) => a - b);
      for (const [i, at] of sorted.entries()) {
        expect(at).toBeGreaterThanOrEqual(-1e-9);
        expect(at).toBeLessThanOrEqual(100);
        if (i > 0) expect(at - sorted[i - 1]!).toBeGreaterThanOrEqual(10 - 1e-9);
      }
      for (const [i, a] of positions.entries())
        for (const [j, b] of positions.entries()) if (a < b) expect(moved[i]!).toBeLessThan(moved[j]!);
    }),
  );
});

test("rectangles cover exactly the elements of a range", () => {
  fc.assert(
    fc.property(fc.nat(60), fc.nat(60), fc.integer({ min: 1, max: 9 }), (begin, length, columns) => {
      const covered = rectangles(begin, begin + length, columns).flatMap(({ x1, x2, y1, y2 }) =>
        Array.from({ length: (x2 - x1) * (y2 - y1) }, (_, i) => {
          const [row, column] = [y1 + Math.floor(i / (x2 - x1)), x1 + (i % (x2 - x1))];
          return row * columns + column;
        }),
      );
      expect(covered.sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, i) => begin + i));
    }),
  );
});

test("a PNG holds the pixels, line by line", () => {
  const bytes = Uint8Array.from({ length: 2 * 3 * 3 }, (_, i) => 13 * i);
  const png = Buffer.from(encodePng({ height: 2, width: 3, channels: 3, bytes }));
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  expect([png.readUInt32BE(16), png.readUInt32BE(20), png[24], png[25]]).toEqual([3, 2, 8, 2]);
  const length = png.readUInt32BE(33);
  expect(png.subarray(37, 41).toString()).toBe("IDAT");
  expect([...inflateSync(png.subarray(41, 41 + length))]).toEqual([0, ...bytes.subarray(0, 9), 0, ...bytes.subarray(9)]);
  // The checksum of an empty IEND chunk, as the standard gives it.
  expect(png.subarray(-4).toString("hex")).toBe("ae426082");
});

test("numbers are short, and small or broken numbers are not lost", () => {
  expect([1234.5678, 0.00012, Number.NaN, Number.POSITIVE_INFINITY, 0].map(shown)).toEqual([
    ...["1235", "1.20e-4", "not a number", "infinite", "0"],
  ]);
  expect([999, 9999, 10_000, 52_234, 1_234_567, 7.5e9].map(brief)).toEqual(["999", "9,999", "10 k", "52.2 k", "1.23 M", "7.5 G"]);
  expect([share(1, 3), share(1, 10_000), share(1, 0)]).toEqual(["33.3 %", "0.01 %", "–"]);
  expect([3.21, 62, 3720, Number.NaN].map(duration)).toEqual(["3.2 s", "1 min 2 s", "1 h 2 min", "–"]);
});
