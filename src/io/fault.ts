/**
 * A fault injector: a port that does what another one does, less well. Frames are dropped, duplicated, corrupted (one
 * bit flipped) and reordered, each with a probability of its own for each direction, as a seed has it: the same seed
 * and the same frames give the same faults, and a direction's faults do not depend on what the other direction does.
 *
 * A reordered frame is held back until the next one has passed, or until `reorderMs` are over when none comes.
 * Dropped frames are counted as `injectedFault`; faults of all kinds are counted in `injected`.
 */
import { BURST, type PacketHandle, type PacketPool } from '../packet/pool.js';
import type { Clock, Timer } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { Reason } from '../util/reason.js';
import type { Port, PortHost } from './port.js';
import { checkOption } from './queue.js';

/** Probabilities from 0 to 1; left out: 0. */
export interface FaultProbabilities {
  drop?: number;
  duplicate?: number;
  corrupt?: number;
  reorder?: number;
}

export interface FaultOptions {
  /** A 32-bit number. */
  seed: number;
  /** Lets go of frames that are held back. */
  clock: Clock;
  /** For frames that the datapath receives. */
  in?: FaultProbabilities;
  /** For frames that the datapath sends. */
  out?: FaultProbabilities;
  /** How long a reordered frame waits at most for another. 0 to 60,000, default 10. */
  reorderMs?: number;
}

/** Faults so far. */
export interface FaultCounts {
  drop: number;
  duplicate: number;
  corrupt: number;
  reorder: number;
}

export interface FaultPort extends Port {
  readonly injected: { readonly in: Readonly<FaultCounts>; readonly out: Readonly<FaultCounts> };
}

/**
 * Wraps a port; add the answer to the datapath instead of `port`. The counters are those of `port`. Throws
 * `out-of-range` for a probability that is none.
 */
