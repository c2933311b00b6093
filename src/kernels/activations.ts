import * as curves from "./curves.ts";
import { atMost, FAR, logistic } from "./curves.ts";
import type { Numbers } from "./memory.ts";

// Each function sits next to its gradient. x: input, y: output, dy: ∂loss/∂y, dx: ∂loss/∂x. If `accumulate` is true, a
// gradient adds to dx; otherwise it overwrites dx and does not read it. Loops are written out: a shared map(f), called
// with many functions f, is slow in V8.

export function relu(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = curves.relu(x[i]!);
}

export function reluGrad(x: Numbers, _y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = curves.reluGrad(x[i]!, dy[i]!);
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function leakyRelu(x: Numbers, y: Numbers, alpha: number): void {
  for (let i = 0; i < x.length; i++) y[i] = x[i]! < 0 ? alpha * x[i]! : x[i]!;
}

export function leakyReluGrad(x: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean, alpha: number): void {
  for (let i = 0; i < x.length; i++) {
    const d = x[i]! > 0 ? dy[i]! : alpha * dy[i]!; // slope alpha at 0
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function tanh(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = Math.tanh(x[i]!);
}

export function tanhGrad(x: Numbers, y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = dy[i]! * (1 - y[i]! * y[i]!);
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function sigmoid(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = logistic(x[i]!);
}

export function sigmoidGrad(x: Numbers, y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = dy[i]! * y[i]! * (1 - y[i]!);
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function silu(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = curves.silu(x[i]!);
}

export function siluGrad(x: Numbers, _y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = curves.siluGrad(x[i]!, dy[i]!);
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function softplus(x: Numbers, y: Numbers): void {
  // This form does not overflow for large x.
  for (let i = 0; i < x.length; i++) y[i] = Math.max(x[i]!, 0) + Math.log1p(Math.exp(-Math.abs(x[i]!)));
}

export function softplusGrad(x: Numbers, _y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = dy[i]! * logistic(x[i]!);
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

// gelu by its tanh formula (Hendrycks and Gimpel 2016): x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))).
const GELU_RATE = Math.sqrt(2 / Math.PI);
const GELU_CUBE = 0.044715;

export function gelu(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) {
    const v = Math.max(-FAR, x[i]!);
    y[i] = 0.5 * v * (1 + Math.tanh(GELU_RATE * (v + GELU_CUBE * v * v * v)));
  }
}

export function geluGrad(x: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const v = atMost(x[i]!);
    const t = Math.tanh(GELU_RATE * (v + GELU_CUBE * v * v * v));
    const slope = 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * GELU_RATE * (1 + 3 * GELU_CUBE * v * v);
    const d = dy[i]! * slope;
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function hardSwish(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = curves.hardSwish(x[i]!);
}

export function hardSwishGrad(x: Numbers, _y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = curves.hardSwishGrad(x[i]!, dy[i]!);
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

// hardSigmoid(x) = relu6(x + 3)/6, as PyTorch.

export function hardSigmoid(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) {
    const v = x[i]!;
    y[i] = v < -3 ? 0 : v > 3 ? 1 : (v + 3) / 6; // NaN stays NaN
  }
}

export function hardSigmoidGrad(x: Numbers, _y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = x[i]! < -3 || x[i]! > 3 ? 0 : dy[i]! / 6; // slope 1/6 at −3 and 3
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}

export function relu6(x: Numbers, y: Numbers): void {
  for (let i = 0; i < x.length; i++) y[i] = curves.relu6(x[i]!);
}

export function relu6Grad(x: Numbers, _y: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean): void {
  for (let i = 0; i < x.length; i++) {
    const d = curves.relu6Grad(x[i]!, dy[i]!);
    dx[i] = accumulate ? dx[i]! + d : d;
  }
}
