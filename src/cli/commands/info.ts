import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { type FileInfo, info as infoOf } from "../../io/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { table } from "../../variables/index.ts";
import { EXIT, type Io } from "../io.ts";
import { count } from "../progress.ts";
import { kernelsText, RUN_FILES } from "../run/files.ts";
import { type LoadedRun, loadRun } from "../run/load.ts";
import { recordIn } from "../run/model.ts";
import { bestOf } from "../run/training.ts";
import { UsageError } from "../usage.ts";
import { printer, scoreText } from "./reporting.ts";

/** The options of `hashgrad info`. */
export type InfoOptions = { readonly path: string; readonly json: boolean };

/** Tells what a weights file, a checkpoint or a run folder holds. Returns the exit code. */
export async function info({ path, json }: InfoOptions, io: Io): Promise<number> {
  const print = printer(io);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined)
    throw new UsageError("info", `${path === "" ? '""' : path} does not exist: pass a run folder or a .safetensors file`);
  if (!stats.isDirectory()) {
    const file = infoOf(path);
    print(json ? JSON.stringify({ ...file, model: recordIn(path, file.metadata) }) : fileText(path, file));
    return EXIT.done;
  }
  const run = loadRun(path);
  const [best, checkpoint] = [RUN_FILES.best, RUN_FILES.checkpoint].map((name) => {
    const file = join(path, name);
    return existsSync(file) ? infoOf(file) : null;
  }) as [FileInfo | null, FileInfo | null];
  if (json) {
    const { config, epochs, evaluation } = run;
    const { confusion, worst, ...scores } = evaluation ?? { confusion: null, worst: null };
    const reached = checkpoint === null ? null : { epoch: checkpoint.epoch, batch: checkpoint.batch, steps: checkpoint.steps };
    print(
      JSON.stringify({
        config,
        epochs,
        bestEpoch: bestOf(epochs)?.epoch ?? null,
        checkpoint: reached,
        evaluation: evaluation && scores,
      }),
    );
  } else print(runText(run, best, checkpoint));
  return EXIT.done;
}

const row = (name: string, text: string): string => `${name.padEnd(12)}  ${text}`;
const fractionText = (trained: number, dense: number): string =>
  `${count(trained)} of ${count(dense)} weights, fraction ${(trained / dense).toFixed(3)}`;

function runText({ folder, config, epochs, evaluation }: LoadedRun, best: FileInfo | null, checkpoint: FileInfo | null): string {
  const { sizes, classes, examples } = config;
  const bestLine = bestOf(epochs);
  const shape = config.inputShape.join(" × ");
  const reached =
    checkpoint === null
      ? "none"
      : `epoch ${checkpoint.epoch}${checkpoint.batch ? `, batch ${checkpoint.batch} of the next` : ""}`;
  return [
    row("run", `${folder}, hashgrad ${config.version} on ${config.node}, ${kernelsText(config.backend)}`),
    row(
      "data",
      `${config.data.data}: ${count(examples.train)} training, ${count(examples.validation)} validation, ${count(examples.test)} test examples`,
    ),
    row("inputs", `${shape}, ${classes === null ? "for a number" : `for ${count(classes.length)} classes`}`),
    row(
      "model",
      `${config.model}, ${config.pool === null ? "dense" : `${config.pool} pool, fraction ${config.fraction}`}, seed ${config.seed}`,
    ),
    row("trained", fractionText(sizes.trainedSize, sizes.denseSize)),
    row("epochs", `${epochs.length} of ${config.epochs}, checkpoint: ${reached}`),
    ...(bestLine === null ? [] : [row("best", `epoch ${bestLine.epoch}${best === null ? "" : `, ${count(best.bytes)} bytes`}`)]),
    ...(evaluation === null
      ? []
      : [row("result", `${evaluation.split} ${scoreText(classes, evaluation.score)}, loss ${evaluation.loss.toFixed(4)}`)]),
    "",
    table(
      ["layer", "shape", "weights", "storage"],
      sizes.layers.map(({ name, shape, size, storage }) => [name, `[${shape.join(", ")}]`, count(size), storage]),
    ),
  ].join("\n");
}

function fileText(path: string, file: FileInfo): string {
  const record = recordIn(path, file.metadata);
  const tensors = file.tensors.filter(({ name }) => !name.startsWith("optimizer/") || file.kind !== "checkpoint");
  const batch = file.batch ? `, batch ${file.batch} of the next epoch` : "";
  return [
    row("file", `${path}, ${count(file.bytes)} bytes`),
    row("kind", file.format === null ? "safetensors of another program" : `${file.kind}, format ${file.format}`),
    ...(record === null
      ? []
      : [
          row("model", `${record.model}, inputs ${record.inputShape.join(" × ")}, epoch ${record.epoch}`),
          row(
            "predicts",
            record.classes === null
              ? "a number"
              : record.classes.slice(0, 20).join(", ") + (record.classes.length > 20 ? ", …" : ""),
          ),
        ]),
    ...(file.epoch === null ? [] : [row("epoch", `${file.epoch}${batch}, ${count(file.steps ?? 0)} steps`)]),
    ...file.pools.map((pool) =>
      row(
        "pool",
        `${pool.kind}, ${pool.trainedSize === null || pool.denseSize === null ? "sizes not recorded" : fractionText(pool.trainedSize, pool.denseSize)}`,
      ),
    ),
    "",
    table(
      ["tensor", "shape", "numbers", "type", "bytes"],
      tensors.map(({ name, shape, dtype, bytes }) => [name, `[${shape.join(", ")}]`, count(sizeOf(shape)), dtype, count(bytes)]),
    ),
  ].join("\n");
}
