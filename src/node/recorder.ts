/**
 * Records what passes a port to capture files that begin anew when one is full, without ever waiting for the disk:
 * records wait in a bounded buffer, and what does not fit there is counted and not recorded. `createCaptureFile` is the
 * plain way for tools that may wait.
 *
 * Files are named as `tcpdump -C` names them: `path`, `path1`, `path2` …
 */
import { open, type FileHandle } from 'node:fs/promises';
import { capturePort, type CaptureDirection, type CaptureSink, type CaptureWriter } from '../io/capture.js';
import { createPcapngWriter } from '../io/pcapng.js';
import { createPcapWriter } from '../io/pcap.js';
import type { Port } from '../io/port.js';
import { checkOption } from '../io/queue.js';
import { systemClock, type Clock } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { ioError } from './io-error.js';
import { createLifecycle } from './node-port.js';

export interface RecorderOptions {
  /** The first file; what is there is replaced. */
  path: string;
  /** Default `pcap`, with microseconds; `pcapng` knows nanoseconds and directions. */
  format?: 'pcap' | 'pcapng';
  /** A record that would make a file longer than this many bytes begins the next one. Default: one file without end. */
  rotateBytes?: number;
  /** The most files, 1 to 10,000: after the last one the first is replaced. Default: as many as it takes. */
  files?: number;
  /** The most bytes that wait for the disk, 65,536 to 1 GiB. Default 4 MiB. */
  bufferBytes?: number;
  signal?: AbortSignal;
}

