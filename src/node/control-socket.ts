/**
 * The socket on which `ovs-appctl` finds a switch: `ovs-appctl -t /path/to/socket dpctl/dump-flows`. It speaks Open
 * vSwitch's "unixctl" protocol (ovs-appctl(8)), JSON-RPC 1.0 over a Unix stream, and knows the commands of `appctl`.
 *
 * The socket is its owner's alone. A connection has one request at work at a time: those that follow wait until its
 * answer has been taken. What is no request ends the connection.
 */
import { createServer, type Socket } from 'node:net';
import { appctl } from '../control/appctl.js';
import type { VSwitch } from '../switch/vswitch.js';
import { MegaflowError } from '../util/errors.js';
import { parseStreamEndpoint } from './endpoint.js';
import { createJsonSplitter } from './json-splitter.js';
import { createLifecycle } from './node-port.js';
import { listen } from './stream-server.js';

/** Characters of a request; the longest that people type (a flow for `ofproto/trace`) has a few thousand. */
const LONGEST_REQUEST = 1 << 20;

export interface ControlSocketOptions {
  vswitch: VSwitch;
  /** Where it is made, with mode 0600; one that a dead process left behind is replaced. At most 107 bytes. */
  path: string;
  signal?: AbortSignal;
}

export interface ControlSocket {
  readonly path: string;
  /** Settles when the socket is closed. */
  readonly closed: Promise<MegaflowError | undefined>;
  /** Ends all connections, and removes the socket. The switch stays open. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opens the socket. Rejects with `bad-address`, `already-exists`, `not-found` (no such directory), `io-failed`. */
export async function openControlSocket(options: ControlSocketOptions): Promise<ControlSocket> {
  const { vswitch, path, signal } = options;
  const endpoint = parseStreamEndpoint(path);
  if (!('path' in endpoint)) {
    throw new MegaflowError('bad-address', `no path of a Unix socket: ${path}`, path, 'a path, such as ./switch.ctl');
  }
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => connections.delete(socket));
    serve(socket, vswitch);
  });
  const lifecycle = createLifecycle(signal, async () => {
    for (const socket of connections) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  });
  const { close, closed } = lifecycle;
  try {
    await listen(server, endpoint, true);
  } catch (error) {
    await close();
    signal?.throwIfAborted();
    throw error;
  }
  if (!lifecycle.isOpen) {
    server.close();
    signal?.throwIfAborted();
  }
  return { path, closed, close: () => close(), [Symbol.asyncDispose]: () => close() };
}

function serve(socket: Socket, vswitch: VSwitch): void {
  const splitter = createJsonSplitter(LONGEST_REQUEST);
  const waiting: string[] = [];
  let isBusy = false;

  const next = (): void => {
    isBusy = false;
    const text = waiting.shift();
    if (text === undefined) {
      socket.resume();
      return;
    }
    const reply = answer(text, vswitch);
    if (reply === undefined) {
      // What was answered before still gets there.
      socket.destroySoon();
      return;
    }
    isBusy = true;
    socket.pause();
    socket.write(reply, next);
  };

  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const requests = splitter.push(text);
    if (requests === undefined) {
      socket.destroySoon();
      return;
    }
    waiting.push(...requests);
    if (!isBusy) next();
  });
}

/** The reply to a request; undefined for what is none. */
function answer(text: string, vswitch: VSwitch): string | undefined {
  let request: unknown;
  try {
    request = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { id, method, params } = request as { id?: unknown; method?: unknown; params?: unknown };
  // Without an id it would be a notification, which nobody answers.
  if (id === undefined || id === null || typeof method !== 'string' || !Array.isArray(params)) return undefined;
  try {
    if (params.some((word) => typeof word !== 'string')) {
      throw new MegaflowError('command-failed', `"${method}" command has non-string argument`, params, 'strings');
    }
    return JSON.stringify({ id, result: endLine(appctl(vswitch, method, ...params)), error: null });
  } catch (error) {
    // Whatever a command throws is its caller's trouble and not the switch's end.
    return JSON.stringify({ id, error: endLine(error instanceof Error ? error.message : String(error)) });
  }
}

/** 3.1 ends every text with a newline, but leaves an empty one alone; later versions leave this to their client. */
function endLine(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
