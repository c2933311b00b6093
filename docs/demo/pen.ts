// The field in which one draws a digit, with mouse, finger, pen or keys.
import { centered } from "./center.ts";
import { SIDE } from "./digits.ts";
import { html, onceAFrame } from "./elements.ts";

/** Pixels of the field per side. On the page the field may be smaller. */
const FIELD = 280;
/** The width of a stroke. A digit that fills the field then has strokes as wide as those of MNIST. */
const STROKE = 24;
/** How far an arrow key moves the pen. */
const KEY_STEP = 14;

const KEYS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export type Pen = {
  readonly element: HTMLElement;
  readonly clear: () => void;
  /** Shows an image of 28×28 pixels. */
  readonly show: (pixels: Float32Array) => void;
};

type Place = { readonly x: number; readonly y: number };

/** `changed` gets the centered pixels of the drawing, at most once a frame; null after clearing. */
export function pen(changed: (pixels: Float32Array | null) => void): Pen {
  const label =
    "Drawing field. Draw a digit with mouse, finger or pen. Or use keys: arrow keys move the pen, Space lowers and lifts it, Delete clears.";
  const canvas = html("canvas", { width: FIELD, height: FIELD, tabindex: 0, role: "application", "aria-label": label });
  const marker = html("span", { class: "marker", hidden: true });
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  Object.assign(context, { lineWidth: STROKE, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
  const tell = onceAFrame(() => changed(centered(inkOf(context), FIELD)));

  let isImage = false; // whether the field shows an image, which the next stroke replaces
  const empty = (): void => {
    context.clearRect(0, 0, FIELD, FIELD);
    isImage = false;
  };
  const stroke = (from: Place, to: Place): void => {
    if (isImage) empty();
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
    tell();
  };
  const clear = (): void => {
    empty();
    changed(null);
  };
  const show = (pixels: Float32Array): void => {
    empty();
    drawPixels(context, pixels);
    isImage = true;
  };
  listenToPointer(canvas, marker, stroke);
  listenToKeys(canvas, marker, stroke, clear);
  return { element: html("div", { class: "field" }, canvas, marker), clear, show };
}

/** The amount of ink per pixel, from 0 to 1. */
function inkOf(context: CanvasRenderingContext2D): Float32Array {
  const { data } = context.getImageData(0, 0, FIELD, FIELD);
  const ink = new Float32Array(FIELD * FIELD);
  for (let i = 0; i < ink.length; i++) ink[i] = data[4 * i + 3]! / 255;
  return ink;
}

/** Fills a canvas with an image of 28×28 pixels: white ink, transparent paper. */
export function drawPixels(context: CanvasRenderingContext2D, pixels: Float32Array): void {
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  const [cellWidth, cellHeight] = [width / SIDE, height / SIDE];
  for (const [i, amount] of pixels.entries()) {
    context.fillStyle = `rgb(255 255 255 / ${amount})`;
    context.fillRect((i % SIDE) * cellWidth, Math.floor(i / SIDE) * cellHeight, cellWidth, cellHeight);
  }
}

function listenToPointer(canvas: HTMLCanvasElement, marker: HTMLElement, stroke: (from: Place, to: Place) => void): void {
  let last: Place | null = null;
  const placeOf = ({ clientX, clientY }: PointerEvent): Place => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return { x: ((clientX - left) / width) * FIELD, y: ((clientY - top) / height) * FIELD };
  };
  const move = (event: PointerEvent): void => {
    const to = placeOf(event);
    if (last !== null) stroke(last, to);
    last = to;
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    canvas.setPointerCapture(event.pointerId);
    marker.hidden = true;
    last = placeOf(event);
    stroke(last, last);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last === null || !event.isPrimary) return;
    const parts = event.getCoalescedEvents?.() ?? [];
    for (const part of parts.length > 0 ? parts : [event]) move(part);
  });
  for (const end of ["pointerup", "pointercancel"] as const)
    canvas.addEventListener(end, () => {
      last = null;
    });
}

function listenToKeys(
  canvas: HTMLCanvasElement,
  marker: HTMLElement,
  stroke: (from: Place, to: Place) => void,
  clear: () => void,
): void {
  let at: Place = { x: FIELD / 2, y: FIELD / 4 };
  let isDown = false;
  const show = (): void => {
    marker.hidden = false;
    marker.classList.toggle("down", isDown);
    marker.style.left = `${(100 * at.x) / FIELD}%`;
    marker.style.top = `${(100 * at.y) / FIELD}%`;
  };
  const within = (value: number): number => Math.min(FIELD - STROKE / 2, Math.max(STROKE / 2, value));
  canvas.addEventListener("keydown", (event) => {
    const move = KEYS[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (move !== undefined) {
      const to = { x: within(at.x + KEY_STEP * move[0]), y: within(at.y + KEY_STEP * move[1]) };
      if (isDown) stroke(at, to);
      at = to;
    } else if (event.key === " ") {
      isDown = !isDown;
      if (isDown) stroke(at, at);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      isDown = false;
      clear();
    } else return;
    event.preventDefault();
    show();
  });
  canvas.addEventListener("blur", () => {
    marker.hidden = true;
    isDown = false;
  });
}
