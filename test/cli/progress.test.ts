import { expect, test } from "vitest";
import { clock, count, fitted, type LinePart, liveLine, percent, progressLine, widthOf } from "../../src/cli/progress.ts";

test("the progress line formats numbers with units", () => {
  expect([percent(0.98765), percent(1, 0), count(31_786.4), clock(0), clock(59.6), clock(605)]).toEqual([
    ...["98.77 %", "100 %", "31,786", "0:00", "1:00", "10:05"],
  ]);
});

test("the time left covers the current epoch and all later epochs", () => {
  const scores = { loss: 1.5, accuracy: 0.25, metrics: {}, validation: null };
  const progress = { epoch: 2, epochs: 3, batch: 1, batches: 4, examples: 100, seconds: 2, ...scores };
  expect(progressLine(progress, "accuracy 25.00 %")).toBe(
    "epoch 2/3 ██░░░░░░  loss 1.5000  accuracy 25.00 %  50 examples/s  0:14 left",
  );
});

test.each([
  [100, "epoch 2/3 ██░░░░░░  loss 1.5000  accuracy 25.00 %  50 examples/s  0:14 left"],
  [70, "epoch 2/3 ██░░░░░░  loss 1.5000  accuracy 25.00 %  0:14 left"],
  [50, "epoch 2/3 ██░░░░░░  accuracy 25.00 %  0:14 left"],
  [40, "epoch 2/3 ██░░░░░░  0:14 left"],
  [10, "epoch 2/3 ██░░░░░░"],
])("the progress line for %i characters keeps the parts that matter most", (width, line) => {
  const scores = { loss: 1.5, accuracy: 0.25, metrics: {}, validation: null };
  const progress = { epoch: 2, epochs: 3, batch: 1, batches: 4, examples: 100, seconds: 2, ...scores };
  expect(progressLine(progress, "accuracy 25.00 %", width)).toBe(line);
});

test("a line loses its parts with the highest rank until it fits, and keeps the parts with rank 0", () => {
  const parts: LinePart[] = [
    [0, "a"],
    [2, "bb"],
    [1, "ccc"],
    [0, "d"],
  ];
  expect([13, 12, 9, 8, 1].map((width) => fitted(parts, width))).toEqual([
    "a  bb  ccc  d",
    ...["a  ccc  d", "a  ccc  d"],
    ...["a  d", "a  d"],
  ]);
});

test("a line fits a terminal with a free column, and has no limit elsewhere", () => {
  const write = (): void => undefined;
  expect(widthOf({ write, isTTY: true, columns: 100 })).toBe(99);
  expect(widthOf({ write, isTTY: true })).toBe(79);
  expect(widthOf({ write, columns: 100 })).toBe(Number.POSITIVE_INFINITY);
});

test.each([
  [10, 9],
  [undefined, 79],
  [0, 79], // what a terminal that does not know its size reports
])("a terminal of %s columns shows %s characters of a long line", (columns, shown) => {
  const writes: string[] = [];
  const live = liveLine({ write: (text) => writes.push(text), isTTY: true, columns });
  live.show(() => "x".repeat(200));
  expect(writes).toEqual([`\r${"x".repeat(shown)}\x1b[K`]);
});

test("the line is written at most ten times a second and erased once", () => {
  const writes: string[] = [];
  const live = liveLine({ write: (text) => writes.push(text), isTTY: true });
  for (let i = 0; i < 100; i++) live.show(() => "line");
  expect(writes.length).toBeLessThanOrEqual(2);
  const before = writes.length;
  live.clear();
  live.clear();
  expect(writes.slice(before)).toEqual(["\r\x1b[K"]);
});

test("without a terminal the line is neither shown nor formatted", () => {
  const writes: string[] = [];
  const live = liveLine({ write: (text) => writes.push(text) });
  live.show(() => {
    throw new Error("not needed");
  });
  live.clear();
  expect(writes).toEqual([]);
});
