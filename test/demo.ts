// The page that trains (docs/demo) in a real browser, with real keys and a real pointer. `npm run test:site` calls
// `tryDemo`. The times between frames are printed only, because they depend on what else the machine does.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { info } from "../src/io/index.ts";
import { browsers } from "./browsers.ts";
import { type Driven, drivers, type Point, until } from "./drive/index.ts";
import { serve } from "./drive/serve.ts";

const PAGE = "docs/demo/index.html";

/** A page in a frame as wide as a phone. Firefox makes no window as narrow as that. */
const narrow = `<!doctype html><iframe src="${PAGE}" width="360" height="800"></iframe>`;

const text = (selector: string): string => `document.querySelector(".demo ${selector}")?.textContent ?? ""`;

/** What a visitor does. */
async function visit(browser: Driven, url: string, folder: string): Promise<string[]> {
  const problems: string[] = [];
  const must = (holds: boolean, otherwise: string): void => {
    if (!holds) problems.push(otherwise);
  };
  const is = (state: string) => async (): Promise<boolean> => {
    const alert = await browser.evaluate<string>(text(".alert:not([hidden])"));
    if (alert !== "") throw new Error(`the page says: ${alert}`);
    return (await browser.evaluate(`document.querySelector(".demo")?.dataset.state ?? ""`)) === state;
  };
  const focus = (selector: string): Promise<unknown> =>
    browser.evaluate(`document.querySelector(".demo ${selector}").focus({ focusVisible: true })`);
  const accuracy = async (): Promise<number> => Number.parseFloat(await browser.evaluate(text("figcaption strong")));

  await browser.resize(1000, 900);
  await browser.goTo(url + PAGE);
  await until("the page is ready", is("ready"));
  const engine = await browser.evaluate<string>(text(".engine"));
  must(/WebAssembly with \d+ threads/.test(engine), `threads in an isolated page: ${engine}`);

  // The slider by keyboard, then start, stop and go on by keyboard.
  await until("sizes are shown", async () => (await browser.evaluate<string>(text(".sizes"))).includes("2,892 for 31,786"));
  await focus("#demo-fraction");
  await browser.press("ArrowRight", 4);
  await until("sizes of fraction 0.4", async () => (await browser.evaluate<string>(text(".sizes"))).includes("51.2 kB"));
  await browser.press("Tab");
  await browser.evaluate(
    `(window.times = [], (function note(time) { times.push(time); requestAnimationFrame(note); })(performance.now()), 0)`,
  );
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const idle = await browser.evaluate<number[]>("times.splice(0)");
  await browser.press("Enter");
  await until("the network has learned", async () => (await is("training")()) && (await accuracy()) > 90);
  const busy = await browser.evaluate<number[]>("times.splice(0)");
  await browser.press("Enter");
  await until("the training is paused", is("paused"));
  const reached = await accuracy();
  must(reached > 90, `test accuracy ${reached} % after the pause`);

  // Ask with the pointer, with a test image, and with keys.
  await draw(browser, zero);
  await until("the answer is 0", async () => (await browser.evaluate<string>(text(".verdict"))).includes("answer is 0"), 10);
  must((await browser.evaluate<string>(text(".best .digit"))) === "0", "the longest bar is not that of 0");
  await focus(".take");
  await browser.press("Enter");
  await until("a label", async () => /answer is \d\. The label is \d/.test(await browser.evaluate(text(".verdict"))), 10);
  await focus(".field canvas");
  await browser.press("Delete");
  must((await browser.evaluate<string>(text(".verdict"))).startsWith("Draw a digit"), "Delete does not clear the field");
  for (const isReduced of browser.reduceMotion === null ? [] : [true, false]) {
    await browser.reduceMotion?.(isReduced);
    const duration = await fillTransition(browser);
    must(duration === (isReduced ? "0s" : "0.15s"), `the bars move for ${duration}, reduced motion: ${isReduced}`);
  }
  const scrolled = await draw(browser, zero, "touch");
  await until(
    "the answer is 0 again",
    async () => (await browser.evaluate<string>(text(".verdict"))).includes("answer is 0"),
    10,
  );
  must(scrolled === 0, `a finger on the field scrolls the page by ${scrolled} pixels`);
  await browser.press("Delete");
  await browser.press(" ");
  await browser.press("ArrowDown", 10);
  await until("the answer is 1", async () => (await browser.evaluate<string>(text(".verdict"))).includes("answer is 1"), 10);

  // Both files, and the same run to its end.
  for (const dtype of ["float32", "int8"]) {
    await focus(`[data-dtype=${dtype}]`);
    await browser.press("Enter");
    const file = join(folder, `digits-0.4-${dtype}.safetensors`);
    await until(`the file ${file}`, async () => existsSync(file) && readFileSync(file).length > 0, 10);
    const { kind, pools } = info(file);
    must(kind === "weights" && pools.length === 1, `${file} holds ${kind} with ${pools.length} pools`);
  }
  process.stdout.write(`${engine}\nframes before training: ${frames(idle)}\nframes while training: ${frames(busy)}\n`);

  return problems;
}

