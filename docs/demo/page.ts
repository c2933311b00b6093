// The page that trains: builds its elements, starts the worker, and shows what the worker reports.
import { type Answer, answer } from "./answer.ts";
import { type Curves, curves } from "./curves.ts";
import { button, count, html } from "./elements.ts";
import type { Engine, Reply, Request, Sizes } from "./messages.ts";
import { type Row, type Runs, runs } from "./runs.ts";
import { type Slider, slider } from "./slider.ts";
import { hasMain, mainLabel, missing, type State } from "./state.ts";
import style from "./style.css";

const EPOCHS = 10;

/** Fills an element with the page. Returns a function that ends the worker and empties the element. */
export function mount(element: HTMLElement): () => void {
  const reason = missing(globalThis);
  if (reason !== null) {
    element.replaceChildren(html("style", {}, style), html("p", { class: "alert", role: "alert" }, reason));
    return () => element.replaceChildren();
  }
  let close = open(element);
  const leave = (): void => close();
  const comeBack = ({ persisted }: PageTransitionEvent): void => {
    if (persisted) close = open(element);
  };
  addEventListener("pagehide", leave);
  addEventListener("pageshow", comeBack);
  return () => {
    removeEventListener("pagehide", leave);
    removeEventListener("pageshow", comeBack);
    close();
  };
}

/** The parts of the open page. */
type Parts = {
  readonly send: (request: Request) => void;
  readonly setState: (state: State) => void;
  readonly answer: Answer;
  readonly curves: Curves;
  readonly runs: Runs;
  readonly slider: Slider;
  readonly status: HTMLElement;
  readonly engine: HTMLElement;
  readonly alert: HTMLElement;
};

/** The current run: its number, its row in the table. */
type Run = { readonly number: number; readonly fraction: number; readonly row: Row };

function open(element: HTMLElement): () => void {
  const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  const send = (request: Request): void => worker.postMessage(request);
  let state: State = "loading";
  let run: Run | null = null;
  const sizes = new Map<number, Sizes>();

  const start = (): void => {
    const fraction = parts.slider.fraction();
    run = { number: (run?.number ?? 0) + 1, fraction, row: parts.runs.add(fraction) };
    const known = sizes.get(fraction);
    if (known !== undefined) run.row.sizes(known);
    parts.curves.begin();
    parts.alert.hidden = true;
    parts.status.textContent = `Training with fraction ${fraction}.`;
    send({ kind: "start", run: run.number, fraction, epochs: EPOCHS });
    setState("training");
  };
  const pressMain = (): void => {
    if (state === "training" || state === "paused") {
      send({ kind: state === "training" ? "pause" : "resume" });
      setState(state === "training" ? "paused" : "training");
    } else if (hasMain(state)) start();
  };
  const main = button("Start", pressMain, { class: "main" });
  const restart = button("Restart", start, { disabled: true });
  const saves = (["float32", "int8"] as const).map((dtype) =>
    button(`Download ${dtype}`, () => send({ kind: "save", dtype }), { disabled: true, "data-dtype": dtype }),
  );
  const setState = (next: State): void => {
    state = next;
    element.dataset.state = next;
    main.setAttribute("aria-disabled", String(!hasMain(next)));
    main.textContent = mainLabel[next];
    restart.disabled = run === null;
    for (const save of saves) save.disabled = run === null;
  };
  const parts: Parts = {
    send,
    setState,
    answer: answer(
      (pixels) => send({ kind: "classify", pixels }),
      () => send({ kind: "example" }),
    ),
    curves: curves(EPOCHS),
    runs: runs(),
    slider: slider((fraction) => {
      const known = sizes.get(fraction);
      if (known !== undefined) parts.slider.show(known);
      else send({ kind: "measure", fraction });
      if (run !== null && run.fraction !== fraction) parts.status.textContent = `Restart to train with fraction ${fraction}.`;
    }),
    status: html("p", { class: "status", role: "status" }, "Loading the images …"),
    engine: html("p", { class: "engine" }),
    alert: html("p", { class: "alert", role: "alert", hidden: true }),
  };
  layout(element, parts, html("div", { class: "buttons" }, main, restart), html("div", { class: "buttons" }, ...saves));
  setState("loading");
  const fail = (text: string): void => {
    parts.alert.textContent = text;
    parts.alert.hidden = false;
    setState("failed");
  };
  worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => {
    if (data.kind === "failed") return fail(data.text);
    if (data.kind === "sizes") {
      sizes.set(data.fraction, data);
      if (run?.fraction === data.fraction) run.row.sizes(data);
    }
    if ("run" in data && data.run !== run?.number) return; // a message of an ended run
    receive(data, parts, run?.row ?? null);
  });
  worker.addEventListener("error", ({ message }) =>
    fail(message ? `The worker failed: ${message}` : "The worker could not start."),
  );
  send({ kind: "measure", fraction: parts.slider.fraction() });
  return () => {
    worker.terminate();
    parts.curves.remove();
    element.replaceChildren();
  };
}

