import type { Numbers } from "./memory.ts";

// Each function sits next to its gradient. x: input, y: output, dy: ∂loss/∂y, dx: ∂loss/∂x. If `accumulate` is true, a
// gradient adds to dx; otherwise it overwrites dx and does not read it. Loops are written out: a shared map(f), called
// with many functions f, is slow in V8.

export function neg(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = -x[i]!;
}

export function negGrad(x: Numbers, _y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = -dy[i]!;
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function exp(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = Math.exp(x[i]!);
}

export function expGrad(x: Numbers, y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = dy[i]! * y[i]!;
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function log(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = Math.log(x[i]!);
}

export function logGrad(x: Numbers, _y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = dy[i]! / x[i]!;
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function sqrt(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = Math.sqrt(x[i]!);
}

export function sqrtGrad(x: Numbers, y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = (0.5 * dy[i]!) / y[i]!;
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function square(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = x[i]! * x[i]!;
}

export function squareGrad(x: Numbers, _y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = 2 * x[i]! * dy[i]!;
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function abs(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = Math.abs(x[i]!);
}

export function absGrad(x: Numbers, _y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = x[i]! > 0 ? dy[i]! : x[i]! < 0 ? -dy[i]! : 0; // slope 0 at 0
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function reciprocal(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = 1 / x[i]!;
}

export function reciprocalGrad(x: Numbers, y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = -dy[i]! * y[i]! * y[i]!;
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function clip(x: Numbers, y: Numbers, low: number, high: number): void {
  for (let i = 0; i < x.length; i++) y[i] = x[i]! < low ? low : x[i]! > high ? high : x[i]!; // NaN stays NaN
}

export function clipGrad(x: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean, low: number, high: number): void {
  for (let i = 0; i < x.length; i++) {
    const d = x[i]! < low || x[i]! > high ? 0 : dy[i]!; // the bounds themselves pass
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}
