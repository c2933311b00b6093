import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FileError, FormatError, loadCheckpoint, loadWeights, saveCheckpoint, saveWeights } from "../../src/io/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { HashgradError } from "../../src/tensor/index.ts";
import { DenseVariables } from "../../src/variables/index.ts";
import { thrown } from "../thrown.ts";
import { kills, programIn } from "./kills.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hashgrad-files-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
/** A new, empty folder. */
const newFolder = (): string => {
  const path = join(folder, `folder ${count++}`);
  mkdirSync(path);
  return path;
};
const windows = process.platform === "win32";
const linux = process.platform === "linux";

const model = (value: number, size = 10): DenseVariables => {
  const vars = new DenseVariables();
  vars.create("kernel", [size, size]).assign(new Float32Array(size * size).fill(value));
  return vars;
};
/** The number that fills the model in a file. */
const valueIn = (path: string): number => {
  const vars = model(-1);
  loadWeights(path, vars);
  return vars.parameters()[0]!.tensor.data[0]!;
};

const writers = `
import { DenseVariables } from "hashgrad";
import { decodeSafetensors, saveWeights } from "hashgrad/io";
import { readFileSync } from "node:fs";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
const path = process.argv[2];
const vars = new DenseVariables();
vars.create("kernel", [200, 200]).assign(new Float32Array(40_000).fill(process.pid % 1000 + (isMainThread ? 0.25 : 0.5)));
const faults = [];
const work = () => {
  for (let i = 0; i < 40; i++) {
    try {
      saveWeights(path, vars);
      const numbers = decodeSafetensors(readFileSync(path)).tensors.get("kernel").toArray();
      if (numbers.some((v) => v !== numbers[0])) faults.push("a mixed file");
    } catch (error) {
      faults.push(String(error));
    }
  }
};
if (isMainThread) {
  const threads = [0, 1].map(() => new Promise((done) => new Worker(new URL(import.meta.url), { argv: [path] }).on("message", done)));
  work();
  for (const found of await Promise.all(threads)) faults.push(...found);
  console.log(JSON.stringify(faults));
} else {
  work();
  parentPort.postMessage(faults);
}`;

test("two processes with three threads each save to one path without failures, partial files or leftover files", async () => {
  const inside = newFolder();
  const path = join(inside, "model.safetensors");
  const program = await programIn(folder, writers);
  const outputs = await Promise.all(
    [0, 1].map(
      () =>
        new Promise<string>((done) => {
          let text = "";
          const child = spawn(process.execPath, [program, path], { stdio: ["ignore", "pipe", "inherit"] });
          child.stdout.on("data", (piece) => {
            text += piece;
          });
          child.on("close", () => done(text.trim()));
        }),
    ),
  );
  expect(outputs).toEqual(["[]", "[]"]);
  expect(readdirSync(inside)).toEqual(["model.safetensors"]);
});

test("a process killed during a save leaves the previous or the next file, and the next save removes its temporary file", async () => {
  expect(await kills(8)).toBe(8);
});

const terminated = `
import { DenseVariables } from "hashgrad";
import { saveWeights } from "hashgrad/io";
import { parentPort, Worker, isMainThread, workerData } from "node:worker_threads";
const vars = new DenseVariables();
vars.create("kernel", [700, 700]);
if (isMainThread) {
  for (let i = 0; i < 10; i++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: process.argv[2] });
    await new Promise((done) => worker.once("message", done));
    await new Promise((done) => setTimeout(done, 5 + 3 * i));
    await worker.terminate();
  }
  saveWeights(process.argv[2], vars);
} else {
  parentPort.postMessage("ready");
  for (;;) saveWeights(workerData, vars);
}`;

test.skipIf(!linux)("the next save of a process removes the temporary file of a thread terminated during a save", async () => {
  const inside = newFolder();
  execFileSync(process.execPath, [await programIn(folder, terminated), join(inside, "model.safetensors")]);
  expect(readdirSync(inside)).toEqual(["model.safetensors"]);
});

