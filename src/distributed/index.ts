export { type Connection, type ConnectionOptions, openRedis, type TlsOptions } from "./connection.ts";
export { DistributedError } from "./errors.ts";
