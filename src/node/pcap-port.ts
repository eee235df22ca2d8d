/**
 * A port on capture files: what it receives is read from one, at the pace of the recording, at a multiple of it or at
 * once, and what is sent to it is written to another. Nothing is lost in reading: frames wait in the file until the
 * datapath takes them, and a replay that falls behind its times catches up.
 */
import { open, type FileHandle } from 'node:fs/promises';
import type { CapturedFrame } from '../io/capture.js';
import { LINK_TYPE_ETHERNET } from '../io/capture.js';
import { createCaptureReader } from '../io/capture-reader.js';
import { PortCounters, type PortHost } from '../io/port.js';
import { checkMtu, ETHERNET_HEADER, fitsMtu } from '../io/queue.js';
import { systemClock, type Clock, type Timer } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { Reason } from '../util/reason.js';
import { ioError } from './io-error.js';
import { createLifecycle, type NodePort, type NodePortOptions } from './node-port.js';
import { epochOf, openRecorder, type Recorder, type RecorderOptions } from './recorder.js';

/** Bytes of a file that are read at once: what a replay holds in memory. */
const CHUNK = 262_144;

/** The longest that timers of Node wait. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

export interface PcapPortOptions extends NodePortOptions {
  /** The capture, pcap or pcapng, that is replayed once the port is attached. */
  read?: string;
  /** The file for what is sent; `rotateBytes` and `files` as for a recorder. */
  write?: string;
  /** How fast to replay: 1 is as recorded (the default), 10 ten times as fast, `Infinity` as fast as frames are taken. */
  pace?: number;
  rotateBytes?: RecorderOptions['rotateBytes'];
  files?: RecorderOptions['files'];
  /** Paces the replay, and dates what is written. Default `systemClock`. */
  clock?: Clock;
}

export interface PcapPort extends NodePort {
  /** Settles when the last frame was received, or the port was closed before that; at once where nothing is read. */
  readonly finished: Promise<void>;
}

/**
 * Opens the files. Rejects with `not-found`, `io-failed`, `bad-capture`, `bad-option`. A capture that turns out bad
 * later closes the port: `closed` says why.
 */
