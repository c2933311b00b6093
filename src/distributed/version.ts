/** The version of the library. Coordinator and workers must have the same. A test compares it with package.json. */
export const VERSION = "0.2.0";
