/**
 * A port that speaks with QEMU's `-netdev stream` (qemu(1); and with its older `-netdev socket,listen=` and `connect=`),
 * over Unix sockets or TCP, as either side: frames in a stream, each behind its length in four bytes, big-endian.
 * `-netdev dgram` puts no length before a frame: that is `openUdpPort`. There are no Unix datagram sockets in Node.
 *
 * Sending, a burst of frames is one write. What the peer does not take waits in a buffer of fixed size, and beyond it is
 * dropped and counted; a frame counts as sent when the system has it. Receiving, nothing is dropped: the stream is read on when the datapath has taken what was read.
 *
 * A server has one peer, the one that connected last: a machine that was killed and comes again must not be kept out by
 * what is left of its former self. A client connects again and again until it is closed.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { PortCounters, type PortHost } from '../io/port.js';
import { checkMtu, checkOption, ETHERNET_HEADER, fitsMtu } from '../io/queue.js';
import { get32, put32 } from '../util/bytes.js';
import { MegaflowError } from '../util/errors.js';
import { Reason } from '../util/reason.js';
import { formatEndpoint, parseStreamEndpoint } from './endpoint.js';
import { ioError } from './io-error.js';
import { createLifecycle, type NodePort, type NodePortOptions } from './node-port.js';
import { listen } from './stream-server.js';

/** QEMU's NET_BUFSIZE (include/net/net.h): no frame is longer, and who announces more is out of step. */
const LONGEST_FRAME = 4096 + 65_536;

const nobody = 'somebody who listens there, such as QEMU with -netdev stream,server=on,...: it is tried again';
const remedies = { ENOENT: nobody, ECONNREFUSED: nobody };

export interface QemuPortOptions extends NodePortOptions {
  /** Path of a Unix socket, or `HOST:PORT` (port 0: any), to listen on. Either this or `connect`. */
  listen?: string;
  /** Path or `HOST:PORT` to connect to. */
  connect?: string;
  /** How long a client waits before it connects again, 1 to 3,600,000 ms. Default 1000. */
  reconnectMs?: number;
  /** Bytes that wait for the peer, 65,536 to 1 GiB. Default 1 MiB. */
  bufferBytes?: number;
}

export interface QemuPort extends NodePort {
  /** The path or `HOST:PORT` that it listens on or connects to, with the port that it got. */
  readonly address: string;
  /** Whether there is a peer now. */
  readonly isConnected: boolean;
  /** How often a peer was there so far. */
  readonly connections: number;
  /** Why there is no peer, as far as the system said; undefined while there is one. */
  readonly lastError: MegaflowError | undefined;
}

/**
 * Opens the port: a server when it listens, a client before it is connected. Rejects with `bad-address`, `bad-option`,
 * `already-exists` (somebody listens there), `not-found` (no such directory), `io-failed`.
 */
export async function openQemuPort(options: QemuPortOptions): Promise<QemuPort> {
  const { name, signal } = options;
  const mtu = checkMtu(options.mtu ?? 1500);
  const reconnectMs = checkOption('reconnectMs', options.reconnectMs ?? 1000, 1, 3_600_000);
  const bufferBytes = checkOption('bufferBytes', options.bufferBytes ?? 1 << 20, 65_536, 1 << 30);
  const place = options.listen ?? options.connect;
  if (place === undefined || (options.listen !== undefined && options.connect !== undefined)) {
    throw new MegaflowError('bad-option', `${name}: a peer is needed`, undefined, 'either listen or connect');
  }
  const endpoint = parseStreamEndpoint(place, options.listen === undefined ? 1 : 0);
  const counters = new PortCounters();
  let host: PortHost | undefined;
  let server: Server | undefined;
  let peer: Peer | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let connections = 0;
  let connecting: Socket | undefined;
  let lastError: MegaflowError | undefined;
  const fail = (error: unknown): void => {
    lastError = ioError(error, `no peer at ${place}`, place, remedies);
  };

  const lifecycle = createLifecycle(signal, async () => {
    clearTimeout(retry);
    connecting?.destroy();
    peer?.socket.destroy();
    if (server?.listening) await new Promise((resolve) => server?.close(resolve));
  });
  const { close, closed } = lifecycle;

  const meet = (socket: Socket): void => {
    const last = peer;
    peer = createPeer(socket, counters, mtu, () => host?.wake());
    connections++;
    lastError = undefined;
    last?.socket.destroy();
    if (host !== undefined) peer.start();
    const self = peer;
    // A client tries again, a server waits.
    let reason: unknown = new Error('the connection was closed');
    socket.on('error', (error) => {
      reason = error;
    });
    socket.on('close', () => {
      if (peer !== self) return;
      fail(reason);
      peer = undefined;
      if (server === undefined) connectLater();
    });
  };

  const connectLater = (): void => {
    if (lifecycle.isOpen) retry = setTimeout(connectNow, reconnectMs);
  };

  const connectNow = (): void => {
    const socket = connect({ ...endpoint, noDelay: true });
    connecting = socket;
    const again = (error: Error): void => {
      connecting = undefined;
      fail(error);
      connectLater();
    };
    socket.once('error', again);
    socket.once('connect', () => {
      connecting = undefined;
      socket.off('error', again);
      meet(socket);
    });
  };

  let address = place;
  if (options.listen === undefined) connectNow();
  else {
    server = createServer({ noDelay: true }, meet);
    try {
      await listen(server, endpoint);
    } catch (error) {
      await close();
      signal?.throwIfAborted();
      throw error;
    }
    if (!lifecycle.isOpen) {
      server.close();
      signal?.throwIfAborted();
    }
    const bound = server.address();
    if (bound !== null && typeof bound === 'object')
      address = formatEndpoint({ host: bound.address, port: bound.port });
  }

  return {
    name,
    mtu,
    counters,
    address,
    get isConnected() {
      return peer !== undefined;
    },
    get connections() {
      return connections;
    },
    get lastError() {
      return lastError;
    },
    attach(to) {
      host = to;
      peer?.start();
    },
    detach() {
      host = undefined;
    },
    receive(burst, room) {
      return host === undefined || peer === undefined ? 0 : peer.receive(host, burst, room);
    },
    send(burst, count) {
      if (host === undefined) return;
      const { pool } = host;
      if (peer === undefined || !lifecycle.isOpen) {
        counters.txDrops[Reason.portClosed] += count;
        return;
      }
      let free = bufferBytes - peer.socket.writableLength;
      let total = 0;
      let frames = 0;
      for (let index = 0; index < count; index++) {
        const handle = burst[index];
        const length = pool.length[handle];
        if (!fitsMtu(pool.bytes, pool.offset[handle], length, mtu)) {
          counters.txDrops[Reason.mtuExceeded]++;
        } else if (free < length + 4) {
          counters.txDrops[Reason.queueFull]++;
        } else {
          free -= length + 4;
          total += length + 4;
          chosen[frames++] = handle;
        }
      }
      if (frames === 0) return;
      const bytes = new Uint8Array(total);
      let at = 0;
      for (let index = 0; index < frames; index++) {
        const handle = chosen[index];
        const length = pool.length[handle];
        put32(bytes, at, length);
        bytes.set(pool.frame(handle), at + 4);
        at += length + 4;
      }
      // Called with an error for what waited when the connection ended.
      peer.socket.write(bytes, (error) => {
        if (error) counters.txDrops[Reason.portClosed] += frames;
        else {
          counters.txPackets += frames;
          counters.txBytes += total - 4 * frames;
        }
      });
    },
    closed,
    close: () => close(),
    [Symbol.asyncDispose]: () => close(),
  };
}

