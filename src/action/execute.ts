/**
 * Execution of compiled actions over a group of packets that share them: each operation runs over the whole group before the
 * next. Handles are not freed here: all that a burst brought in or copied is released by the datapath, once every
 * queue has been flushed.
 */
import { hashAdd, hashFinish, hashInt } from '../util/hash.js';
import { Reason } from '../util/reason.js';
import { BURST, Extras, type PacketPool } from '../packet/pool.js';
import { Op, type Program } from './compile.js';
import { createPop } from './pop.js';
import { createPush } from './push.js';
import type { Setter } from './set.js';
import type { Action } from './types.js';

/** What the datapath does for execution. Lists are the executor's and are read before these return. */
export interface ExecutorHost {
  /** Queues packets for a port, borrowed until the next flush. */
  output(port: number, list: Int32Array, count: number): void;
  /** Sends what is queued. */
  flush(): void;
  /** Takes packets through the datapath again. */
  recirculate(list: Int32Array, count: number): void;
  /** Hands packets to the host (`userspace`); `maxLength` 0 means whole. */
  userspace(list: Int32Array, count: number, action: Action & { type: 'userspace' }, maxLength: number): void;
  /** A copy of a packet, to be released with the burst; -1 when there is no slot, which has been counted. */
  copy(packet: number): number;
  /** Counters by reason. */
  readonly drops: Float64Array;
  /** A random number from 0 up to 2^32 - 1, for `sample`. */
  random(): number;
}

export interface Executor {
  /** Runs `program` over the first `count` packets of `list`, which it may rearrange. */
  execute(program: Program, list: Int32Array, count: number): void;
  /** Forgets what was under way: after an exception of the host. */
  reset(): void;
}

/** Room that a header or a tag needs before the frame. */
const VLAN_BYTES = 4;
const TCP = 6;
const SCTP = 132;
const METADATA = Extras.metadata;

