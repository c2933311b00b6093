/** Text that is HTML already. */
export type Markup = { readonly markup: string };

/** What a template may hold: texts and numbers are escaped, null is nothing. */
export type Content = string | number | Markup | null | readonly Content[];

export const raw = (markup: string): Markup => ({ markup });

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Control characters have no place in HTML, and lone surrogates none in UTF-8. */
export const clean = (text: string): string =>
  text.replace(/[\p{Cc}\p{Surrogate}]/gu, (char) => (char === "\n" || char === "\t" ? " " : "\u{fffd}"));

/** A text for an element or for a quoted attribute. */
export const escapeText = (text: string): string => clean(text).replace(/[&<>"']/g, (char) => ENTITIES[char]!);

function render(content: Content): string {
  if (content === null) return "";
  if (typeof content === "string") return escapeText(content);
  if (typeof content === "number") return String(content);
  if ("markup" in content) return content.markup;
  return content.map(render).join("");
}

/** A template whose values are escaped. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return raw(parts.map((part, i) => part + (i < values.length ? render(values[i]!) : "")).join(""));
}

/** A table that scrolls sideways on its own, by keyboard as well, so that the page does not. */
export function scrolling(label: string, content: Content): Markup {
  return html`<div class="scroll" role="region" aria-label="${label}" tabindex="0">${content}</div>`;
}

/** The first characters of a text. Counts code points, so no character is cut in two. */
export function shorten(text: string, most: number): string {
  const letters = [...clean(text)];
  return letters.length <= most ? letters.join("") : `${letters.slice(0, most - 1).join("")}…`;
}
