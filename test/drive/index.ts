// Drives real browsers without a package: Chromium through a pipe with the DevTools protocol, Firefox through a socket
// with Marionette. Keys and pointers are those of a visitor: the page cannot tell them from real ones.
import type { browsers } from "../browsers.ts";
import { openChromium } from "./chromium.ts";
import { openFirefox } from "./firefox.ts";

export type Point = readonly [x: number, y: number];

/** The keys that tests press, by the names that `KeyboardEvent.key` has. */
export type Key = "Tab" | "Enter" | " " | "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown" | "Home" | "End" | "Delete";

/** A browser with one page. */
export type Driven = {
  readonly goTo: (url: string) => Promise<void>;
  /** The JSON value of an expression in the page; a promise is awaited. */
  readonly evaluate: <T>(expression: string) => Promise<T>;
  readonly press: (key: Key, times?: number) => Promise<void>;
  /** Presses the main button at the first point, moves through the others, and releases at the last one. */
  readonly drag: (points: readonly Point[]) => Promise<void>;
  /** Moves a finger through the points. */
  readonly touch: (points: readonly Point[]) => Promise<void>;
  /** Sets the visitor's wish for reduced motion. Null for Firefox, which reads the wish when it starts. */
  readonly reduceMotion: ((isReduced: boolean) => Promise<void>) | null;
  readonly resize: (width: number, height: number) => Promise<void>;
  /** A PNG of the whole page. */
  readonly screenshot: () => Promise<Buffer>;
  readonly close: () => Promise<void>;
};

/** Settings of a browser. Downloads go into `folder`, which also holds the profile. */
export type Settings = { readonly program: string; readonly folder: string };

export const drivers: Readonly<Record<keyof typeof browsers, (settings: Settings) => Promise<Driven>>> = {
  Chromium: openChromium,
  Firefox: openFirefox,
};

/** Repeats a question until the answer is true, for at most `seconds`. */
export async function until(what: string, ask: () => Promise<boolean>, seconds = 60): Promise<void> {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; ) {
    if (await ask()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not within ${seconds} s: ${what}`);
}
