/**
 * What the operating system refuses, told as a `MegaflowError`: a code for programs, and for people what was tried, what
 * the system said, and what can be done about it.
 */
import { MegaflowError, type ErrorCode } from '../util/errors.js';
import { Reason } from '../util/reason.js';

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  ENODEV: 'not-found',
  ENXIO: 'not-found',
  ENOTFOUND: 'not-found',
  EADDRNOTAVAIL: 'not-found',
  EADDRINUSE: 'already-exists',
  EEXIST: 'already-exists',
  EBUSY: 'busy',
};

const general: Readonly<Record<string, string>> = {
  EACCES: 'permission for it: another user (root, say), or other rights on the file',
  EPERM: 'permission for it: another user (root, say)',
  EADDRINUSE: 'an address and port that nobody else has: see who does with `ss -lnp`',
  EADDRNOTAVAIL: 'an address of this machine: see them with `ip address`',
  EMFILE: 'fewer open files, or a higher limit (`ulimit -n`)',
  ENOSPC: 'free space on the disk',
};

/** The system's name for an error, such as `ENOENT`; undefined for an error that is not the system's. */
export function errorName(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/**
 * Wraps what the system threw: `attempt` says what was tried (`cannot open /dev/tap4`), `value` is what was given,
 * `remedies` say by the system's name of an error what would help. The code is `not-found`, `already-exists`, `busy`, or
 * `io-failed` for all else; the cause is the system's own error. A `MegaflowError` is answered as it is.
 */
export function ioError(
  error: unknown,
  attempt: string,
  value: unknown,
  remedies: Readonly<Record<string, string>> = {},
): MegaflowError {
  if (error instanceof MegaflowError) return error;
  const name = errorName(error) ?? '';
  const remedy = remedies[name] ?? general[name];
  const said = error instanceof Error ? error.message : String(error);
  const message = remedy === undefined ? `${attempt}: ${said}` : `${attempt}: ${said}; needed: ${remedy}`;
  return new MegaflowError(codes[name] ?? 'io-failed', message, value, remedy ?? 'what the system accepts', {
    cause: error,
  });
}

/** The reason to count for a frame that the system refused to send. */
export function sendReason(error: unknown): Reason {
  switch (errorName(error)) {
    case 'EAGAIN':
    case 'ENOBUFS':
    case 'ENOMEM':
      return Reason.queueFull;
    case 'EMSGSIZE':
      return Reason.mtuExceeded;
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'ENETDOWN':
      return Reason.noRoute;
    case 'ECANCELED':
    case 'ERR_SOCKET_DGRAM_NOT_RUNNING':
      return Reason.portClosed;
    default:
      return Reason.sendFailed;
  }
}
