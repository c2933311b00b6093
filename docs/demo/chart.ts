// A curve over epochs, drawn as SVG in the size of its place on the page.
import { onceAFrame, svg } from "./elements.ts";

export type Point = readonly [epoch: number, value: number];

/** What a chart shows on its vertical axis. */
export type Axis = {
  readonly title: string;
  /** The values with a line and a label. The first and the last are the ends of the axis. */
  readonly ticks: readonly number[];
  readonly isLogarithmic: boolean;
  readonly label: (value: number) => string;
};

export type Chart = {
  readonly element: SVGSVGElement;
  /** Draws the curves of earlier runs faintly and that of the current run. `summary` is the text for screen readers. */
  readonly draw: (current: readonly Point[], earlier: readonly (readonly Point[])[], summary: string) => void;
  readonly remove: () => void;
};

const HEIGHT = 190;
const MARGIN = { left: 46, right: 12, top: 10, bottom: 24 };

export function chart(axis: Axis, epochs: number): Chart {
  const id = `clip-${axis.title.replaceAll(/\W/g, "")}`;
  const element = svg("svg", { role: "img", class: "chart", height: HEIGHT });
  let content: Parameters<Chart["draw"]> = [[], [], `${axis.title}: no run yet`];
  const redraw = onceAFrame(() => {
    const [current, earlier, summary] = content;
    const width = Math.max(200, element.clientWidth);
    const at = scale(axis, epochs, width);
    const box = { x: MARGIN.left, y: 0, width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.bottom };
    element.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    element.setAttribute("aria-label", summary);
    const curve = (points: readonly Point[], name: string): SVGPathElement =>
      svg("path", { d: path(points, at), class: name, "clip-path": `url(#${id})` });
    element.replaceChildren(
      svg("clipPath", { id }, svg("rect", box)),
      ...grid(axis, epochs, at),
      ...earlier.map((points) => curve(points, "curve earlier")),
      curve(current, "curve current"),
    );
  });
  const observer = new ResizeObserver(redraw);
  observer.observe(element);
  return {
    element,
    draw: (...next) => {
      content = next;
      redraw();
    },
    remove: () => observer.disconnect(),
  };
}

type Scale = { readonly x: (epoch: number) => number; readonly y: (value: number) => number };

function scale({ ticks, isLogarithmic }: Axis, epochs: number, width: number): Scale {
  const of = (value: number): number => (isLogarithmic ? Math.log(Math.max(value, 1e-6)) : value);
  const [least, most] = [of(ticks[0]!), of(ticks.at(-1)!)];
  const [right, bottom] = [width - MARGIN.right, HEIGHT - MARGIN.bottom];
  return {
    x: (epoch) => MARGIN.left + (epoch / epochs) * (right - MARGIN.left),
    y: (value) => bottom - ((of(value) - least) / (most - least)) * (bottom - MARGIN.top),
  };
}

const path = (points: readonly Point[], { x, y }: Scale): string =>
  points.map(([epoch, value], i) => `${i === 0 ? "M" : "L"}${x(epoch).toFixed(1)} ${y(value).toFixed(1)}`).join("");

function grid({ ticks, label }: Axis, epochs: number, { x, y }: Scale): SVGElement[] {
  const lines = ticks.flatMap((tick) => [
    svg("line", { x1: x(0), x2: x(epochs), y1: y(tick), y2: y(tick), class: "grid" }),
    svg("text", { x: x(0) - 6, y: y(tick) + 4, class: "end" }, label(tick)),
  ]);
  const step = epochs > 6 ? 2 : 1;
  const labels = Array.from({ length: Math.floor(epochs / step) + 1 }, (_, i) =>
    svg("text", { x: x(i * step), y: HEIGHT - 6, class: "middle" }, i === 0 ? "0" : String(i * step)),
  );
  return [...lines, ...labels];
}
