/**
 * The datapath: ports, megaflows, and the way of a packet between them.
 *
 *     port.receive ─▶ extract ─▶ look up ─┬─ hit ──▶ group by actions ─▶ execute ─▶ queue ─▶ port.send
 *                                         └─ miss ─▶ upcall ─▶ execute, install ──┘ ▲
 *                        ▲                                                          │
 *                        └──────────────── tnl_pop, recirc (a level deeper) ◀───────┘
 *
 * Work comes in bursts of up to 32 packets. A burst goes through each step as a whole; only misses are taken one by one, since each
 * may install the megaflow that the next one hits. `process` below is that picture in code.
 *
 * Who owns a packet: the burst. Everything received or copied while a burst is worked on stands in `held`; ports borrow frames
 * from their queues; when the burst is done, queues are flushed and what is held is released, all at once.
 *
 * What this does not do: decide. Decisions come from the upcall handler (`switch/` is one), which also keeps the flows up to date
 * with the calls that change and dump them.
 */
import type { Program } from '../action/compile.js';
import { createExecutor } from '../action/execute.js';
import { createSetter } from '../action/set.js';
import type { Action } from '../action/types.js';
import { isSlowPath } from '../action/userspace-text.js';
import { createExtractor, type ExtractOptions } from '../flow/extract.js';
import { GROUPS_WORD, Group, KEY_WORDS, fields, sealKey, type FlowWords } from '../flow/fields.js';
import { ROWS, ROW_MASK, createKeyRows, type KeyRows } from '../flow/key-rows.js';
import type { Port } from '../io/port.js';
import { Packet } from '../packet/packet.js';
import { writeMetadata, type PacketMetadata } from '../packet/metadata.js';
import { BURST, PacketPool, TUNNEL_WORDS, type PacketHandle, type PoolOptions } from '../packet/pool.js';
import { TunnelWord } from '../packet/tunnel.js';
import { swap16 } from '../util/bytes.js';
import { systemClock, type Clock, type Timer } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { REASON_COUNT, Reason, reasonCounts } from '../util/reason.js';
import { COUNTER_WORDS, Counter, FlowTable, type ActionList } from './flow-table.js';
import { QUEUE_LENGTH, createDatapathPort, type DatapathPort } from './ports.js';

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

/** Levels of recirculation that a packet may go through (Open vSwitch 3.1's MAX_RECIRC_DEPTH). */
export const MAX_RECIRCULATION = 6;

/** Bursts that one turn takes before the host gets its own. */
const BURSTS_PER_TURN = 64;

const TUNNEL_PORTS_WORD = fields.tunTpSrc.at >> 2;

/** The row behind those of the levels of recirculation: for a key by itself. */
const SPARE_ROW = (MAX_RECIRCULATION + 1) * BURST;

/** Shortest frame: an Ethernet header. */
const LEAST_FRAME = 14;

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

interface Engine {
  /** Handles on their way in. */
  readonly burst: Int32Array;
  readonly lookups: { hit: number; missed: number; lost: number };
  /** Takes the first `count` handles of `burst`, which came in on `port`, all the way. */
  receive(port: DatapathPort, count: number): void;
  /** Sets the time that flows note as their last use. */
  readClock(): void;
  executeOne(packet: number, program: FlowTable['programs'][number]): void;
  hold(packet: number): HeldPacket | undefined;
  resume(held: HeldPacket, program: Program | undefined): void;
  resolve(packet: number): Resolution | null;
  keyOf(packet: number): FlowWords;
  /** Throws `busy` in the midst of a burst. */
  assertIdle(): void;
  lookupFlow(key: FlowWords): number;
  flush(): void;
}

