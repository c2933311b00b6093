// Laws of the ops that move windows over images and sequences, and of resizing.
import fc from "fast-check";
import * as ops from "../../src/ops/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { tensors, type ValueOptions } from "../../src/testing/arbitraries.ts";
import type { Differentiable } from "../../src/testing/index.ts";
import { type Case, gradientLaw, type Law, note, oneOf, pair, whole } from "./law.ts";

const single = (p: readonly [number, number], short: boolean): ops.Pair => (short && p[0] === p[1] ? p[0] : p);

/** Windows and an image [height, width] that they fit into; padding outside is less than the window. */
const windows = (maxDilation: number) =>
  fc
    .record({
      size: pair(1, 3),
      strides: pair(1, 3),
      dilations: pair(1, maxDilation),
      more: pair(0, 3),
      kind: oneOf("valid", "same", "explicit", "number"),
      sides: fc.tuple(pair(0, 2), pair(0, 2)),
      short: fc.boolean(),
    })
    .map(({ size, strides, dilations, more, kind, sides: drawn, short }) => {
      const image = size.map((k, i) => (kind === "same" ? 1 : (k - 1) * dilations[i]! + 1) + more[i]!);
      const sides = drawn.map(([before, after], i) => [Math.min(before, size[i]! - 1), Math.min(after, size[i]! - 1)] as const);
      const around = Math.min(...sides.flat());
      const padding: ops.Padding =
        kind === "explicit" ? [sides[0]!, sides[1]!] : kind === "number" ? around : kind === "same" ? "same" : "valid";
      return { size, image, padding, strides: single(strides, short), dilations: single(dilations, short) };
    });

const convolutionLaw = (depthwise: boolean): Law =>
  gradientLaw(
    fc
      .record({
        windows: windows(2),
        batch: whole(1, 2),
        groups: whole(1, 3),
        share: whole(1, 2),
        outShare: whole(1, 3),
        biased: fc.boolean(),
      })
      .chain(({ windows: { size, image, ...options }, batch, groups, share, outShare, biased }) => {
        const channels = groups * share;
        const outputs = depthwise ? channels * outShare : groups * outShare;
        const kernel = depthwise ? [...size, channels, outShare] : [...size, share, outputs];
        const f: Differentiable = (x, w, bias) => {
          const o = bias === undefined ? options : { ...options, bias };
          return depthwise ? ops.depthwiseConv2d(x!, w!, o) : ops.conv2d(x!, w!, { ...o, groups });
        };
        return fc
          .tuple(tensors([batch, ...image, channels]), tensors(kernel), ...(biased ? [tensors([outputs])] : []))
          .map((xs) => ({ f, xs, note: note({ ...options, groups }) }));
      }),
  );

/** The first axis of random windows, as the one axis of a sequence. */
const windows1d = (maxDilation: number) =>
  windows(maxDilation).map(({ size, image, padding, strides, dilations }) => ({
    size: size[0],
    length: image[0]!,
    padding: (typeof padding === "object" ? padding[0] : padding) as ops.Padding1d,
    strides: typeof strides === "number" ? strides : strides[0],
    dilations: typeof dilations === "number" ? dilations : dilations[0],
  }));

const conv1dLaw: Law = gradientLaw(
  fc
    .record({ windows: windows1d(2), batch: whole(1, 2), groups: whole(1, 2), share: whole(1, 2), biased: fc.boolean() })
    .chain(({ windows: { size, length, ...options }, batch, groups, share, biased }) =>
      fc
        .tuple(
          tensors([batch, length, groups * share]),
          tensors([size, share, groups * 2]),
          ...(biased ? [tensors([groups * 2])] : []),
        )
        .map(
          (xs): Case => ({
            f: (x, w, bias) => ops.conv1d(x!, w!, { ...options, groups, ...(bias === undefined ? {} : { bias }) }),
            xs,
            note: note({ ...options, groups }),
          }),
        ),
    ),
);

