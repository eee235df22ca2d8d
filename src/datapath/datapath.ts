/**
 * The datapath: ports, megaflows, and the way of a packet between them.
 *
 *     port.receive ─▶ extract ─▶ look up ─┬─ hit ──▶ group by actions ─▶ execute ─▶ queue ─▶ port.send
 *                                         └─ miss ─▶ upcall ─▶ execute, install ──┘ ▲
 *                        ▲                                                          │
 *                        └──────────────── tnl_pop, recirc (a level deeper) ◀───────┘
 *
 * Work comes in bursts of up to 32 packets. A burst goes through each step as a whole; only misses are taken one by one, since each
 * may install the megaflow that the next one hits. engine.ts is that picture in code.
 *
 * What this does not do: decide. Decisions come from the upcall handler (`switch/` is one), which also keeps the flows up to date
 * with the calls that change and dump them.
 */
import { createSetter } from '../action/set.js';
import type { Action } from '../action/types.js';
import type { ExtractOptions } from '../flow/extract.js';
import { KEY_WORDS, fields, sealKey, type FlowWords } from '../flow/fields.js';
import { createKeyRows } from '../flow/key-rows.js';
import type { Port } from '../io/port.js';
import { Packet } from '../packet/packet.js';
import { writeMetadata, type PacketMetadata } from '../packet/metadata.js';
import { BURST, PacketPool, type PacketHandle, type PoolOptions } from '../packet/pool.js';
import { swap16 } from '../util/bytes.js';
import { systemClock, type Clock, type Timer } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { REASON_COUNT, Reason, reasonCounts } from '../util/reason.js';
import { COUNTER_WORDS, Counter, FlowTable } from './flow-table.js';
import { createDatapathPort, type DatapathPort } from './ports.js';
import { LEAST_FRAME, createEngine, type Engine } from './engine.js';

/** What an upcall decides: the megaflow to install (its key is the packet's), and what to do with the packet. */
export interface Upcall {
  /** `KEY_WORDS` words; bits that the decision depends on are ones. */
  readonly mask: FlowWords;
  /** What is done with this packet and, unless `install` says otherwise, with those that follow. */
  readonly actions: readonly Action[];
  /** Actions to install where they differ; `null` installs nothing, and the packet counts as lost though it is forwarded. */
  readonly install?: readonly Action[] | null;
  /** Called with the number of the flow once it is installed. */
  readonly installed?: (flow: number) => void;
}

/**
 * The slow path. `packet` and `key` are valid during the call. Null: nothing is installed, the packet is dropped and counted lost.
 * A handler that must wait answers what `hold` gave it, and calls `resume` or `discard` later.
 */
export type UpcallHandler = (packet: Packet, key: FlowWords) => Upcall | HeldPacket | null;

/** A packet that waits for a decision: a slot of the pool, which `resume` or `discard` gives back. */
export interface HeldPacket {
  readonly type: 'held';
  readonly packet: PacketHandle;
  /** How often it has been recirculated. */
  readonly depth: number;
}

/** What `resolve` answers: what is done with the frame, and the flow that says so (-1: none was installed). */
export interface Resolution {
  readonly flow: number;
  readonly actions: readonly Action[];
}

/** What was counted for a flow elsewhere. */
export type FlowCredit = Required<Pick<FlowInfo, 'packets' | 'bytes' | 'tcpFlags'>> & { readonly usedMs: number };

/** A change of a flow by `modifyFlow` or `deleteFlow`. */
export type FlowChange = 'modified' | 'removed';

