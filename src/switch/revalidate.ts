/**
 * Keeping the megaflows true (Open vSwitch's revalidators, ofproto/ofproto-dpif-upcall.c). A sweep goes through all flows: those that are
 * idle go; new statistics are pushed to what they concern (MAC table, neighbours, counters); and when anything that translation relies on
 * has changed, each flow is translated again and kept, changed in place, or deleted. A sweep can be done in slices, so that no packet waits
 * long for it.
 */
import { sameActions } from '../action/same.js';
import type { Datapath } from '../datapath/datapath.js';
import { FRAG_LATER, KEY_WORDS, anyBit, getField, setBytes, type FieldName, type FlowWords } from '../flow/fields.js';
import type { World } from './context.js';
import { DeletedFlows } from './deleted-flows.js';
import { EffectLists, applyEffects, type Batch, type Effect } from './effects.js';
import type { SwitchPort } from './model.js';
import { TrackedFlows } from './tracked-flows.js';
import { hasPartialTag, translate, type Translation } from './translate.js';

export interface RevalidatorHost {
  readonly datapath: Datapath;
  readonly world: World;
  /** The port that a key came in on; undefined: none, and the flow goes. */
  portFor(key: FlowWords): SwitchPort | undefined;
  /** A flow was removed. */
  removed(flow: number, reason: 'idle' | 'stale' | 'evicted'): void;
}

/** How flows are looked after, in numbers. */
export interface SweepStatistics {
  /** A moving average over sweeps. */
  readonly averageFlows: number;
  readonly mostFlows: number;
  /** Of the last sweep; at least 1. */
  readonly durationMs: number;
  /** Flows that are looked after. */
  readonly tracked: number;
}

export interface RevalidatorOptions {
  /** Flows that are not used for so long go. Default 10000. */
  maxIdleMs?: number;
  /** Most flows that the dynamic limit may rise to. Default 200000. */
  flowLimit?: number;
}

export const DEFAULT_MAX_IDLE_MS = 10_000;
export const DEFAULT_FLOW_LIMIT = 200_000;
/** Longest time between two sweeps. */
export const SWEEP_INTERVAL_MS = 500;
/** When there are more flows than the limit, these live no longer than this. */
const CROWDED_IDLE_MS = 100;
const INITIAL_LIMIT = 10_000;
const LEAST_LIMIT = 1000;
/** Flow numbers between two looks at the clock, which take as long as a flow. */
const NUMBERS_A_LOOK = 32;

export class Revalidator {
  readonly maxIdleMs: number;
  readonly #host: RevalidatorHost;
  readonly #mostFlows: number;
  readonly #lists = new EffectLists();
  readonly #tracked: TrackedFlows;
  #generation = 1;
  /** The sweep under way has yet to look at the flows below this number; -1 between sweeps. */
  #left = -1;
  readonly #deleted = new DeletedFlows();
  /** The key of the flow in hand, and its packets. */
  readonly #key = new Int32Array(KEY_WORDS);
  readonly #batch: Batch = { packets: 0, bytes: 0, source: 0, nowMs: 0 };
  #startMs = 0;
  #idleMs: number;
  #averageFlows = 0;
  #maximumFlows = 0;
  #durationMs = 1;

  constructor(host: RevalidatorHost, options: RevalidatorOptions = {}) {
    this.#host = host;
    this.#tracked = new TrackedFlows(this.#lists, host.world.recirculations);
    this.maxIdleMs = options.maxIdleMs ?? DEFAULT_MAX_IDLE_MS;
    this.#mostFlows = options.flowLimit ?? DEFAULT_FLOW_LIMIT;
    this.#idleMs = this.maxIdleMs;
    host.datapath.flowLimit = Math.min(this.#mostFlows, INITIAL_LIMIT);
  }

  /** What flows installed from now on are right for. */
  get sequence(): number {
    return this.#generation;
  }

  /** When the last sweep began. */
  get startMs(): number {
    return this.#startMs;
  }

  /** What sweeps have found: flows on average and at most, and how long the last sweep took. */
  get statistics(): SweepStatistics {
    const tracked = this.#tracked.count + this.#deleted.count;
    return { averageFlows: this.#averageFlows, mostFlows: this.#maximumFlows, durationMs: this.#durationMs, tracked };
  }

  get sweeping(): boolean {
    return this.#left >= 0;
  }

  /** Begins to look after a flow that an upcall installed for a packet with this key, with what its translation refers to. */
  track(
    flow: number,
    key: FlowWords,
    sequence: number,
    { effects, recirculations }: Pick<Translation, 'effects' | 'recirculations'>,
  ): void {
    const { datapath } = this.#host;
    this.forget(flow);
    this.#tracked.add(flow, {
      sequence,
      createdMs: datapath.clock.now(),
      actions: datapath.flowActions(flow),
      effects: this.#lists.acquire(effects),
      recirculations,
      source: getField(key, 'ethSrc'),
      isReadable: isReadable(key),
    });
  }

