/** Where sockets are: `HOST:PORT`, `[IPV6]:PORT`, or the path of a Unix socket; and names made addresses. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { MegaflowError } from '../util/errors.js';
import { ioError } from './io-error.js';

export interface InternetEndpoint {
  readonly host: string;
  readonly port: number;
}

export interface UnixEndpoint {
  readonly path: string;
}

/** Where a datagram comes from or goes to: an address, not a name. */
export interface DatagramEndpoint extends InternetEndpoint {
  readonly family: 4 | 6;
}

const ALLOWED = 'HOST:PORT, or [ADDRESS]:PORT for IPv6';

/** Reads `HOST:PORT` or `[ADDRESS]:PORT`. `leastPort` is 0 where the system may choose. Throws `bad-address`. */
export function parseInternetEndpoint(text: string, leastPort = 1): InternetEndpoint {
  const match = typeof text === 'string' ? /^(?:\[([^\]]+)\]|([^:[\]/]*)):(\d{1,5})$/.exec(text) : null;
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2] ?? '';
  if (match === null || port < leastPort || port > 65_535 || (match[1] !== undefined && isIP(host) !== 6)) {
    throw new MegaflowError('bad-address', `no address and port: ${String(text)}`, text, ALLOWED);
  }
  return { host, port };
}

/**
 * Reads what a stream may be bound or connected to: `HOST:PORT`, and all else is the path of a Unix socket. A path that
 * looks like an address is written with a directory (`./a:1`). Throws `bad-address`.
 */
export function parseStreamEndpoint(text: string, leastPort = 1): InternetEndpoint | UnixEndpoint {
  if (typeof text !== 'string' || text === '' || text.includes('\0')) {
    throw new MegaflowError('bad-address', `no socket: ${String(text)}`, text, `a path, ${ALLOWED}`);
  }
  if (/^(\[[^\]]*\]|[^/:]*):\d+$/.test(text)) return parseInternetEndpoint(text, leastPort);
  // The system cuts longer paths off without a word.
  if (new TextEncoder().encode(text).length > 107) {
    throw new MegaflowError('bad-address', `the path of a Unix socket is too long: ${text}`, text, 'at most 107 bytes');
  }
  return { path: text };
}

/** The endpoint with its name looked up; an empty name is any address of `family`. Rejects with `not-found`. */
export async function resolveEndpoint(endpoint: InternetEndpoint, family: 4 | 6 = 4): Promise<DatagramEndpoint> {
  const { host, port } = endpoint;
  const known = isIP(host);
  if (known !== 0) return { host, port, family: known as 4 | 6 };
  if (host === '') return { host: family === 4 ? '0.0.0.0' : '::', port, family };
  try {
    const found = await lookup(host);
    return { host: found.address, port, family: found.family as 4 | 6 };
  } catch (error) {
    throw ioError(error, `cannot find the address of ${host}`, host, {
      ENOTFOUND: 'a name that exists, or an address',
    });
  }
}

/** The text of an endpoint: `[fd00::1]:4789`. */
export function formatEndpoint({ host, port }: InternetEndpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
