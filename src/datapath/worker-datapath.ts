/**
 * A datapath in a worker, whose slow path is elsewhere: one of several that share the work of one switch, each on a core of its own.
 *
 *      worker                                          thread of the slow path
 *      ┌──────────────────────────┐   miss ──────────▶ ┌──────────────────────────┐
 *      │ createWorkerDatapath     │ ◀──────── decision │ createFlowServer          │
 *      │ ports, flows, cache      │   statistics ────▶ │ a Datapath with its upcall │
 *      │ packets that wait        │ ◀── modify, remove │ handler, a VSwitch's say   │
 *      └──────────────────────────┘                    └──────────────────────────┘
 *
 * A packet without a flow is held here, in the pool, while the question is under way; packets with the same key wait behind it and ask
 * nothing. So many at most are held: beyond them packets are lost, and counted.
 *
 * What is decided is a flow over there, and a copy of it here. What copies count goes over in turns, so that flows grow idle, move and go
 * there as if there were one datapath; changes come back. What a copy counted after its last turn is lost with it.
 *
 * Who gets which packet is not decided here. Give all packets of a conversation to one worker (`flowHash`), or they overtake each other.
 */
import type { FlowWords } from '../flow/fields.js';
import { readMetadata } from '../packet/metadata.js';
import type { Packet } from '../packet/packet.js';
import { systemClock, type Timer } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { Reason } from '../util/reason.js';
import { Datapath, type DatapathOptions, type HeldPacket } from './datapath.js';
import {
  FrameSender,
  listen,
  type FlowMessage,
  type MessageEnd,
  type ServerMessage,
  type WorkerMessage,
} from './messages.js';
import { createRelayPort, type RelayPortOptions } from './relay-port.js';

export interface WorkerDatapathOptions
  extends Omit<DatapathOptions, 'upcall' | 'slowPath' | 'userspace' | 'lookupOrder'> {
  /** Most packets that wait for decisions, and most frames that are under way over there. Default: a quarter of the pool's slots. */
  queue?: number;
  /** How often what flows have counted goes over. Default 250. */
  statisticsMs?: number;
}

export interface WorkerCounters {
  /** Questions asked. */
  readonly asked: number;
  /** Packets that wait now. */
  readonly waiting: number;
  /** Packets that were lost because too many waited, or there was no slot. */
  readonly overflowed: number;
}

export interface WorkerDatapath {
  readonly datapath: Datapath;
  counters(): WorkerCounters;
  /** A port of this datapath whose frames leave from the port with the same number over there. */
  addRelayPort(options: RelayPortOptions): void;
  /** Sends what flows have counted since the last time. */
  sendStatistics(): void;
  /** Closes the datapath; packets that wait are lost. The channel is the caller's. */
  close(): void;
}

/** A question, and the packets that wait for its answer. */
interface Question {
  readonly key: FlowWords;
  readonly packets: HeldPacket[];
}

/** A copy of a flow. */
interface Copy {
  readonly flow: number;
  packets: number;
  bytes: number;
}

