/**
 * A port on a device of the kernel: macvtap's character device, or a TAP device that was opened by somebody else. One
 * read is one frame, one write is one frame.
 *
 *     ip link add link eth1 name mt0 type macvtap mode passthru && ip link set mt0 up    makes /dev/tapN (N: its ifindex)
 *
 * Opening TAP itself takes an ioctl, which Node lacks: a helper opens it and hands the descriptor over, without blocking
 * (README, "TAP"). The kernel puts a virtio header before frames of macvtap; partial checksums are completed and frames
 * of many segments are cut (`virtio-header.ts`), so offloads need not be switched off. What is sent carries an empty
 * header: complete checksums, one segment.
 *
 * Reading polls: a read that blocks would keep the process from ending, and Node has no way to wait for a character
 * device. While frames come it asks in every turn of the loop; when none come, after `pollMs`, which is what the first
 * frame after a pause may wait. The queue is the kernel's; what it drops is in `ip -s link`.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { PortCounters, type PortHost } from '../io/port.js';
import { checkMtu, checkOption, ETHERNET_HEADER, fitsMtu } from '../io/queue.js';
import type { PacketPool } from '../packet/pool.js';
import { systemClock, type Timer } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { Reason } from '../util/reason.js';
import { errorName, ioError, sendReason } from './io-error.js';
import { createLifecycle, type NodePort, type NodePortOptions } from './node-port.js';
import { OffloadReader, VIRTIO_HEADER } from './virtio-header.js';

/** Where frames lie in the buffer: behind the longest header. */
const FRAME_AT = 12;
/** A frame of segments has at most 65,536 bytes behind its Ethernet header and tags. */
const LONGEST_READ = 12 + 65_536 + 64;
/**
 * How long after the last frame each turn of the loop asks for the next, before it rests: as long as the shortest rest, so
 * that it never spends more than twice what knowing the future would.
 */
const RESTLESS_MS = 1;
/** What Linux says of a TAP device that was deleted (EBADFD), which Node has no name for. */
const DEVICE_DELETED = -77;
/** Whether stack traces can be done without for a moment: not where Node froze what is built in. */
const canLimit = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')?.writable === true;
/** How often an idle port looks whether its device is still there. */
const LOOK_MS = 500;

export interface MacvtapPortOptions extends NodePortOptions {
  /** macvtap's character device: `/dev/tapN`. Either this or `descriptor`. */
  path?: string;
  /** A descriptor that was inherited, opened with O_NONBLOCK; it is closed with the port. */
  descriptor?: number;
  /** Bytes of the virtio header before each frame: 0, 10 or 12. Default 10 with `path`, 0 with `descriptor`. */
  virtioHeader?: 0 | 10 | 12;
  /** How long to rest when no frames come, 1 to 1000 ms. Default 1, which takes 2 to 5 % of a core. */
  pollMs?: number;
}

/**
 * Opens the device. Rejects with `not-found` (no such device), `io-failed` (no permission, say), `busy` (somebody else
 * has it), `bad-option` (a descriptor that blocks, or is none), `unsupported-platform` (a descriptor elsewhere than on Linux).
 */
