/**
 * When a switch looks after itself: tables age and flows are swept every half second, and sooner when something has changed that translation
 * relies on (Open vSwitch's udpif and the main loop of ofproto-dpif). It takes turns on the clock that was handed in, each short enough for packets
 * to wait for it; or does at once what is due, where it is told to.
 */
import type { Clock, Timer } from '../util/clock.js';
import type { DropRates } from './drop-rates.js';
import type { Bridge } from './model.js';
import type { Recirculations } from './recirculation.js';
import { SWEEP_INTERVAL_MS, type Revalidator } from './revalidate.js';
import type { Underlay } from './underlay.js';

/** What is looked after. */
export interface Household {
  readonly clock: Clock;
  readonly bridges: ReadonlyMap<string, Bridge>;
  readonly underlay: Underlay;
  readonly recirculations: Recirculations;
  readonly revalidator: Revalidator;
  readonly dropRates: DropRates;
}

/**
 * Flows that a turn looks at before packets have theirs, and milliseconds that it takes: whichever comes first. Beyond them it takes what
 * cannot be cut: 1.3 ms where the table of the flows that are left is made smaller.
 */
const FLOWS_PER_SLICE = 2000;
const SLICE_MS = 0.3;
/** Least time between the beginnings of two sweeps. */
const LEAST_SWEEP_GAP_MS = 5;

export class Housekeeping {
  readonly #household: Household;
  /** Of packets for which no flow has been installed. */
  readonly #looseRecirculations = new Set<readonly number[]>();
  #seenNeighbours = 0;
  #seenRoutes = 0;
  /** Of the rules of all bridges, as of the last sweep that translated again. */
  #seenRules = 0;
  #changed = false;
  #timer: Timer | undefined;
  #timerDueMs = 0;
  #closed = false;

  constructor(household: Household) {
    this.#household = household;
    this.#schedule(SWEEP_INTERVAL_MS);
  }

  // ---- what has happened -------------------------------------------------------------------------------------------------

  /** Something was configured: all flows are looked at again. */
  invalidate(): void {
    this.#changed = true;
    this.#schedule(0);
  }

  /** Tables may have learned something that flows rely on. */
  noteChanges(): void {
    if (this.#tablesChanged()) this.#schedule(0);
  }

  /** Keeps the states that a packet goes round with until the next turn, whether there will be a flow or not. */
  holdLoose(recirculations: readonly number[]): void {
    if (recirculations.length !== 0) this.#looseRecirculations.add(recirculations);
  }

  /** A flow keeps them now. */
  letGo(recirculations: readonly number[]): void {
    if (recirculations.length !== 0) this.#looseRecirculations.delete(recirculations);
  }

  #tablesChanged(): boolean {
    const { bridges, underlay } = this.#household;
    if (
      this.#changed ||
      underlay.neighbours.sequence !== this.#seenNeighbours ||
      underlay.router.sequence !== this.#seenRoutes ||
      this.#rulesSequence() !== this.#seenRules
    )
      return true;
    for (const bridge of bridges.values()) if (bridge.macTable.changed) return true;
    return false;
  }

  #rulesSequence(): number {
    let sum = 0;
    for (const { tables, groups } of this.#household.bridges.values()) sum += tables.sequence + groups.sequence;
    return sum;
  }

  // ---- turns -------------------------------------------------------------------------------------------------------------

  /** Runs in `delayMs`, but not within the gap after the last sweep. An earlier date replaces a later one. */
  #schedule(delayMs: number): void {
    if (this.#closed) return;
    const { clock, revalidator } = this.#household;
    const nowMs = clock.now();
    const dueMs = Math.max(nowMs + delayMs, revalidator.startMs + LEAST_SWEEP_GAP_MS);
    if (this.#timer && this.#timerDueMs <= dueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = clock.after(dueMs - nowMs, () => {
      this.#timer = undefined;
      this.#turn();
    });
  }

  /** One slice of what is due. */
  #turn(): void {
    const { clock, revalidator } = this.#household;
    // Once a sweep, not once a slice: ageing looks at each rule that can expire.
    if (!revalidator.sweeping) this.#age();
    this.#beginWhatIsDue(LEAST_SWEEP_GAP_MS);
    const done = revalidator.step(FLOWS_PER_SLICE, clock.now() + SLICE_MS);
    // A listener may have closed the switch.
    if (this.#closed) return;
    if (!done) {
      this.#timerDueMs = clock.now();
      this.#timer = clock.soon(() => {
        this.#timer = undefined;
        this.#turn();
      });
    } else this.#schedule(this.#tablesChanged() ? 0 : revalidator.startMs + SWEEP_INTERVAL_MS - clock.now());
  }

  /** Does at once what is due, after what is under way. */
  run(): void {
    const { revalidator } = this.#household;
    revalidator.step(Infinity);
    this.#age();
    this.#beginWhatIsDue(LEAST_SWEEP_GAP_MS);
    revalidator.step(Infinity);
  }

  /** The same, and what follows from it, whatever the gap, until all flows are right for the tables as they are. */
  settle(): void {
    const { revalidator } = this.#household;
    revalidator.step(Infinity);
    // What a sweep learns may call for another one; two are enough unless two sources of one MAC fight for it.
    for (let round = 0; round < 4 && (round === 0 || this.#tablesChanged()); round++) {
      this.#age();
      this.#beginWhatIsDue(0);
      revalidator.step(Infinity);
    }
  }

  /** Sweeps all flows at once, whether it is due or not. */
  sweep(): void {
    const { revalidator } = this.#household;
    this.#age();
    this.#noteInvalid();
    revalidator.begin();
    revalidator.step(Infinity);
  }

  /** Cancels what is scheduled. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  // ---- what is due -------------------------------------------------------------------------------------------------------

  #age(): void {
    const { clock, bridges, underlay, recirculations, revalidator, dropRates } = this.#household;
    dropRates.run();
    for (const { macTable, tables } of bridges.values()) {
      macTable.sweep();
      // In the midst of a sweep it is left to the next one, which the table's sequence calls for.
      if (tables.expire(clock.now()).length !== 0 && !revalidator.sweeping) this.#changed = true;
    }
    underlay.neighbours.sweep();
    for (const ids of this.#looseRecirculations) recirculations.release(ids);
    this.#looseRecirculations.clear();
    recirculations.sweep();
  }

  #beginWhatIsDue(gapMs: number): void {
    const { clock, revalidator } = this.#household;
    const { sweeping } = revalidator;
    const sinceMs = clock.now() - revalidator.startMs;
    // A changed configuration does not wait. What is learned does until the sweep under way is done, lest sweeps begin and none ends.
    if (this.#changed || (!sweeping && this.#tablesChanged() && sinceMs >= gapMs)) {
      this.#noteInvalid();
      revalidator.begin();
    } else if (!sweeping && sinceMs >= SWEEP_INTERVAL_MS) revalidator.begin();
  }

  /** If anything has changed, all flows are to be translated again. */
  #noteInvalid(): void {
    if (!this.#tablesChanged()) return;
    const { bridges, underlay, revalidator } = this.#household;
    this.#changed = false;
    this.#seenNeighbours = underlay.neighbours.sequence;
    this.#seenRoutes = underlay.router.sequence;
    this.#seenRules = this.#rulesSequence();
    for (const { macTable } of bridges.values()) macTable.changed = false;
    revalidator.invalidate();
  }
}
