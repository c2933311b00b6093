import { HashgradError } from "../tensor/index.ts";

/** Redis cannot be reached, a package is missing, or coordinator and workers do not fit together. */
export class DistributedError extends HashgradError {}
