// The two curves of a run, with those of the runs before.
import { type Chart, chart, type Point } from "./chart.ts";
import { html, percent } from "./elements.ts";
import type { AccuracyPoint, LossPoint } from "./messages.ts";

/** The number of earlier runs whose curves stay. */
const EARLIER = 3;

export type Curves = {
  readonly element: HTMLElement;
  /** A new run begins. */
  readonly begin: () => void;
  readonly loss: (point: LossPoint) => void;
  readonly accuracy: (point: AccuracyPoint) => void;
  readonly remove: () => void;
};

/** A chart, the curve of its current run, and the curves of earlier runs. */
function kept(drawing: Chart): { begin: () => void; add: (point: Point, summary: string) => void } {
  let current: Point[] = [];
  let earlier: Point[][] = [];
  return {
    begin: () => {
      if (current.length > 1) earlier = [...earlier, current].slice(-EARLIER);
      current = [];
      drawing.draw(current, earlier, "no result yet");
    },
    add: (point, summary) => {
      current.push(point);
      drawing.draw(current, earlier, summary);
    },
  };
}

export function curves(epochs: number): Curves {
  const accuracyChart = chart(
    { title: "Test accuracy", ticks: [0.7, 0.8, 0.9, 1], isLogarithmic: false, label: (share) => `${Math.round(100 * share)} %` },
    epochs,
  );
  const lossChart = chart(
    { title: "Training loss", ticks: [0.001, 0.01, 0.1, 1, 3], isLogarithmic: true, label: String },
    epochs,
  );
  const [accuracies, losses] = [kept(accuracyChart), kept(lossChart)];
  const [nowAccuracy, nowLoss] = [html("strong"), html("strong")];
  const figure = (title: string, now: HTMLElement, { element }: Chart): HTMLElement =>
    html("figure", {}, html("figcaption", {}, title, " ", now), element);
  return {
    element: html(
      "div",
      { class: "curves" },
      figure("Test accuracy over epochs", nowAccuracy, accuracyChart),
      figure("Training loss over epochs", nowLoss, lossChart),
    ),
    begin: () => {
      accuracies.begin();
      losses.begin();
    },
    loss: ({ epoch, loss }) => {
      nowLoss.textContent = loss.toFixed(3);
      losses.add([epoch, loss], `Training loss ${loss.toFixed(3)} after ${epoch.toFixed(1)} epochs`);
    },
    accuracy: ({ epoch, accuracy }) => {
      nowAccuracy.textContent = percent(accuracy);
      accuracies.add([epoch, accuracy], `Test accuracy ${percent(accuracy)} after ${epoch.toFixed(1)} epochs`);
    },
    remove: () => {
      accuracyChart.remove();
      lossChart.remove();
    },
  };
}
