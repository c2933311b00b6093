// The table of the runs: one row for each network that the visitor trained.
import { count, html, kilobytes, percent } from "./elements.ts";
import type { Sizes } from "./messages.ts";

export type Row = {
  /** Shows the accuracy after some epochs. */
  readonly accuracy: (epoch: number, accuracy: number) => void;
  readonly sizes: (sizes: Sizes) => void;
};

export type Runs = { readonly element: HTMLElement; readonly add: (fraction: number) => Row };

export function runs(): Runs {
  const heads = ["fraction", "numbers", "file", "epochs", "accuracy"].map((name) =>
    html("th", { scope: "col", class: name }, name),
  );
  const body = html("tbody");
  const table = html(
    "table",
    {},
    html("caption", {}, "Networks trained; the curves of earlier ones are gray"),
    html("thead", {}, html("tr", {}, ...heads)),
    body,
  );
  const element = html("div", { class: "runs", hidden: true }, table);
  return {
    element,
    add: (fraction) => {
      const [trained, file, epochs, accuracy] = ["numbers", "file", "epochs", "accuracy"].map((name) =>
        html("td", { class: name }, "–"),
      );
      element.hidden = false;
      body.prepend(html("tr", {}, html("td", {}, String(fraction)), trained!, file!, epochs!, accuracy!));
      return {
        accuracy: (epoch, share) => {
          epochs!.textContent = epoch.toFixed(1);
          accuracy!.textContent = percent(share);
        },
        sizes: (sizes) => {
          trained!.textContent = count(sizes.trained);
          file!.textContent = kilobytes(sizes.bytes.float32);
        },
      };
    },
  };
}