/** The page on a phone, with a run: nothing is wider than the screen. */
async function onPhone(browser: Driven, url: string): Promise<string[]> {
  await browser.goTo(`${url}narrow`);
  const inFrame = (expression: string): Promise<boolean> =>
    browser.evaluate(`((document) => document !== undefined && (${expression}))(frames[0]?.document)`);
  await until("the page on a phone", () => inFrame(`document.querySelector(".demo")?.dataset.state === "ready"`));
  await inFrame(`document.querySelector(".demo .main").click()`);
  await until("a row of the table", () => inFrame(`/\\d %/.test(document.querySelector(".demo td.accuracy")?.textContent)`));
  const [wide, ...over] = await browser.evaluate<number[]>(`(({ document }) => [
    document.documentElement.scrollWidth,
    ...[...document.querySelectorAll(".demo :is(.card, .runs)")].map((part) => part.scrollWidth - part.clientWidth),
  ])(frames[0])`);
  const holds = wide! <= 360 && over.length === 4 && over.every((pixels) => pixels <= 0);
  return holds ? [] : [`at 360 pixels the page is ${wide} wide; its parts need ${over} more pixels`];
}

/** Counts the workers that the page ends. */
const counting = `<script>
  window.ended = 0;
  const { terminate } = Worker.prototype;
  Worker.prototype.terminate = function () { window.ended++; terminate.call(this); };
</script>`;

/** A visitor who follows a link ends the worker, although the site loads no new page. */
async function leave(browser: Driven): Promise<string[]> {
  await browser.evaluate(`document.querySelector(".VPNavBarMenuLink[href$='docs/architecture.html']").click()`);
  await until("the next page", () => browser.evaluate(`document.querySelector(".demo") === null`));
  const ended = await browser.evaluate<number>("window.ended");
  return ended === 1 ? [] : [`${ended} workers ended with the page, need 1`];
}

/** A 0 in shares of the field. */
const zero: readonly Point[] = Array.from({ length: 25 }, (_, i): Point => {
  const angle = (i / 24) * 2 * Math.PI;
  return [0.5 + 0.22 * Math.sin(angle), 0.5 - 0.33 * Math.cos(angle)];
});

/** Draws in the field. Returns the pixels by which the page has scrolled. */
async function draw(browser: Driven, points: readonly Point[], by: "drag" | "touch" = "drag"): Promise<number> {
  const { x, y, side, top } = await browser.evaluate<{ x: number; y: number; side: number; top: number }>(`(() => {
    const canvas = document.querySelector(".demo .field canvas");
    canvas.scrollIntoView({ block: "center", behavior: "instant" });
    const { x, y, width } = canvas.getBoundingClientRect();
    return { x, y, side: width, top: scrollY };
  })()`);
  await browser[by](points.map(([across, down]): Point => [x + across * side, y + down * side]));
  return (await browser.evaluate<number>("scrollY")) - top;
}

/** How long the bars of an answer move. */
const fillTransition = (browser: Driven): Promise<string> =>
  browser.evaluate(`getComputedStyle(document.querySelector(".demo .bars .fill")).transitionDuration`);