export interface Recorder {
  /** Takes a frame, made for `capturePort`. It never throws for want of room. */
  readonly sink: CaptureSink;
  /** Frames on their way to the disk or there, those that found no room, and the files begun so far. */
  readonly counts: { readonly recorded: number; readonly dropped: number; readonly files: number };
  /** Settles when all is on the disk and the file is closed: with the error that ended it, or undefined. */
  readonly closed: Promise<MegaflowError | undefined>;
  /** Writes what waits, and closes. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Records are gathered into pieces of so many bytes: a piece of each record took three times as long. */
const PIECE = 65_536;

const remedies = { ENOENT: 'a directory that exists', EISDIR: 'the path of a file' };

/** Creates the first file. Rejects with `not-found`, `io-failed`, `out-of-range`, `bad-option`. */
export async function openRecorder(options: RecorderOptions): Promise<Recorder> {
  const { path, signal, format = 'pcap' } = options;
  signal?.throwIfAborted();
  const limit = options.rotateBytes ?? Infinity;
  if (limit !== Infinity) checkOption('rotateBytes', limit, 1024, Number.MAX_SAFE_INTEGER);
  const files = options.files === undefined ? Infinity : checkOption('files', options.files, 1, 10_000);
  const bufferBytes = checkOption('bufferBytes', options.bufferBytes ?? 1 << 22, 65_536, 1 << 30);
  if (format !== 'pcap' && format !== 'pcapng') {
    throw new MegaflowError('bad-option', `no format of captures: ${String(format)}`, format, 'pcap or pcapng');
  }
  const writer: CaptureWriter = format === 'pcap' ? createPcapWriter() : createPcapngWriter();
  const counts = { recorded: 0, dropped: 0, files: 1 };

  /** What waits, file by file; the first of these is being written when `writing` says so. */
  let waiting: { number: number; chunks: Uint8Array[] }[] = [{ number: 0, chunks: [writer.header] }];
  let waitingBytes = writer.header.length;
  let fileBytes = writer.header.length;
  let handle: FileHandle | undefined;
  let current = -1;
  let writing: Promise<void> | undefined;
  /** The piece that records go to; those from `gathered` to `end` belong to the last file of `waiting`. */
  let piece = new Uint8Array(PIECE);
  let gathered = 0;
  let end = 0;

  /** Gives what was gathered to the file that it belongs to. */
  const seal = (): void => {
    if (end > gathered) waiting[waiting.length - 1].chunks.push(piece.subarray(gathered, end));
    gathered = end;
  };

  const gather = (record: Uint8Array): void => {
    if (end + record.length > PIECE) {
      seal();
      if (record.length > PIECE) {
        waiting[waiting.length - 1].chunks.push(record);
        return;
      }
      // What was given away is not written to again.
      piece = new Uint8Array(PIECE);
      gathered = end = 0;
    }
    piece.set(record, end);
    end += record.length;
  };

  const begin = async (number: number): Promise<void> => {
    const place = number % files;
    const file = place === 0 ? path : `${path}${place}`;
    try {
      await handle?.close();
      handle = undefined;
      handle = await open(file, 'w');
      current = number;
    } catch (error) {
      throw ioError(error, `cannot write ${file}`, file, remedies);
    }
  };

  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      seal();
      const taken = waiting;
      waiting = [];
      for (const { number, chunks } of taken) {
        if (number !== current) await begin(number);
        let length = 0;
        for (const chunk of chunks) length += chunk.length;
        // The system takes at most 1024 pieces at once.
        for (let at = 0; at < chunks.length; at += 1024)
          await (handle as FileHandle).writev(chunks.slice(at, at + 1024));
        waitingBytes -= length;
      }
    }
  };

  const start = (): void => {
    if (writing !== undefined || waiting.length === 0) return;
    writing = drain().then(
      () => {
        writing = undefined;
        start();
      },
      (error: unknown) => {
        waiting = [];
        gathered = end;
        writing = undefined;
        void lifecycle.close(ioError(error, `cannot write ${path}`, path, remedies));
      },
    );
  };

  const lifecycle = createLifecycle(signal, async () => {
    while (writing !== undefined) await writing;
    await handle?.close();
    handle = undefined;
  });
  const { close, closed } = lifecycle;
  try {
    await drain();
  } catch (error) {
    await close();
    throw ioError(error, `cannot write ${path}`, path, remedies);
  }
  if (!lifecycle.isOpen) {
    // Aborted meanwhile: what was opened after that is closed here.
    await (handle as FileHandle | undefined)?.close();
    signal?.throwIfAborted();
  }

  return {
    counts,
    closed,
    close: () => close(),
    [Symbol.asyncDispose]: () => close(),
    sink(captured) {
      // A record is about as long as its frame: what surely finds no room is not written at all.
      if (!lifecycle.isOpen || waitingBytes + captured.frame.length > bufferBytes) {
        counts.dropped++;
        return;
      }
      const record = writer.write(captured);
      if (fileBytes + record.length > limit && fileBytes > writer.header.length) {
        seal();
        waiting.push({ number: counts.files++, chunks: [writer.header] });
        fileBytes = writer.header.length;
        waitingBytes += fileBytes;
      } else if (waiting.length === 0) waiting.push({ number: counts.files - 1, chunks: [] });
      gather(record);
      fileBytes += record.length;
      waitingBytes += record.length;
      counts.recorded++;
      start();
    },
  };
}

export interface RecordPortOptions extends RecorderOptions {
  /** Which frames are recorded. Default `both`. */
  direction?: CaptureDirection | 'both';
  /** Default `systemClock`, whose times are those of day. */
  clock?: Clock;
  /** The most bytes of a frame that are recorded, 1 to 262,144. Default: all. */
  snapLength?: number;
}

/** What a clock's zero is in milliseconds since 1970: that of `systemClock` is known, others begin there. */
export function epochOf(clock: Clock): number {
  return clock === systemClock ? performance.timeOrigin : 0;
}

/**
 * Records any port: add `port` of the answer to the datapath instead of the port that was given. Closing the recorder
 * leaves the port as it is. Rejects as `openRecorder` does.
 */
export async function recordPort(port: Port, options: RecordPortOptions): Promise<{ port: Port; recorder: Recorder }> {
  const { clock = systemClock, direction, snapLength } = options;
  const recorder = await openRecorder(options);
  const capture = { clock, direction, snapLength, epochMs: epochOf(clock) };
  try {
    return { port: capturePort(port, recorder.sink, capture), recorder };
  } catch (error) {
    await recorder.close();
    throw error;
  }
}
