// Packs the library, installs the tarball in an empty project, and there imports every door, trains a step and checks the types under
// nodenext: what a stranger gets.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { everything } from "../bench/bundle.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "hashgrad-package-"));
const isWindows = process.platform === "win32";
const npm = (args: readonly string[], cwd: string): string =>
  execFileSync(isWindows ? "npm.cmd" : "npm", args, {
    cwd,
    encoding: "utf8",
    shell: isWindows,
    stdio: ["ignore", "pipe", "inherit"],
  });

const program = `
import { backward, crossEntropy, Generator, randomUniform, step, tensor, type Tensor } from "hashgrad";
import { syntheticDigits, batchOf } from "hashgrad/data";
import { decodeSafetensors } from "hashgrad/io";
import { toyNetwork } from "hashgrad/nn";
import { adam } from "hashgrad/optim";
import { poolSizeFor, ProductVariablePool, VariableFactory } from "hashgrad/smh";
import { evaluate } from "hashgrad/train";

const vars = new VariableFactory({ pool: new ProductVariablePool({ poolSize: poolSizeFor(toyNetwork), fraction: 0.4 }) });
const model = toyNetwork(vars);
const optimizer = adam(vars.parameters());
const data = syntheticDigits(64, new Generator(1));
const losses: number[] = [0, 1, 2].map(() =>
  step((): number => {
    const { inputs, labels } = batchOf(data, [...Array(64).keys()]);
    const loss: Tensor = crossEntropy(model(inputs, "training"), labels);
    backward(loss);
    optimizer.step();
    return loss.item();
  }),
);
if (!(losses[2]! < losses[0]!)) throw new Error("no learning: " + losses.join(" "));
const { accuracy } = await evaluate({ model, data });
if (!(accuracy > 0)) throw new Error("no evaluation");
if (tensor([[1, 2]]).shape.length !== 2 || randomUniform([2], new Generator(1)).size !== 2) throw new Error("no tensors");
if (typeof decodeSafetensors !== "function") throw new Error("no io");
console.log("trained from the installed package, losses " + losses.map((l) => l.toFixed(3)).join(" "));
`;

try {
  const [{ filename, size, unpackedSize }] = JSON.parse(
    npm(["pack", "--json", "--silent", "--pack-destination", folder], root),
  ) as [{ filename: string; size: number; unpackedSize: number }];
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  npm(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--offline", `./${filename}`], folder);
  writeFileSync(join(folder, "use.ts"), program);
  const compilerOptions = {
    module: "nodenext",
    target: "es2022",
    strict: true,
    skipLibCheck: false,
    types: [],
    lib: ["es2023", "dom"],
    outDir: "out",
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
  const tsc = createRequire(import.meta.url).resolve("typescript/lib/tsc.js");
  execFileSync(process.execPath, [tsc, "-p", folder], { stdio: "inherit" });
  execFileSync(process.execPath, [join(folder, "out", "use.js")], { stdio: "inherit", cwd: folder });
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const sent = gzipSync(await everything(), { level: 9 }).length;
  if (sent > 60_000) throw new Error(`all of the library in one minified file is ${sent} bytes gzipped, more than 60,000`);
  console.log(`all of it in one minified file: ${(sent / 1000).toFixed(1)} kB gzipped`);
  console.log(`hashgrad ${version}: tarball ${(size / 1024).toFixed(0)} kB, unpacked ${(unpackedSize / 1024).toFixed(0)} kB`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