test.skipIf(!linux)("a save beyond a file-size limit keeps the previous file and names the path and the cause", async () => {
  const inside = newFolder();
  const path = join(inside, "model.safetensors");
  saveWeights(path, model(7));
  const program = await programIn(
    folder,
    `import { DenseVariables } from "hashgrad";
    import { FileError, saveWeights } from "hashgrad/io";
    const vars = new DenseVariables();
    vars.create("kernel", [400, 400]);
    try { saveWeights(process.argv[2], vars); } catch (error) { console.log(error instanceof FileError, error.path, error.cause.code, error.message); }`,
  );
  const output = execFileSync("bash", ["-c", 'ulimit -f 100; exec "$@"', "bash", process.execPath, program, path], {
    encoding: "utf8",
  });
  expect(output.trim()).toBe(
    `true ${path} EFBIG saveWeights: ${path} cannot be written: the file is larger than the file system or \`ulimit -f\` allows (EFBIG)`,
  );
  expect(valueIn(path)).toBe(7);
  expect(readdirSync(inside)).toEqual(["model.safetensors"]);
});

const isRoot = process.getuid?.() === 0;
const canDropRoot = isRoot && spawnSync("setpriv", ["--version"]).status === 0;
test.skipIf(windows || (isRoot && !canDropRoot))(
  "a save to a read-only folder reports the missing permission (skipped for root without setpriv)",
  async () => {
    const inside = newFolder();
    const path = join(inside, "model.safetensors");
    saveWeights(path, model(7));
    const program = await programIn(
      folder,
      `import { DenseVariables } from "hashgrad";
    import { saveWeights } from "hashgrad/io";
    try { saveWeights(process.argv[2], new DenseVariables()); } catch (error) { console.log(error.name, error.message); }`,
    );
    chmodSync(folder, 0o755);
    chmodSync(inside, 0o555);
    try {
      const line = [process.execPath, program, path];
      const user = canDropRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...line] : line;
      const output = execFileSync(user[0]!, user.slice(1), { encoding: "utf8" });
      expect(output.trim()).toBe(`FileError saveWeights: ${path} cannot be written: the permission is missing (EACCES)`);
    } finally {
      chmodSync(inside, 0o755);
    }
    expect(valueIn(path)).toBe(7);
  },
);

const permissionFlag = ["--permission", "--experimental-permission"].find(
  (flag) => spawnSync(process.execPath, [flag, "--allow-fs-read=*", "-e", "0"]).status === 0,
);
test.skipIf(permissionFlag === undefined)(
  "under Node's permission model a save works without fsync, and the error names a missing permission",
  async () => {
    const inside = newFolder();
    const path = join(inside, "model.safetensors");
    saveWeights(path, model(7));
    chmodSync(path, 0o640);
    const program = await programIn(
      folder,
      `import { DenseVariables } from "hashgrad";
    import { loadWeights, saveWeights } from "hashgrad/io";
    const vars = new DenseVariables();
    vars.create("kernel", [10, 10]).assign(new Float32Array(100).fill(8));
    try { saveWeights(process.argv[2], vars); loadWeights(process.argv[2], vars); console.log("saved"); } catch (error) { console.log(error.name, error.message); }`,
    );
    const run = (...allowed: string[]): string =>
      execFileSync(process.execPath, [permissionFlag!, "--no-warnings", ...allowed, program, path], { encoding: "utf8" }).trim();
    expect(run("--allow-fs-read=*", `--allow-fs-write=${join(inside, "*")}`)).toBe("saved");
    expect(valueIn(path)).toBe(8);
    if (!windows) expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(run("--allow-fs-read=*")).toBe(
      `FileError saveWeights: ${path} cannot be written: Node's permission model refuses it; allow the folder of the file with --allow-fs-write (ERR_ACCESS_DENIED)`,
    );
    expect(valueIn(path)).toBe(8);
    expect(readdirSync(inside)).toEqual(["model.safetensors"]);
  },
);

test.skipIf(windows)(
  "a save keeps the permissions of the previous file under any umask, and a new file follows the umask",
  () => {
    const path = join(newFolder(), "model.safetensors");
    const umask = process.umask(0o077);
    try {
      saveWeights(path, model(1));
      expect(statSync(path).mode & 0o777).toBe(0o600);
      for (const mode of [0o666, 0o640, 0o755]) {
        chmodSync(path, mode);
        saveWeights(path, model(2));
        expect(statSync(path).mode & 0o777).toBe(mode);
      }
    } finally {
      process.umask(umask);
    }
  },
);

test("a file name may have 250 letters, other scripts, spaces, a leading dash or dot and line breaks", () => {
  const names = ["n".repeat(250), "Gewichte für 日本 🎉", "a b  c", "-rf", ".hidden", "line\nbreak", "%s $HOME ~", "'quoted'"];
  const inside = newFolder();
  for (const name of windows ? names.slice(1, 5) : names) {
    const path = join(inside, name);
    for (const value of [1, 2]) {
      saveWeights(path, model(value));
      expect(valueIn(path)).toBe(value);
    }
  }
  expect(readdirSync(inside).length).toBe(windows ? 4 : names.length);
});

