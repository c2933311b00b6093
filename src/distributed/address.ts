// These types are public, so they must not import types of an optional package.

/** Certificates and keys, as PEM text or bytes. The certificate of the server is always verified. */
export type TlsOptions = {
  /** Certificates of the authorities that may sign the certificate of the server (default: those of Node.js). */
  readonly ca?: string | Uint8Array;
  /** The certificate of this client (default: none). */
  readonly cert?: string | Uint8Array;
  /** The private key of `cert` (default: none). */
  readonly key?: string | Uint8Array;
  /** The name that the certificate of the server must have (default: the host of the URL). */
  readonly servername?: string;
};

/** The address of Redis with options. */
export type ConnectionOptions = {
  /** `redis://[user[:password]@]host[:port][/database]`; `rediss://` uses TLS. */
  readonly url: string;
  /** The user (default: that of the URL). */
  readonly username?: string;
  /** The password (default: that of the URL). */
  readonly password?: string;
  /** Options of TLS, for a URL that begins with `rediss://` (default: none). */
  readonly tls?: TlsOptions;
};

/** The address of Redis: a URL, or a URL with options. */
export type Connection = string | ConnectionOptions;
