// Packs the library, installs the tarball in an empty project and checks the package there: files, types, both module
// systems, readable errors and the size of a user's bundle.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { browserSubpaths, oneFile, subpaths } from "../src/build.ts";
import { writeMnist } from "./cli/tiny-mnist.ts";
import { installPacked, type Packed, root } from "./packed.ts";

const program = `
import { backward, crossEntropy, Generator, randomUniform, step, tensor, type Tensor, training } from "hashgrad";
import { syntheticDigits, batchOf } from "hashgrad/data";
import { trainDistributed } from "hashgrad/distributed";
import { decodeSafetensors } from "hashgrad/io";
import { toyNetwork } from "hashgrad/nn";
import { adam } from "hashgrad/optim";
import * as plain from "hashgrad/plain";
import { poolSizeFor, ProductVariablePool, VariableFactory } from "hashgrad/smh";
import { checkGradient } from "hashgrad/testing";
import { evaluate } from "hashgrad/train";

const vars = new VariableFactory({ pool: new ProductVariablePool({ poolSize: poolSizeFor(toyNetwork), fraction: 0.4 }) });
const model = toyNetwork(vars);
const optimizer = adam(vars.parameters());
const data = syntheticDigits(64, new Generator(1));
const losses: number[] = [0, 1, 2].map(() =>
  step((): number => {
    const { inputs, targets: labels } = batchOf(data, [...Array(64).keys()]);
    const loss: Tensor = crossEntropy(training(() => model(inputs)), labels);
    backward(loss);
    optimizer.step();
    return loss.item();
  }),
);
if (!(losses[2]! < losses[0]!)) throw new Error("no learning: " + losses.join(" "));
evaluate({ model, data }).then(({ accuracy }) => {
  if (!(accuracy > 0)) throw new Error("no evaluation");
});
const distributed = { model, vars, optimizer, data, shards: 2, batchSize: 32 };
trainDistributed({ ...distributed, connection: null }).then(({ epochs }) => {
  if (!(epochs[0]!.loss > 0)) throw new Error("no distributed training");
});
trainDistributed({ ...distributed, connection: "redis://127.0.0.1:1" }).then(
  () => { throw new Error("no package is missing"); },
  (error: Error) => {
    if (!error.message.includes("npm install bullmq@6 ioredis@6")) throw error;
  },
);
if (tensor([[1, 2]]).shape.length !== 2 || randomUniform([2], new Generator(1)).size !== 2) throw new Error("no tensors");
if (typeof decodeSafetensors !== "function") throw new Error("no io");
checkGradient((x: Tensor): Tensor => plain.nn === undefined ? x : x, [tensor([1, 2])]);
if (plain.backend().name !== "plain") throw new Error("hashgrad/plain has WebAssembly");
console.log("trained from the installed package, losses " + losses.map((l) => l.toFixed(3)).join(" "));
`;

const misuse = 'import { matmul, ones } from "hashgrad";\nmatmul(ones([2, 3]), ones([2, 3]));\n';
const multiply = (from: string): string => `import { matmul, tensor } from "${from}";
console.log(matmul(tensor([[1, 2]]), tensor([[3], [4]])).item());`;

/** "asm", which begins a module, in the digits of binary.ts. */
const WEBASSEMBLY = "}.}@}:";

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

/** Throws with a list of the paths that only one side has. */
function mustBeSame(what: string, got: readonly string[], want: readonly string[]): void {
  const [extra, lost] = [got.filter((path) => !want.includes(path)), want.filter((path) => !got.includes(path))];
  must(
    extra.length + lost.length === 0,
    `${what}: not expected: ${extra.join(" ") || "none"}; missing: ${lost.join(" ") || "none"}`,
  );
}