test("relative paths start at the working directory", () => {
  const before = process.cwd();
  process.chdir(newFolder());
  try {
    for (const path of ["model", "./model", "-model"]) {
      saveWeights(path, model(3));
      expect(valueIn(path)).toBe(3);
    }
    expect(readdirSync(".").sort()).toEqual(["-model", "model"]);
  } finally {
    process.chdir(before);
  }
});

test.skipIf(windows)("every file system error in saving and loading is a FileError with function, path and cause", () => {
  const inside = newFolder();
  const file = join(inside, "file");
  writeFileSync(file, "text");
  symlinkSync("loop", join(inside, "loop"));
  const long = join(inside, "n".repeat(300));
  const vars = model(1);
  const state = { vars, optimizer: sgd(vars.parameters()) };
  const cases: readonly (readonly [string, string, string])[] = [
    [join(inside, "none", "x"), "there is no such folder (ENOENT)", "there is no such file (ENOENT)"],
    [
      join(file, "x"),
      "a part of the path is a file and not a folder (ENOTDIR)",
      "a part of the path is a file and not a folder (ENOTDIR)",
    ],
    [inside, "it is a folder", "it is a folder"],
    [`${inside}/`, "it is a folder", "it is a folder"],
    [long, "the name is too long for the file system (ENAMETOOLONG)", "the name is too long for the file system (ENAMETOOLONG)"],
    [join(inside, "loop"), "its links form a circle (ELOOP)", "its links form a circle (ELOOP)"],
    ["/dev/null", "it is not a file", "it is not a file"],
  ];
  for (const [path, writing, reading] of cases) {
    expect(thrown(() => saveWeights(path, vars))).toBe(`FileError: saveWeights: ${path} cannot be written: ${writing}`);
    expect(thrown(() => saveCheckpoint(path, state, 1))).toBe(`FileError: saveCheckpoint: ${path} cannot be written: ${writing}`);
    expect(thrown(() => loadWeights(path, vars))).toBe(`FileError: loadWeights: ${path} cannot be read: ${reading}`);
    expect(thrown(() => loadCheckpoint(path, state))).toBe(`FileError: loadCheckpoint: ${path} cannot be read: ${reading}`);
  }
  try {
    loadWeights(long, vars);
  } catch (error) {
    expect(error).toBeInstanceOf(FileError);
    expect(error).toBeInstanceOf(HashgradError);
    expect(error).not.toBeInstanceOf(FormatError);
    expect((error as FileError).path).toBe(long);
    expect((error as { cause: { code: string } }).cause.code).toBe("ENAMETOOLONG");
  }
  expect(readdirSync(inside).sort()).toEqual(["file", "loop"]);
  expect(readFileSync(file, "utf8")).toBe("text");
});

test.skipIf(windows)("a named pipe at the path does not block", () => {
  const pipe = join(newFolder(), "pipe");
  execFileSync("mkfifo", [pipe]);
  expect(thrown(() => loadWeights(pipe, model(1)))).toBe(`FileError: loadWeights: ${pipe} cannot be read: it is not a file`);
  expect(thrown(() => saveWeights(pipe, model(1)))).toBe(`FileError: saveWeights: ${pipe} cannot be written: it is not a file`);
});

test.skipIf(windows)("a save replaces the file at the end of a chain of links, and hard links keep the previous file", () => {
  const [inside, elsewhere] = [newFolder(), newFolder()];
  const target = join(elsewhere, "target");
  saveWeights(target, model(1));
  linkSync(target, join(inside, "hard"));
  symlinkSync(target, join(inside, "first"));
  symlinkSync("first", join(inside, "second"));
  saveWeights(join(inside, "second"), model(2));
  expect(valueIn(target)).toBe(2);
  expect(valueIn(join(inside, "hard"))).toBe(1);
  expect(lstatSync(join(inside, "second")).isSymbolicLink()).toBe(true);
  expect(readdirSync(inside).sort()).toEqual(["first", "hard", "second"]);
  expect(readdirSync(elsewhere)).toEqual(["target"]);
});

