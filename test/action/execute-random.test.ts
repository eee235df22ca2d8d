// Whole random lists of actions beside a naive interpreter that copies the frame whenever anything is done with it.
import { describe, expect, it } from 'vitest';
import { parseActions } from '../../src/action/text-parse.js';
import { formatActions } from '../../src/action/text-format.js';
import type { Action } from '../../src/action/types.js';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { randomFrom, seed } from '../wire/contract.js';
import { type Event, createBench, udpFrame, PUSH, pushed } from './execute-bench.js';

interface NaivePacket {
  frame: string;
  /** Bytes at the end that the next action that heeds it leaves out. */
  cut: number;
  hash: number;
  inPort: number;
}

/** What check_pkt_len measures of a frame. */
function naivePadding(hex: string): number {
  let at = 24;
  while (['8100', '88a8'].includes(hex.slice(at, at + 4))) at += 8;
  if (hex.slice(at, at + 4) !== '0800') return 0;
  return (hex.length - at - 4) / 2 - parseInt(hex.slice(at + 8, at + 12), 16);
}

function interpret(actions: readonly Action[], packet: NaivePacket, events: Event[]): void {
  const sent = (): string => packet.frame.slice(0, packet.frame.length - 2 * packet.cut);
  for (const action of actions) {
    switch (action.type) {
      case 'output':
        events.push([String(action.port), sent()]);
        packet.cut = 0;
        break;
      case 'userspace':
        events.push([`userspace ${action.pid}`, sent()]);
        packet.cut = 0;
        break;
      case 'clone':
        interpret(action.actions, { ...packet }, events);
        packet.cut = 0;
        break;
      case 'sample':
        if (action.probability !== 0) interpret(action.actions, { ...packet, cut: 0 }, events);
        break;
      case 'check_pkt_len': {
        const length = packet.frame.length / 2 - packet.cut - naivePadding(packet.frame);
        interpret(length > action.size ? action.greater : action.lessEqual, { ...packet, cut: 0 }, events);
        break;
      }
      case 'trunc':
        packet.cut = Math.max(0, packet.frame.length / 2 - Math.max(14, action.maxLength));
        break;
      case 'push_vlan':
        packet.frame = `${packet.frame.slice(0, 24)}${action.tpid.toString(16)}${(action.tci & 0xefff).toString(16).padStart(4, '0')}${packet.frame.slice(24)}`;
        break;
      case 'pop_vlan':
        packet.frame = packet.frame.slice(0, 24) + packet.frame.slice(32);
        break;
      case 'set':
        packet.frame = `${packet.frame.slice(0, 12)}020000000077${packet.frame.slice(24)}`;
        break;
      case 'tnl_push':
        packet.frame = toHex(pushed(fromHex(sent()), packet.hash));
        packet.inPort = action.outPort;
        packet.cut = 0;
        break;
      case 'recirc':
        events.push([`recirc ${action.id} of ${packet.inPort}`, packet.frame]);
        break;
      default:
        throw new Error(`the interpreter does not know ${action.type}`);
    }
  }
}

/** A list of actions; a tag is popped only where one was pushed before in the same list. */
function randomActions(random: (below: number) => number, depth = 0): Action[] {
  const actions: Action[] = [];
  let tags = 0;
  for (let count = 1 + random(6); count > 0; count--) {
    const kind = random(depth < 3 ? 14 : 9);
    if (kind < 3) actions.push({ type: 'output', port: random(4) });
    else if (kind === 3) actions.push({ type: 'trunc', maxLength: 20 + random(150) });
    else if (kind === 4) {
      actions.push({ type: 'push_vlan', tpid: [0x8100, 0x88a8][random(2)], tci: 0x1000 | random(0xffff) });
      tags++;
    } else if (kind === 5) {
      if (tags-- > 0) actions.push({ type: 'pop_vlan' });
      else tags = 0;
    } else if (kind === 6) actions.push(...parseActions('set(eth(src=02:00:00:00:00:77))'));
    else if (kind === 7) actions.push({ type: 'userspace', pid: random(3) });
    else if (kind === 8) actions.push({ type: 'recirc', id: random(4) });
    else if (kind === 9 && depth < 2) {
      actions.push(...parseActions(PUSH));
      tags = 0;
    } else if (kind < 12) actions.push({ type: 'clone', actions: randomActions(random, depth + 1) });
    else if (kind === 12)
      actions.push({
        type: 'sample',
        probability: random(2) === 0 ? 0 : 0xffff_ffff,
        actions: randomActions(random, depth + 1),
      });
    else {
      actions.push({
        type: 'check_pkt_len',
        size: random(150),
        greater: randomActions(random, depth + 1),
        lessEqual: randomActions(random, depth + 1),
      });
    }
  }
  return actions;
}

describe('beside the interpreter', () => {
  it(`does the same with random lists, at any alignment (seed ${seed})`, () => {
    const random = randomFrom(seed);
    for (const shift of [0, 2, 1]) {
      let hash = 0;
      // The interpreter knows no limit to how many headers go before a frame.
      const bench = createBench({ shift, headroom: 1024, prepare: (pool, packet) => void (hash = pool.hash[packet]) });
      for (let round = 0; round < 250; round++) {
        const actions = randomActions(random);
        const one = udpFrame(random(100), random(256), random(3) * random(10));
        const context = `${formatActions(actions)} on ${toHex(one)} (seed ${seed})`;
        const events = bench.run(actions, one).slice();
        const expected: Event[] = [];
        interpret(actions, { frame: toHex(one), cut: 0, hash, inPort: 9 }, expected);
        // What is sent on different ports has no order between them.
        const byPlace = (list: Event[]): Record<string, string[]> => {
          const places: Record<string, string[]> = {};
          for (const [where, hex] of list) (places[where] ??= []).push(hex);
          return places;
        };
        expect([context, byPlace(events)]).toEqual([context, byPlace(expected)]);
      }
    }
  });

  it(`does with a group what it does with each (seed ${seed})`, () => {
    const random = randomFrom(seed + 1);
    const bench = createBench();
    for (let round = 0; round < 200; round++) {
      const actions = randomActions(random);
      const frames = Array.from({ length: 1 + random(6) }, (_, index) => udpFrame(20 + random(60), index, random(4)));
      const each = frames.flatMap((one) => bench.run(actions, one).map((event) => event.join()));
      const group = bench.run(actions, ...frames).map((event) => event.join());
      expect(group.sort()).toEqual(each.sort());
    }
  });
});