function frames(times: readonly number[]): string {
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  const long = gaps.filter((gap) => gap > 34).length;
  return `${gaps.length}, the longest ${Math.max(...gaps).toFixed(0)} ms, ${long} longer than 34 ms`;
}

/** What the page says if its images are missing. */
async function withoutImages(browser: Driven, url: string): Promise<string[]> {
  await browser.goTo(url + PAGE);
  const said = (): Promise<string> => browser.evaluate<string>(text(".alert:not([hidden])"));
  await until("a message about the images", async () => (await said()) !== "");
  return /^the images could not be loaded: the server answered 404 for http/.test(await said())
    ? []
    : [`without images: ${await said()}`];
}

/** What the page says to a browser without workers. */
async function withoutWorkers(browser: Driven, url: string): Promise<string[]> {
  await browser.goTo(`${url}${PAGE}?no-workers`);
  await until("a message", async () => (await browser.evaluate<string>(text(".alert"))) !== "");
  const said = await browser.evaluate<string>(text(".alert"));
  return said.startsWith("This browser lacks web workers") ? [] : [`without workers: ${said}`];
}

/** What the page says and does if its worker has no WebAssembly. */
async function withoutWebAssembly(browser: Driven, url: string): Promise<string[]> {
  await browser.goTo(url + PAGE);
  const engine = (): Promise<string> => browser.evaluate<string>(text(".engine"));
  await until("a sentence on what computes", async () => (await engine()) !== "");
  await browser.evaluate(`document.querySelector(".demo .main").click()`);
  await until("a loss", () => browser.evaluate(`document.querySelector(".demo svg path")?.getAttribute("d")?.length > 0`));
  const said = await engine();
  process.stdout.write(`${said}\n`);
  const alert = await browser.evaluate<string>(text(".alert:not([hidden])"));
  const holds =
    /^No WebAssembly with SIMD and shared memory: .+\. Plain JavaScript trains about ten times slower\.$/.test(said) &&
    alert === "";
  return holds ? [] : [`without WebAssembly: ${said} ${alert}`];
}

/** Trains on the page of a built site in a browser; returns the problems. */
export async function tryDemo(name: keyof typeof browsers, site: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "hashgrad-demo-"));
  const page = readFileSync(join(site, PAGE), "utf8");
  const served = await serve(site, {
    base: "/some/path/",
    isolated: true,
    change: (path, html) => (path === PAGE ? html.replace("<head>", `<head>${counting}`) : html),
    answer: (path, response) => {
      if (path !== "/some/path/narrow") return false;
      response.end(narrow);
      return true;
    },
  });
  const empty = await serve(site, {
    change: (_, html) =>
      html.replace("<head>", `<head><script>if (location.search === "?no-workers") delete window.Worker;</script>`),
    answer: (path, response) => path.endsWith("digits.bin") && !!response.writeHead(404).end(),
  });
  const plain = await serve(site, {
    answer: (path, response) => {
      if (!path.endsWith("/worker.js")) return false;
      response.writeHead(200, { "content-type": "text/javascript" });
      response.end(`delete globalThis.WebAssembly;\n${readFileSync(join(site, "docs/demo/worker.js"), "utf8")}`);
      return true;
    },
  });
  const browser = await drivers[name]({ program: browsers[name].path!, folder });
  try {
    if (!page.includes("needs JavaScript")) return [`${PAGE} says nothing without JavaScript`];
    const problems = [
      ...(await visit(browser, served.url, folder)),
      ...(await leave(browser)),
      ...(await onPhone(browser, served.url)),
      ...served.missing,
      ...(await withoutImages(browser, empty.url)),
      ...(await withoutWorkers(browser, empty.url)),
      ...(await withoutWebAssembly(browser, plain.url)),
    ];
    return problems.map((problem) => `${name}: ${problem}`);
  } catch (error) {
    return [`${name}: ${String(error)}; files: ${readdirSync(folder).join(" ")}`];
  } finally {
    await browser.close();
    served.close();
    empty.close();
    plain.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