export async function openPcapPort(options: PcapPortOptions): Promise<PcapPort> {
  const { name, signal, pace = 1, clock = systemClock } = options;
  signal?.throwIfAborted();
  const mtu = checkMtu(options.mtu ?? 1500);
  if (!(pace > 0))
    throw new MegaflowError('bad-option', `pace cannot be ${pace}`, pace, 'a number above 0, or Infinity');
  if (options.read === undefined && options.write === undefined) {
    throw new MegaflowError(
      'bad-option',
      `${name}: neither read nor write`,
      undefined,
      'a file to read, to write, or both',
    );
  }
  const counters = new PortCounters();
  const replay = options.read === undefined ? undefined : await openReplay(options.read);
  let recorder: Recorder | undefined;
  try {
    if (options.write !== undefined) {
      recorder = await openRecorder({ path: options.write, rotateBytes: options.rotateBytes, files: options.files });
    }
  } catch (error) {
    await replay?.close();
    throw error;
  }

  let host: PortHost | undefined;
  let timer: Timer | undefined;
  let startMs: number | undefined;
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  if (replay === undefined) finish();

  const lifecycle = createLifecycle(signal, async () => {
    timer?.cancel();
    finish();
    await replay?.close();
    await recorder?.close();
  });
  const { close, closed } = lifecycle;
  void recorder?.closed.then((error) => {
    if (error !== undefined) void close(error);
  });

  const wakeLater = (delayMs: number): void => {
    timer?.cancel();
    timer = clock.after(Math.min(delayMs, LONGEST_WAIT_MS), () => host?.wake(), true);
  };

  /** What to do with the next frame: 0 to receive it, or why it is passed over. */
  const check = ({ frame, linkType, originalLength }: CapturedFrame): Reason => {
    if (linkType !== LINK_TYPE_ETHERNET) return Reason.badType;
    if (frame.length < originalLength) return Reason.truncated;
    if (frame.length < ETHERNET_HEADER) return Reason.runt;
    if (!fitsMtu(frame, 0, frame.length, mtu)) return Reason.mtuExceeded;
    return host?.pool.fits(frame.length) ? Reason.sound : Reason.frameTooLong;
  };

  const receive = (burst: Int32Array, room: number): number => {
    let taken = 0;
    if (host === undefined || replay === undefined || !lifecycle.isOpen) return 0;
    while (taken < room) {
      const next = replay.peek();
      if (next === undefined) {
        if (replay.isEnded) finish();
        else {
          replay.refill().then(
            () => (replay.peek() === undefined ? finish() : host?.wake()),
            (error: unknown) => void close(error as MegaflowError),
          );
        }
        break;
      }
      const reason = check(next);
      if (pace !== Infinity) {
        const fileMs = next.seconds * 1000 + next.nanoseconds / 1e6;
        startMs ??= clock.now() - fileMs / pace;
        const delayMs = startMs + fileMs / pace - clock.now();
        // Times near 1.8e12 ms have a quarter of a microsecond between them.
        if (delayMs > 0.001) {
          wakeLater(delayMs);
          break;
        }
      }
      if (reason === Reason.sound) {
        const handle = host.pool.allocateCopy(next.frame);
        if (handle < 0) {
          wakeLater(1);
          break;
        }
        burst[taken++] = handle;
        counters.rxPackets++;
        counters.rxBytes += next.frame.length;
      } else counters.rxDrops[reason]++;
      replay.skip();
    }
    return taken;
  };

  return {
    name,
    mtu,
    counters,
    finished,
    closed,
    attach(to) {
      host = to;
      if (replay !== undefined) to.wake();
    },
    detach() {
      host = undefined;
      timer?.cancel();
    },
    receive,
    send(burst, count) {
      if (host === undefined) return;
      const { pool } = host;
      const nowMs = epochOf(clock) + clock.now();
      const seconds = Math.floor(nowMs / 1000);
      const nanoseconds = Math.floor((nowMs - seconds * 1000) * 1e6);
      for (let index = 0; index < count; index++) {
        const frame = pool.frame(burst[index]);
        if (recorder === undefined || !lifecycle.isOpen) counters.txDrops[Reason.portClosed]++;
        else if (!fitsMtu(frame, 0, frame.length, mtu)) counters.txDrops[Reason.mtuExceeded]++;
        else {
          const { dropped } = recorder.counts;
          recorder.sink({ frame, seconds, nanoseconds, direction: 'out' });
          if (recorder.counts.dropped !== dropped) counters.txDrops[Reason.queueFull]++;
          else {
            counters.txPackets++;
            counters.txBytes += frame.length;
          }
        }
      }
    },
    close: () => close(),
    [Symbol.asyncDispose]: () => close(),
  };
}

/** A capture, a chunk at a time. */
interface Replay {
  /** The next frame; undefined when a chunk must be read first, or there are no more. */
  peek(): CapturedFrame | undefined;
  skip(): void;
  /** Reads on, once however often it is called meanwhile. */
  refill(): Promise<void>;
  readonly isEnded: boolean;
  close(): Promise<void>;
}

async function openReplay(path: string): Promise<Replay> {
  const fail = (error: unknown): MegaflowError =>
    ioError(error, `cannot read ${path}`, path, { ENOENT: 'a capture file', EISDIR: 'a capture file' });
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    throw fail(error);
  }
  const reader = createCaptureReader();
  const chunk = new Uint8Array(CHUNK);
  let frames: CapturedFrame[] = [];
  let at = 0;
  let isEnded = false;
  let reading: Promise<void> | undefined;

  const read = async (): Promise<void> => {
    try {
      for (frames = [], at = 0; frames.length === 0 && !isEnded; ) {
        const { bytesRead } = await handle.read(chunk, 0, CHUNK);
        if (bytesRead === 0) {
          reader.end();
          isEnded = true;
        } else frames = reader.push(chunk.subarray(0, bytesRead));
      }
    } catch (error) {
      throw fail(error);
    } finally {
      reading = undefined;
    }
  };

  const replay: Replay = {
    peek: () => (reading === undefined ? frames[at] : undefined),
    skip: () => void at++,
    refill: () => (reading ??= read()),
    get isEnded() {
      return isEnded && reading === undefined;
    },
    close: async () => {
      await reading?.catch(() => {});
      await handle.close();
    },
  };
  try {
    await replay.refill();
  } catch (error) {
    await handle.close();
    throw error;
  }
  return replay;
}