const conv2dTransposeLaw: Law = gradientLaw(
  fc
    .record({
      size: pair(1, 3),
      image: pair(1, 4),
      strides: pair(1, 3),
      dilations: pair(1, 2),
      more: pair(0, 2),
      kind: oneOf<ops.Padding>("valid", "same", 1, [
        [1, 0],
        [0, 1],
      ]),
      batch: whole(1, 2),
      groups: whole(1, 2),
      share: whole(1, 2),
      biased: fc.boolean(),
    })
    .map((o) => {
      const outputPadding = o.more.map((n, i) => (o.kind === "same" ? 0 : Math.min(n, o.strides[i]! - 1))) as [number, number];
      return { ...o, outputPadding, image: o.kind === 1 ? o.image.map((n) => n + 2) : o.image.map((n) => n + 1) };
    })
    .chain(({ size, image, strides, dilations, kind: padding, outputPadding, batch, groups, share, biased }) => {
      const options = { strides, dilations, padding, outputPadding, groups };
      return fc
        .tuple(
          tensors([batch, ...image, groups * 2]),
          tensors([...size, share, groups * 2]),
          ...(biased ? [tensors([groups * share])] : []),
        )
        .map(
          (xs): Case => ({
            f: (x, w, bias) => ops.conv2dTranspose(x!, w!, bias === undefined ? options : { ...options, bias }),
            xs,
            note: note(options),
          }),
        );
    }),
);

type Pool1d = (x: Tensor, size: number, options: ops.Pool1dOptions) => Tensor;

const pool1dLaw = (f: Pool1d, values: ValueOptions = {}): Law =>
  gradientLaw(
    fc
      .record({ windows: windows1d(1), batch: whole(1, 2), channels: whole(1, 3), strided: fc.boolean() })
      .chain(({ windows: { size, length, padding, strides }, batch, channels, strided }) => {
        const options: ops.Pool1dOptions = strided ? { padding, strides } : { padding };
        return tensors([batch, length, channels], values).map((x) => ({
          f: (v: Tensor) => f(v, size, options),
          xs: [x],
          note: note({ size, ...options }),
        }));
      }),
  );

const resizeLaw: Law = gradientLaw(
  fc
    .tuple(
      pair(1, 4),
      pair(1, 6),
      oneOf<ops.ResizeOptions>({}, { method: "bilinear" }, { method: "bilinear", alignCorners: true }),
    )
    .chain(([image, size, options]) =>
      tensors([2, ...image, 2]).map((x) => ({
        f: (v: Tensor) => ops.resize(v, size, options),
        xs: [x],
        note: note({ size, ...options }),
      })),
    ),
);

type Pool = (x: Tensor, size: ops.Pair, options: ops.Pool2dOptions) => Tensor;

const poolLaw = (f: Pool, values: ValueOptions = {}): Law =>
  gradientLaw(
    fc
      .record({ windows: windows(1), batch: whole(1, 2), channels: whole(1, 3), strided: fc.boolean() })
      .chain(({ windows: { size, image, padding, strides }, batch, channels, strided }) => {
        const options: ops.Pool2dOptions = strided ? { padding, strides } : { padding };
        return tensors([batch, ...image, channels], values).map((x) => ({
          f: (v: Tensor) => f(v, size, options),
          xs: [x],
          note: note({ size, ...options }),
        }));
      }),
  );

type Name =
  | "avgPool1d"
  | "avgPool2d"
  | "conv1d"
  | "conv2d"
  | "conv2dTranspose"
  | "depthwiseConv2d"
  | "maxPool1d"
  | "maxPool2d"
  | "resize";

export const windowLaws: Readonly<Record<Name, Law>> = {
  avgPool1d: pool1dLaw(ops.avgPool1d),
  avgPool2d: poolLaw(ops.avgPool2d),
  conv1d: conv1dLaw,
  conv2d: convolutionLaw(false),
  conv2dTranspose: conv2dTransposeLaw,
  depthwiseConv2d: convolutionLaw(true),
  maxPool1d: pool1dLaw(ops.maxPool1d, { min: -6, max: 6, distinct: 0.04 }),
  maxPool2d: poolLaw(ops.maxPool2d, { min: -6, max: 6, distinct: 0.04 }),
  resize: resizeLaw,
};
