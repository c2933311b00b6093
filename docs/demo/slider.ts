// The slider for the fraction, with the sizes of the network.
import { count, html, kilobytes } from "./elements.ts";
import type { Sizes } from "./messages.ts";

const FRACTIONS: readonly number[] = [0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1];
const DEFAULT = FRACTIONS.indexOf(0.1);

export type Slider = {
  readonly element: HTMLElement;
  readonly fraction: () => number;
  /** Shows sizes, if they are those of the chosen fraction. */
  readonly show: (sizes: Sizes) => void;
};

/** `changed` runs when the visitor moves the slider. */
export function slider(changed: (fraction: number) => void): Slider {
  const input = html("input", { type: "range", id: "demo-fraction", min: 0, max: FRACTIONS.length - 1, step: 1, value: DEFAULT });
  const output = html("output", { for: "demo-fraction" });
  const sizes = html("dl", { class: "sizes", "aria-live": "polite" });
  const fraction = (): number => FRACTIONS[input.valueAsNumber]!;
  const say = (): void => {
    output.textContent = String(fraction());
    input.setAttribute("aria-valuetext", `${fraction()}`);
  };
  input.addEventListener("input", () => {
    say();
    changed(fraction());
  });
  say();
  return {
    element: html(
      "div",
      { class: "slider" },
      html("label", { for: "demo-fraction" }, "Fraction of the weights that are trained: ", output),
      input,
      sizes,
    ),
    fraction,
    show: ({ fraction: of, weights, trained, bytes }) => {
      if (of !== fraction()) return;
      const entry = (name: string, value: string): HTMLElement => html("div", {}, html("dt", {}, name), html("dd", {}, value));
      sizes.replaceChildren(
        entry("numbers trained", `${count(trained)} for ${count(weights)} weights`),
        entry("file", `${kilobytes(bytes.float32)}, as int8 ${kilobytes(bytes.int8)}`),
        entry("dense network", kilobytes(bytes.dense)),
      );
    },
  };
}
