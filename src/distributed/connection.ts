import type { Redis, RedisOptions } from "ioredis";
import { describe, readNumber, readObject, readOptions, readText, ValueError } from "../tensor/index.ts";
import type { Connection, TlsOptions } from "./address.ts";
import { DistributedError } from "./errors.ts";

export type { Connection, ConnectionOptions, TlsOptions } from "./address.ts";

// Connections to Redis. The packages bullmq and ioredis are optional peers, so they are imported when they are needed.

/** The options of ioredis that a connection gives. */
export type RedisAddress = Pick<RedisOptions, "host" | "port" | "db" | "username" | "password" | "tls">;

const OPTIONS = ["url", "username", "password", "tls"] as const;
const TLS_OPTIONS = ["ca", "cert", "key", "servername"] as const;
const FORM = "redis://[user[:password]@]host[:port][/database], or rediss:// for TLS";

/** The address of Redis for messages: without user and password. */
export function addressOf({ host, port, db, tls }: RedisAddress): string {
  const name = host?.includes(":") ? `[${host}]` : host;
  return `${tls === undefined ? "redis" : "rediss"}://${name}:${port}${db === undefined || db === 0 ? "" : `/${db}`}`;
}

/** The options of ioredis for a connection. @throws ValueError, which never contains the password. */
export function readConnection(who: string, connection: Connection): RedisAddress {
  const given = typeof connection === "string" ? { url: connection } : connection;
  if (typeof given !== "object" || given === null)
    throw new ValueError(who, `connection must be a URL or an object with a URL, got ${describe(connection)}`);
  const { url, username, password, tls } = readOptions(who, given, OPTIONS);
  const parts = partsOf(who, readText(who, "connection.url", url));
  if (username !== undefined) readText(who, "connection.username", username);
  if (password !== undefined && typeof password !== "string") throw new ValueError(who, "connection.password must be a string");
  const secure = parts.tls === undefined && tls === undefined ? undefined : readTls(who, parts.tls !== undefined, tls);
  return {
    ...parts,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(secure === undefined ? {} : { tls: secure }),
  };
}

function partsOf(who: string, text: string): RedisAddress {
  const refuse = (why: string): never => {
    throw new ValueError(who, `the URL of Redis ${why}; its form is ${FORM}`);
  };
  const url = URL.canParse(text) ? new URL(text) : refuse("cannot be read");
  if (url.protocol !== "redis:" && url.protocol !== "rediss:") refuse(`begins with ${url.protocol}//`);
  if (url.hostname === "") refuse("has no host");
  if (url.search !== "" || url.hash !== "") refuse("has a query or a fragment");
  const database =
    /^\/?(\d{0,4})$/.exec(url.pathname)?.[1] ?? refuse(`has the path ${url.pathname}, which is no database number`);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 6379 : Number(url.port),
    db: Number(database),
    ...(url.username === "" ? {} : { username: decoded(url.username, refuse) }),
    ...(url.password === "" ? {} : { password: decoded(url.password, refuse) }),
    ...(url.protocol === "rediss:" ? { tls: {} } : {}),
  };
}

function decoded(text: string, refuse: (why: string) => never): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse("has a user or password with a % that begins no escape such as %25");
  }
}

function readTls(who: string, isSecure: boolean, given: TlsOptions | undefined): NonNullable<RedisAddress["tls"]> {
  const tls = readOptions(who, given === undefined ? undefined : readObject(who, "connection.tls", given), TLS_OPTIONS);
  if (given !== undefined && !isSecure) throw new ValueError(who, "connection.tls needs a URL that begins with rediss://");
  const { ca, cert, key, servername } = tls;
  if (servername !== undefined) readText(who, "connection.tls.servername", servername);
  for (const [name, value] of Object.entries({ ca, cert, key }))
    if (value !== undefined && typeof value !== "string" && !(value instanceof Uint8Array))
      throw new ValueError(who, `connection.tls.${name} must be PEM text or bytes`);
  const pem = (value: string | Uint8Array): string | Buffer => (typeof value === "string" ? value : Buffer.from(value));
  return {
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(servername === undefined ? {} : { servername }),
  };
}

