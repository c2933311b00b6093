import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { info, saveTorchWeights, saveWeights, type WeightsDtype } from "../../io/index.ts";
import { saveOnnx } from "../../onnx/index.ts";
import { ones } from "../../tensor/index.ts";
import { EXIT, type Io, type Verbosity } from "../io.ts";
import { count } from "../progress.ts";
import { loadModel, metadataOf } from "../run/model.ts";
import { setThreads } from "../threads.ts";
import { UsageError } from "../usage.ts";
import { printer } from "./reporting.ts";

/** The options of `hashgrad export`. */
export type ExportOptions = Verbosity & {
  readonly path: string;
  readonly out: string;
  readonly format: "weights" | "onnx" | "torch";
  readonly dtype: WeightsDtype;
};

/** Writes the model of a run, or of a weights file, in another form. Returns the exit code. */
export async function exportModel({ path, out, format, dtype, json, quiet }: ExportOptions, io: Io): Promise<number> {
  setThreads("export", null);
  if (out === "") throw new UsageError("export", '<file> must be a path, got ""');
  if (format !== "onnx" && /\.onnx$/i.test(out))
    throw new UsageError("export", `${out} is named like an ONNX file, which --onnx writes: pass --onnx or another name`);
  const loaded = loadModel(path);
  if (resolve(out) === resolve(loaded.file)) throw new UsageError("export", `${out} is the file that is read: give another name`);
  if (!existsSync(dirname(resolve(out))))
    throw new UsageError("export", `there is no folder ${dirname(resolve(out))} for ${out}: make the folder first`);
  const { vars, model, record } = loaded;
  if (format === "torch" && ["toy", "mlp"].includes(record.model))
    throw new UsageError(
      "export",
      `--torch writes the names of torchvision, which has no ${record.model}: --onnx writes every model`,
    );
  if (format === "onnx") saveOnnx(out, model, [ones([1, ...record.inputShape])]);
  else if (format === "torch") saveTorchWeights(out, vars);
  else saveWeights(out, vars, { dtype, metadata: metadataOf(record) });
  const { size } = statSync(out);
  const content = format === "weights" ? dtype : format;
  if (json)
    printer(io)(
      JSON.stringify({ file: out, format: content, bytes: size, from: loaded.file, fromBytes: info(loaded.file).bytes }),
    );
  else if (!quiet) printer(io)(`${out}: ${content}, ${count(size)} bytes`);
  return EXIT.done;
}