/** The loops. A factory, not methods: what it closes over are constants to V8 (a third faster, bench/NOTES.md). */
function createEngine(
  datapath: Datapath,
  options: DatapathOptions,
  rows: KeyRows,
  table: FlowTable,
  ports: (DatapathPort | undefined)[],
  setter: ReturnType<typeof createSetter>,
): Engine {
  const { pool, clock, drops } = datapath;
  const { length, inPort, view, offset } = pool;
  const { classifier } = table;
  const { keys, flows, tcpFlags } = rows;
  // What the loops use are constants of this function, not of the module (flow/key-rows.ts).
  const burstRows = BURST;
  const rowMask = ROW_MASK;
  const leastFrame = LEAST_FRAME;
  const queueLength = QUEUE_LENGTH;
  const counterWords = COUNTER_WORDS;
  const { recognize, extract, hashUnknown } = createExtractor(pool, rows, classifier.known, options);
  const { upcall, userspace, slowPath } = options;

  const burst = new Int32Array(BURST);
  const lookups = { hit: 0, missed: 0, lost: 0 };
  // Upcalls see the keys in their rows: a copy takes 400 ns, as V8 keeps arrays of this length beside its heap.
  const rowKeys = Array.from({ length: ROWS }, (_, row) => keys.subarray(row * KEY_WORDS, (row + 1) * KEY_WORDS));
  // What a level of recirculation works on, beside its burst of rows.
  const levels = Array.from({ length: MAX_RECIRCULATION + 1 }, () => ({
    misses: new Int32Array(BURST),
    one: new Int32Array(1),
    groupActions: new Int32Array(BURST),
    // Programs, not only their numbers: executing one group may go through the datapath again and change flows.
    groupPrograms: new Array<Program>(BURST),
    groupCounts: new Int32Array(BURST),
    groups: Array.from({ length: BURST }, () => new Int32Array(BURST)),
  }));
  let depth = 0;
  let nowMs = 0;
  let random = (options.seed ?? 1) | 0 || 1;

  const held = new Int32Array(pool.slots);
  let heldCount = 0;
  // Ports with something in their queues. A count beside it, as setting `length` takes V8 100 ns.
  const dirty: DatapathPort[] = [];
  let dirtyCount = 0;
  const before = new Float64Array(REASON_COUNT);

  const executor = createExecutor(pool, setter, {
    output(number, list, count) {
      const port = ports[number];
      if (port === undefined || port.port === undefined) {
        drops[Reason.invalidPort] += count;
        return;
      }
      const { queue } = port;
      let queued = port.queued;
      if (queued === 0) dirty[dirtyCount++] = port;
      for (let index = 0; index < count; index++) {
        if (queued === queueLength) {
          port.queued = queued;
          send(port);
          queued = 0;
        }
        queue[queued++] = list[index];
      }
      port.queued = queued;
    },
    flush,
    recirculate(list, count) {
      if (depth === MAX_RECIRCULATION) {
        drops[Reason.recirculationLimit] += count;
        return;
      }
      depth++;
      process(list, count);
      depth--;
    },
    userspace(list, count, action, maxLength) {
      if (slowPath && isSlowPath(action)) {
        for (let index = 0; index < count; index++) takeSlowly(list[index]);
        return;
      }
      if (!userspace) {
        drops[Reason.userspaceAction] += count;
        return;
      }
      // The packet is cut for the call alone; what was sent of it before goes whole.
      if (maxLength !== 0) flush();
      for (let index = 0; index < count; index++) {
        const packet = list[index];
        const whole = length[packet];
        if (maxLength !== 0 && whole > maxLength) length[packet] = maxLength;
        try {
          userspace(new Packet(pool, packet), action);
        } finally {
          length[packet] = whole;
        }
      }
    },
    copy(packet) {
      const copy = pool.clone(packet);
      if (copy < 0) drops[Reason.poolExhausted]++;
      else held[heldCount++] = copy;
      return copy;
    },
    drops,
    random() {
      random ^= random << 13;
      random ^= random >>> 17;
      random ^= random << 5;
      return random >>> 0;
    },
  });

  function readClock(): void {
    nowMs = clock.now();
  }

  function receive(port: DatapathPort, count: number): void {
    const { number } = port;
    let bytes = 0;
    let sound = 0;
    for (let index = 0; index < count; index++) {
      const packet = burst[index];
      held[index] = packet;
      inPort[packet] = number;
      const size = length[packet];
      bytes += size;
      burst[sound] = packet;
      sound += size >= leastFrame ? 1 : 0;
    }
    heldCount = count;
    port.rxPackets += count;
    port.rxBytes += bytes;
    port.rxDrops[Reason.runt] += count - sound;
    if (datapath.onDrop) before.set(drops);
    try {
      if (sound !== 0) process(burst, sound);
    } finally {
      finish();
    }
    if (datapath.onDrop) reportDrops(datapath.onDrop);
  }

  function executeOne(packet: number, program: FlowTable['programs'][number]): void {
    // Inside a burst (an upcall handler executes) the burst's end releases and flushes.
    const nested = heldCount !== 0;
    const level = depth;
    held[heldCount++] = packet;
    if (!nested) readClock();
    try {
      // Actions expect the hash of the packet, as they do in a burst.
      keyOf(packet);
      executor.execute(program, Int32Array.of(packet), 1);
    } finally {
      if (nested) depth = level;
      else finish();
    }
  }

  function keyOf(packet: number): FlowWords {
    extract(Int32Array.of(packet), 1, SPARE_ROW);
    return rowKeys[SPARE_ROW].slice();
  }

  function assertIdle(): void {
    if (heldCount === 0) return;
    throw new MegaflowError(
      'busy',
      'the datapath is in the midst of a burst',
      undefined,
      'a call that the datapath itself did not lead to',
    );
  }

  const single = new Int32Array(1);
  /** Looks up the key in a row by itself. */
  function lookupRow(row: number): boolean {
    single[0] = row;
    return classifier.lookup(single, 1) === 0;
  }

  function lookupFlow(key: FlowWords): number {
    for (let word = 0; word < KEY_WORDS; word++) keys[SPARE_ROW * KEY_WORDS + word] = key[word];
    lookupRow(SPARE_ROW);
    return flows[SPARE_ROW];
  }

  /** Sends what is queued and releases what is held, whatever happened. */
  function finish(): void {
    depth = 0;
    executor.reset();
    try {
      flush();
    } finally {
      // Where a listener threw, frames may be left in queues; their slots go all the same.
      for (let index = 0; index < dirtyCount; index++) dirty[index].queued = 0;
      dirtyCount = 0;
      pool.releaseBurst(held, heldCount);
      heldCount = 0;
    }
  }

  function reportDrops(listener: DropListener): void {
    for (let reason = 1; reason < REASON_COUNT; reason++) {
      if (drops[reason] !== before[reason]) listener(reason as Reason, drops[reason] - before[reason]);
    }
  }

  function process(list: Int32Array, count: number): void {
    const first = depth * burstRows;
    const { misses } = levels[depth];
    const unknown = recognize(list, count, first, misses);
    const missed = unknown === 0 ? 0 : classifier.lookup(misses, unknown);
    lookups.hit += count - missed;
    if (missed !== 0) {
      hashUnknown(list, count, first);
      const { removals } = table;
      takeMisses(list, missed);
      if (table.removals !== removals) lookupAgain(list, count);
    }
    executeGroups(list, count, unknown !== 0);
  }

  /**
   * Counts the burst in its flows and executes, once for each list of actions. Rows without a flow have been dealt with.
   * `lacksHashes`: there may be packets whose 5-tuple hash has not been computed yet.
   */
  function executeGroups(list: Int32Array, count: number, lacksHashes: boolean): void {
    const first = depth * burstRows;
    const { counters, actionIds, programs } = table;
    let same = true;
    let flow = flows[first];
    let run = 0;
    let runBytes = 0;
    for (let index = 0; index < count; index++) {
      const row = (first + index) & rowMask;
      const next = flows[row];
      if (next !== flow) {
        if (flow >= 0) {
          const at = flow * counterWords;
          counters[at] += run;
          counters[at + 1] += runBytes;
          counters[at + 2] = nowMs;
        }
        same &&= flow >= 0 && next >= 0 && actionIds[next] === actionIds[flow];
        flow = next;
        run = 0;
        runBytes = 0;
      }
      run++;
      runBytes += length[list[index]];
      const flags = tcpFlags[row];
      if (flags !== 0 && next >= 0) counters[next * counterWords + 3] |= flags;
    }
    if (flow >= 0) {
      const at = flow * counterWords;
      counters[at] += run;
      counters[at + 1] += runBytes;
      counters[at + 2] = nowMs;
      if (same) {
        const program = programs[actionIds[flow]];
        if (lacksHashes && program.usesHash) hashUnknown(list, count, first);
        executor.execute(program, list, count);
        return;
      }
    }

    const { groupActions, groupPrograms, groupCounts, groups } = levels[depth];
    let groupCount = 0;
    for (let index = 0; index < count; index++) {
      flow = flows[(first + index) & rowMask];
      if (flow < 0) continue;
      const actions = actionIds[flow];
      let group = 0;
      while (group < groupCount && groupActions[group] !== actions) group++;
      if (group === groupCount) {
        groupActions[groupCount++] = actions;
        groupPrograms[group] = programs[actions];
        if (lacksHashes && programs[actions].usesHash) hashUnknown(list, count, first);
        groupCounts[group] = 0;
      }
      groups[group][groupCounts[group]++] = list[index];
    }
    for (let group = 0; group < groupCount; group++)
      executor.execute(groupPrograms[group], groups[group], groupCounts[group]);
  }

  function takeMisses(list: Int32Array, missed: number): void {
    const first = depth * burstRows;
    const { misses } = levels[depth];
    for (let index = 0; index < missed; index++) {
      const row = misses[index];
      // An upcall just before may have installed what this packet needs.
      if (index !== 0 && lookupRow(row)) lookups.hit++;
      else missOne(list[row - first], rowKeys[row]);
    }
  }

  /**
   * Upcalls have removed flows, whose numbers may stand for other flows by now: rows that were found before are looked up anew. Each
   * round that removes more leaves one row less to be looked up.
   */
  function lookupAgain(list: Int32Array, count: number): void {
    const first = depth * burstRows;
    // Rows of keys that were known have not been written.
    extract(list, count, first);
    for (let removals = -1; removals !== table.removals; ) {
      removals = table.removals;
      for (let row = first; row < first + count; row++) {
        if (flows[row] < 0 || lookupRow(row)) continue;
        lookups.hit--;
        missOne(list[row - first], rowKeys[row]);
      }
    }
  }

  function missOne(packet: number, key: FlowWords): void {
    const { additions } = table;
    const decision = ask(packet, key);
    if (decision === null) return;
    const tunnelPorts = tunnelPortsOf(packet, key);
    const { one } = levels[depth];
    const actions = table.acquire(decision.actions);
    try {
      one[0] = packet;
      executor.execute(actions.program, one, 1);
      install(key, tunnelPorts, decision, actions, additions);
    } finally {
      table.release(actions);
    }
  }

  /** What the slow path decides at once; packets that it holds or loses are counted here. */
  function ask(packet: number, key: FlowWords): Upcall | null {
    const answer = upcall(new Packet(pool, packet), key);
    if (answer === null) {
      lookups.lost++;
      drops[Reason.upcallLost]++;
      return null;
    }
    if (!('type' in answer)) return answer;
    lookups.missed++;
    return null;
  }

  /**
   * Installs what was decided; answers the flow that serves the key from now on, or -1. `additions`: of the table before anybody was asked.
   */
  function install(
    key: FlowWords,
    tunnelPorts: number,
    decision: Upcall,
    actions: ActionList,
    additions: number,
  ): number {
    if (decision.install === null || table.size >= datapath.flowLimit) {
      lookups.lost++;
      return -1;
    }
    lookups.missed++;
    // The upcall may have put flows, and the execution gone through the datapath again and installed what serves this packet.
    const known = table.additions === additions ? -1 : lookupFlow(key);
    if (known >= 0) return known;
    const flow = decision.install
      ? table.insert(key, decision.mask, decision.install, tunnelPorts)
      : table.insertWith(key, decision.mask, actions, tunnelPorts);
    decision.installed?.(flow);
    return flow;
  }

  function hold(packet: number): HeldPacket | undefined {
    const copy = pool.clone(packet);
    return copy < 0 ? undefined : { type: 'held', packet: copy, depth };
  }

  function resume(waited: HeldPacket, program: Program | undefined): void {
    held[heldCount++] = waited.packet;
    depth = waited.depth;
    readClock();
    try {
      if (program) executor.execute(program, Int32Array.of(waited.packet), 1);
      else process(Int32Array.of(waited.packet), 1);
    } finally {
      finish();
    }
  }

  function resolve(packet: number): Resolution | null {
    held[heldCount++] = packet;
    readClock();
    try {
      const key = keyOf(packet);
      const known = lookupFlow(key);
      if (known >= 0) return { flow: known, actions: table.actionsOf(known).actions };
      const { additions } = table;
      const decision = ask(packet, key);
      if (decision === null) return null;
      const actions = table.acquire(decision.actions);
      try {
        const flow = install(key, tunnelPortsOf(packet, key), decision, actions, additions);
        return { flow, actions: decision.actions };
      } finally {
        table.release(actions);
      }
    } finally {
      finish();
    }
  }

  /** Asks what is to be done with this one packet, and does it. */
  function takeSlowly(packet: number): void {
    const decision = slowPath!(keyOf(packet));
    if (decision === null) {
      drops[Reason.upcallLost]++;
      return;
    }
    const actions = table.acquire(decision);
    try {
      executor.execute(actions.program, Int32Array.of(packet), 1);
    } finally {
      table.release(actions);
    }
  }

  /** The transport ports of the packet's tunnel, where the key is too short to hold them. */
  function tunnelPortsOf(packet: number, key: FlowWords): number {
    const isNarrow = (key[GROUPS_WORD] & (Group.tunnel | Group.tunnelWide)) === Group.tunnel;
    return isNarrow ? pool.tunnel[packet * TUNNEL_WORDS + TunnelWord.ports] : 0;
  }

  /** Keeps the frames of a queue that are within the MTU, which bounds what follows the Ethernet header and an 802.1Q tag. */
  function dropLong(port: DatapathPort, queued: number): number {
    const { queue, mtu } = port;
    let fit = 0;
    for (let index = 0; index < queued; index++) {
      const packet = queue[index];
      const isTagged = view.getUint16(offset[packet] + 12) === 0x8100;
      if (length[packet] <= mtu + leastFrame + (isTagged ? 4 : 0)) queue[fit++] = packet;
    }
    port.txDrops[Reason.mtuExceeded] += queued - fit;
    return fit;
  }

  function flush(): void {
    for (let index = 0; index < dirtyCount; index++) send(dirty[index]);
    dirtyCount = 0;
  }

  function send(port: DatapathPort): void {
    const { queue, queued, mtu } = port;
    const most = mtu + leastFrame;
    let bytes = 0;
    let fit = queued;
    for (let index = 0; index < queued; index++) {
      const size = length[queue[index]];
      bytes += size;
      if (size > most) fit = -1;
    }
    port.queued = 0;
    if (fit < 0) {
      fit = dropLong(port, queued);
      if (fit === 0) return;
      bytes = 0;
      for (let index = 0; index < fit; index++) bytes += length[queue[index]];
    }
    port.txPackets += fit;
    port.txBytes += bytes;
    if (datapath.onSend) for (let index = 0; index < fit; index++) datapath.onSend(port, pool.frame(queue[index]));
    port.port?.send(queue, fit);
  }

  return {
    burst,
    lookups,
    receive,
    readClock,
    executeOne,
    hold,
    resume,
    resolve,
    keyOf,
    assertIdle,
    lookupFlow,
    flush,
  };
}
