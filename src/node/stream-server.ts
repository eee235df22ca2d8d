/** Listening on Unix sockets and TCP: paths that a dead process left behind are taken over, those of others are not. */
import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { MegaflowError } from '../util/errors.js';
import { formatEndpoint, type InternetEndpoint, type UnixEndpoint } from './endpoint.js';
import { errorName, ioError } from './io-error.js';

/**
 * Listens. With `isPrivate`, a Unix socket is its owner's alone (mode 0600) from its first moment on; in a worker, which
 * cannot set a file mode mask, only from a moment later. Rejects with `already-exists`, `not-found`, `io-failed`.
 */
export async function listen(
  server: Server,
  endpoint: InternetEndpoint | UnixEndpoint,
  isPrivate = false,
): Promise<void> {
  const where = 'path' in endpoint ? endpoint.path : formatEndpoint(endpoint);
  try {
    await attempt(server, endpoint, isPrivate).catch(async (error: unknown) => {
      const isTaken = errorName(error) === 'EADDRINUSE' && 'path' in endpoint;
      if (!isTaken || !(await isAbandoned(endpoint.path))) throw error;
      unlinkSync(endpoint.path);
      await attempt(server, endpoint, isPrivate);
    });
  } catch (error) {
    // Node says EACCES of a directory that does not exist, too.
    if ('path' in endpoint && !existsSync(dirname(endpoint.path))) {
      const directory = dirname(endpoint.path);
      throw new MegaflowError(
        'not-found',
        `cannot listen on ${where}: no directory ${directory}`,
        where,
        'a directory that exists',
        {
          cause: error,
        },
      );
    }
    throw ioError(error, `cannot listen on ${where}`, where, {
      EADDRINUSE: 'a place where nobody listens, and no file: see who does with `ss -lp`',
    });
  }
}

function attempt(server: Server, endpoint: InternetEndpoint | UnixEndpoint, isPrivate: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const mask = isPrivate && isMainThread ? process.umask(0o177) : undefined;
    const onError = (error: Error): void => reject(error);
    const onClose = (): void => reject(new Error('it was closed before it listened'));
    try {
      server.once('error', onError);
      // Closed in this very moment, it says neither that it listens nor that it does not.
      server.once('close', onClose);
      // A Unix socket is bound within the call; what comes later is only the event.
      server.listen(endpoint, () => {
        server.off('error', onError);
        server.off('close', onClose);
        resolve();
      });
      if (isPrivate && !isMainThread && 'path' in endpoint && server.listening) chmodSync(endpoint.path, 0o600);
    } finally {
      if (mask !== undefined) process.umask(mask);
    }
  });
}

/** Whether a path is that of a Unix socket whose owner is gone. */
function isAbandoned(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    // A file that is no socket refuses in the same way, and must stay.
    const isSocket = (): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
    socket.once('error', (error) => resolve(errorName(error) === 'ECONNREFUSED' && isSocket()));
  });
}
