/**
 * What the ports of Node have in common beside the `Port` contract: they open, and close by themselves, by `close`, by an
 * `AbortSignal` or at the end of an `await using`. An open port keeps the process alive; a closed one has nothing left
 * that would.
 */
import type { Port } from '../io/port.js';
import type { MegaflowError } from '../util/errors.js';

export interface NodePortOptions {
  /** The port's name, which a datapath shows. */
  name: string;
  /** 68 to 65,517 bytes after the Ethernet header. Default 1500. */
  mtu?: number;
  /** Closes the port when it is aborted; opening is then given up too, and rejects with the signal's reason. */
  signal?: AbortSignal;
}

export interface NodePort extends Port {
  /** Settles when the port is closed: with the error that ended it, or undefined. It never rejects. */
  readonly closed: Promise<MegaflowError | undefined>;
  /** Closes the port and answers when nothing of it is left. What comes later is dropped and counted. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a port ends, whoever ends it. */
export interface Lifecycle {
  readonly isOpen: boolean;
  readonly closed: Promise<MegaflowError | undefined>;
  close(error?: MegaflowError): Promise<void>;
}

/**
 * Calls `release` once: when `close` is called or the signal aborts, whichever comes first. When it has been aborted
 * already, `release` is called at once and the signal's reason is thrown.
 */
export function createLifecycle(signal: AbortSignal | undefined, release: () => void | Promise<void>): Lifecycle {
  if (signal?.aborted) {
    void release();
    throw signal.reason;
  }
  let isOpen = true;
  let settle: (error: MegaflowError | undefined) => void;
  const closed = new Promise<MegaflowError | undefined>((resolve) => {
    settle = resolve;
  });
  const onAbort = (): void => void close();
  const close = async (error?: MegaflowError): Promise<void> => {
    if (isOpen) {
      isOpen = false;
      signal?.removeEventListener('abort', onAbort);
      try {
        await release();
      } finally {
        settle(error);
      }
    }
    await closed;
  };
  signal?.addEventListener('abort', onAbort);
  return {
    get isOpen() {
      return isOpen;
    },
    closed,
    close,
  };
}