/** The paths in the tarball, by a rule for each folder: nothing stale, nothing of the command line, no code twice. */
function checkFiles({ files }: Packed): void {
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter(
      (file) =>
        file.endsWith(".ts") && !file.startsWith("cli/") && !file.includes("/assembly/") && !/(^|\/)build\.ts$/.test(file),
    );
  const declared = sources.filter((file) => !file.endsWith(".d.ts")).map((file) => file.replace(/\.ts$/, ".d.ts"));
  const modules = ["kernels", "backends", "tensor", "ops", "variables", ...subpaths, "testing"].map(
    (module) => `${module}/index.js`,
  );
  const mapped = ["index.js", ...modules, "testing/arbitraries.js"];
  const plain = mapped.filter((file) => !/^(testing|distributed)\//.test(file)).map((file) => `plain/${file}`);
  const code = [...mapped, ...plain, "plain/plain.js"];
  const built = [...declared, ...code, ...code.map((file) => `${file}.map`), "backends/wasm/binary.js"];
  const isCommand = (file: string): boolean => /^dist\/cli\/[\w-]+\.js$/.test(file); // names hold a digest
  must(files.filter(isCommand).length > 2, "the tarball lacks files of the command");
  mustBeSame(
    "tarball",
    files.filter((file) => !isCommand(file) || file === "dist/cli/bin.js"),
    [
      "dist/cli/bin.js",
      "dist/cli/LICENSES.txt",
      ...["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "package.json", "dist/cjs/package.json"],
      ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
        .map((file) => `docs/${file.replaceAll("\\", "/")}`)
        .filter((file) => /\.\w+$/.test(file) && !/^docs\/(pictures\/\w+\.ts$|\.vitepress\b|demo\/.*(?<!\.md)$)/.test(file)),
      ...built.flatMap((file) => [`dist/${file}`, `dist/cjs/${file}`]),
      ...sources.filter((file) => file !== "backends/wasm/binary.ts").map((file) => `src/${file}`),
    ],
  );
}

/** Checks that the README's links and pictures lead to files of the tarball, so they work on npm's page and offline. */
function checkReadme({ files }: Packed): void {
  const text = readFileSync(join(root, "README.md"), "utf8").replace(/^```[\s\S]*?^```$/gm, "");
  const links = [...text.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, link = ""]) => link).filter((link) => !/^https:/.test(link));
  must(links.length > 20, `the README has ${links.length} links to files`);
  const lost = links.filter((link) => !files.some((file) => file === link || file.startsWith(`${link}/`)));
  must(lost.length === 0, `the README links to files that are not packed: ${lost.join(" ")}`);
  const { repository } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { repository?: { url?: string } };
  must(/^git\+https:.*\.git$/.test(repository?.url ?? ""), "npm's page resolves relative links by the repository");
}

/** The program's types, without those of Node, of the DOM and of fast-check, wherever TypeScript looks for them. */
function checkTypes({ folder }: Packed): void {
  const tsc = createRequire(import.meta.url).resolve("typescript/lib/tsc.js");
  const node10 = { module: "commonjs", moduleResolution: "node10", ignoreDeprecations: "6.0" };
  writeFileSync(join(folder, "use.ts"), program);
  writeFileSync(join(folder, "use.cts"), program);
  const common = { target: "es2022", lib: ["es2022"], types: [], strict: true, skipLibCheck: false };
  for (const options of [
    node10,
    { module: "esnext", moduleResolution: "bundler" },
    { module: "node16" },
    { module: "nodenext" },
  ]) {
    writeFileSync(join(folder, "console.d.ts"), "declare const console: { log(text: string): void };");
    const compilerOptions = { ...common, ...options, outDir: "out" };
    const files = ["use.ts", "use.cts", "console.d.ts"];
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    execFileSync(process.execPath, [tsc, "-p", folder], { stdio: "inherit" });
  }
}

/** Runs Node in the project with a time limit. */
function node(folder: string, args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", timeout: 60_000 });
}

/** The program runs as an ES module and as CommonJS, and both get one copy of the library. */
function checkModules({ folder }: Packed): void {
  for (const file of ["out/use.js", "out/use.cjs"]) {
    const { status, stdout, stderr } = node(folder, [file]);
    must(status === 0 && stdout.startsWith("trained"), `${file} ended with ${status}: ${stderr.slice(0, 2000)}`);
    process.stdout.write(stdout);
  }
  const names = ["", ...subpaths.map((name) => `/${name}`), "/testing", "/plain"].map((path) => `hashgrad${path}`);
  const same = `Promise.all(${JSON.stringify(names)}.map(async (name) => {
    const [required, imported] = [require(name), await import(name)];
    for (const key of Object.keys(imported)) if (required[key] !== imported[key]) throw new Error(name + " has two copies of " + key);
  })).then(() => console.log("same"))`;
  writeFileSync(join(folder, "same.cjs"), same);
  const { stdout, stderr } = node(folder, ["same.cjs"]);
  must(stdout.trim() === "same", `require and import differ: ${stderr}`);
}

