import { type Numbers, reference, type Windows } from "../../kernels/index.ts";
import { FEW, maps } from "./maps.ts";
import type { Operands } from "./operands.ts";

/** What assembly/{avgpool,columns,elementwise,map,rows,update}.ts export. Pointers are byte addresses. */
export type LoopExports = {
  readonly relu: (n: number, x: number, y: number) => void;
  readonly reluGrad: (n: number, x: number, dy: number, dx: number, accumulate: boolean) => void;
  readonly add: (n: number, a: number, b: number, y: number) => void;
  readonly mul: (n: number, a: number, b: number, y: number, accumulate: boolean) => void;
  readonly axpy: (n: number, scale: number, x: number, y: number, accumulate: boolean) => void;
  readonly sumGrad: (outer: number, n: number, inner: number, dy: number, dx: number, scale: number, accumulate: boolean) => void;
  readonly map: (
    op: number,
    n: number,
    a: number,
    b: number,
    c: number,
    d: number,
    y: number,
    accumulate: boolean,
    p: number,
    q: number,
  ) => void;
  readonly rows: (
    op: number,
    count: number,
    columns: number,
    a: number,
    b: number,
    c: number,
    y: number,
    accumulate: boolean,
    number: number,
    work: number,
  ) => void;
  readonly rowsWork: (count: number, columns: number) => number;
  readonly sumRowsWork: (outer: number, n: number) => number;
  readonly sumRows: (outer: number, n: number, x: number, y: number, scale: number, accumulate: boolean, work: number) => void;
  readonly sumOfProducts: (n: number, x: number, y: number, work: number) => number;
  readonly middleWork: (outer: number, n: number, inner: number) => number;
  readonly columnsWork: (rows: number, columns: number) => number;
  readonly sumColumns: (n: number, inner: number, x: number, y: number, scale: number, accumulate: boolean, work: number) => void;
  readonly sumMiddle: (
    outer: number,
    n: number,
    inner: number,
    x: number,
    y: number,
    scale: number,
    accumulate: boolean,
    work: number,
  ) => void;
  readonly columnMoments: (rows: number, columns: number, x: number, mean: number, variance: number, work: number) => void;
  readonly standardise: (
    rows: number,
    columns: number,
    a: number,
    b: number,
    mean: number,
    variance: number,
    epsilon: number,
    y: number,
    accumulate: boolean,
    work: number,
  ) => void;
  readonly sgdMomentum: (n: number, p: number, g: number, v: number, rate: number, momentum: number, nesterov: boolean) => void;
  readonly adam: (...numbers: number[]) => void;
  readonly rmsprop: (...numbers: number[]) => void;
  readonly avgPool: (x: number, y: number) => void;
  readonly avgPoolGradWork: () => number;
  readonly avgPoolGrad: (dy: number, dx: number, accumulate: boolean, work: number) => void;
};

/** Where operands lie, and how the geometry of windows is handed over. */
export type LoopOperands = Operands & { readonly writeSizes: (w: Windows) => void };

/** The kernels of this file. */
export type Loops = Omit<
  typeof reference,
  | "addCyclic"
  | "addRows"
  | "addWinners"
  | "argExtreme"
  | "conv2d"
  | "conv2dInputGrad"
  | "conv2dKernelGrad"
  | "depthwiseConv2d"
  | "depthwiseConv2dInputGrad"
  | "depthwiseConv2dKernelGrad"
  | "dropoutMask"
  | "gemm"
  | "maxPool"
  | "maxPoolGrad"
  | "mulUnlessZero"
  | "pow"
  | "powGradBase"
  | "powGradExponent"
  | "readCyclic"
  | "readRows"
  | "readView"
  | "readWinners"
  | "writeView"
>;

