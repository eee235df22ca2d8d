// The globals outside the language that the core may use: each is in Node and in browsers alike. Only
// tsconfig.core.json reads this file; what is not here, the core does not have. It is no part of the build.

declare class TextEncoder {
  /** The text in UTF-8. */
  encode(text?: string): Uint8Array<ArrayBuffer>;
}

declare class TextDecoder {
  constructor(label?: 'utf-8' | 'latin1', options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: Uint8Array): string;
}

/** A number in browsers, an object in Node. */
type TimerHandle = number | { unref(): unknown };

declare function setTimeout(callback: () => void, delayMs: number): TimerHandle;
declare function clearTimeout(handle: TimerHandle | undefined): void;
declare function queueMicrotask(callback: () => void): void;

declare const performance: {
  /** Milliseconds since an origin of the host's choice; never runs backwards. */
  now(): number;
};
