// `npm run docs:ops` writes docs/ops.md: which kernels each op calls, forward and for its gradient, and which of them
// have a fast version; and the arguments of each kernel.
// Found by running each op's law with every kernel watched. A test compares.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { blocked, installAround } from "../../src/backends/index.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { signatures } from "../../src/kernels/index.ts";
import * as ops from "../../src/ops/index.ts";
import { tensor } from "../../src/tensor/index.ts";
import { laws, type withoutGradient } from "./laws.ts";

type Called = { readonly forward: Set<string>; readonly gradient: Set<string> };

/** The names of the kernels that `run` calls; those of a gradient are called by an op that `walk` called. */
function watched(run: () => void): Called {
  const called: Called = { forward: new Set(), gradient: new Set() };
  const watch = <F extends (...args: never[]) => unknown>(name: string, fn: F): F =>
    ((...args: Parameters<F>) => {
      if (called.forward.has(name) && called.gradient.has(name)) return fn(...args);
      const stack = new Error().stack ?? "";
      const [op, walk] = [stack.indexOf("/src/ops/"), stack.search(/\bwalk\b/)];
      if (op >= 0) called[walk >= 0 && op < walk ? "gradient" : "forward"].add(name);
      return fn(...args);
    }) as F;
  const undo = installAround(watch);
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 40;
  const prepare = Error.prepareStackTrace;
  // Names and files only: source maps take most of the time.
  Error.prepareStackTrace = (_, sites) => sites.map((site) => `${site.getFunctionName()} ${site.getFileName()}`).join("\n");
  try {
    run();
  } finally {
    Error.stackTraceLimit = limit;
    Error.prepareStackTrace = prepare;
    undo();
  }
  return called;
}

const examples: Readonly<Record<(typeof withoutGradient)[number], () => void>> = {
  argMax: () => void ops.argMax(tensor([[1, 2]])),
  argMin: () => void ops.argMin(tensor([[1, 2]])),
  equal: () => void ops.equal(tensor([1]), tensor([2])),
  eye: () => void ops.eye(2),
  greater: () => void ops.greater(tensor([1]), tensor([2])),
  greaterEqual: () => void ops.greaterEqual(tensor([1]), tensor([2])),
  less: () => void ops.less(tensor([1]), tensor([2])),
  lessEqual: () => void ops.lessEqual(tensor([1]), tensor([2])),
  notEqual: () => void ops.notEqual(tensor([1]), tensor([2])),
  oneHot: () => void ops.oneHot([1], 2),
};

/** The text of docs/ops.md. */
export function opTable(): string {
  const before = fc.readConfigureGlobal();
  fc.configureGlobal({ ...before, numRuns: 40 });
  const fast = wasmBackend().kernels;
  const shown = (names: Set<string>): string =>
    [...names]
      .sort()
      .map((name) => (name in fast ? `**${name}**` : name in blocked ? `*${name}*` : name))
      .join(", ");
  const rows = Object.entries({ ...laws, ...examples })
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([op, run]) => {
      const { forward, gradient } = watched(run);
      return `| ${op} | ${shown(forward) || "–"} | ${op in examples ? "none" : shown(gradient) || "–"} |`;
    });
  fc.configureGlobal(before);
  return [
    "# Ops and their kernels",
    "",
    "`npm run docs:ops` writes this page: it runs the gradient test of each op and notes the kernels that the op",
    "calls. A test compares.",
    "",
    "- **Bold** kernels have a WebAssembly version with SIMD. Threads share large work.",
    "- *Italic* kernels have a blocked version in plain TypeScript. All other kernels, and all kernels without",
    "  WebAssembly, are plain loops.",
    "- A dash means that the op calls no kernel of the table: it is a view, or it calls a loop of `comparisons.ts`,",
    "  `scans.ts` or `special.ts` in `src/kernels` directly. A program without such an op does not contain its loop.",
    "- A test checks every gradient against central differences, on both backends.",
    "",
    "| op | forward | gradient |",
    "|--|--|--|",
    ...rows,
    "",
    "## Kernels",
    "",
    "Each kernel's arguments in their order, from `signatures`. Arrays: `in` is read, `out` overwritten, `inout` updated,",
    "`some` updated in some elements, `into` overwritten or, if `accumulate` is true, added to; `-` is not used.",
    "`npx vitest run test/kernels/kernels.test.ts` holds every fast kernel to this and to the plain kernel.",
    "",
    "| kernel | arguments |",
    "|--|--|",
    ...Object.entries(signatures).map(([name, roles]) => `| ${shown(new Set([name]))} | ${roles.join(", ")} |`),
    "",
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(new URL("../../docs/ops.md", import.meta.url), opTable());
