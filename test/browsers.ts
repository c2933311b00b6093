import { existsSync } from "node:fs";

// The browsers of tests. The environment variables CHROMIUM and FIREFOX name their programs.

/** The first of these paths at which there is a file. */
const found = (...paths: readonly (string | undefined)[]): string | undefined =>
  paths.find((path) => path !== undefined && existsSync(path));

export type Browser = { readonly path: string | undefined; readonly args: (profile: string) => readonly string[] };
export const browsers: Readonly<Record<"Chromium" | "Firefox", Browser>> = {
  Chromium: {
    path: found(process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"),
    args: (profile) => [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync", `--user-data-dir=${profile}`],
    ],
  },
  Firefox: {
    path: found(process.env.FIREFOX, "/usr/bin/firefox-esr", "/usr/bin/firefox"),
    args: (profile) => ["--headless", "--no-remote", "--profile", profile],
  },
};
