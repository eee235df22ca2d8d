/**
 * Capture files on disk: written frame by frame as they pass a port, read frame by frame. The formats and their rules
 * are those of `io/`. Reading and writing block for as long as the disk does: fine for tests and tools, and not for a
 * switch that is to be fast.
 */
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import type { CaptureSink, CaptureWriter, CapturedFrame } from '../io/capture.js';
import { createCaptureReader } from '../io/capture-reader.js';
import { createPcapWriter } from '../io/pcap.js';
import { MegaflowError } from '../util/errors.js';

/** Bytes that are read at once. */
const CHUNK = 65_536;

export interface CaptureFile {
  /**
   * Appends a frame: made for `capturePort`. After `close` it does nothing. Throws `io-failed`, and `out-of-range` for
   * what the format cannot hold.
   */
  readonly sink: CaptureSink;
  close(): void;
  [Symbol.dispose](): void;
}

/**
 * Creates the file at `path`, or empties the one that is there, and writes the header of `writer` (default: pcap with
 * microseconds). Throws `io-failed`.
 */
export function createCaptureFile(path: string, writer: CaptureWriter = createPcapWriter()): CaptureFile {
  const descriptor = attempt(path, () => openSync(path, 'w'));
  let isOpen = true;
  const append = (bytes: Uint8Array): void => attempt(path, () => writeFileSync(descriptor, bytes));
  const close = (): void => {
    if (isOpen) closeSync(descriptor);
    isOpen = false;
  };
  append(writer.header);
  return {
    sink(captured) {
      if (isOpen) append(writer.write(captured));
    },
    close,
    [Symbol.dispose]: close,
  };
}

/**
 * The frames of the capture at `path`, pcap or pcapng, one after the other: the file is read as they are asked for, and
 * closed when there are no more or nobody asks. Throws `io-failed`, and `bad-capture` behind the frames that are sound.
 */
export function* readCapture(path: string): Generator<CapturedFrame, void, undefined> {
  const descriptor = attempt(path, () => openSync(path, 'r'));
  try {
    const reader = createCaptureReader();
    const chunk = new Uint8Array(CHUNK);
    for (let length; (length = attempt(path, () => readSync(descriptor, chunk))) > 0; ) {
      yield* reader.push(chunk.subarray(0, length));
    }
    reader.end();
  } finally {
    closeSync(descriptor);
  }
}

/** What the system refuses is told as `io-failed`, with its error as the cause. */
function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new MegaflowError('io-failed', message, path, 'a file that can be opened', { cause: error });
  }
}
