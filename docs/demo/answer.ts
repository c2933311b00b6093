// The part of the page that asks the network: the drawing field, what the network sees, and ten bars.
import { SIDE } from "./digits.ts";
import { button, html } from "./elements.ts";
import { drawPixels, pen } from "./pen.ts";

export type Answer = {
  readonly element: HTMLElement;
  /** Shows the answer of the network. */
  readonly show: (probabilities: Float32Array) => void;
  /** Puts a test image into the field. */
  readonly showImage: (pixels: Float32Array, label: number) => void;
  /** Asks again, after the network has changed. */
  readonly refresh: () => void;
};

export function answer(ask: (pixels: Float32Array) => void, askForImage: () => void): Answer {
  let pixels: Float32Array | null = null;
  const seen = html("canvas", {
    width: 84,
    height: 84,
    role: "img",
    "aria-label": `The ${SIDE}×${SIDE} pixels that the network sees`,
  });
  const text = html("p", { class: "verdict", role: "status" });
  const bars = Array.from({ length: 10 }, (_, digit) => bar(digit));
  let source = "";
  const change = (next: Float32Array | null, from: string): void => {
    pixels = next;
    source = from;
    drawPixels(seen.getContext("2d")!, next ?? new Float32Array(SIDE * SIDE));
    if (next !== null) return ask(next);
    text.textContent = "Draw a digit, or take a test image.";
    for (const { set } of bars) set(0, false);
  };
  const field = pen((next) => change(next, ""));
  change(null, "");
  const element = html(
    "section",
    { class: "card", "aria-labelledby": "demo-ask" },
    html("h2", { id: "demo-ask" }, "Ask the network"),
    html(
      "div",
      { class: "ask" },
      html(
        "div",
        {},
        field.element,
        html("div", { class: "buttons" }, button("Clear", field.clear), button("Test image", askForImage, { class: "take" })),
      ),
      html("div", { class: "result" }, html("figure", {}, seen, html("figcaption", {}, "the network sees")), text),
      html("ol", { class: "bars", "aria-label": "Probability of each digit" }, ...bars.map(({ element }) => element)),
    ),
  );
  return {
    element,
    show: (probabilities) => {
      if (pixels === null) return;
      const best = probabilities.indexOf(Math.max(...probabilities));
      for (const [digit, { set }] of bars.entries()) set(probabilities[digit]!, digit === best);
      const said = `The answer is ${best}.${source}`;
      if (text.textContent !== said) text.textContent = said; // screen readers read a change aloud
    },
    showImage: (image, label) => {
      field.show(image);
      change(image, ` The label is ${label}.`);
    },
    refresh: () => {
      if (pixels !== null) ask(pixels);
    },
  };
}

type Bar = { readonly element: HTMLElement; readonly set: (share: number, isBest: boolean) => void };

function bar(digit: number): Bar {
  const [fill, value] = [html("span", { class: "fill" }), html("span", { class: "value" })];
  const element = html("li", {}, html("span", { class: "digit" }, String(digit)), html("span", { class: "track" }, fill), value);
  return {
    element,
    set: (share, isBest) => {
      fill.style.transform = `scaleX(${share})`;
      value.textContent = `${Math.round(100 * share)} %`;
      element.classList.toggle("best", isBest);
    },
  };
}
