import { HashgradError } from "../tensor/index.ts";

/** A file or a dataset is missing or broken, or its parts do not match. */
export class DataError extends HashgradError {}
