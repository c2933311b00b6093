import { percent } from "../progress.ts";
import { heatLevel } from "./colors.ts";
import { type Content, html, type Markup, scrolling, shorten } from "./html.ts";
import { brief, counted, share } from "./numbers.ts";
import { pngUri } from "./png.ts";
import { type ReportedRun, SPLITS } from "./runs.ts";

type Matrix = readonly (readonly number[])[];

/** A larger matrix is a picture: its counts would not be readable. */
const MOST_COUNTS = 20;
/** A larger picture joins neighboring classes, so that no file has millions of cells. */
const MOST_CELLS = 100;

const sum = (numbers: readonly number[]): number => numbers.reduce((a, n) => a + n, 0);

export function classText(run: ReportedRun, label: number): string {
  const name = run.config.classes?.[label] ?? `class ${label}`;
  return name.trim() === "" ? "(no name)" : name;
}

/** The confusion matrix, and the classes with their accuracies. */
export function confusion(run: ReportedRun): Content {
  const { evaluation } = run;
  if (evaluation === null) return html`<p>The run has no evaluation yet: it is written after the last epoch.</p>`;
  const matrix = evaluation.confusion;
  if (matrix === null) return html`<p>The target has no classes that are counted, so there is no confusion matrix.</p>`;
  if (matrix.length === 0 || sum(matrix.map(sum)) === 0) return html`<p>No example was evaluated.</p>`;
  const what = `${SPLITS[evaluation.split]} data, ${counted(evaluation.examples)} examples, weights of epoch ${evaluation.epoch}.`;
  return [
    matrix.length <= MOST_COUNTS ? countTable(run, matrix, what) : heatMap(run, matrix, what),
    scale(),
    classTable(run, matrix),
  ];
}

/** Counts as text on the color of their share of the row. */
function countTable(run: ReportedRun, matrix: Matrix, what: string): Markup {
  const names = matrix.map((_, label) => classText(run, label));
  const kind = names.every((name) => [...name].length <= 3) ? "short" : "long";
  const head = names.map((name) => html`<th class="class" scope="col" title="${name}"><span>${shorten(name, 40)}</span></th>`);
  const rows = matrix.map((row, i) => {
    const total = sum(row);
    const cells = row.map(
      (n, j) =>
        html`<td class="h${heatLevel(total === 0 ? 0 : n / total)}${i === j ? " right" : ""}">${n < 10_000 ? n : brief(n)}</td>`,
    );
    return html`<tr><th scope="row" title="${names[i]!}"><span>${shorten(names[i]!, 40)}</span></th>${cells}</tr>`;
  });
  return scrolling(
    "Confusion matrix",
    html`<table class="confusion ${kind}${matrix.length > 12 ? " many" : ""}">
<caption>Rows: the class of an example. Columns: the class that the model predicts. Color: share of the row. ${what}</caption>
<thead><tr><td></td>${head}</tr></thead><tbody>${rows}</tbody></table>`,
  );
}

/** The legend of the colors. */
function scale(): Markup {
  const shares = [0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1];
  const steps = shares.map((part) => html`<span class="h${heatLevel(part)}">${share(part, 1)}</span>`);
  return html`<p class="scale">${steps} of a row</p>`;
}

/** The sums of `size` × `size` neighbors. */
function joined(matrix: Matrix, size: number): number[][] {
  const length = Math.ceil(matrix.length / size);
  const counts = Array.from({ length }, () => new Array<number>(length).fill(0));
  for (const [i, row] of matrix.entries())
    for (const [j, n] of row.entries()) counts[Math.floor(i / size)]![Math.floor(j / size)]! += n;
  return counts;
}