export function faultPort(port: Port, options: FaultOptions): FaultPort {
  const { clock } = options;
  const reorderMs = checkOption('reorderMs', options.reorderMs ?? 10, 0, 60_000);
  const incoming = createDice('in', options.in ?? {}, options.seed);
  const outgoing = createDice('out', options.out ?? {}, options.seed ^ 0x5bd1e995);
  const { rxDrops, txDrops } = port.counters;
  const burstIn = new Int32Array(BURST);
  const burstOut = new Int32Array(BURST);
  /** Frames for the datapath for which a burst had no room. */
  const ready: PacketHandle[] = [];
  let host: PortHost | undefined;
  const heldIn: Held = { handle: -1, timer: undefined };
  const heldOut: Held = { handle: -1, timer: undefined };

  /** Takes the held frame out; -1 when there is none. */
  const letGo = (held: Held): PacketHandle => {
    const { handle } = held;
    held.timer?.cancel();
    held.handle = -1;
    held.timer = undefined;
    return handle;
  };

  /**
   * One frame and its faults. `handle` is owned; what comes of it goes to `emit`, each owned too, or is released.
   */
  const pass = (
    pool: PacketPool,
    handle: PacketHandle,
    dice: Dice,
    held: Held,
    drops: Float64Array,
    emit: (handle: PacketHandle) => void,
    late: () => void,
  ): void => {
    const faults = dice.roll();
    if ((faults & FAULT.drop) !== 0) {
      drops[Reason.injectedFault]++;
      dice.counts.drop++;
      pool.release(handle);
      return;
    }
    if ((faults & FAULT.corrupt) !== 0 && pool.length[handle] > 0) {
      dice.counts.corrupt++;
      const bit = Math.floor(dice.position * pool.length[handle] * 8);
      pool.bytes[pool.offset[handle] + (bit >> 3)] ^= 1 << (bit & 7);
    }
    if ((faults & FAULT.duplicate) !== 0) {
      const copy = pool.clone(handle);
      if (copy >= 0) {
        dice.counts.duplicate++;
        emit(copy);
      }
    }
    if ((faults & FAULT.reorder) !== 0 && held.handle < 0) {
      dice.counts.reorder++;
      held.handle = handle;
      held.timer = clock.after(reorderMs, late);
      return;
    }
    emit(handle);
    const before = letGo(held);
    if (before >= 0) emit(before);
  };

  const lateIn = (): void => {
    ready.push(letGo(heldIn));
    host?.wake();
  };

  let countOut = 0;
  const flush = (pool: PacketPool): void => {
    port.send(burstOut, countOut);
    pool.releaseBurst(burstOut, countOut);
    countOut = 0;
  };
  const emitOut = (handle: PacketHandle): void => {
    burstOut[countOut++] = handle;
    if (countOut === BURST) flush((host as PortHost).pool);
  };
  const lateOut = (): void => {
    emitOut(letGo(heldOut));
    flush((host as PortHost).pool);
  };

  return {
    name: port.name,
    get mtu() {
      return port.mtu;
    },
    counters: port.counters,
    injected: { in: incoming.counts, out: outgoing.counts },
    attach(to) {
      host = to;
      port.attach(to);
    },
    detach() {
      for (const handle of [letGo(heldIn), letGo(heldOut), ...ready]) if (handle >= 0) host?.pool.release(handle);
      ready.length = 0;
      port.detach();
      host = undefined;
    },
    receive(burst, room) {
      if (host === undefined) return 0;
      const { pool } = host;
      let taken = 0;
      const emit = (handle: PacketHandle): void => {
        if (taken < room) burst[taken++] = handle;
        else ready.push(handle);
      };
      while (taken < room && ready.length > 0) burst[taken++] = ready.shift() as PacketHandle;
      while (taken < room) {
        const wanted = Math.min(room - taken, BURST);
        const count = port.receive(burstIn, wanted);
        for (let index = 0; index < count; index++) pass(pool, burstIn[index], incoming, heldIn, rxDrops, emit, lateIn);
        if (count < wanted) break;
      }
      return taken;
    },
    send(burst, count) {
      if (host === undefined) return;
      const { pool } = host;
      for (let index = 0; index < count; index++) {
        // The frame is lent: what is changed or kept is a copy.
        const copy = pool.clone(burst[index]);
        if (copy < 0) txDrops[Reason.poolExhausted]++;
        else pass(pool, copy, outgoing, heldOut, txDrops, emitOut, lateOut);
      }
      flush(pool);
    },
  };
}

interface Held {
  handle: PacketHandle;
  timer: Timer | undefined;
}

const FAULT = { drop: 1, duplicate: 2, corrupt: 4, reorder: 8 } as const;

interface Dice {
  readonly counts: FaultCounts;
  /** Where the frame of the last roll is corrupted: from 0 up to 1. */
  position: number;
  /** The `FAULT` bits of the next frame. */
  roll(): number;
}

function createDice(direction: string, probabilities: FaultProbabilities, seed: number): Dice {
  const names = ['drop', 'duplicate', 'corrupt', 'reorder'] as const;
  const limits = names.map((name) => {
    const probability = probabilities[name] ?? 0;
    if (!(probability >= 0 && probability <= 1)) {
      const what = `the probability to ${name} (${direction})`;
      throw new MegaflowError('out-of-range', `${what} cannot be ${probability}`, probability, 'a number from 0 to 1');
    }
    return probability;
  });
  const random = createRandom(seed);
  const dice: Dice = {
    counts: { drop: 0, duplicate: 0, corrupt: 0, reorder: 0 },
    position: 0,
    roll() {
      // As many numbers for each frame, whatever comes of them: one probability does not move the faults of another
      // kind.
      let faults = 0;
      for (let index = 0; index < limits.length; index++) if (random() < limits[index]) faults |= 1 << index;
      dice.position = random();
      return faults;
    },
  };
  return dice;
}

/** Numbers from 0 up to 1: a Weyl sequence through the finisher of MurmurHash3. */
function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 0x1_0000_0000;
  };
}
