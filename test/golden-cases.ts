import { readdirSync, readFileSync } from "node:fs";
import type { Shape } from "hashgrad";

/** A tensor as the golden files spell it; NaN and infinities are strings. */
export type GoldenTensor = { readonly shape: Shape; readonly data: readonly (number | string)[]; readonly dtype?: string };
export type Tolerance = {
  readonly rtol: number;
  readonly atol: number;
  readonly by?: Readonly<Record<string, { rtol: number; atol: number }>>;
};
type Answer = {
  readonly outputs?: Readonly<Record<string, GoldenTensor>>;
  readonly grads?: Readonly<Record<string, GoldenTensor>>;
  readonly expect?: unknown;
};
export type GoldenCase = Answer & {
  readonly id: string;
  readonly op: string;
  readonly kind?: "fact" | "error" | "stat";
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly inputs?: Readonly<Record<string, GoldenTensor>>;
  readonly upstream?: Readonly<Record<string, GoldenTensor>>;
  readonly tol: Tolerance;
  readonly gradTol?: Tolerance;
  readonly alternatives?: readonly (Answer & { readonly label: string })[];
};

const folder = new URL("./goldens/", import.meta.url);

/** Every case of every file in test/goldens. */
export const goldenCases: readonly GoldenCase[] = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .sort()
  .flatMap((name) => (JSON.parse(readFileSync(new URL(name, folder), "utf8")) as { cases: GoldenCase[] }).cases);

/** What our library says to a case. */
export type Got = {
  readonly outputs?: Readonly<Record<string, { shape: Shape; data: ArrayLike<number> }>>;
  readonly grads?: Readonly<Record<string, { shape: Shape; data: ArrayLike<number> }>>;
  readonly expect?: unknown;
};

/** The differences between what we got and the answer of a case, or the nearest of its alternatives; none is right. */
export function differences(test: GoldenCase, got: Got): string[] {
  const answers = [test, ...(test.alternatives ?? []).map((alternative) => ({ ...test, ...alternative }))];
  const found = answers.map((answer) => [
    ...tensorDifferences("output", answer.outputs ?? {}, got.outputs ?? {}, test.tol),
    ...tensorDifferences("gradient", answer.grads ?? {}, got.grads ?? {}, test.gradTol ?? test.tol),
    ...(answer.expect === undefined ? [] : factDifferences("expect", answer.expect, got.expect, test.tol)),
  ]);
  return found.reduce((best, other) => (other.length < best.length ? other : best));
}

function tensorDifferences(
  what: string,
  want: Readonly<Record<string, GoldenTensor>>,
  got: Readonly<Record<string, { shape: Shape; data: ArrayLike<number> }>>,
  tol: Tolerance,
): string[] {
  return Object.entries(want).flatMap(([name, tensor]) => {
    const own = got[name];
    if (own === undefined) return [`${what} ${name} is missing`];
    if (own.shape.join() !== tensor.shape.join()) return [`${what} ${name} has shape [${own.shape}], want [${tensor.shape}]`];
    const { rtol, atol } = tol.by?.[name] ?? tol;
    const bad = tensor.data.findIndex((value, i) => !near(own.data[i]!, Number(value), rtol, atol));
    return bad < 0 ? [] : [`${what} ${name}[${bad}] is ${own.data[bad]}, want ${tensor.data[bad]}`];
  });
}

function near(got: number, want: number, rtol: number, atol: number): boolean {
  return Object.is(got, want) || Math.abs(got - want) <= atol + rtol * Math.abs(want);
}

/** Compares plain JSON; `message` and `about` are for reading. */
function factDifferences(path: string, want: unknown, got: unknown, tol: Tolerance): string[] {
  if (typeof want === "number") {
    return typeof got === "number" && near(got, want, tol.rtol, tol.atol)
      ? []
      : [`${path} is ${JSON.stringify(got)}, want ${want}`];
  }
  if (typeof want !== "object" || want === null) return want === got ? [] : [`${path} is ${JSON.stringify(got)}, want ${want}`];
  if (Array.isArray(want) && (!Array.isArray(got) || got.length !== want.length)) return [`${path} is ${JSON.stringify(got)}`];
  return Object.entries(want)
    .filter(([key]) => key !== "message" && key !== "about")
    .flatMap(([key, value]) =>
      factDifferences(`${path}.${key}`, value, (got as Record<string, unknown> | undefined)?.[key], tol),
    );
}
