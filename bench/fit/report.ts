import { markdown } from "../page.ts";

/** Epochs of the dense network that a fit starts from. */
export const DENSE_EPOCHS = 3;

export type SetName = "mnist" | "fashion";
/** Where a compressed network starts: at random numbers, or at the result of `fitPool`. */
export type Start = "scratch" | "fit";

/** A run: the accuracy after its last epoch. */
export type Line = {
  readonly set: SetName;
  /** Whether the run belongs to the search for rates: its accuracy is that of held-out training images. */
  readonly search: boolean;
  readonly start: Start | "dense";
  readonly fraction: number;
  readonly seed: number;
  /** Epochs of this network; a fitted network has the dense epochs besides. */
  readonly epochs: number;
  /** The peak rate of dense weights; null if there are no epochs, and for the recipe's rate of a dense network. */
  readonly rate: number | null;
  readonly images: number;
  /** The relative error of the fit; null without a fit. */
  readonly error: number | null;
  readonly accuracy: number;
};

type Row = Pick<Line, "set" | "fraction"> & { readonly start: Start };
/** What the tables show. */
export type Shown = {
  readonly sets: readonly SetName[];
  readonly fractions: readonly number[];
  readonly seeds: readonly number[];
};

const TITLES: Readonly<Record<SetName, string>> = { mnist: "MNIST", fashion: "Fashion-MNIST" };

const isOf = (line: Line, { set, start, fraction }: Row): boolean =>
  line.set === set && line.start === start && line.fraction === fraction;

/** The rate with the highest accuracy in the search; the lower rate of two with the same accuracy. */
export function bestRate(lines: readonly Line[], row: Row): number {
  const found = lines.filter((line) => line.search && isOf(line, row)).sort((a, b) => a.rate! - b.rate!);
  if (found.length === 0) throw new Error(`the search lacks ${row.set}, ${row.start}, fraction ${row.fraction}`);
  return found.reduce((best, line) => (line.accuracy > best.accuracy ? line : best)).rate!;
}

const NOT_RUN = "not yet run";
const percent = (accuracy: number | undefined): string => (accuracy === undefined ? NOT_RUN : (100 * accuracy).toFixed(2));

/** The accuracies of a row of the test runs, in the order of the seeds. */
const accuracies = (lines: readonly Line[], row: Row, epochs: number, seeds: readonly number[]): (number | undefined)[] =>
  seeds.map(
    (seed) => lines.find((line) => !line.search && isOf(line, row) && line.epochs === epochs && line.seed === seed)?.accuracy,
  );

const mean = (found: readonly (number | undefined)[]): number | undefined => {
  const numbers = found.filter((x) => x !== undefined);
  return numbers.length < found.length ? undefined : numbers.reduce((a, b) => a + b, 0) / numbers.length;
};

/** Each seed of each run of a set. */
function runsTable(lines: readonly Line[], set: SetName, { fractions, seeds }: Shown): string {
  const row = (names: readonly string[], found: readonly (number | undefined)[]): string[] => [
    ...names,
    ...found.map(percent),
    found.includes(undefined) ? "" : percent(mean(found)),
  ];
  const dense = lines.filter((line) => !line.search && line.start === "dense" && line.set === set);
  const rows = fractions.flatMap((fraction) => {
    const cells = (start: Start, epochs: number): (number | undefined)[] =>
      accuracies(lines, { set, start, fraction }, epochs, seeds);
    return [
      row([`${fraction}`, "scratch", "1"], cells("scratch", 1)),
      row([`${fraction}`, "scratch", "3"], cells("scratch", 3)),
      row([`${fraction}`, "scratch", "6"], cells("scratch", 6)),
      row([`${fraction}`, "fit", `${DENSE_EPOCHS} + 0`], cells("fit", 0)),
      row([`${fraction}`, "fit", `${DENSE_EPOCHS} + 1`], cells("fit", 1)),
      row([`${fraction}`, "fit", `${DENSE_EPOCHS} + 3`], cells("fit", 3)),
    ];
  });
  const first = row(
    ["dense", "scratch", `${DENSE_EPOCHS}`],
    seeds.map((seed) => dense.find((line) => line.seed === seed)?.accuracy),
  );
  return markdown(["fraction", "start", "epochs", ...seeds.map((seed) => `seed ${seed}`), "mean"], [first, ...rows]);
}

/** What the fit adds, in points, one number for each seed; and the relative errors of the fits. */
function differencesTable(lines: readonly Line[], { sets, fractions, seeds }: Shown): string {
  const rows = sets.flatMap((set) =>
    fractions.map((fraction) => {
      const gaps = (fit: number, scratch: number): string => {
        const [a, b] = [
          accuracies(lines, { set, start: "fit", fraction }, fit, seeds),
          accuracies(lines, { set, start: "scratch", fraction }, scratch, seeds),
        ];
        const points = a.map((x, i) => (x === undefined || b[i] === undefined ? NOT_RUN : signed(100 * (x - b[i]!))));
        return points.every((point) => point === NOT_RUN) ? NOT_RUN : points.join(", ");
      };
      const errors = seeds.map(
        (seed) =>
          lines.find((l) => !l.search && isOf(l, { set, start: "fit", fraction }) && l.epochs === 0 && l.seed === seed)?.error,
      );
      const range = errors.map((error) => error?.toFixed(2) ?? NOT_RUN).join(", ");
      return [TITLES[set], `${fraction}`, range, gaps(3, 6), gaps(1, 1), gaps(3, 3)];
    }),
  );
  const heads = ["data", "fraction", "error of the fit", "3 + 3 against 6 epochs", "3 + 1 against 1", "3 + 3 against 3"];
  return markdown(heads, rows);
}

const signed = (points: number): string => (points < 0 ? `−${(-points).toFixed(2)}` : `+${points.toFixed(2)}`);

/** Validation accuracies of the search; the best of each row is bold. */
function searchTable(lines: readonly Line[], { sets, fractions }: Shown): string {
  const rates = [...new Set(lines.filter((line) => line.search && line.rate !== null).map(({ rate }) => rate!))].sort(
    (a, b) => a - b,
  );
  const rows = sets.flatMap((set) =>
    fractions.flatMap((fraction) =>
      (["scratch", "fit"] as const).map((start) => {
        const found = lines.filter((line) => line.search && isOf(line, { set, start, fraction }));
        const best = found.length === 0 ? null : bestRate(lines, { set, start, fraction });
        const cell = (rate: number): string => {
          const line = found.find((one) => one.rate === rate);
          if (line === undefined) return ""; // the search does not try this rate
          return rate === best ? `**${percent(line.accuracy)}**` : percent(line.accuracy);
        };
        return [TITLES[set], `${fraction}`, start, ...rates.map(cell)];
      }),
    ),
  );
  return markdown(["data", "fraction", "start", ...rates.map(String)], rows);
}

/** The tables of docs/accuracy.md. */
export function report(lines: readonly Line[], shown: Shown): string {
  return [
    ...shown.sets.map((set) => `${TITLES[set]}, test accuracy in %:\n\n${runsTable(lines, set, shown)}`),
    `Fit less scratch, in points, for seeds ${shown.seeds.join(", ")}:\n\n${differencesTable(lines, shown)}`,
    `Search for peak rates, accuracy in % of the last tenth of the training images, seed 1:\n\n${searchTable(lines, shown)}`,
  ].join("\n");
}
