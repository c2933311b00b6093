import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";

/** A folder that exists while the tests of a file or a `describe` run. */
export type Folder = {
  /** The path of a name in the folder; without a name, of the folder. */
  readonly at: (name?: string) => string;
  /** The path of a new safetensors file. */
  readonly newPath: () => string;
};

export function temporaryFolder(): Folder {
  let folder = "";
  let files = 0;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "hashgrad-io-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return { at: (name = "") => join(folder, name), newPath: () => join(folder, `${files++}.safetensors`) };
}
