import type { LoadedRun } from "../run/load.ts";
import { figure } from "./chart.ts";
import { configuration, runTable } from "./configuration.ts";
import { confusion, worst } from "./confusion.ts";
import { curves } from "./curves.ts";
import { type Content, html, type Markup, raw, shorten } from "./html.ts";
import { compression, matrix } from "./layers.ts";
import { counted, scoreText, share, shown } from "./numbers.ts";
import { modelText, type ReportedRun, reported, SPLITS } from "./runs.ts";
import { sizeChart } from "./score-over-size.ts";
import { style } from "./style.ts";

/** Nothing but this page: no script, no request. The policy also holds if a text were not escaped. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/**
 * Returns the report of runs as one HTML page, which needs no network and no script.
 * @param runs - at least one run
 */
export function reportPage(runs: readonly LoadedRun[]): string {
  const all = reported(runs);
  const first = all[0]!;
  const title = headline(all);
  const { markup } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${title} · hashgrad report</title>
<style>${raw(style())}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${all.length === 1 ? lead(first) : runTable(all)}
<h2>Curves</h2>
${curves(all)}
${all.length === 1 ? parts(first, "h2") : [overSize(all), html`<h2>Each run</h2>`, all.map(partsOfRun)]}
<h2>Configuration</h2>
${configuration(all)}
<footer>Written by hashgrad ${first.config.version}.</footer>
</main>
</body>
</html>
`;
  return markup;
}

/** The result in one line. */
function headline(runs: readonly ReportedRun[]): string {
  const results = runs.flatMap((run) =>
    run.result !== null && Number.isFinite(run.result.score) ? [{ run, ...run.result }] : [],
  );
  const sorted = results.sort((a, b) => b.score - a.score);
  const [best, least] = [sorted[0], sorted.at(-1)];
  if (best === undefined || least === undefined)
    return runs.length === 1 ? `${runs[0]!.name}: no result` : `${runs.length} runs, no result`;
  const splits = new Set(results.map(({ split }) => split));
  const { scoreName } = best.run;
  const what = splits.size === 1 ? `${SPLITS[best.split]} ${scoreName}` : `${scoreName[0]!.toUpperCase()}${scoreName.slice(1)}`;
  const text = ({ score, run }: typeof best): string => scoreText(score, run.isClasses);
  if (runs.length === 1) return `${what} ${text(best)}`;
  const range = text(least) === text(best) ? text(best) : `${text(least)} to ${text(best)}`;
  return `${what} ${range} in ${runs.length} runs`;
}

/** The sentences below the result of a single run. */
function lead(run: ReportedRun): Markup {
  const { config, evaluation, result } = run;
  const { denseSize, trainedSize } = config.sizes;
  const size =
    config.pool === null
      ? `${counted(denseSize)} weights, trained directly`
      : `${counted(trainedSize)} trained numbers in place of ${counted(denseSize)} weights (${share(trainedSize, denseSize)})`;
  const epochs = `${run.epochs.length} of ${config.epochs} ${config.epochs === 1 ? "epoch" : "epochs"}`;
  const measured =
    evaluation === null
      ? ""
      : ` Measured on ${counted(evaluation.examples)} examples with the weights of epoch ${evaluation.epoch}.`;
  const loss = result === null ? "" : ` Loss ${shown(result.loss)}.`;
  return html`<p class="lead"><bdi>${shorten(run.name, 120)}</bdi>: ${modelText(run)}. ${size}. ${epochs}.${loss}${measured}</p>`;
}

/** Confusions and compression of a run; on a wide page two parts are side by side. */
function parts(run: ReportedRun, level: "h2" | "h3"): Content {
  const part = (heading: string, content: Content): Markup =>
    html`<section>${level === "h2" ? html`<h2>${heading}</h2>` : html`<h3>${heading}</h3>`}${content}</section>`;
  const pair = (sections: readonly (Markup | null)[]): Markup => html`<div class="pair">${sections}</div>`;
  const [pairs, product] = [worst(run), matrix(run)];
  return [
    pair([part("Confusion matrix", confusion(run)), pairs === null ? null : part("Worst confusions", pairs)]),
    pair([
      part("Compression of each variable", compression(run)),
      product === null ? null : part("Matrix of virtual weights", product),
    ]),
  ];
}

/** The parts of one of several runs; the first is open. */
function partsOfRun(run: ReportedRun): Markup {
  const result = run.result === null ? "no result" : `${run.scoreName} ${scoreText(run.result.score, run.isClasses)}`;
  return html`<details class="run"${run.index === 0 ? html` open` : null}><summary><bdi>${shorten(run.name, 120)}</bdi>: ${result}</summary>${parts(run, "h3")}</details>`;
}

/** Score over trained numbers. */
function overSize(runs: readonly ReportedRun[]): Content {
  const points = runs.flatMap((run) => {
    if (run.result === null || !Number.isFinite(run.result.score)) return [];
    const series = run.config.pool === null ? "dense" : `${run.config.pool} pool`;
    return [{ series, label: run.name, trainedSize: run.config.sizes.trainedSize, score: run.result.score }];
  });
  if (points.length === 0) return null;
  const { isClasses, scoreName } = runs[0]!;
  const chart = (width: number) => sizeChart(points, { scoreName, isShare: isClasses, width });
  return html`<h2>Score over trained numbers</h2>${figure(chart, "A symbol for each run. A line joins the mean scores of runs with one kind of pool.")}`;
}