export function createExecutor(pool: PacketPool, setter: Setter, host: ExecutorHost): Executor {
  const { bytes, view, offset, length, recircId, hash, dpHash, extras, slotBytes } = pool;
  const push = createPush(pool);
  const pop = createPop(pool);
  const { drops } = host;
  // One list a level of nesting; recirculation re-enters, so the level keeps rising through it.
  const lists: Int32Array[] = [];
  let level = 0;

  function nextList(): Int32Array {
    if (level === lists.length) lists.push(new Int32Array(BURST));
    return lists[level++];
  }

  /** Copies the packets and runs the program from `at` to `end` over the copies. */
  function runOnCopies(program: Program, at: number, end: number, list: Int32Array, count: number): void {
    const copies = nextList();
    let copied = 0;
    for (let index = 0; index < count; index++) {
      const copy = host.copy(list[index]);
      if (copy >= 0) copies[copied++] = copy;
    }
    if (copied !== 0) run(program, at, end, copies, copied);
    level--;
  }

  /** Keeps the packets with at least `room` bytes before them; the others are counted. */
  function keepHeadroom(list: Int32Array, count: number, room: number): number {
    let kept = 0;
    for (let index = 0; index < count; index++) {
      const packet = list[index];
      if (offset[packet] - packet * slotBytes >= room) list[kept++] = packet;
      else drops[Reason.noHeadroom]++;
    }
    return kept;
  }

  function cut(packet: number, most: number): void {
    if (length[packet] > most) length[packet] = most;
  }

  function outputCut(list: Int32Array, count: number, port: number, most: number): void {
    const cutList = nextList();
    let cutCount = 0;
    for (let index = 0; index < count; index++) {
      const copy = host.copy(list[index]);
      if (copy < 0) continue;
      cut(copy, most);
      cutList[cutCount++] = copy;
    }
    if (cutCount !== 0) host.output(port, cutList, cutCount);
    level--;
  }

  /** What `check_pkt_len` measures: the length to be sent, with `most` bytes left by a `trunc` (0: all), less the padding. */
  function checkedLength(packet: number, most: number): number {
    const size = length[packet];
    const padding = offset[packet] + size - setter.networkEnd(packet);
    return (most !== 0 && most < size ? most : size) - padding;
  }

  /**
   * The symmetric hash (`sym_l4`): the same for both directions of a conversation, of addresses and protocol, and of the ports of TCP and
   * SCTP but not of UDP; of what is not IP, of MACs and VLAN (Open vSwitch's flow_hash_symmetric_l3l4).
   */
  function symmetricHash(packet: number, basis: number): number {
    const start = offset[packet];
    const end = start + length[packet];
    let type = view.getUint16(start + 12);
    let l3 = start + 14;
    let vid = 0;
    if ((type === 0x8100 || type === 0x88a8) && end - l3 >= 4) {
      vid = view.getUint16(l3) & 0x0fff;
      type = view.getUint16(l3 + 2);
      l3 += 4;
    }
    const isIpv4 = type === 0x0800 && end - l3 >= 20;
    if (!isIpv4 && (type !== 0x86dd || end - l3 < 40)) {
      // Ethernet type, VLAN, MACs and two bytes of nothing, as words of a little-endian machine.
      const swapped = ((type << 8) | (type >>> 8)) & 0xffff;
      const tag = ((vid << 8) | (vid >>> 8)) & 0xffff;
      let h = hashAdd(basis, swapped | (tag << 16));
      h = hashAdd(h, view.getInt32(start, true) ^ view.getInt32(start + 6, true));
      return hashFinish(hashAdd(h, view.getUint16(start + 4, true) ^ view.getUint16(start + 10, true)), basis);
    }
    const [source, destination, bytesOfAddress] = isIpv4 ? [l3 + 12, l3 + 16, 4] : [l3 + 8, l3 + 24, 16];
    let h = basis;
    for (let at = 0; at < bytesOfAddress; at += 4)
      h = hashAdd(h, view.getInt32(source + at, true) ^ view.getInt32(destination + at, true));
    const protocol = isIpv4 ? bytes[l3 + 9] : bytes[l3 + 6];
    h = hashAdd(h, protocol);
    const isFragment = isIpv4 && (view.getUint16(l3 + 6) & 0x3fff) !== 0;
    if ((protocol === TCP || protocol === SCTP) && !isFragment) {
      const l4 = isIpv4 ? l3 + (bytes[l3] & 15) * 4 : l3 + 40;
      h = hashAdd(h, end - l4 < 4 ? 0 : view.getUint16(l4, true) ^ view.getUint16(l4 + 2, true));
    }
    return hashFinish(h, basis);
  }

  function run(program: Program, start: number, end: number, list: Int32Array, total: number): void {
    const { code } = program;
    let count = total;
    let at = start;
    while (at < end && count !== 0) {
      switch (code[at]) {
        case Op.output:
          host.output(code[at + 1], list, count);
          at += 2;
          break;
        case Op.outputCut:
          outputCut(list, count, code[at + 1], code[at + 2]);
          at += 3;
          break;
        case Op.push: {
          const template = program.templates[code[at + 1]];
          count = keepHeadroom(list, count, template.bytes.length);
          push(list, count, template, code[at + 2]);
          at += 3;
          break;
        }
        case Op.pop:
          count = pop(list, count, code[at + 1], drops);
          if (count !== 0) host.recirculate(list, count);
          return;
        case Op.recirculate:
          for (let index = 0; index < count; index++) recircId[list[index]] = code[at + 1];
          host.recirculate(list, count);
          return;
        case Op.popCopy:
        case Op.recirculateCopy: {
          const copies = nextList();
          let copied = 0;
          for (let index = 0; index < count; index++) {
            const copy = host.copy(list[index]);
            if (copy < 0) continue;
            if (code[at] === Op.recirculateCopy) recircId[copy] = code[at + 1];
            else if (code[at + 2] !== 0) cut(copy, code[at + 2]);
            copies[copied++] = copy;
          }
          if (code[at] === Op.popCopy) copied = pop(copies, copied, code[at + 1], drops);
          if (copied !== 0) host.recirculate(copies, copied);
          level--;
          at += code[at] === Op.popCopy ? 3 : 2;
          break;
        }
        case Op.clone:
          runOnCopies(program, at + 2, at + 2 + code[at + 1], list, count);
          at += 2 + code[at + 1];
          break;
        case Op.sample: {
          const probability = code[at + 1] >>> 0;
          const chosen = nextList();
          let chosenCount = 0;
          for (let index = 0; index < count; index++)
            if (host.random() <= probability && probability !== 0) chosen[chosenCount++] = list[index];
          if (chosenCount !== 0) runOnCopies(program, at + 3, at + 3 + code[at + 2], chosen, chosenCount);
          level--;
          at += 3 + code[at + 2];
          break;
        }
        case Op.checkLength: {
          const longer = nextList();
          const others = nextList();
          let longerCount = 0;
          let otherCount = 0;
          for (let index = 0; index < count; index++) {
            if (checkedLength(list[index], code[at + 2]) > code[at + 1]) longer[longerCount++] = list[index];
            else others[otherCount++] = list[index];
          }
          const middle = at + 5 + code[at + 3];
          if (longerCount !== 0) runOnCopies(program, at + 5, middle, longer, longerCount);
          if (otherCount !== 0) runOnCopies(program, middle, middle + code[at + 4], others, otherCount);
          level -= 2;
          at = middle + code[at + 4];
          break;
        }
        case Op.set: {
          const set = program.setters[code[at + 1]];
          for (let index = 0; index < count; index++) set(list[index]);
          at += 2;
          break;
        }
        case Op.pushVlan:
          count = keepHeadroom(list, count, VLAN_BYTES);
          for (let index = 0; index < count; index++) setter.pushVlan(list[index], code[at + 1], code[at + 2]);
          at += 3;
          break;
        case Op.popVlan:
          for (let index = 0; index < count; index++) setter.popVlan(list[index]);
          at += 1;
          break;
        case Op.hash: {
          const symmetric = code[at + 1] === 1;
          const basis = code[at + 2];
          for (let index = 0; index < count; index++) {
            const packet = list[index];
            // 0 means that nothing was hashed, so a hash is never 0.
            dpHash[packet] = (symmetric ? symmetricHash(packet, basis) : hashInt(hash[packet], basis)) || 1;
            extras[packet] |= METADATA;
          }
          at += 3;
          break;
        }
        case Op.userspace:
          host.userspace(list, count, program.userspace[code[at + 1]], code[at + 2]);
          at += 3;
          break;
        case Op.flush:
          host.flush();
          at += 1;
          break;
        case Op.cut:
          for (let index = 0; index < count; index++) cut(list[index], code[at + 1]);
          at += 2;
          break;
        default:
          // Op.drop
          drops[Reason.flowDrop] += count;
          return;
      }
    }
  }

  return {
    execute(program, list, count) {
      if (program.code.length === 0) drops[Reason.flowDrop] += count;
      else run(program, 0, program.code.length, list, count);
    },
    reset() {
      level = 0;
    },
  };
}
