/**
 * How often packets are dropped, and for which reasons: totals, and rates over the last 5 seconds, minute and hour,
 * from samples that are taken every 5 seconds (as Open vSwitch's lib/coverage.c takes them).
 */
import type { Clock } from '../util/clock.js';
import { REASON_COUNT } from '../util/reason.js';

export interface DropRate {
  readonly total: number;
  /** Per second, over the last three stretches of time. */
  readonly fiveSeconds: number;
  readonly minute: number;
  readonly hour: number;
}

const SAMPLE_MS = 5000;
const SAMPLES = 12;
const MINUTES = 60;

export class DropRates {
  readonly #clock: Clock;
  readonly #read: () => Float64Array;
  /** Drops of the last 12 samples and of the last 60 minutes, one row each. */
  readonly #samples = Array.from({ length: SAMPLES }, () => new Float64Array(REASON_COUNT));
  readonly #minutes = Array.from({ length: MINUTES }, () => new Float64Array(REASON_COUNT));
  #last: Float64Array = new Float64Array(REASON_COUNT);
  #dueMs: number;
  /** Samples taken so far. */
  #count = 0;

  /** `read` answers the drops so far, by reason. */
  constructor(clock: Clock, read: () => Float64Array) {
    this.#clock = clock;
    this.#read = read;
    this.#dueMs = clock.now() + SAMPLE_MS;
  }

  /** Takes the sample that is due, if one is; what was dropped since a missed one is spread over the time. */
  run(): void {
    const nowMs = this.#clock.now();
    if (nowMs < this.#dueMs) return;
    const missed = Math.floor((nowMs - this.#dueMs) / SAMPLE_MS) + 1;
    const totals = this.#read();
    const portions = totals.map((total, reason) => Math.max(0, total - this.#last[reason]) / missed);
    // What is older than an hour is not told.
    for (let slot = 0; slot < Math.min(missed, SAMPLES * MINUTES); slot++) {
      const sample = this.#count % SAMPLES;
      const minute = this.#minutes[Math.floor(this.#count / SAMPLES) % MINUTES];
      this.#samples[sample].set(portions);
      if (sample === 0) minute.set(portions);
      else for (let reason = 0; reason < REASON_COUNT; reason++) minute[reason] += portions[reason];
      this.#count++;
    }
    this.#last = totals;
    this.#dueMs = nowMs + SAMPLE_MS;
  }

  /** By reason. */
  rates(): DropRate[] {
    const totals = this.#read();
    const latest = this.#samples[(this.#count + SAMPLES - 1) % SAMPLES];
    const sum = (rows: readonly Float64Array[], reason: number): number =>
      rows.reduce((all, row) => all + row[reason], 0);
    return Array.from(totals, (total, reason) => ({
      total,
      fiveSeconds: latest[reason] / (SAMPLE_MS / 1000),
      minute: sum(this.#samples, reason) / 60,
      hour: sum(this.#minutes, reason) / 3600,
    }));
  }
}