/** Shows a message of the worker. */
function receive(data: Exclude<Reply, { kind: "failed" }>, parts: Parts, row: Row | null): void {
  switch (data.kind) {
    case "ready":
      parts.engine.replaceChildren(...describe(data.engine));
      parts.status.textContent = `Ready: ${count(data.engine.trainImages)} training images, ${count(data.engine.testImages)} test images.`;
      return parts.setState("ready");
    case "sizes":
      return parts.slider.show(data);
    case "loss":
      return parts.curves.loss(data);
    case "accuracy":
      parts.curves.accuracy(data);
      row?.accuracy(data.epoch, data.accuracy);
      return parts.answer.refresh();
    case "done":
      parts.status.textContent = `Trained for ${EPOCHS} epochs in ${data.seconds.toFixed(1)} s. Choose another fraction and restart to compare.`;
      return parts.setState("done");
    case "answer":
      return parts.answer.show(data.probabilities);
    case "image":
      return parts.answer.showImage(data.pixels, data.label);
    case "file":
      return download(`digits-${data.fraction}-${data.dtype}.safetensors`, data.bytes);
  }
}

/** What computes, and with how many threads. */
function describe({ name, threads, reason, isolated }: Engine): (Node | string)[] {
  if (name === "plain") return [`${reason[0]!.toUpperCase()}${reason.slice(1)}. Plain JavaScript trains about ten times slower.`];
  const used = threads === 1 ? "one thread" : `${threads} threads`;
  if (isolated) return [`WebAssembly with ${used}. The page is isolated from other origins, so threads can share memory.`];
  return [
    `WebAssembly with ${used}. The page is not isolated from other origins, so there are no more threads: `,
    html("a", { href: new URL("../guides/browser.html#build-and-serve", import.meta.url).href }, "two headers of the server"),
    " change that.",
  ];
}

function download(name: string, bytes: Uint8Array<ArrayBuffer>): void {
  const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  const link = html("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function layout(element: HTMLElement, parts: Parts, control: HTMLElement, saves: HTMLElement): void {
  const { answer, curves, runs, slider, status, engine, alert } = parts;
  element.replaceChildren(
    html("style", {}, style),
    alert,
    html(
      "section",
      { class: "card", "aria-labelledby": "demo-train" },
      html("h2", { id: "demo-train" }, "Train"),
      slider.element,
      control,
      status,
      curves.element,
      runs.element,
    ),
    answer.element,
    html(
      "section",
      { class: "card", "aria-labelledby": "demo-keep" },
      html("h2", { id: "demo-keep" }, "Keep the weights"),
      saves,
      html("p", {}, "The files are in the safetensors format. ", html("code", {}, "loadWeights"), " reads both."),
    ),
    engine,
  );
}
