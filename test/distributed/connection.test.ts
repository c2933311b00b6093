import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addressOf, type Connection, openRedis, optional, readConnection } from "../../src/distributed/connection.ts";
import { thrown } from "../thrown.ts";
import { freePort, isRedisMissing, type RedisServer, startRedis } from "./redis-server.ts";

const options = (connection: unknown): unknown => readConnection("f", connection as Connection);
const refusal = (connection: unknown): string => thrown(() => options(connection));
const FORM = "its form is redis://[user[:password]@]host[:port][/database], or rediss:// for TLS";

describe("the address of Redis", () => {
  test("a URL gives host, port, database, user, password and TLS", () => {
    expect(options("redis://localhost")).toEqual({ host: "localhost", port: 6379, db: 0 });
    expect(options("rediss://me:p%40ss@[::1]:7000/3")).toEqual({
      ...{ host: "::1", port: 7000, db: 3, username: "me", password: "p@ss", tls: {} },
    });
    expect(options("redis://:secret@10.0.0.1")).toEqual({ host: "10.0.0.1", port: 6379, db: 0, password: "secret" });
  });

  test("options take precedence over the URL", () => {
    const tls = { ca: "PEM", servername: "cache" };
    expect(options({ url: "rediss://a:b@h", username: "me", password: "secret", tls })).toEqual({
      ...{ host: "h", port: 6379, db: 0, username: "me", password: "secret", tls },
    });
  });

  test("an address in a message has no password", () => {
    const addresses = ["rediss://me:secret@[::1]:7000/3", "redis://h"].map((url) => addressOf(readConnection("f", url)));
    expect(addresses).toEqual(["rediss://[::1]:7000/3", "redis://h:6379"]);
  });

  test.each([
    ["http://h", `ValueError: f: the URL of Redis begins with http://; ${FORM}`],
    ["secret", `ValueError: f: the URL of Redis cannot be read; ${FORM}`],
    ["redis://", `ValueError: f: the URL of Redis has no host; ${FORM}`],
    ["redis://h/x", `ValueError: f: the URL of Redis has the path /x, which is no database number; ${FORM}`],
    ["redis://h?tls=1", `ValueError: f: the URL of Redis has a query or a fragment; ${FORM}`],
    [
      "redis://:%ff@h",
      `ValueError: f: the URL of Redis has a user or password with a % that begins no escape such as %25; ${FORM}`,
    ],
    [{ url: "redis://h", tls: {} }, "ValueError: f: connection.tls needs a URL that begins with rediss://"],
    [{ url: "rediss://h", tls: { ca: 3 } }, "ValueError: f: connection.tls.ca must be PEM text or bytes"],
    [{ url: "redis://h", password: 3 }, "ValueError: f: connection.password must be a string"],
    [{ url: "redis://h", pasword: "x" }, 'ValueError: f: unknown option "pasword"; did you mean "password"?'],
    [7, "ValueError: f: connection must be a URL or an object with a URL, got 7"],
  ])("%o is refused", (connection, message) => expect(refusal(connection)).toBe(message));
});

test("a missing package gives the command that installs it", async () => {
  const error = await optional("f", "not-installed", () => import("not-installed" as string)).catch((error: unknown) => error);
  expect(String(error)).toBe("DistributedError: f: the package not-installed is not installed: npm install bullmq@6 ioredis@6");
  const broken = optional("f", "bullmq", () => Promise.reject(new Error("broken")));
  await expect(broken).rejects.toThrow("broken");
});

describe.skipIf(isRedisMissing())("a connection", () => {
  const read = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");
  const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  let redis: RedisServer;
  let secure: RedisServer;
  beforeAll(async () => {
    redis = await startRedis(["--requirepass", "secret"]);
    const port = await freePort();
    secure = await startRedis([
      ...["--tls-port", String(port), "--tls-auth-clients", "no"],
      ...["--tls-cert-file", path("tls-certificate.pem"), "--tls-key-file", path("tls-key.pem")],
    ]);
    tlsUrl = `rediss://localhost:${port}`;
  });
  let tlsUrl = "";
  afterAll(() => Promise.all([redis?.remove(), secure?.remove()]));

  const failure = async (connection: Connection): Promise<string> => {
    const result = await openRedis("f", connection, { patience: 0.2 }).catch((error: unknown) => error);
    return result instanceof Error ? `${result.name}: ${result.message}` : "connected";
  };

  test("opens with a password, in the URL or beside it", async () => {
    for (const connection of [redis.url.replace("//", "//:secret@"), { url: redis.url, password: "secret" }]) {
      const client = await openRedis("f", connection);
      expect(await client.ping()).toBe("PONG");
      client.disconnect();
    }
  });

  test("names what Redis refuses, without the password", async () => {
    const prefix = `DistributedError: f: cannot use Redis at ${redis.url}: `;
    expect(await failure(redis.url)).toBe(`${prefix}NOAUTH Authentication required.`);
    expect(await failure({ url: redis.url, password: "wrong" })).toBe(
      `${prefix}WRONGPASS invalid username-password pair or user is disabled.`,
    );
  });

  test("names a Redis that does not run", async () => {
    const port = await freePort();
    expect(await failure(`redis://127.0.0.1:${port}`)).toBe(
      `DistributedError: f: cannot use Redis at redis://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
    );
  });

  test("verifies the certificate of TLS", async () => {
    const client = await openRedis("f", { url: tlsUrl, tls: { ca: read("tls-certificate.pem") } });
    expect(await client.ping()).toBe("PONG");
    client.disconnect();
    expect(await failure(tlsUrl)).toMatch(/^DistributedError: f: cannot use Redis at rediss:.*: self-signed certificate/);
    const tls = { ca: read("tls-certificate.pem"), servername: "elsewhere" };
    expect(await failure({ url: tlsUrl, tls })).toMatch(/does not match certificate's altnames/);
  });

  test("reconnects when Redis has been restarted; commands wait", async () => {
    const own = await startRedis();
    const errors: Error[] = [];
    let client: Redis | null = null;
    try {
      client = await openRedis("f", own.url, { onError: (error) => errors.push(error) });
      await own.stop("SIGKILL");
      const answer = client.ping();
      await new Promise((resolve) => setTimeout(resolve, 200));
      await own.start();
      expect(await answer).toBe("PONG");
      expect(errors[0]?.message).toContain("ECONNREFUSED");
    } finally {
      client?.disconnect();
      await own.remove();
    }
  });
});