/** The command runs from the tarball, without any other package: help, a run, its continuation, a mistake. */
function checkCommand({ folder }: Packed): void {
  const data = writeMnist(join(folder, "digits"));
  const command = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    node(folder, [join(folder, "node_modules/hashgrad/dist/cli/bin.js"), ...args]);
  const { bin } = JSON.parse(readFileSync(join(folder, "node_modules/hashgrad/package.json"), "utf8")) as {
    bin: { hashgrad: string };
  };
  must(bin.hashgrad === "dist/cli/bin.js" && existsSync(join(folder, "node_modules/.bin/hashgrad")), "npm links no command");
  must(command("--help").stdout.startsWith("Usage: hashgrad <command>"), "hashgrad --help prints no usage");
  const train = command("train", "--data", data, "--epochs", "1", "--batch-size", "8", "--out", "run", "--quiet");
  must(train.status === 0, `hashgrad train ended with ${train.status}: ${train.stderr.slice(0, 2000)}`);
  const resumed = command("resume", "run");
  must(resumed.status === 0, `hashgrad resume ended with ${resumed.status}: ${resumed.stderr.slice(0, 2000)}`);
  const wrong = command("train", "--data", data, "--epoch", "3");
  must(
    wrong.status === 2 && wrong.stderr.includes("--epochs"),
    `a wrong option gives ${wrong.status}: ${wrong.stderr.slice(0, 2000)}`,
  );
  const licenses = readFileSync(join(folder, "node_modules/hashgrad/dist/cli/LICENSES.txt"), "utf8");
  for (const name of ["commander 14", "csv-parse", "linkedom", "htmlparser2", "@observablehq/plot", "d3-scale"])
    must(licenses.includes(`\n${name}`), `LICENSES.txt lacks ${name}`);
}

/** An uncaught error shows a line of code, the message and real files. */
function checkErrors({ folder }: Packed): void {
  writeFileSync(join(folder, "misuse.js"), misuse);
  const { stderr } = node(folder, ["misuse.js"]);
  must(Buffer.byteLength(stderr) < 2000, `an uncaught error prints ${Buffer.byteLength(stderr)} bytes`);
  const message = stderr.indexOf("ShapeError: matmul: a [2, 3] · b [2, 3]: need");
  must(message > 0 && message < 300, `the message of an uncaught error comes late: ${stderr}`);
  const frame = /at \w+ \((?:file:\/\/)?(.*?dist\/ops\/index\.js):(\d+):\d+\)/.exec(stderr.replaceAll("\\", "/"));
  const line = readFileSync(join(folder, "node_modules/hashgrad/dist/ops/index.js"), "utf8").split("\n")[Number(frame?.[2]) - 1];
  must(/new ShapeError\d*\("matmul"/.test(line ?? ""), `the first frame of an uncaught error is not where it is made: ${stderr}`);
  must(!stderr.includes(WEBASSEMBLY), "an uncaught error prints WebAssembly text");
  const mapped = node(folder, ["--enable-source-maps", "misuse.js"]).stderr.replaceAll("\\", "/");
  must(/at matmul \(.*hashgrad\/src\/ops\/matmul\.ts:\d+:\d+\)/.test(mapped), `source maps do not lead to src: ${mapped}`);
}

/** The sizes of users' bundles, minified and gzipped, in kB; what they must not hold. */
async function checkBundles({ folder }: Packed): Promise<void> {
  const everything = [
    'export * from "hashgrad";',
    ...browserSubpaths.map((name) => `export * as ${name} from "hashgrad/${name}";`),
  ].join("\n");
  const bundles = {
    everything,
    "one product": multiply("hashgrad"),
    "one product of hashgrad/plain": multiply("hashgrad/plain"),
  };
  const most = { everything: 134, "one product": 59, "one product of hashgrad/plain": 15 };
  for (const [name, contents] of Object.entries(bundles)) {
    const bytes = await oneFile(contents, { platform: "browser", minify: true, absWorkingDir: folder });
    const [text, size] = [Buffer.from(bytes).toString(), gzipSync(bytes, { level: 9 }).length / 1000];
    console.log(`${name} in one minified file: ${size.toFixed(1)} kB gzipped`);
    const limit = most[name as keyof typeof most];
    must(size <= limit, `${name} is more than ${limit} kB`);
    must(!text.includes("import.meta") && !text.includes(folder), `${name} depends on where it was built`);
    if (name.endsWith("plain")) must(!text.includes(WEBASSEMBLY), "hashgrad/plain holds a WebAssembly module");
  }
}

/** publint and arethetypeswrong find nothing. */
function lint({ tarball }: Packed): void {
  for (const [name, path, args] of [
    ["publint", "node_modules/publint/src/cli.js", ["--strict"]],
    ["attw", "node_modules/@arethetypeswrong/cli/dist/index.js", ["--quiet"]],
  ] as const) {
    const { status, stdout, stderr } = node(root, [join(root, path), tarball, ...args]);
    must(status === 0, `${name} ended with ${status}: ${stdout}${stderr}`);
  }
}

const packed = installPacked();
try {
  for (const check of [checkFiles, checkReadme, checkTypes, checkModules, checkCommand, checkErrors, checkBundles, lint]) {
    await check(packed);
    console.log(`${check.name}: ok`);
  }
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(0)} kB`;
  console.log(`hashgrad ${version}: tarball ${kilobytes(packed.size)}, unpacked ${kilobytes(packed.unpackedSize)}`);
} finally {
  packed.remove();
}