export async function openMacvtapPort(options: MacvtapPortOptions): Promise<NodePort> {
  const { name, signal } = options;
  signal?.throwIfAborted();
  const mtu = checkMtu(options.mtu ?? 1500);
  const pollMs = checkOption('pollMs', options.pollMs ?? 1, 1, 1000);
  const headerBytes = options.virtioHeader ?? (options.path === undefined ? 0 : VIRTIO_HEADER);
  if (![0, 10, 12].includes(headerBytes)) {
    throw new MegaflowError('bad-option', `virtioHeader cannot be ${headerBytes}`, headerBytes, '0, 10 or 12');
  }
  const descriptor = openDescriptor(options);
  const counters = new PortCounters();
  // Frames are read to one place, with their header before it; where there is none, an empty one stands at the start.
  const buffer = new Uint8Array(FRAME_AT + LONGEST_READ);
  const scratch = new Uint8Array(headerBytes + 65_535);
  const offloads = new OffloadReader();
  let host: PortHost | undefined;
  let timer: Timer | undefined;
  let lastFrameMs = -Infinity;
  let lastLookMs = -Infinity;

  const lifecycle = createLifecycle(signal, () => {
    timer?.cancel();
    forget();
    closeSync(descriptor);
  });
  const { close, closed } = lifecycle;
  const fail = (error: unknown): void => {
    void close(ioError(error, `cannot read ${options.path ?? `descriptor ${descriptor}`}`, name, remedies));
  };

  /** Asks the datapath to ask again: in the next turn while frames come, and later when they do not. */
  const poll = (): void => {
    timer?.cancel();
    const ask = (): void => host?.wake();
    const isRestless = systemClock.now() - lastFrameMs < RESTLESS_MS;
    timer = isRestless ? systemClock.soon(ask) : systemClock.after(pollMs, ask, true);
  };

  /** What was read and not taken yet is lost. */
  const forget = (): void => {
    if (offloads.hasMore) counters.rxDrops[Reason.portClosed]++;
    offloads.end();
  };

  /** A deleted macvtap device reads as one without frames; but its file in /dev is gone, and nothing links to it. */
  const lookForDevice = (): void => {
    const nowMs = systemClock.now();
    if (nowMs - lastLookMs < LOOK_MS) return;
    lastLookMs = nowMs;
    if (options.path !== undefined && fstatSync(descriptor).nlink === 0) fail(new Error('the device is gone'));
  };

  /** Reads the next frame; false when there is none. */
  const read = (): boolean => {
    const start = FRAME_AT - headerBytes;
    let length: number;
    const { stackTraceLimit } = Error;
    try {
      // That there is no frame, Node can only say by an exception: 2.2 µs without a stack trace, and 6.3 with one.
      if (canLimit) Error.stackTraceLimit = 0;
      length = readSync(descriptor, buffer, start, LONGEST_READ, null);
    } catch (error) {
      if (canLimit) Error.stackTraceLimit = stackTraceLimit;
      const why = errorName(error);
      if (why === 'EAGAIN' || why === 'EINTR') lookForDevice();
      else fail((error as NodeJS.ErrnoException).errno === DEVICE_DELETED ? new Error('the device is gone') : error);
      return false;
    }
    if (canLimit) Error.stackTraceLimit = stackTraceLimit;
    if (length === 0) {
      fail(new Error('the device is gone'));
      return false;
    }
    const end = start + length;
    let reason: Reason = Reason.runt;
    if (end >= FRAME_AT + ETHERNET_HEADER) {
      reason = offloads.begin(buffer, headerBytes === 0 ? 0 : start, FRAME_AT, end);
      if (reason === Reason.sound) {
        if (!fitsMtu(buffer, FRAME_AT, offloads.longest, mtu)) reason = Reason.mtuExceeded;
        else if (!host?.pool.fits(offloads.longest)) reason = Reason.frameTooLong;
        if (reason !== Reason.sound) offloads.end();
      }
    }
    if (reason !== Reason.sound) counters.rxDrops[reason]++;
    return true;
  };

  const sendOne = (pool: PacketPool, handle: number): Reason => {
    const offset = pool.offset[handle];
    const length = pool.length[handle];
    if (!fitsMtu(pool.bytes, offset, length, mtu)) return Reason.mtuExceeded;
    let bytes = pool.bytes;
    let start = offset - headerBytes;
    if (pool.headroomOf(handle) >= headerBytes) bytes.fill(0, start, offset);
    else {
      scratch.set(bytes.subarray(offset, offset + length), headerBytes);
      bytes = scratch;
      start = 0;
    }
    try {
      writeSync(descriptor, bytes, start, headerBytes + length);
    } catch (error) {
      return sendReason(error);
    }
    return Reason.sound;
  };

  return {
    name,
    mtu,
    counters,
    attach(to) {
      host = to;
      if (lifecycle.isOpen) poll();
    },
    detach() {
      host = undefined;
      timer?.cancel();
      forget();
    },
    receive(burst, room) {
      if (host === undefined) return 0;
      const { pool } = host;
      let taken = 0;
      while (taken < room && lifecycle.isOpen) {
        if (!offloads.hasMore) {
          if (!read()) break;
          continue;
        }
        // While the pool is empty, frames wait in the kernel.
        const handle = pool.allocate();
        if (handle < 0) break;
        offloads.next(pool, handle);
        counters.rxPackets++;
        counters.rxBytes += pool.length[handle];
        burst[taken++] = handle;
      }
      if (taken > 0) lastFrameMs = systemClock.now();
      if (taken < room && lifecycle.isOpen) poll();
      return taken;
    },
    send(burst, count) {
      if (host === undefined) return;
      const { pool } = host;
      for (let index = 0; index < count; index++) {
        const handle = burst[index];
        const reason = lifecycle.isOpen ? sendOne(pool, handle) : Reason.portClosed;
        if (reason === Reason.sound) {
          counters.txPackets++;
          counters.txBytes += pool.length[handle];
        } else counters.txDrops[reason]++;
      }
    },
    closed,
    close: () => close(),
    [Symbol.asyncDispose]: () => close(),
  };
}

const remedies = {
  ENOENT:
    'the device: `ip link add link eth1 name mt0 type macvtap mode passthru && ip link set mt0 up` makes /dev/tapN, ' +
    'N being the number that `ip link show mt0` begins with',
  ENXIO: 'a macvtap device that exists: this file is what one left behind',
  EACCES: 'root, or a device that is yours: `chown USER /dev/tapN`',
  EPERM: 'root, or a device that is yours: `chown USER /dev/tapN`',
  EBUSY: 'a device that nobody else has open: see who does with `fuser -v /dev/tapN`',
};

function openDescriptor({ path, descriptor }: MacvtapPortOptions): number {
  if ((path === undefined) === (descriptor === undefined)) {
    throw new MegaflowError('bad-option', 'which device is it?', path, 'either path or descriptor');
  }
  if (path !== undefined) {
    try {
      return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    } catch (error) {
      throw ioError(error, `cannot open ${path}`, path, remedies);
    }
  }
  if (process.platform !== 'linux') {
    const problem = `no descriptors of devices on ${process.platform}`;
    throw new MegaflowError('unsupported-platform', problem, descriptor, 'Linux');
  }
  let flags: string | undefined;
  try {
    flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1'))?.[1];
  } catch (error) {
    throw new MegaflowError(
      'bad-option',
      `${descriptor} is no open descriptor`,
      descriptor,
      'a descriptor that was inherited',
      {
        cause: error,
      },
    );
  }
  if ((parseInt(flags ?? '0', 8) & constants.O_NONBLOCK) === 0) {
    throw new MegaflowError(
      'bad-option',
      `descriptor ${descriptor} blocks, and a read of it would keep the process from ending`,
      descriptor,
      'a descriptor that was opened with O_NONBLOCK',
    );
  }
  return descriptor as number;
}
