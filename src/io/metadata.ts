import { describe, readObject, ValueError } from "../tensor/index.ts";

/** Strings by name. */
export type Metadata = Readonly<Record<string, string>>;

/** The names of records that this library writes. */
const RESERVED = /^(format|dtype|checksum|training|(placements|pool|core|modifier|initializers)(_\d+)?)$/;

/** The strings of a user for a file. @throws ValueError for a reserved name, and for a value that is not a string. */
export function readMetadata(who: string, given: Metadata | undefined): Metadata {
  const metadata = given === undefined ? {} : readObject(who, "metadata", given);
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== "string")
      throw new ValueError(who, `metadata ${JSON.stringify(name)} must be a string, got ${describe(value)}`);
    if (RESERVED.test(name))
      throw new ValueError(who, `metadata "${name}" has the name of a record of the file; choose another, such as "my_${name}"`);
  }
  return { ...metadata };
}
