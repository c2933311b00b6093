// Chromium's DevTools protocol over a pipe: JSON, each message ended by a zero byte.
// https://chromedevtools.github.io/devtools-protocol
import { spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { browsers } from "../browsers.ts";
import { ended } from "./ended.ts";

/** What a page reports by itself. */
export type Event = { readonly method: string; readonly params: Readonly<Record<string, unknown>> };

type Message = Partial<Event> & {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
};

export type Send = <T = unknown>(method: string, params?: object) => Promise<T>;

/** Chromium with one page. */
export type DevTools = {
  /** Sends a command to the browser. */
  readonly browser: Send;
  /** Sends a command to the page. */
  readonly page: Send;
  /** Calls a function for each event. Returns a function that ends this. */
  readonly listen: (listener: (event: Event) => void) => () => void;
  /** Ends Chromium with all its processes. */
  readonly close: () => Promise<void>;
};

/**
 * Starts Chromium with an empty page.
 * @param program - the path of Chromium
 * @param profile - a folder for its profile
 * @param args - further arguments
 */
export async function openDevTools(program: string, profile: string, args: readonly string[] = []): Promise<DevTools> {
  const all = [...browsers.Chromium.args(profile), "--remote-debugging-pipe", ...args, "about:blank"];
  const running = spawn(program, all, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], detached: true });
  const [write, read] = [running.stdio[3] as Writable, running.stdio[4] as Readable];
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  const listeners = new Set<(event: Event) => void>();
  let rest = "";
  let last = 0;
  read.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\0");
    rest = parts.pop()!;
    for (const part of parts) {
      const { id, result, error, method, params = {} } = JSON.parse(part) as Message;
      const waiter = waiting.get(id ?? -1);
      waiting.delete(id ?? -1);
      if (error !== undefined) waiter?.reject(new Error(error.message));
      else waiter?.resolve(result);
      if (method !== undefined) for (const listener of listeners) listener({ method, params });
    }
  });
  read.on("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("Chromium has ended"));
  });
  const sender =
    (sessionId?: string): Send =>
    <T>(method: string, params: object = {}) =>
      new Promise<T>((resolve, reject) => {
        waiting.set(++last, {
          resolve: (value) => resolve(value as T),
          reject: (error) => reject(new Error(`${method}: ${error.message}`)),
        });
        write.write(`${JSON.stringify({ id: last, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`);
      });
  const browser = sender();
  const { targetId } = await browser<{ targetId: string }>("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await browser<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
  return {
    browser,
    page: sender(sessionId),
    listen: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: () => ended(running),
  };
}
