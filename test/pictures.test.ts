import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { pictures } from "../docs/pictures/draw.ts";

test("docs/pictures show the committed results (if not, run npm run docs:pictures)", () => {
  const folder = new URL("../docs/pictures/", import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith(".svg"));
  const found = names.map((name): [string, string] => [name, readFileSync(new URL(name, folder), "utf8")]);
  expect(new Map(found)).toEqual(pictures());
});