test.skipIf(windows)("a save removes stale temporary files and no other files", () => {
  const inside = newFolder();
  const path = join(inside, "model.safetensors");
  const zeros = "0".repeat(16);
  const named = (hex: string): string => `.hashgrad-${zeros}-0000000000-${hex.padStart(16, "0")}.tmp`;
  const old = new Date(Date.now() - 25 * 60 * 60 * 1000);
  const put = (name: string, aged: boolean): void => {
    writeFileSync(join(inside, name), "x");
    if (aged) utimesSync(join(inside, name), old, old);
  };
  put(named("1"), true); // stale: not written for a day
  put(named("2"), false); // may belong to a live writer of another machine
  const foreign = ["notes.tmp", "model.safetensors.4242.tmp", ".hashgrad-x.tmp", `${named("3")}.bak`, `x${named("3")}`];
  for (const name of foreign) put(name, true);
  mkdirSync(join(inside, named("4")));
  utimesSync(join(inside, named("4")), old, old);
  symlinkSync("notes.tmp", join(inside, named("5")));
  saveWeights(path, model(1));
  expect(readdirSync(inside).sort()).toEqual([...foreign, named("2"), named("4"), named("5"), "model.safetensors"].sort());
});

test("repeated saves leave one file, even if each save fails at the end", () => {
  const inside = newFolder();
  const path = join(inside, "model.safetensors");
  for (let i = 0; i < 5; i++) saveWeights(path, model(i));
  rmSync(path);
  mkdirSync(path); // the path became a folder
  for (let i = 0; i < 5; i++) expect(() => saveWeights(path, model(i))).toThrow(FileError);
  expect(readdirSync(inside)).toEqual(["model.safetensors"]);
  expect(existsSync(join(path, "kernel"))).toBe(false);
});

test("a large file is written and read in pieces without a changed bit", () => {
  const path = join(newFolder(), "large.safetensors");
  const vars = new DenseVariables({ seed: 1 });
  // Of these sizes, pieces of 4 MiB end inside a tensor.
  for (const [i, size] of [1_100, 1_449, 7].entries()) vars.create(`kernel ${i}`, [size, size]);
  saveWeights(path, vars);
  const other = new DenseVariables({ seed: 2 });
  for (const { name, shape } of vars.variables()) other.create(name, shape);
  loadWeights(path, other);
  for (const [i, { tensor }] of other.parameters().entries())
    expect(Buffer.compare(Buffer.from(tensor.data.buffer), Buffer.from(vars.parameters()[i]!.tensor.data.buffer))).toBe(0);
});

test("the error for an argument of the wrong kind names the called function", () => {
  const vars = model(1);
  const optimizer = sgd(vars.parameters());
  const odd: unknown[] = [
    null,
    undefined,
    NaN,
    1e308,
    -1,
    [],
    new Array(3),
    {},
    () => 1,
    Symbol("s"),
    "",
    "a\0b",
    new Map(),
    true,
  ];
  const path = join(newFolder(), "file");
  for (const value of odd) {
    const calls: Readonly<Record<string, () => unknown>> = {
      "saveWeights path": () => saveWeights(value as string, vars),
      "saveWeights vars": () => saveWeights(path, value as DenseVariables),
      "saveCheckpoint path": () => saveCheckpoint(value as string, { vars, optimizer }, 1),
      "saveCheckpoint state": () => saveCheckpoint(path, value as { vars: DenseVariables; optimizer: typeof optimizer }, 1),
      "saveCheckpoint vars": () => saveCheckpoint(path, { vars: value as DenseVariables, optimizer }, 1),
      "saveCheckpoint optimizer": () => saveCheckpoint(path, { vars, optimizer: value as typeof optimizer }, 1),
      "saveCheckpoint epoch": () => saveCheckpoint(path, { vars, optimizer }, value as number),
      "saveCheckpoint generator": () => saveCheckpoint(path, { vars, optimizer, generators: { g: value as never } }, 1),
      "loadWeights source": () => loadWeights(value as string, vars),
      "loadWeights vars": () => loadWeights(path, value as DenseVariables),
      "loadWeights strict": () => loadWeights(path, vars, { strict: (value ?? 0) as boolean }),
      "loadCheckpoint source": () => loadCheckpoint(value as string, { vars, optimizer }),
      "loadCheckpoint state": () => loadCheckpoint(path, value as { vars: DenseVariables; optimizer: typeof optimizer }),
    };
    for (const [name, call] of Object.entries(calls)) {
      const who = name.slice(0, name.indexOf(" "));
      if (name === "loadWeights strict" && value === true) continue;
      expect(thrown(call), `${name} = ${String(value)}`).toMatch(new RegExp(`^ValueError: ${who}: `));
    }
  }
  expect(thrown(() => loadWeights(path, vars, { strikt: false } as object))).toBe(
    'ValueError: loadWeights: unknown option "strikt"; did you mean "strict"?',
  );
});
