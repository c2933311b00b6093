// The texts and buttons of each state of the page.

export type State = "loading" | "ready" | "training" | "paused" | "done" | "failed";

/** The label of the main button. */
export const mainLabel: Readonly<Record<State, string>> = {
  loading: "Start",
  ready: "Start",
  training: "Stop",
  paused: "Continue",
  done: "Done",
  failed: "Try again",
};

/** Whether the main button does something. If not, the button keeps the focus, so keys go on from there. */
export const hasMain = (state: State): boolean => state !== "loading" && state !== "done";

/** Why this browser cannot run the page; null if it can. */
export function missing(scope: { readonly Worker?: unknown; readonly DecompressionStream?: unknown }): string | null {
  const need = (what: string): string => `This browser lacks ${what}, so this page cannot train. A current browser can.`;
  if (scope.Worker === undefined) return need("web workers");
  if (scope.DecompressionStream === undefined) return need("DecompressionStream");
  return null;
}