export interface DatapathOptions extends ExtractOptions {
  upcall: UpcallHandler;
  /**
   * Called for each packet of `userspace(pid=0,slow_path(action))`, which Open vSwitch installs where its datapath cannot do the
   * actions: answers what is done with this packet, or null to drop it. Without it such packets go to `userspace`.
   */
  slowPath?: (key: FlowWords) => readonly Action[] | null;
  /** Called for each packet of a `userspace` action. Without it they are counted drops. */
  userspace?: (packet: Packet, action: Action & { type: 'userspace' }) => void;
  /** Frames live here; one pool serves one datapath. Default: a new one, with `poolOptions`. */
  pool?: PacketPool;
  poolOptions?: PoolOptions;
  clock?: Clock;
  /** Most flows; beyond them packets are forwarded and nothing is installed. Default 200000. */
  flowLimit?: number;
  /** Entries of the exact-match cache, a power of two; 0 switches it off. Default 8192. */
  exactMatchEntries?: number;
  /**
   * Which flow is hit where several match: `any` of them (the default, and fast), or the one that Open vSwitch 3.1 would hit, so that even the
   * counters of overlapping flows agree. The latter has no cache and takes microseconds a packet.
   */
  lookupOrder?: 'any' | 'open-vswitch';
  /** Seed of the generator behind `sample`. Default 1. */
  seed?: number;
}

/** An installed megaflow, as data. */
export interface FlowInfo {
  readonly flow: number;
  /** As installed, values unmasked. */
  readonly key: FlowWords;
  readonly mask: FlowWords;
  readonly actions: readonly Action[];
  readonly packets: number;
  readonly bytes: number;
  /** Time of last use on the datapath's clock, in ms; undefined: never used. */
  readonly usedMs: number | undefined;
  /** OR of the TCP flags seen. */
  readonly tcpFlags: number;
}

export interface DatapathStatistics {
  readonly hit: number;
  readonly missed: number;
  readonly lost: number;
  readonly flows: number;
  /** By name of the reason. */
  readonly drops: Record<string, number>;
}

/** What `onDrop` hears: how many packets the datapath dropped in one burst for one reason. */
export type DropListener = (reason: Reason, count: number) => void;

/** Bursts that one turn takes before the host gets its own. */
const BURSTS_PER_TURN = 64;

const TUNNEL_PORTS_WORD = fields.tunTpSrc.at >> 2;

export class Datapath {
  readonly pool: PacketPool;
  readonly clock: Clock;
  /** Packets dropped by the datapath itself, by `Reason`; ports count their own. */
  readonly drops = new Float64Array(REASON_COUNT);
  flowLimit: number;
  /** Hears of drops after each burst; costs nothing while it is undefined. */
  onDrop: DropListener | undefined;
  /** Sees each frame (a view, valid during the call) that is handed to a port; costs nothing while it is undefined. */
  onSend: ((port: DatapathPort, frame: Uint8Array) => void) | undefined;
  /** Hears of each flow that is modified, and of each that is about to be removed. */
  onFlowChange: ((flow: number, change: FlowChange) => void) | undefined;

  readonly #flows: FlowTable;
  readonly #ports: (DatapathPort | undefined)[] = [];
  readonly #engine: Engine;
  readonly #ready: DatapathPort[] = [];
  #turn: Timer | undefined;
  #closed = false;

  constructor(options: DatapathOptions) {
    this.pool = options.pool ?? new PacketPool(options.poolOptions);
    this.clock = options.clock ?? systemClock;
    this.flowLimit = options.flowLimit ?? 200_000;
    const setter = createSetter(this.pool);
    const rows = createKeyRows();
    this.#flows = new FlowTable(rows, setter, options);
    this.#engine = createEngine(this, options, rows, this.#flows, this.#ports, setter);
  }

  // ---- ports -------------------------------------------------------------------------------------------------------------