export function createWorkerDatapath(end: MessageEnd, options: WorkerDatapathOptions = {}): WorkerDatapath {
  const { statisticsMs = 250, clock = systemClock } = options;
  /** By their number. */
  const questions = new Map<number, Question>();
  const copies = new Map<number, Copy>();
  let asked = 0;
  let waiting = 0;
  let overflowed = 0;
  let timer: Timer | undefined;
  let closed = false;

  const datapath = new Datapath({ ...options, upcall, userspace });
  const limit = options.queue ?? datapath.pool.slots >> 2;
  if (!Number.isInteger(limit) || limit < 1 || limit >= datapath.pool.slots) {
    const allowed = `a whole number from 1 to ${datapath.pool.slots - 1}, as the pool has ${datapath.pool.slots} slots`;
    throw new MegaflowError('out-of-range', `queue cannot be ${limit}`, limit, allowed);
  }
  const sender = new FrameSender(end, limit);
  const post = (message: WorkerMessage): void => end.postMessage(message);

  function upcall(packet: Packet, key: FlowWords): HeldPacket | null {
    const held = waiting < limit && !closed ? datapath.hold(packet) : undefined;
    if (held === undefined) {
      overflowed++;
      return null;
    }
    waiting++;
    for (const question of questions.values()) {
      if (!equalKeys(question.key, key)) continue;
      question.packets.push(held);
      return held;
    }
    const request = asked++;
    questions.set(request, { key: key.slice(), packets: [held] });
    post({ type: 'miss', request, frame: packet.copy(), metadata: readMetadata(packet.pool, packet.handle) });
    return held;
  }

  function userspace(packet: Packet, action: Parameters<NonNullable<DatapathOptions['userspace']>>[1]): void {
    if (!sender.send(packet.frame, readMetadata(packet.pool, packet.handle), [action]))
      datapath.drops[Reason.userspaceAction]++;
  }

  function decide({ request, actions, flow }: ServerMessage & { type: 'decision' }): void {
    const question = questions.get(request);
    if (!question) return;
    questions.delete(request);
    const [first, ...others] = question.packets;
    waiting--;
    if (actions) datapath.resume(first, actions);
    else datapath.discard(first);
    if (flow) install(flow);
    // They find the flow; or they ask for themselves, as each packet does that gets none.
    for (const packet of others) {
      waiting--;
      datapath.resume(packet);
    }
  }

  function install({ id, key, mask, actions }: FlowMessage): void {
    if (copies.has(id) || datapath.flowCount >= datapath.flowLimit || datapath.findFlow(key, mask) >= 0) return;
    copies.set(id, { flow: datapath.putFlow(key, mask, actions), packets: 0, bytes: 0 });
  }

  function receive(message: unknown): void {
    if (closed) return;
    const heard = message as ServerMessage;
    switch (heard.type) {
      case 'decision':
        decide(heard);
        break;
      case 'modify': {
        const copy = copies.get(heard.id);
        if (copy) datapath.modifyFlow(copy.flow, heard.actions);
        break;
      }
      case 'remove': {
        const copy = copies.get(heard.id);
        if (copy) datapath.deleteFlow(copy.flow);
        copies.delete(heard.id);
        break;
      }
      case 'execute':
        datapath.execute(heard.frame, heard.actions, heard.metadata);
        post({ type: 'executed' });
        break;
      case 'executed':
        sender.executed();
        break;
    }
  }

  function sendStatistics(): void {
    const used = [...copies].filter(([, { flow, packets }]) => datapath.flowPackets(flow) !== packets);
    if (used.length === 0) return;
    const nowMs = clock.now();
    const column = (value: (flow: number, copy: Copy) => number): Float64Array =>
      Float64Array.from(used, ([, copy]) => value(copy.flow, copy));
    post({
      type: 'statistics',
      ids: Float64Array.from(used, ([id]) => id),
      packets: column((flow, { packets }) => datapath.flowPackets(flow) - packets),
      bytes: column((flow, { bytes }) => datapath.flowBytes(flow) - bytes),
      agoMs: column((flow) => nowMs - (datapath.flowUsedMs(flow) ?? nowMs)),
      tcpFlags: Uint16Array.from(used, ([, { flow }]) => datapath.flowTcpFlags(flow)),
    });
    for (const [, copy] of used) {
      copy.packets = datapath.flowPackets(copy.flow);
      copy.bytes = datapath.flowBytes(copy.flow);
    }
  }

  function schedule(): void {
    timer = clock.after(statisticsMs, () => {
      sendStatistics();
      schedule();
    });
  }

  listen(end, receive);
  schedule();
  return {
    datapath,
    counters: () => ({ asked, waiting, overflowed }),
    addRelayPort(relay) {
      datapath.addPort(createRelayPort(sender, relay), { number: relay.number });
    },
    sendStatistics,
    close() {
      if (closed) return;
      closed = true;
      timer?.cancel();
      for (const { packets } of questions.values()) for (const packet of packets) datapath.discard(packet);
      questions.clear();
      waiting = 0;
      datapath.close();
    },
  };
}

function equalKeys(one: FlowWords, other: FlowWords): boolean {
  for (let word = 0; word < one.length; word++) if (one[word] !== other[word]) return false;
  return true;
}
