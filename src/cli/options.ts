import { resolve } from "node:path";
import type { Task } from "./data/opened.ts";
import { UsageError } from "./usage.ts";

/** Reads the text of an option. @throws UsageError that names the option, its range and the text. */
export type Parser<T> = (text: string) => T;

/** Parsers for the options of a command, whose name begins the messages. */
export type Parsers = {
  readonly number: (option: string, rule: string, ok: (n: number) => boolean) => Parser<number>;
  /** A whole number of at least `least`, and at most `most` if given. */
  readonly whole: (option: string, least: number, most?: number) => Parser<number>;
  readonly oneOf: <T extends string>(option: string, names: readonly T[]) => Parser<T>;
  /** Several values, separated by commas. */
  readonly list: <T>(one: Parser<T>) => Parser<T[]>;
};

export function parsersOf(command: string): Parsers {
  const number: Parsers["number"] = (option, rule, ok) => (text) => {
    const n = text.trim() === "" ? Number.NaN : Number(text);
    if (!ok(n)) throw new UsageError(command, `${option} must be ${rule}, got ${JSON.stringify(text)}`);
    return n;
  };
  return {
    number,
    whole: (option, least, most = Number.MAX_SAFE_INTEGER) => {
      const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
      return number(option, `a whole number ${range}`, (n) => Number.isSafeInteger(n) && n >= least && n <= most);
    },
    oneOf: (option, names) => (text) => {
      const found = names.find((name) => name === text);
      if (found === undefined)
        throw new UsageError(command, `${option} must be one of ${names.join(", ")}, got ${JSON.stringify(text)}`);
      return found;
    },
    list: (one) => (text) => text.split(",").map((part) => one(part.trim())),
  };
}

export type PoolKind = "product" | "kronecker" | "hash" | "meta";
export const POOLS: readonly PoolKind[] = ["product", "kronecker", "hash", "meta"];
export const TASKS: readonly Task[] = ["classes", "numbers"];
export const AUGMENTATIONS = ["shift", "flip", "crop"] as const;

/** Height and width: "32" or "32x48". */
export function imageSizeOf(command: string): Parser<[number, number]> {
  return (text) => {
    const [height, width = height] =
      /^(\d+)(?:[x×](\d+))?$/
        .exec(text)
        ?.slice(1)
        .map((n) => (n === undefined ? undefined : Number(n))) ?? [];
    if (height === undefined || width === undefined || height < 1 || width < 1 || Math.max(height, width) > 4096)
      throw new UsageError(command, `--image-size must be 1 to 4096 pixels, such as 32 or 32x48, got ${JSON.stringify(text)}`);
    return [height, width];
  };
}

/** "mnist" stays. A path becomes absolute, because `config.json` keeps the path. */
export const dataPath = (text: string): string => (text === "mnist" || text === "" ? text : resolve(text));
