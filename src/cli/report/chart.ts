import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom/worker";
import { clean, html, type Markup, raw } from "./html.ts";

/** Widths of charts in pixels: for a phone of 400 pixels, and for half of a wide page. */
export const WIDTHS = { narrow: 360, wide: 580 } as const;
export type Width = keyof typeof WIDTHS;

export const FONT_SIZE = 12;

/** A picture of marks, with its text for readers who do not see it. */
export type Chart = {
  /** Unique in the page. */
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly options: Plot.PlotOptions;
};

/** The SVG of a chart. Plot draws into a document of linkedom, since Node.js has none. */
export function svgOf({ id, title, description, options }: Chart): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg = Plot.plot({ ...options, document });
  for (const element of svg.querySelectorAll("style")) element.remove(); // the page has one style for all charts
  // Plot numbers its clip paths over all charts of the process; here they depend on the chart only.
  for (const path of svg.querySelectorAll("clipPath")) {
    const [own, given] = [`${id}-clip`, path.getAttribute("id")];
    path.setAttribute("id", own);
    for (const user of svg.querySelectorAll("[clip-path]"))
      if (user.getAttribute("clip-path") === `url(#${given})`) user.setAttribute("clip-path", `url(#${own})`);
  }
  svg.setAttribute("font-size", String(FONT_SIZE));
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-labelledby", `${id}-title`);
  svg.setAttribute("aria-describedby", `${id}-desc`);
  svg.removeAttribute("class");
  const parts = [
    ["desc", description],
    ["title", title],
  ] as const;
  for (const [name, text] of parts) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    element.setAttribute("id", `${id}-${name}`);
    element.textContent = clean(text);
    svg.prepend(element);
  }
  return svg.outerHTML;
}

/** A figure with a chart in both widths; the style shows one of them. */
export function figure(build: (width: number, name: Width) => Chart, caption: Markup | string): Markup {
  const charts = (["wide", "narrow"] as const).map((name) => {
    const chart = build(WIDTHS[name], name);
    return html`<div class="${name}">${raw(svgOf({ ...chart, id: `${chart.id}-${name}` }))}</div>`;
  });
  return html`<figure>${charts}<figcaption>${caption}</figcaption></figure>`;
}

/**
 * Moves positions apart, so that neighbors have at least `gap` between them and all lie from `low` to `high` if they
 * fit. Keeps their order.
 */
export function spread(positions: readonly number[], gap: number, low: number, high: number): number[] {
  const order = positions.map((_, i) => i).sort((a, b) => positions[a]! - positions[b]! || a - b);
  const moved = [...positions];
  let least = low;
  for (const i of order) {
    moved[i] = Math.max(least, moved[i]!);
    least = moved[i]! + gap;
  }
  let most = high;
  for (const i of order.reverse()) {
    moved[i] = Math.min(most, moved[i]!);
    most = moved[i]! - gap;
  }
  return moved;
}
