// A server of the built site for tests.
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2",
};

export type Served = {
  /** The address of the site, which ends with a slash. */
  readonly url: string;
  /** Paths that were asked for and have no file. */
  readonly missing: readonly string[];
  readonly close: () => void;
};

export type ServeOptions = {
  /** The path under which the site lies (default "/"). */
  readonly base?: string;
  /** Whether pages are isolated from other origins, so that threads can share memory (default false). */
  readonly isolated?: boolean;
  /** Changes a page before it is sent (default: no change). `path` is relative to the site. */
  readonly change?: (path: string, text: string) => string;
  /** Answers a request itself, if it returns true (default: never). */
  readonly answer?: (path: string, response: ServerResponse, request: IncomingMessage) => boolean;
};

export async function serve(
  folder: string,
  { base = "/", isolated = false, change, answer }: ServeOptions = {},
): Promise<Served> {
  const missing: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, "http://localhost");
    if (answer?.(pathname, response, request)) return;
    const name = pathname.startsWith(base) ? decodeURIComponent(pathname.slice(base.length)) : "";
    const path = name.endsWith("/") || name === "" ? `${name}index.html` : name;
    if (!pathname.startsWith(base) || !existsSync(join(folder, path))) {
      if (pathname !== "/favicon.ico") missing.push(`no file ${pathname}`);
      return void response.writeHead(404).end();
    }
    const bytes = readFileSync(join(folder, path));
    const isolation = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
    response.writeHead(200, {
      "content-type": types[extname(path)] ?? "application/octet-stream",
      ...(isolated ? isolation : {}),
    });
    response.end(change !== undefined && path.endsWith(".html") ? change(path, bytes.toString()) : bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${base}`,
    missing,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
