import { kernelsText, type RunConfig } from "../run/files.ts";
import { swatch } from "./curves.ts";
import { type Content, html, type Markup, scrolling, shorten } from "./html.ts";
import { counted, duration, scoreText, share, shown } from "./numbers.ts";
import { modelText, type ReportedRun } from "./runs.ts";

const number = (text: string): Markup => html`<td class="number">${text}</td>`;

/** The runs in one table: sizes and results. */
export function runTable(runs: readonly ReportedRun[]): Markup {
  const rows = runs.map((run) => {
    const { sizes } = run.config;
    const seconds = run.epochs.reduce((sum, line) => sum + line.seconds, 0);
    return html`<tr><td>${swatch(run)}</td><th scope="row">${shorten(run.name, 120)}</th><td>${modelText(run)}</td>${number(counted(sizes.trainedSize))}${number(share(sizes.trainedSize, sizes.denseSize))}${number(run.result === null ? "–" : scoreText(run.result.score, run.isClasses))}${number(run.result === null ? "–" : shown(run.result.loss))}<td>${run.result?.split ?? "–"}</td>${number(`${run.epochs.length} of ${run.config.epochs}`)}${number(duration(seconds))}</tr>`;
  });
  const names = ["trained", "of dense", runs[0]!.scoreName, "loss"];
  const numeric = (name: string): Markup => html`<th scope="col" class="number">${name}</th>`;
  return scrolling(
    "Runs",
    html`<table class="runs"><caption>The runs of this report.</caption><thead><tr><td></td><th scope="col">run</th><th scope="col">model</th>${names.map(numeric)}<th scope="col">data</th>${["epochs", "time"].map(numeric)}</tr></thead><tbody>${rows}</tbody></table>`,
  );
}

/** Values of the configuration as text, by the names that a reader knows from the command line. */
function settings(config: RunConfig): [name: string, value: string][] {
  const { data, backend, examples, sizes, preprocessing } = config;
  const yes = (value: boolean): string => (value ? "yes" : "no");
  const { classes } = config;
  return [
    ["model", config.model],
    ["pool", config.pool ?? "none (dense)"],
    ["fraction", config.pool === null ? "–" : String(config.fraction)],
    ["dense weights", counted(sizes.denseSize)],
    ["trained numbers", counted(sizes.trainedSize)],
    ["epochs", String(config.epochs)],
    ["batch size", String(config.batchSize)],
    ["learning rate", config.learningRate === null ? "of the recipe" : String(config.learningRate)],
    ["early stopping", config.earlyStopping === null ? "no" : `after ${config.earlyStopping} epochs without improvement`],
    ["augmentation", config.augment.length === 0 ? "none" : config.augment.join(", ")],
    ["seed", String(config.seed)],
    ["data", data.data],
    ["target", data.target ?? "–"],
    ["limit", data.limit === null ? "all examples" : `first ${counted(data.limit)}`],
    ["validation share", String(data.validation)],
    ["strict", yes(data.strict)],
    [
      "examples",
      `${counted(examples.train)} training, ${counted(examples.validation)} validation, ${counted(examples.test)} test`,
    ],
    [
      "inputs",
      preprocessing.kind === "images"
        ? `images ${config.inputShape.join(" × ")}`
        : `rows of ${config.inputShape.join(" × ")} numbers`,
    ],
    ["classes", classes === null ? "numeric target" : `${classes.length}: ${shorten(classes.join(", "), 400)}`],
    ["SHA-256 of the data", config.digest],
    ["began", config.began],
    ["backend", `${kernelsText(backend)}, ${backend.threads} ${backend.threads === 1 ? "thread" : "threads"}`],
    ["runtime", config.node],
    ["hashgrad", config.version],
  ];
}

/** The configurations side by side. A sign marks the rows in which they differ. */
export function configuration(runs: readonly ReportedRun[]): Content {
  const columns = runs.map(({ config }) => settings(config));
  const rows = columns[0]!.map(([name], i) => {
    const values = columns.map((column) => column[i]![1]);
    const differs = new Set(values).size > 1;
    return html`<tr${differs ? html` class="differs"` : null}><th scope="row">${name}</th>${values.map((value) => html`<td>${value}</td>`)}</tr>`;
  });
  const several = runs.length > 1;
  const head = several
    ? html`<thead><tr><td></td>${runs.map((run) => html`<th scope="col">${shorten(run.name, 60)}</th>`)}</tr></thead>`
    : null;
  const caption = several ? "Configuration of each run. Rows with the sign ≠ differ." : "Configuration of the run.";
  return scrolling(
    "Configuration",
    html`<table class="settings"><caption>${caption}</caption>${head}<tbody>${rows}</tbody></table>`,
  );
}