/** A picture of many classes: one path for all cells of a color. Cells without examples are left out. */
function heatMap(run: ReportedRun, matrix: Matrix, what: string): Markup {
  const size = Math.ceil(matrix.length / MOST_CELLS);
  const counts = size === 1 ? matrix : joined(matrix, size);
  const paths = new Map<number, string>();
  for (const [i, row] of counts.entries()) {
    const total = sum(row);
    for (const [j, n] of row.entries()) {
      if (n > 0) paths.set(heatLevel(n / total), `${paths.get(heatLevel(n / total)) ?? ""}M${j} ${i}h1v1h-1z`);
    }
  }
  const right = sum(matrix.map((row, i) => row[i]!));
  const id = `confusion-${run.index}`;
  const n = counts.length;
  const cells = [...paths].map(([level, path]) => html`<path class="h${level}" d="${path}"/>`);
  const cell = size === 1 ? "" : ` A cell joins ${size} × ${size} classes.`;
  return html`<figure><svg class="heat" viewBox="-1 -1 ${n + 2} ${n + 2}" width="640" height="640" role="img"
aria-labelledby="${id}-title" aria-describedby="${id}-desc"><title id="${id}-title">Confusion matrix of ${matrix.length} classes</title>
<desc id="${id}-desc">${counted(right)} of ${counted(sum(matrix.map(sum)))} examples are on the diagonal. The tables below list classes and confusions.</desc>
<rect x="-.5" y="-.5" width="${n + 1}" height="${n + 1}" fill="none" stroke="var(--faint)" stroke-width="${n / 400}"/>${cells}</svg>
<figcaption>Rows from above: the classes in their order. Columns from the left: the class that the model predicts. The diagonal
holds right predictions. Color: share of the row.${cell} ${what}</figcaption></figure>`;
}

/** Accuracy of each class, the worst first. */
function classTable(run: ReportedRun, matrix: Matrix): Markup {
  const classes = matrix.map((row, label) => ({ label, total: sum(row), right: row[label]! }));
  const most = 200;
  const listed = classes
    .filter(({ total }) => total > 0)
    .sort((a, b) => a.right / a.total - b.right / b.total || a.label - b.label)
    .slice(0, most);
  const rows = listed.map(
    ({ label, total, right }) =>
      html`<tr><th scope="row">${shorten(classText(run, label), 120)}</th><td class="number">${counted(total)}</td><td class="number">${counted(right)}</td><td class="number">${share(right, total)}</td></tr>`,
  );
  const omitted = matrix.length > most ? ` The first ${most} of ${matrix.length} classes.` : "";
  return html`<details><summary>Accuracy of each class</summary>${scrolling(
    "Accuracy of each class",
    html`<table><caption>The class with the lowest accuracy is first.${omitted}</caption><thead><tr><th scope="col">class</th><th scope="col" class="number">examples</th><th scope="col" class="number">right</th><th scope="col" class="number">accuracy</th></tr></thead><tbody>${rows}</tbody></table>`,
  )}</details>`;
}

/** The pairs of classes that are confused most often, with examples. */
export function worst(run: ReportedRun): Content {
  const pairs = run.evaluation?.worst ?? [];
  if (pairs.length === 0) {
    const counts = run.evaluation?.confusion ?? [];
    return counts.length === 0 ? null : html`<p>No example is confused with another class.</p>`;
  }
  return html`<ul class="cards">${pairs.map((pair) => {
    const [actual, predicted] = [classText(run, pair.actual), classText(run, pair.predicted)];
    const total = sum(run.evaluation?.confusion?.[pair.actual] ?? []);
    const pictures = pair.examples.map(({ index, probability, image }) => {
      const sure = Number.isFinite(probability) ? percent(probability, 0) : "–";
      const alt = `Example ${index}: ${shorten(actual, 40)}, predicted as ${shorten(predicted, 40)} with ${sure}`;
      const picture = image === null ? null : html`<img src="${uriOf(image)}" width="50" height="50" alt="${alt}">`;
      return html`<li>${picture ?? `example ${index}`} ${sure}</li>`;
    });
    return html`<li><h4><bdi>${shorten(actual, 60)}</bdi> → <bdi>${shorten(predicted, 60)}</bdi></h4>
<p>${counted(pair.count)} of ${counted(total)} examples of <bdi>${shorten(actual, 60)}</bdi> <span class="nowrap">(${share(pair.count, total)})</span></p>
<ul class="pictures">${pictures}</ul></li>`;
  })}</ul><p class="faint">The number below a picture is the probability that the model gave to the wrong class. The most probable are shown.</p>`;
}

type Image = NonNullable<NonNullable<ReportedRun["evaluation"]>["worst"][number]["examples"][number]["image"]>;
const uriOf = ({ pixels, ...size }: Image): string => pngUri({ ...size, bytes: Buffer.from(pixels, "base64") });
