/**
 * The one error class. Configuration, text and misuse of an interface throw it; packets never do (see reason.ts).
 */

/** What went wrong, for programs. The message is for people. */
export type ErrorCode =
  | 'bad-address'
  | 'bad-argument'
  | 'bad-config'
  | 'bad-flow-text'
  | 'bad-action-text'
  | 'bad-option'
  | 'bad-capture'
  | 'already-exists'
  | 'not-found'
  | 'unsupported-action'
  | 'unsupported-platform'
  | 'out-of-range'
  | 'flow-limit'
  | 'closed'
  | 'busy'
  | 'command-failed'
  | 'io-failed';

/**
 * Thrown for configuration, text and misuse. `value` is what was given, `allowed` says in words what would have been right.
 */
export class MegaflowError extends Error {
  readonly code: ErrorCode;
  readonly value: unknown;
  readonly allowed: string;

  constructor(code: ErrorCode, message: string, value: unknown, allowed: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'MegaflowError';
    this.code = code;
    this.value = value;
    this.allowed = allowed;
  }
}
