/**
 * UDP sockets as ports use them: bound before anybody sees them, and sending from memory of their own.
 *
 * A datagram that the system does not take at once waits in Node, which keeps a reference to its bytes; so bytes are
 * copied into a ring, and what does not fit behind those that wait is dropped. Memory stays what it was at the start.
 */
import { createSocket, type Socket } from 'node:dgram';
import { Reason } from '../util/reason.js';
import type { DatagramEndpoint } from './endpoint.js';
import { formatEndpoint } from './endpoint.js';
import { ioError, sendReason } from './io-error.js';

/** The longest datagram, and thus the most that is left unused where the ring begins anew. */
const LONGEST = 65_536;

/** Names are looked up when a port is opened; what is sent to is an address, and is answered at once, within `send`. */
const answerAtOnce = (
  host: string,
  _options: unknown,
  callback: (error: Error | null, address: string, family: number) => void,
): void => callback(null, host, host.includes(':') ? 6 : 4);

/**
 * What Linux is asked to hold of what a socket received: bursts come while a process is not running, and by default 90 full
 * frames fit. It gives twice that, or twice what net.core.rmem_max allows; other systems refuse what they do not allow.
 */
const RECEIVE_BYTES = process.platform === 'linux' ? 1 << 22 : undefined;

/** Opens a socket and binds it; port 0 is one that the system chooses. Rejects as `ioError` says. */
export async function bindSocket(
  { host, port, family }: DatagramEndpoint,
  receiveBytes = RECEIVE_BYTES,
): Promise<Socket> {
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    ipv6Only: family === 6,
    recvBufferSize: receiveBytes,
    lookup: answerAtOnce as never,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, host, () => {
        socket.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    socket.close();
    throw ioError(error, `cannot bind UDP ${formatEndpoint({ host, port })}`, formatEndpoint({ host, port }), {
      EACCES: 'root, or a port from 1024 on',
    });
  }
  return socket;
}

/** Closes a socket and answers when it is closed; what is closed already stays so. */
export function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    try {
      socket.close(() => resolve());
    } catch {
      resolve();
    }
  });
}

/** What becomes of datagrams: called once for each that was handed over, with 0 or the reason why it is lost. */
export type SendResult = (reason: Reason, length: number) => void;

export class DatagramSender {
  readonly #socket: Socket;
  readonly #ring: Uint8Array;
  readonly #done: (error: Error | null, bytes: number) => void;
  /** Where the next datagram goes; those that wait lie before it. */
  #at = 0;

  /** `ringBytes` is at least four times 65,536: beside what waits there is room for one that begins anew. */
  constructor(socket: Socket, ringBytes: number, result: SendResult) {
    this.#socket = socket;
    this.#ring = new Uint8Array(Math.max(ringBytes, 4 * LONGEST));
    this.#done = (error, bytes) => (error ? result(sendReason(error), 0) : result(Reason.sound, bytes));
  }

  /**
   * Sends `prefix` and a frame as one datagram. Answers 0 when it was handed over (`result` then tells the rest, once the
   * work in hand is done), or the reason why not.
   */
  send(
    prefix: Uint8Array | undefined,
    bytes: Uint8Array,
    start: number,
    length: number,
    port: number,
    address: string,
  ): Reason {
    const before = prefix === undefined ? 0 : prefix.length;
    const total = before + length;
    const ring = this.#ring;
    if (total > 65_507) return Reason.frameTooLong;
    if (this.#socket.getSendQueueSize() + total + 2 * LONGEST > ring.length) return Reason.queueFull;
    if (this.#at + total > ring.length) this.#at = 0;
    const at = this.#at;
    if (prefix !== undefined) ring.set(prefix, at);
    ring.set(bytes.subarray(start, start + length), at + before);
    this.#at = at + total;
    try {
      this.#socket.send(ring, at, total, port, address, this.#done);
    } catch (error) {
      return sendReason(error);
    }
    return Reason.sound;
  }
}
