/**
 * The datapath at work: bursts on their way from a port to the ports that they leave by. `process` is the picture of datapath.ts in code.
 *
 * Who owns a packet: the burst. Everything received or copied while a burst is worked on stands in `held`; ports borrow frames
 * from their queues; when the burst is done, queues are flushed and what is held is released, all at once.
 *
 * What this does not do: keep flows and ports (datapath.ts, flow-table.ts), or decide.
 */
import type { Program } from '../action/compile.js';
import { createExecutor } from '../action/execute.js';
import { createSetter } from '../action/set.js';
import { isSlowPath } from '../action/userspace-text.js';
import { createExtractor } from '../flow/extract.js';
import { GROUPS_WORD, Group, KEY_WORDS, type FlowWords } from '../flow/fields.js';
import { ROWS, ROW_MASK, type KeyRows } from '../flow/key-rows.js';
import { Packet } from '../packet/packet.js';
import { BURST, TUNNEL_WORDS } from '../packet/pool.js';
import { TunnelWord } from '../packet/tunnel.js';
import { MegaflowError } from '../util/errors.js';
import { REASON_COUNT, Reason } from '../util/reason.js';
import { COUNTER_WORDS, FlowTable, type ActionList } from './flow-table.js';
import { QUEUE_LENGTH, type DatapathPort } from './ports.js';
import type { Datapath, DatapathOptions, DropListener, HeldPacket, Resolution, Upcall } from './datapath.js';

/** Levels of recirculation that a packet may go through (Open vSwitch 3.1's MAX_RECIRC_DEPTH). */
export const MAX_RECIRCULATION = 6;

/** The row behind those of the levels of recirculation: for a key by itself. */
const SPARE_ROW = (MAX_RECIRCULATION + 1) * BURST;

/** Shortest frame: an Ethernet header. */
export const LEAST_FRAME = 14;

export interface Engine {
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
export function createEngine(
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
   * Installs what was decided; answers the flow that serves the key from now on, or -1. `additions` is what the table had before the
   * upcall: it may have put flows, and executing the packet gone through the datapath again and installed what serves it.
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
