// The worker of the page: holds the images and the network, trains, and answers between two batches.
import { backend, configure, HashgradError } from "hashgrad";
import { lengthOf } from "hashgrad/data";
import { encodeWeights } from "hashgrad/io";
import { PIXELS, unpackDigits } from "./digits.ts";
import type { Digits, Reply, Request } from "./messages.ts";
import { classify, type Network, networkOf, sizesOf } from "./network.ts";
import { type Control, control, trainRun } from "./run.ts";

const reply = (message: Reply, transfer: Transferable[] = []): void => postMessage(message, { transfer });

/** Tells the page about a failure. Errors of the library and of this file are sentences; others need their name. */
function fail(error: unknown): void {
  const isSentence = error instanceof HashgradError || (error instanceof Error && error.name === "Error");
  reply({ kind: "failed", text: isSentence ? error.message : String(error) });
}

/** Loads the images. A server may have unpacked the file already. */
async function loadDigits(): Promise<Digits> {
  const response = await fetch(new URL("digits.bin", import.meta.url)).catch((error: unknown) => {
    throw new Error(`the images could not be loaded: ${String(error)}`);
  });
  if (!response.ok) throw new Error(`the images could not be loaded: the server answered ${response.status} for ${response.url}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!isPacked) return unpackDigits(bytes);
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return unpackDigits(new Uint8Array(await new Response(unpacked).arrayBuffer()));
}

/** With more than two cores, one stays free for the page. */
function chooseThreads(): void {
  const cores = navigator.hardwareConcurrency;
  if (crossOriginIsolated) configure({ threads: Math.min(16, cores > 2 ? cores - 1 : cores) });
}

let network: Network | null = null;
let current: Control | null = null;
let shown = 0;

/** Trains a new network. The messages of an ended run stop at once. */
async function start({ run, fraction, epochs }: Extract<Request, { kind: "start" }>, digits: Digits): Promise<void> {
  current?.end();
  const own = control();
  current = own;
  network = networkOf(fraction);
  const began = performance.now();
  await trainRun(network, digits, epochs, own, {
    loss: (point) => own.signal.aborted || reply({ kind: "loss", run, ...point }),
    accuracy: (point) => reply({ kind: "accuracy", run, ...point }),
  });
  if (!own.signal.aborted) reply({ kind: "done", run, seconds: (performance.now() - began) / 1000 });
}

/** The next test image, with pixels from 0 to 1. */
function example({ test: { inputs, labels } }: Digits): void {
  const i = (shown * 37) % labels.length; // 37 and the number of images have no common factor, so all images come
  shown++;
  const pixels = Float32Array.from(inputs.subarray(i * PIXELS, (i + 1) * PIXELS), (byte) => byte / 255);
  reply({ kind: "image", pixels, label: labels[i]! });
}

async function answer(request: Request, digits: Digits): Promise<void> {
  network ??= networkOf(0.1);
  switch (request.kind) {
    case "measure":
      return reply({ kind: "sizes", ...sizesOf(networkOf(request.fraction)) });
    case "start":
      return start(request, digits);
    case "pause":
      return current?.pause();
    case "resume":
      return current?.resume();
    case "classify":
      return reply({ kind: "answer", probabilities: classify(network, request.pixels) });
    case "example":
      return example(digits);
    case "save": {
      const bytes = encodeWeights(network.vars, { dtype: request.dtype });
      return reply({ kind: "file", bytes, fraction: network.fraction, dtype: request.dtype }, [bytes.buffer]);
    }
  }
}

const loaded = loadDigits();
addEventListener("message", ({ data }: MessageEvent<Request>) => {
  loaded.then((digits) => answer(data, digits)).catch(fail);
});
loaded
  .then(({ train, test }) => {
    chooseThreads();
    const { name, threads, reason } = backend();
    const counts = { trainImages: lengthOf(train), testImages: lengthOf(test) };
    reply({ kind: "ready", engine: { name, threads, reason, isolated: crossOriginIsolated, ...counts } });
  })
  .catch(fail);
