// The elements that the pictures of this folder consist of.

// Of Okabe and Ito's palette, which people who see fewer colors can tell apart.
export const BLUE = "#0072b2";
export const ORANGE = "#e69f00";
export const GREEN = "#009e73";
export const PURPLE = "#cc79a7";
export const RED = "#d55e00";
export const GRAY = "#8a8a8a";

export type Attributes = Readonly<Record<string, string | number>>;

export function tag(name: string, attributes: Attributes, content = ""): string {
  const list = Object.entries(attributes).map(([key, value]) => ` ${key}="${typeof value === "number" ? round(value) : value}"`);
  return content === "" ? `<${name}${list.join("")}/>` : `<${name}${list.join("")}>${content}</${name}>`;
}
export const round = (value: number): number => Math.round(100 * value) / 100;
export const text = (x: number, y: number, content: string, attributes: Attributes = {}): string =>
  tag("text", { x, y, ...attributes }, content);
export const line = (x1: number, y1: number, x2: number, y2: number, attributes: Attributes = {}): string =>
  tag("line", { x1, y1, x2, y2, ...attributes });
export const box = (x: number, y: number, width: number, height: number, fill: string, attributes: Attributes = {}): string =>
  tag("rect", { x, y, width, height, fill, ...attributes });

/** A picture that is as readable on a dark page as on a white one. */
export function picture(width: number, height: number, title: string, parts: readonly string[]): string {
  const style = [
    `text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#24292f}`,
    `.faint{fill:#57606a}.rule{stroke:#8c959f;stroke-width:1}.page{fill:#fff}.middle{text-anchor:middle}.end{text-anchor:end}.strong{font-weight:600}`,
    `@media(prefers-color-scheme:dark){text{fill:#e6edf3}.faint{fill:#9198a1}.rule{stroke:#6e7681}.page{fill:#0d1117}}`,
  ].join("");
  const head = { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${width} ${height}`, width, height, role: "img" };
  return `${tag("svg", head, ["", tag("title", {}, title), tag("style", {}, style), ...parts, ""].join("\n"))}\n`;
}

/** A line with a head at its end. */
export function arrow(x1: number, y1: number, x2: number, y2: number, color: string): string {
  const length = Math.hypot(x2 - x1, y2 - y1);
  const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length];
  const [x, y] = [x2 - 8 * dx, y2 - 8 * dy]; // where the head begins
  const head = `M${round(x2)} ${round(y2)}L${round(x - 4 * dy)} ${round(y + 4 * dx)}L${round(x + 4 * dy)} ${round(y - 4 * dx)}z`;
  return line(x1, y1, x, y, { stroke: color, "stroke-width": 2 }) + tag("path", { d: head, fill: color });
}

/** Rows and columns of cells. `at` returns what a cell holds. */
export function grid(
  [x, y]: readonly [number, number],
  [rows, columns]: readonly [number, number],
  [width, height]: readonly [number, number],
  at: (i: number, j: number) => { readonly fill: string; readonly strength: number; readonly label?: string },
): string {
  return Array.from({ length: rows * columns }, (_, index) => {
    const [i, j] = [Math.floor(index / columns), index % columns];
    const { fill, strength, label } = at(i, j);
    const [left, top] = [x + j * width, y + i * height];
    const cell = box(left, top, width - 1, height - 1, fill, { "fill-opacity": strength });
    return label === undefined ? cell : cell + text(left + width / 2, top + height / 2 + 4, label, { class: "middle" });
  }).join("");
}
