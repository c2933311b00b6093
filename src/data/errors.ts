import { HashgradError } from "../tensor/index.ts";

/** A file or a dataset that is missing, broken or does not fit together. */
export class DataError extends HashgradError {}