/** Handles of one write; `send` is never entered twice at a time. A datapath sends at most 256 at once. */
const chosen = new Int32Array(65_536);

/** A connection: what was read and is not taken yet. */
interface Peer {
  readonly socket: Socket;
  /** Begins to read. */
  start(): void;
  receive(host: PortHost, burst: Int32Array, room: number): number;
}

/**
 * Frames are taken straight from the chunks that the system gave. One that spans two of them is put together in
 * `partial`; while a chunk is not used up, no other is read.
 */
function createPeer(socket: Socket, counters: PortCounters, mtu: number, wake: () => void): Peer {
  const partial = new Uint8Array(4 + LONGEST_FRAME);
  let partialLength = 0;
  let chunk: Uint8Array | undefined;
  let at = 0;
  let isStarted = false;

  socket.pause();
  socket.on('data', (data: Uint8Array) => {
    chunk = data;
    at = 0;
    socket.pause();
    wake();
  });

  /** Copies to `partial` what is missing to `wanted` bytes, as far as it is there; whether it is. */
  const gather = (wanted: number): boolean => {
    const bytes = chunk as Uint8Array;
    const taken = Math.min(wanted - partialLength, bytes.length - at);
    partial.set(bytes.subarray(at, at + taken), partialLength);
    partialLength += taken;
    at += taken;
    return partialLength === wanted;
  };

  /** One frame, behind its length, into a slot; -1: none was made of it. */
  const take = (host: PortHost, bytes: Uint8Array, start: number, length: number): number => {
    const { pool } = host;
    let reason: Reason = Reason.sound;
    if (length < ETHERNET_HEADER) reason = Reason.runt;
    else if (!fitsMtu(bytes, start, length, mtu)) reason = Reason.mtuExceeded;
    else if (!pool.fits(length)) reason = Reason.frameTooLong;
    if (reason === Reason.sound) {
      const handle = pool.allocate();
      if (handle >= 0) {
        pool.bytes.set(bytes.subarray(start, start + length), pool.offset[handle]);
        pool.length[handle] = length;
        counters.rxPackets++;
        counters.rxBytes += length;
        return handle;
      }
      reason = Reason.poolExhausted;
    }
    counters.rxDrops[reason]++;
    return -1;
  };

  /** A length that no frame has: there is no way to find the next one. */
  const giveUp = (): void => {
    counters.rxDrops[Reason.badTotalLength]++;
    chunk = undefined;
    socket.destroy();
  };

  return {
    socket,
    start() {
      if (isStarted) {
        if (chunk !== undefined) wake();
        return;
      }
      isStarted = true;
      socket.resume();
    },
    receive(host, burst, room) {
      let taken = 0;
      while (taken < room && chunk !== undefined) {
        let handle = -1;
        if (partialLength > 0 || chunk.length - at < 4) {
          if (partialLength < 4 && !gather(4)) break;
          const length = get32(partial, 0);
          if (length > LONGEST_FRAME) giveUp();
          else if (gather(4 + length)) {
            handle = take(host, partial, 4, length);
            partialLength = 0;
          } else break;
        } else {
          const length = get32(chunk, at);
          if (length > LONGEST_FRAME) giveUp();
          else if (chunk.length - at - 4 < length) {
            if (!gather(4 + length)) break;
          } else {
            handle = take(host, chunk, at + 4, length);
            at += 4 + length;
          }
        }
        if (handle >= 0) burst[taken++] = handle;
      }
      if (chunk !== undefined && at === chunk.length) {
        chunk = undefined;
        socket.resume();
      }
      return taken;
    },
  };
}
