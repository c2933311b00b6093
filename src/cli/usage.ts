import { HashgradError } from "../tensor/index.ts";

/** The command line is invalid. */
export class UsageError extends HashgradError {}
