import { join } from "node:path";
import { temporaryFolder as newFolder } from "../temporary-folder.ts";

/** A folder that exists while the tests of a file or a `describe` run. */
export type Folder = {
  /** The path of a name in the folder; without a name, of the folder. */
  readonly at: (name?: string) => string;
  /** The path of a new safetensors file. */
  readonly newPath: () => string;
};

export function temporaryFolder(): Folder {
  const folder = newFolder();
  let files = 0;
  return { at: (name = "") => join(folder, name), newPath: () => join(folder, `${files++}.safetensors`) };
}