/** Loops over numbers, rows and columns in WebAssembly. */
export function loops(wasm: LoopExports, { isHere, address, bring, shared, own, writeSizes }: LoopOperands): Loops {
  const sumOfProducts = (a: Numbers, b: Numbers): number => {
    const pa = address(0, a, true);
    return wasm.sumOfProducts(a.length, pa, a === b ? pa : address(1, b, true), shared(wasm.sumRowsWork(1, a.length)));
  };
  /** Kernel `op` of assembly/rows.ts on x [rows, columns]; a: what stands between x and y. */
  const rows = (
    op: number,
    columns: number,
    x: Numbers,
    a: readonly [Numbers, Numbers?],
    y: Numbers,
    accumulate: boolean,
    number = 0,
  ): void => {
    const [px, pa] = [address(0, x, true), address(1, a[0], op !== STANDARDISE_ROWS)];
    const pb = a[1] === undefined ? 0 : address(2, a[1], true);
    const to = address(3, y, accumulate);
    wasm.rows(
      op,
      x.length / columns,
      columns,
      px,
      pa,
      pb,
      to,
      accumulate,
      number,
      own(wasm.rowsWork(x.length / columns, columns)),
    );
    if (op === STANDARDISE_ROWS) bring(pa, a[0]);
    bring(to, y);
  };
  const standardise = (
    columns: number,
    a: Numbers,
    b: Numbers | null,
    mean: Float64Array | null,
    variance: Float64Array,
    epsilon: number,
    y: Numbers,
    accumulate: boolean,
  ): void => {
    const [pa, pb] = [address(0, a, true), b === null ? 0 : address(1, b, true)];
    const [pm, pv] = [mean === null ? 0 : address(2, bits(mean), true), address(3, bits(variance), true)];
    const [to, count] = [address(4, y, accumulate), a.length / columns];
    wasm.standardise(count, columns, pa, pb, pm, pv, epsilon, to, accumulate, shared(wasm.columnsWork(count, columns)));
    bring(to, y);
  };
  const axpy: typeof reference.axpy = (scale, x, y, accumulate) => {
    if (y.length < FEW || !isHere(x) || !isHere(y)) return reference.axpy(scale, x, y, accumulate);
    wasm.axpy(y.length, scale, x.byteOffset, y.byteOffset, accumulate);
  };
  const mul: typeof reference.mul = (a, b, y, accumulate) => {
    if (y.length < FEW) return reference.mul(a, b, y, accumulate);
    const [pa, pb, py] = [address(0, a, true), address(1, b, true), address(2, y, accumulate)];
    wasm.mul(y.length, pa, pb, py, accumulate);
    bring(py, y);
  };
  const fast = maps((op, xs, y, accumulate = false, p = 0, q = 0) => {
    const [a = 0, b = 0, c = 0, d = 0] = xs.map((x, i) => address(i, x, true));
    const to = address(4, y, accumulate);
    wasm.map(op, y.length, a, b, c, d, to, accumulate, p, q);
    bring(to, y);
  });

  return {
    ...fast,
    axpy,
    mul,
    expGrad: (_x, y, dy, dx, accumulate) => mul(dy, y, dx, accumulate),
    logGrad: (x, _y, dy, dx, accumulate) => fast.div(dy, x, dx, accumulate),
    neg: (x, y) => axpy(-1, x, y, false),
    negGrad: (_x, _y, dy, dx, accumulate) => axpy(-1, dy, dx, accumulate),
    relu: (x, y) => {
      if (x.length < FEW) return reference.relu(x, y);
      const [px, py] = [address(0, x, true), address(1, y, false)];
      wasm.relu(x.length, px, py);
      bring(py, y);
    },
    reluGrad: (x, y, dy, dx, accumulate) => {
      if (x.length < FEW) return reference.reluGrad(x, y, dy, dx, accumulate);
      const [px, pdy, pdx] = [address(0, x, true), address(1, dy, true), address(2, dx, accumulate)];
      wasm.reluGrad(x.length, px, pdy, pdx, accumulate);
      bring(pdx, dx);
    },
    add: (a, b, y) => {
      if (y.length < FEW) return reference.add(a, b, y);
      const [pa, pb, py] = [address(0, a, true), address(1, b, true), address(2, y, false)];
      wasm.add(y.length, pa, pb, py);
      bring(py, y);
    },
    sum: (sizes, x, y, scale, accumulate) => {
      if (x.length < FEW) return reference.sum(sizes, x, y, scale, accumulate);
      const { outer, n, inner } = sizes;
      const [px, py] = [address(0, x, true), address(1, y, accumulate)];
      if (inner === 1) wasm.sumRows(outer, n, px, py, scale, accumulate, shared(wasm.sumRowsWork(outer, n)));
      else if (outer > 1) wasm.sumMiddle(outer, n, inner, px, py, scale, accumulate, own(wasm.middleWork(outer, n, inner)));
      else wasm.sumColumns(n, inner, px, py, scale, accumulate, shared(wasm.columnsWork(n, inner)));
      bring(py, y);
    },
    sumGrad: (sizes, dy, dx, scale, accumulate) => {
      if (dx.length < FEW) return reference.sumGrad(sizes, dy, dx, scale, accumulate);
      const [pdy, pdx] = [address(0, dy, true), address(1, dx, accumulate)];
      wasm.sumGrad(sizes.outer, sizes.n, sizes.inner, pdy, pdx, scale, accumulate);
      bring(pdx, dx);
    },
    sumOfSquares: (x) => (x.length < FEW ? reference.sumOfSquares(x) : sumOfProducts(x, x)),
    dot: (a, b, y, accumulate) => {
      if (a.length < FEW) return reference.dot(a, b, y, accumulate);
      const total = sumOfProducts(a, b);
      y[0] = accumulate ? y[0]! + total : total;
    },
    softmax: (classes, x, y) => (x.length < FEW ? reference.softmax(classes, x, y) : rows(0, classes, x, [x], y, false)),
    softmaxGrad: (classes, y, dy, dx, accumulate) =>
      y.length < FEW ? reference.softmaxGrad(classes, y, dy, dx, accumulate) : rows(1, classes, y, [dy], dx, accumulate),
    logSoftmax: (classes, x, y) => (x.length < FEW ? reference.logSoftmax(classes, x, y) : rows(2, classes, x, [x], y, false)),
    logSoftmaxGrad: (classes, y, dy, dx, accumulate) =>
      y.length < FEW ? reference.logSoftmaxGrad(classes, y, dy, dx, accumulate) : rows(3, classes, y, [dy], dx, accumulate),
    crossEntropy: (classes, smoothing, labels, x, losses) =>
      x.length < FEW
        ? reference.crossEntropy(classes, smoothing, labels, x, losses)
        : rows(4, classes, x, [bits(labels)], losses, false, smoothing),
    crossEntropyGrad: (classes, smoothing, labels, x, dlosses, dx, accumulate) =>
      x.length < FEW
        ? reference.crossEntropyGrad(classes, smoothing, labels, x, dlosses, dx, accumulate)
        : rows(5, classes, x, [bits(labels), dlosses], dx, accumulate, smoothing),
    standardiseRows: (columns, x, epsilon, y, rates) =>
      x.length < FEW
        ? reference.standardiseRows(columns, x, epsilon, y, rates)
        : rows(STANDARDISE_ROWS, columns, x, [bits(rates)], y, false, epsilon),
    standardiseRowsGrad: (columns, y, rates, dy, dx, accumulate) =>
      y.length < FEW
        ? reference.standardiseRowsGrad(columns, y, rates, dy, dx, accumulate)
        : rows(7, columns, y, [bits(rates), dy], dx, accumulate),
    columnMoments: (columns, x, mean, variance) => {
      if (x.length < FEW) return reference.columnMoments(columns, x, mean, variance);
      const [px, pm, pv] = [address(0, x, true), address(1, bits(mean), false), address(2, bits(variance), false)];
      const count = x.length / columns;
      wasm.columnMoments(count, columns, px, pm, pv, shared(wasm.columnsWork(count, columns)));
      bring(pm, bits(mean));
      bring(pv, bits(variance));
    },
    standardiseColumns: (columns, x, mean, variance, epsilon, y) =>
      x.length < FEW
        ? reference.standardiseColumns(columns, x, mean, variance, epsilon, y)
        : standardise(columns, x, null, mean, variance, epsilon, y, false),
    standardiseColumnsGrad: (columns, y, variance, epsilon, dy, dx, accumulate) =>
      y.length < FEW
        ? reference.standardiseColumnsGrad(columns, y, variance, epsilon, dy, dx, accumulate)
        : standardise(columns, dy, y, null, variance, epsilon, dx, accumulate),
    standardiseColumnsLinearGrad: (columns, variance, epsilon, dy, dx, accumulate) =>
      dy.length < FEW
        ? reference.standardiseColumnsLinearGrad(columns, variance, epsilon, dy, dx, accumulate)
        : standardise(columns, dy, null, null, variance, epsilon, dx, accumulate),
    sgdMomentum: (p, g, v, rate, momentum, nesterov) => {
      if (p.length < FEW) return reference.sgdMomentum(p, g, v, rate, momentum, nesterov);
      const [pp, pg, pv] = [address(0, p, true), address(1, g, true), address(2, v, true)];
      wasm.sgdMomentum(p.length, pp, pg, pv, rate, momentum, nesterov);
      bring(pp, p);
      bring(pv, v);
    },
    adam: (p, g, m, v, ...numbers) => {
      if (p.length < FEW) return reference.adam(p, g, m, v, ...numbers);
      const [pp, pg, pm, pv] = [address(0, p, true), address(1, g, true), address(2, m, true), address(3, v, true)];
      wasm.adam(p.length, pp, pg, pm, pv, ...numbers);
      bring(pp, p);
      bring(pm, m);
      bring(pv, v);
    },
    rmsprop: (p, g, s, v, ...numbers) => {
      if (p.length < FEW) return reference.rmsprop(p, g, s, v, ...numbers);
      const [pp, pg, ps, pv] = [address(0, p, true), address(1, g, true), address(2, s, true), address(3, v, true)];
      wasm.rmsprop(p.length, pp, pg, ps, pv, ...numbers);
      bring(pp, p);
      bring(ps, s);
      bring(pv, v);
    },
    avgPool: (w, x, y) => {
      if (x.length < FEW) return reference.avgPool(w, x, y);
      const [px, py] = [address(0, x, true), address(1, y, false)];
      writeSizes(w);
      wasm.avgPool(px, py);
      bring(py, y);
    },
    avgPoolGrad: (w, dy, dx, accumulate) => {
      if (dx.length < FEW) return reference.avgPoolGrad(w, dy, dx, accumulate);
      const [pdy, pdx] = [address(0, dy, true), address(1, dx, accumulate)];
      writeSizes(w);
      wasm.avgPoolGrad(pdy, pdx, accumulate, own(wasm.avgPoolGradWork()));
      bring(pdx, dx);
    },
  };
}

/** Number of `standardiseRows` in assembly/rows.ts, which writes its second operand, too. */
const STANDARDISE_ROWS = 6;

/** The bits of integers or doubles, seen as float32s: they are only copied. */
const bits = (x: Int32Array | Float64Array): Numbers => new Float32Array(x.buffer, x.byteOffset, x.byteLength / 4);
