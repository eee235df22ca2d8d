/**
 * A classifier that answers, where megaflows overlap, the one that Open vSwitch 3.1 would: its own subtables for each port that packets
 * come in on, tried in the order in which they came, the last one taking the place of one that goes (lib/dpif-netdev.c, dpcls_lookup).
 * Which of two flows that both match counts a packet shows in nothing but their counters, so that speed is left to `classifier.ts`;
 * this one is for comparing flow tables line by line.
 */
import { GROUPS_WORD, KEY_WORDS, VLAN_PRESENT, getField, setField, type FlowWords } from '../flow/fields.js';
import { createKnownKeys, type KeyRows } from '../flow/key-rows.js';
import { MegaflowError } from '../util/errors.js';
import type { Classifier } from './classifier.js';

interface Subtable {
  readonly mask: FlowWords;
  /** Words of the mask that are not zero. */
  readonly words: readonly number[];
  readonly flows: Map<string, number>;
}

interface Flow {
  readonly key: FlowWords;
  readonly subtable: Subtable;
  readonly port: number;
}

const ICMPV6 = 58;

/**
 * Whether a flow matches nothing but its port, its Ethernet type, a VLAN and the kind of fragment. Where all flows of a port are such,
 * 3.1 looks no further into packets than that (dp_netdev_flow_is_simple_match), and takes no option of neighbour discovery for a TCP
 * flag, as it does elsewhere.
 */
function isSimpleMatch(key: FlowWords, mask: FlowWords): boolean {
  if (getField(key, 'recircId') !== 0 || getField(key, 'packetType') !== 0) return false;
  if (getField(mask, 'vlanTci') !== (0x0fff | VLAN_PRESENT)) return false;
  const rest = mask.slice(0, KEY_WORDS);
  for (const name of ['inPort', 'recircId', 'packetType', 'ethType', 'vlanTci', 'ipFrag'] as const)
    setField(rest, name, 0);
  return rest.every((word, index) => word === 0 || index === GROUPS_WORD);
}

/** An empty classifier for the keys of `rows`. */
export function createOrderedClassifier(rows: KeyRows): Classifier {
  const flows: (Flow | undefined)[] = [];
  const free: number[] = [];
  const ports = new Map<number, Subtable[]>();
  const masks = new Map<string, FlowWords>();
  /** By port, how many flows match more than a simple match (below). */
  const others = new Map<number, number>();
  let size = 0;
  let hits = 0;
  let missCount = 0;

  const masked = (keys: Int32Array, row: number, { mask, words }: Subtable): string => {
    let text = '';
    for (const word of words) text += `${keys[row + word] & mask[word]} `;
    return text;
  };
  const subtableOf = (port: number, mask: FlowWords): Subtable | undefined =>
    ports.get(port)?.find((subtable) => subtable.mask.every((bits, word) => bits === (mask[word] ?? 0)));

  function lookup(keys: Int32Array, row: number): number {
    for (const subtable of ports.get(keys[row]) ?? []) {
      const flow = subtable.flows.get(masked(keys, row, subtable));
      if (flow !== undefined) return flow;
    }
    return -1;
  }

  function flowOf(flow: number): Flow {
    const found = flows[flow];
    if (!found)
      throw new MegaflowError('not-found', `there is no flow ${flow}`, flow, 'the number of an installed flow');
    return found;
  }

  function createSubtable(port: number, mask: FlowWords): Subtable {
    const text = mask.subarray(0, KEY_WORDS).join();
    let shared = masks.get(text);
    if (!shared) masks.set(text, (shared = mask.slice(0, KEY_WORDS)));
    const words = Array.from(shared.keys()).filter((word) => shared[word] !== 0);
    const subtable: Subtable = { mask: shared, words, flows: new Map() };
    const list = ports.get(port);
    if (list) list.push(subtable);
    else ports.set(port, [subtable]);
    return subtable;
  }

  return {
    get size() {
      return size;
    },
    get subtables() {
      return masks.size;
    },
    get flowCapacity() {
      return flows.length;
    },
    insert(key, mask) {
      const port = key[0];
      const subtable = subtableOf(port, mask) ?? createSubtable(port, mask);
      const text = masked(key, 0, subtable);
      if (subtable.flows.has(text)) {
        throw new MegaflowError('already-exists', 'there is a flow with this mask and key', key, 'another mask or key');
      }
      const flow = free.pop() ?? flows.length;
      flows[flow] = { key: key.slice(0, KEY_WORDS), subtable, port };
      if (!isSimpleMatch(key, mask)) others.set(port, (others.get(port) ?? 0) + 1);
      subtable.flows.set(text, flow);
      size++;
      return flow;
    },
    find(key, mask) {
      const subtable = subtableOf(key[0], mask);
      return subtable?.flows.get(masked(key, 0, subtable)) ?? -1;
    },
    remove(flow) {
      const { key, subtable, port } = flowOf(flow);
      subtable.flows.delete(masked(key, 0, subtable));
      if (!isSimpleMatch(key, subtable.mask)) others.set(port, others.get(port)! - 1);
      flows[flow] = undefined;
      free.push(flow);
      size--;
      if (subtable.flows.size !== 0) return;
      const list = ports.get(port)!;
      const at = list.indexOf(subtable);
      const last = list.pop()!;
      if (last !== subtable) list[at] = last;
    },
    clear() {
      flows.length = 0;
      free.length = 0;
      ports.clear();
      others.clear();
      size = 0;
    },
    has: (flow) => flows[flow] !== undefined,
    forEach(visit) {
      for (let flow = 0; flow < flows.length; flow++) if (flows[flow]) visit(flow);
    },
    keyOf(flow, into) {
      into.set(flowOf(flow).key);
    },
    maskOf: (flow) => flowOf(flow).subtable.mask,
    sort() {},
    known: createKnownKeys(1),
    lookup(list, count) {
      let left = 0;
      for (let index = 0; index < count; index++) {
        const row = list[index];
        rows.flows[row] = lookup(rows.keys, row * KEY_WORDS);
        if (rows.flows[row] < 0) list[left++] = row;
        else if (rows.tcpFlags[row] !== 0 && !others.get(rows.keys[row * KEY_WORDS])) {
          const key = rows.keys.subarray(row * KEY_WORDS, (row + 1) * KEY_WORDS);
          if (getField(key, 'ipProto') === ICMPV6) rows.tcpFlags[row] = 0;
        }
      }
      hits += count - left;
      missCount += left;
      return left;
    },
    counters: () => ({ exactMatchHits: 0, tupleSpaceHits: hits, misses: missCount }),
  };
}