  /**
   * Adds a port and answers its number: the one asked for, or the lowest that is free from 1 on. Without `port` it is a native
   * tunnel port. Throws `already-exists` for a number or name that is taken.
   */
  addPort(
    port: Port | undefined,
    options: { name?: string; number?: number; type?: string; options?: Record<string, string> } = {},
  ): number {
    this.#assertOpen();
    const name = options.name ?? port?.name;
    if (name === undefined)
      throw new MegaflowError('bad-argument', 'a port needs a name', name, 'a name, or a port that has one');
    if (this.findPort(name))
      throw new MegaflowError('already-exists', `there is a port ${name} already`, name, 'a name that is free');
    let number = options.number;
    if (number === undefined) for (number = 1; this.#ports[number]; number++);
    else if (!Number.isInteger(number) || number < 1 || number > 65534) {
      throw new MegaflowError(
        'out-of-range',
        `a port number cannot be ${number}`,
        number,
        'a whole number from 1 to 65534',
      );
    } else if (this.#ports[number])
      throw new MegaflowError('already-exists', `port number ${number} is taken`, number, 'a number that is free');
    const added = createDatapathPort(number, name, options.type ?? 'system', options.options ?? {}, port);
    this.#ports[number] = added;
    port?.attach({ pool: this.pool, wake: () => this.#wake(added) });
    return number;
  }

  /** Removes a port. Flows that name it stay until they are deleted; what they output there is dropped (`invalidPort`). */
  removePort(number: number): void {
    const port = this.#ports[number];
    if (!port) throw new MegaflowError('not-found', `there is no port ${number}`, number, 'the number of a port');
    this.#engine.flush();
    this.#ports[number] = undefined;
    const at = this.#ready.indexOf(port);
    if (at >= 0) this.#ready.splice(at, 1);
    port.port?.detach();
  }

  /** The ports in the order of their numbers. */
  ports(): DatapathPort[] {
    return this.#ports.filter((port) => port !== undefined);
  }

  port(number: number): DatapathPort | undefined {
    return this.#ports[number];
  }

  findPort(name: string): DatapathPort | undefined {
    return this.#ports.find((port) => port?.name === name);
  }

  // ---- packets -----------------------------------------------------------------------------------------------------------

  #wake(port: DatapathPort): void {
    if (!port.ready) {
      port.ready = true;
      this.#ready.push(port);
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#turn || this.#closed) return;
    this.#turn = this.clock.soon(() => {
      this.#turn = undefined;
      try {
        this.poll(BURSTS_PER_TURN);
      } finally {
        if (this.#ready.length !== 0) this.#schedule();
      }
    });
  }

  /**
   * Takes up to `bursts` bursts from the ports that have frames, in turn, and processes them; answers how many packets. Runs by itself
   * when ports wake the datapath; call it where you want the work done now. Throws `busy` when called by what the datapath calls.
   */
  poll(bursts = Infinity): number {
    this.#engine.assertIdle();
    const engine = this.#engine;
    const ready = this.#ready;
    const { burst } = engine;
    let packets = 0;
    for (let taken = 0; taken < bursts; taken++) {
      const port = ready[0];
      if (!port?.port) break;
      // Asking for the time takes as long as a packet.
      if ((taken & 63) === 0) engine.readClock();
      const count = port.port.receive(burst, BURST);
      // A port that filled the burst may have more: it queues behind the others.
      if (count < BURST) port.ready = false;
      if (count < BURST || ready.length > 1) {
        ready.shift();
        if (port.ready) ready.push(port);
      }
      if (count === 0) continue;
      engine.receive(port, count);
      packets += count;
    }
    return packets;
  }

  /**
   * Processes one frame as if it had come in on port `number`; a frame that finds no slot is a counted drop. Throws `not-found`, and
   * `busy` when called by what the datapath calls: an upcall handler uses `execute`.
   */
  inject(number: number, frame: Uint8Array): void {
    const port = this.#ports[number];
    if (!port) throw new MegaflowError('not-found', `there is no port ${number}`, number, 'the number of a port');
    this.#engine.assertIdle();
    const packet = this.pool.allocateCopy(frame);
    if (packet < 0) {
      port.rxDrops[this.pool.fits(frame.length) ? Reason.poolExhausted : Reason.frameTooLong]++;
      return;
    }
    this.#engine.burst[0] = packet;
    this.#engine.readClock();
    this.#engine.receive(port, 1);
  }

  /**
   * Executes actions on a copy of `frame`, with its way in and whatever else is known of it. Throws `unsupported-action`.
   */
  execute(frame: Uint8Array, actions: readonly Action[], from: number | PacketMetadata = 0): void {
    const list = this.#flows.acquire(actions);
    const packet = this.#allocate(frame, from);
    if (packet >= 0) this.#engine.executeOne(packet, list.program);
    this.#flows.release(list);
  }

  /** A slot with a frame and its metadata; -1 where that is a drop, which is counted unless it is a runt. */
  #allocate(frame: Uint8Array, from: number | PacketMetadata): PacketHandle {
    if (frame.length < LEAST_FRAME) return -1;
    const packet = this.pool.allocateCopy(frame);
    if (packet < 0) this.drops[this.pool.fits(frame.length) ? Reason.poolExhausted : Reason.frameTooLong]++;
    else if (typeof from === 'number') this.pool.inPort[packet] = from;
    else writeMetadata(this.pool, packet, from);
    return packet;
  }

  // ---- packets that wait, and packets of others ---------------------------------------------------------------------------

  /**
   * For an upcall handler that cannot decide at once: keeps its packet, with all that is known of it, in a slot of the pool. Undefined when
   * there is none. The handler answers the packet it is given, which then counts as missed.
   */
  hold(packet: Packet): HeldPacket | undefined {
    return this.#engine.hold(packet.handle);
  }

  /**
   * Goes on with a packet that was held: executes actions on it, or looks it up again, which is a second upcall where there still is no
   * flow. Throws `unsupported-action`, and `busy` when called by what the datapath calls.
   */
  resume(held: HeldPacket, actions?: readonly Action[]): void {
    this.#engine.assertIdle();
    const list = actions && this.#flows.acquire(actions);
    try {
      this.#engine.resume(held, list?.program);
    } finally {
      if (list) this.#flows.release(list);
    }
  }

  /** Drops a packet that was held; it counts as lost. */
  discard(held: HeldPacket): void {
    this.drops[Reason.upcallLost]++;
    this.pool.release(held.packet);
  }

  /**
   * What is to be done with a frame that another datapath asks about: looks it up here, and where no flow serves it, asks the slow path and
   * installs what that decides. Executes nothing, and counts nothing in the flow. Null: it is to be dropped. Throws `busy`.
   */
  resolve(frame: Uint8Array, metadata: PacketMetadata): Resolution | null {
    this.#engine.assertIdle();
    const packet = this.#allocate(frame, metadata);
    return packet < 0 ? null : this.#engine.resolve(packet);
  }

  /** The key of a frame as it would be extracted on port `inPort`; undefined when there is no slot for it. Allocates. */
  keyOf(frame: Uint8Array, inPort = 0): FlowWords | undefined {
    if (frame.length < LEAST_FRAME) {
      throw new MegaflowError(
        'bad-argument',
        `a frame cannot have ${frame.length} bytes`,
        frame.length,
        `at least ${LEAST_FRAME} bytes`,
      );
    }
    const packet = this.pool.allocateCopy(frame);
    if (packet < 0) return undefined;
    this.pool.inPort[packet] = inPort;
    const key = this.#engine.keyOf(packet);
    this.pool.release(packet);
    return key;
  }

  // ---- flows -------------------------------------------------------------------------------------------------------------

  /** Installs a flow and answers its number. Throws `already-exists`, `flow-limit`, `unsupported-action`. */
  putFlow(key: FlowWords, mask: FlowWords, actions: readonly Action[]): number {
    if (this.#flows.size >= this.flowLimit) {
      throw new MegaflowError(
        'flow-limit',
        `there are ${this.flowLimit} flows already`,
        this.flowLimit,
        'fewer flows than the limit',
      );
    }
    return this.#flows.insert(key, mask, actions);
  }

  /** Changes what a flow does; its counters and its mask stay. Throws `not-found`, `unsupported-action`. */
  modifyFlow(flow: number, actions: readonly Action[]): void {
    this.#flows.modify(flow, actions);
    this.onFlowChange?.(flow, 'modified');
  }

  deleteFlow(flow: number): void {
    if (this.#flows.has(flow)) this.onFlowChange?.(flow, 'removed');
    this.#flows.remove(flow);
  }

  deleteAllFlows(): void {
    for (const flow of this.flowNumbers()) this.deleteFlow(flow);
  }

  /**
   * Adds to what a flow has counted what another datapath has for it; `usedMs` on this datapath's clock, `tcpFlags` as in `FlowInfo`. Throws
   * `not-found`.
   */
  creditFlow(flow: number, { packets, bytes, usedMs, tcpFlags }: FlowCredit): void {
    this.#flows.actionsOf(flow);
    const { counters } = this.#flows;
    const at = flow * COUNTER_WORDS;
    counters[at + Counter.packets] += packets;
    counters[at + Counter.bytes] += bytes;
    counters[at + Counter.used] = Math.max(counters[at + Counter.used], usedMs);
    counters[at + Counter.tcpFlags] |= swap16(tcpFlags);
  }

  /** The flow that a packet with this key would hit, -1 for none. Where flows overlap it is the one of the mask that came first. */
  lookupFlow(key: FlowWords): number {
    return this.#engine.lookupFlow(key);
  }

  /** The flow with this mask and, under it, this key; -1 when there is none. */
  findFlow(key: FlowWords, mask: FlowWords): number {
    return this.#flows.classifier.find(key, mask);
  }

  /** The numbers of all flows, at this moment. */
  flowNumbers(): number[] {
    const numbers: number[] = [];
    this.#flows.classifier.forEach((flow) => numbers.push(flow));
    return numbers;
  }

  /** Every flow number is below it. */
  get flowCapacity(): number {
    return this.#flows.classifier.flowCapacity;
  }

  hasFlow(flow: number): boolean {
    return this.#flows.has(flow);
  }

  get flowCount(): number {
    return this.#flows.size;
  }

  /** One flow as data. Allocates. */
  flow(flow: number): FlowInfo {
    const list = this.#flows.actionsOf(flow);
    const tcpFlags = this.#counter(flow, Counter.tcpFlags);
    const key = new Int32Array(KEY_WORDS);
    this.readFlowKey(flow, key);
    return {
      flow,
      key,
      mask: this.flowMask(flow),
      actions: list.actions,
      packets: this.flowPackets(flow),
      bytes: this.flowBytes(flow),
      usedMs: this.flowUsedMs(flow),
      tcpFlags: ((tcpFlags & 0xff) << 8) | (tcpFlags >>> 8),
    };
  }

  /** Writes the key of a flow, as it was installed, into `KEY_WORDS` words. Throws `not-found`. */
  readFlowKey(flow: number, key: FlowWords): void {
    const { classifier, tunnelPorts } = this.#flows;
    classifier.keyOf(flow, key);
    if (tunnelPorts[flow] === 0) return;
    key[TUNNEL_PORTS_WORD] = tunnelPorts[flow];
    sealKey(key);
  }

  /** The mask of a flow, shared by all that have it: not to be written to. Throws `not-found`. */
  flowMask(flow: number): FlowWords {
    return this.#flows.classifier.maskOf(flow);
  }

  /** The actions of a flow, shared by all that have them. Throws `not-found`. */
  flowActions(flow: number): readonly Action[] {
    return this.#flows.actionsOf(flow).actions;
  }

  /** The text of a flow's actions. */
  flowActionsText(flow: number): string {
    return this.#flows.actionsOf(flow).text;
  }

  /** Packets that a flow has counted. */
  flowPackets(flow: number): number {
    return this.#counter(flow, Counter.packets);
  }

  /** Bytes that a flow has counted. */
  flowBytes(flow: number): number {
    return this.#counter(flow, Counter.bytes);
  }

  /** OR of the TCP flags that a flow has seen. */
  flowTcpFlags(flow: number): number {
    return swap16(this.#flows.counters[flow * COUNTER_WORDS + Counter.tcpFlags]);
  }

  /** When a flow was last used; undefined: never. */
  flowUsedMs(flow: number): number | undefined {
    return this.flowPackets(flow) === 0 ? undefined : this.#counter(flow, Counter.used);
  }

  #counter(flow: number, place: (typeof Counter)[keyof typeof Counter]): number {
    return this.#flows.counters[flow * COUNTER_WORDS + place];
  }

  /** Look-ups and drops, as plain data. */
  statistics(): DatapathStatistics {
    const { hit, missed, lost } = this.#engine.lookups;
    return { hit, missed, lost, flows: this.flowCount, drops: reasonCounts(this.drops) };
  }

  // ---- the end -----------------------------------------------------------------------------------------------------------

  #assertOpen(): void {
    if (this.#closed) throw new MegaflowError('closed', 'the datapath is closed', undefined, 'a datapath that is open');
  }

  /** Detaches all ports and cancels what is scheduled. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#turn?.cancel();
    for (const port of this.ports()) this.removePort(port.number);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