/** Imports an optional package. @throws DistributedError with the command that installs the package. */
export async function optional<T>(who: string, name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    const isMissing = (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") && String(message).includes(name);
    if (!isMissing) throw error;
    throw new DistributedError(who, `the package ${name} is not installed: npm install bullmq@6 ioredis@6`, { cause: error });
  }
}

/** The package bullmq. @throws DistributedError if it is not installed. */
export const loadBullmq = (who: string): Promise<typeof import("bullmq")> => optional(who, "bullmq", () => import("bullmq"));

const loadIoredis = (who: string): Promise<Pick<typeof import("ioredis"), "Redis">> =>
  optional(who, "ioredis", () => import("ioredis"));

/** Options of `openRedis`. */
type OpenOptions = {
  /** For how many seconds to retry if Redis cannot be reached (default 5). */
  readonly patience?: number;
  /** Receives every later error of the connection, such as a refused reconnection (default: errors are ignored). */
  readonly onError?: (error: Error) => void;
};

/** Milliseconds between two attempts to connect: they grow by 50 to at most 1000. */
const pause = (attempt: number): number => Math.min(50 * attempt, 1000);

/**
 * Opens a connection to Redis. Afterwards the client reconnects by itself, and commands wait for the connection. The
 * client fits BullMQ, which takes clients but closes only those that it opened itself. Close it with `disconnect()`.
 * @param who - the name of the function that errors name
 * @param connection - the address of Redis
 * @throws DistributedError if Redis cannot be reached within `patience` seconds, or refuses user, password or
 * certificate. ValueError for a connection of the wrong form.
 */
export async function openRedis(who: string, connection: Connection, options: OpenOptions = {}): Promise<Redis> {
  const { patience = 5, onError } = options;
  readNumber(who, "patience", patience, { least: 0 });
  const address = readConnection(who, connection);
  const { Redis } = await loadIoredis(who);
  const end = performance.now() + 1000 * patience;
  for (let attempt = 1; ; attempt++) {
    let isOpen = false;
    let cause: Error | null = null;
    const client = new Redis({
      ...address,
      protocol: 2, // BullMQ 6 is tested with it
      lazyConnect: true,
      maxRetriesPerRequest: null, // BullMQ requires it: its commands wait for the connection
      retryStrategy: (times) => (isOpen ? pause(times) : null),
    });
    client.on("error", (error: Error) => {
      cause = error;
      if (isOpen) onError?.(error);
    });
    try {
      await client.connect();
      await client.ping();
      isOpen = true;
      return client;
    } catch (error) {
      client.disconnect();
      const reason: Error = cause ?? (error as Error);
      if (performance.now() < end && !isFinal(reason)) await new Promise((resolve) => setTimeout(resolve, pause(attempt)));
      else throw new DistributedError(who, `cannot use Redis at ${addressOf(address)}: ${reasonOf(reason)}`, { cause: reason });
    }
  }
}

/** What Redis or TLS refuse will be refused again. */
const isFinal = ({ message, code }: Error & { readonly code?: unknown }): boolean =>
  /^(?:NOAUTH|WRONGPASS|NOPERM|ERR )/.test(message) || /CERT|SELF_SIGNED|SSL|TLS/.test(String(code ?? ""));

/** The message of an error. Attempts with several addresses of a host fail with a list of errors and no message. */
function reasonOf(error: Error): string {
  if (error.message !== "") return error.message;
  const list = error instanceof AggregateError ? (error.errors as readonly Error[]) : [];
  return (
    list.map(({ message }) => message).join("; ") || String((error as { readonly code?: unknown }).code ?? "no reason given")
  );
}