  forget(flow: number): void {
    this.#tracked.remove(flow);
  }

  /** Deletes a flow because people want it, and remembers that it did: `wasDeleted`. */
  deleteByHand(flow: number): void {
    const { datapath } = this.#host;
    const { key, mask } = datapath.flow(flow);
    if (this.#tracked.has(flow)) this.#deleted.add({ key, mask, sequence: this.#tracked.sequences[flow] });
    this.#delete(flow, 'evicted');
  }

  /** Whether a packet with this key gets no flow, since people have deleted the one that it had. */
  wasDeleted(key: FlowWords): boolean {
    return this.#deleted.has(key);
  }

  /** Something that translation relies on has changed: the next sweep translates all flows again. */
  invalidate(): void {
    this.#generation++;
  }

  /** Starts a sweep over the flows that there are now; one that is under way starts again. */
  begin(): void {
    const { datapath } = this.#host;
    this.#startMs = datapath.clock.now();
    this.#left = datapath.flowCapacity;
    const count = datapath.flowCount;
    this.#maximumFlows = Math.max(this.#maximumFlows, count);
    this.#averageFlows = Math.floor((this.#averageFlows + count) / 2);
    this.#idleMs = count > datapath.flowLimit ? CROWDED_IDLE_MS : this.maxIdleMs;
    if (count > 2 * datapath.flowLimit) this.#idleMs = -1;
  }

  /**
   * Looks at up to `most` flows, the last ones first, or at fewer if the clock passes `untilMs` meanwhile (one that stands still does not);
   * true when the sweep is done.
   */
  step(most: number, untilMs = Infinity): boolean {
    const { datapath } = this.#host;
    if (this.#left < 0) return true;
    for (let looked = 0; this.#left > 0 && looked < most; ) {
      const nowMs = datapath.clock.now();
      if (looked !== 0 && nowMs >= untilMs) return false;
      this.#batch.nowMs = nowMs;
      for (const end = Math.max(0, this.#left - NUMBERS_A_LOOK); this.#left > end && looked < most; ) {
        // Flows may have gone since the sweep began.
        if (!datapath.hasFlow(--this.#left)) continue;
        looked++;
        this.#revalidate(this.#left);
      }
    }
    if (this.#left > 0) return false;
    this.#left = -1;
    this.#sweepDeleted();
    this.#adjustLimit();
    return true;
  }

  #sweepDeleted(): void {
    const { world } = this.#host;
    this.#deleted.sweep(this.#generation, ({ key, mask }) => {
      const port = this.#host.portFor(key);
      if (!port) return false;
      const fresh = translate(world, port, key, { sideEffects: false });
      world.recirculations.release(fresh.recirculations);
      return fresh.error === undefined && !needsMore(fresh.mask, carriedMask(key, mask));
    });
  }

  /** A limit that follows how long sweeps take. */
  #adjustLimit(): void {
    const { datapath } = this.#host;
    const durationMs = Math.max(1, Math.round(datapath.clock.now() - this.#startMs));
    this.#durationMs = durationMs;
    let limit = datapath.flowLimit;
    if (durationMs > 2000) limit = Math.floor(limit / (durationMs / 1000));
    else if (durationMs > 1300) limit = Math.floor((limit * 3) / 4);
    else if (durationMs < 1000 && limit < (datapath.flowCount * 1000) / durationMs) limit += 1000;
    datapath.flowLimit = Math.min(this.#mostFlows, Math.max(limit, LEAST_LIMIT));
  }

  /** Deletes all flows, when what they have counted has been told to what it concerns. */
  purge(): void {
    const { datapath } = this.#host;
    this.#batch.nowMs = datapath.clock.now();
    for (const flow of datapath.flowNumbers()) {
      if (this.#tracked.has(flow)) this.#pushStatistics(flow, this.#tracked.effects[flow].effects);
      this.#delete(flow, 'evicted');
    }
    this.#deleted.clear();
  }

  #revalidate(flow: number): void {
    const { datapath } = this.#host;
    const tracked = this.#tracked;
    if (!tracked.has(flow)) {
      // Put by hand: it is adopted, and must agree with what translation says.
      datapath.readFlowKey(flow, this.#key);
      this.track(flow, this.#key, -1, { effects: [], recirculations: [] });
    }
    const { nowMs } = this.#batch;
    const usedMs = datapath.flowUsedMs(flow) ?? tracked.createdMs[flow];
    if (usedMs < nowMs - this.#idleMs) {
      this.#pushStatistics(flow, tracked.effects[flow].effects);
      this.#delete(flow, this.#idleMs === this.maxIdleMs ? 'idle' : 'evicted');
    } else if (tracked.sequences[flow] === this.#generation) {
      // Where there are statistics to push, Open vSwitch needs the key.
      if (tracked.unreadable[flow] !== 0 && datapath.flowPackets(flow) > tracked.packets[flow])
        this.#delete(flow, 'stale');
      else this.#pushStatistics(flow, tracked.effects[flow].effects);
    } else this.#translateAgain(flow);
  }

  #translateAgain(flow: number): void {
    const { datapath, world } = this.#host;
    const tracked = this.#tracked;
    const key = this.#key;
    datapath.readFlowKey(flow, key);
    const port = this.#host.portFor(key);
    if (!port || !isReadable(key)) {
      this.#delete(flow, 'stale');
      return;
    }
    const { sequence } = this;
    // What the flow's packets do to tables is done below, with their number.
    const fresh = translate(world, port, key, { sideEffects: false });
    this.#pushStatistics(flow, fresh.effects);
    if (
      fresh.error !== undefined ||
      fresh.avoidsCaching ||
      needsMore(fresh.mask, carriedMask(key, datapath.flowMask(flow)))
    ) {
      world.recirculations.release(fresh.recirculations);
      this.#delete(flow, 'stale');
      return;
    }
    if (!sameActions(fresh.installed, tracked.actions[flow])) {
      // Open vSwitch 3.1 changes the flow that it finds by the key, which is another one where flows overlap.
      const found = datapath.lookupFlow(key);
      const changed = found < 0 ? flow : found;
      datapath.modifyFlow(changed, fresh.installed);
      tracked.actions[flow] = datapath.flowActions(changed);
    }
    tracked.update(flow, sequence, this.#lists.acquire(fresh.effects), fresh.recirculations);
  }

  #delete(flow: number, reason: 'idle' | 'stale' | 'evicted'): void {
    this.#host.removed(flow, reason);
    this.#host.datapath.deleteFlow(flow);
    this.forget(flow);
  }

  /** Tells what the flow concerns of the packets that it has counted since the last time. */
  #pushStatistics(flow: number, effects: readonly Effect[]): void {
    const { datapath, world } = this.#host;
    const tracked = this.#tracked;
    const batch = this.#batch;
    const packets = datapath.flowPackets(flow);
    batch.packets = packets - tracked.packets[flow];
    if (batch.packets === 0) return;
    const bytes = datapath.flowBytes(flow);
    batch.bytes = bytes - tracked.bytes[flow];
    batch.source = tracked.sources[flow];
    tracked.packets[flow] = packets;
    tracked.bytes[flow] = bytes;
    applyEffects(world.neighbours, effects, batch);
  }
}

/**
 * Whether Open vSwitch reads back the netlink attributes that it wrote of a key: not of a frame that ends inside its tag, and not of
 * MPLS without a label.
 */
function isReadable(key: FlowWords): boolean {
  const type = getField(key, 'ethType');
  const isMpls = type === 0x8847 || type === 0x8848;
  return !hasPartialTag(key) && !(isMpls && !LABELS.some((label) => anyBit(key, label)));
}

const LABELS = ['mpls0', 'mpls1', 'mpls2'] as const;

/**
 * What Open vSwitch knows of an installed mask when it asks again: it keeps the mask as netlink attributes, which have no
 * place for some of what a look-up may have looked at. Such flows go with the next change, whatever it is about.
 */
function carriedMask(key: FlowWords, mask: FlowWords): FlowWords {
  const isLater = (getField(key, 'ipFrag') & FRAG_LATER) !== 0;
  const protocol = getField(key, 'ipProto');
  const lost: FieldName[] = [];
  if (getField(key, 'ethType') === 0x86dd && !(protocol === 58 && !isLater && hasDiscovery(key, mask)))
    lost.push('ndTarget', 'arpSha', 'arpTha');
  if (protocol !== 6 || isLater) lost.push('tcpFlags');
  if (!lost.some((name) => anyBit(mask, name))) return mask;
  const carried = mask.slice();
  for (const name of lost) setBytes(carried, name, NOTHING);
  return carried;
}

const NOTHING = new Uint8Array(16);

/** Whether an ICMPv6 key and its mask have `nd(...)`: both type and code say so, and are matched. */
function hasDiscovery(key: FlowWords, mask: FlowWords): boolean {
  const type = getField(key, 'tpSrc');
  const isExact = (getField(mask, 'tpSrc') & 0xff) === 0xff && (getField(mask, 'tpDst') & 0xff) === 0xff;
  return isExact && (type === 135 || type === 136) && getField(key, 'tpDst') === 0;
}

/** Whether a mask has bits that the installed one lacks. */
function needsMore(mask: FlowWords, installed: FlowWords): boolean {
  for (let word = 0; word < KEY_WORDS; word++) if ((mask[word] & ~installed[word]) !== 0) return true;
  return false;
}
