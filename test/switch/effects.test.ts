// What flows do beside forwarding: what is shared is told for each flow as if it were not.
import { describe, expect, it } from 'vitest';
import { EffectLists, type Effect } from '../../src/switch/effects.js';
import { A, B, C, createTestSwitch, frame } from './frames.js';

const bridge = { name: 'br0', mac: 'aa:55:aa:55:00:00', ports: [{ name: 'p1' }, { name: 'p2' }] };

describe('lists of effects', () => {
  const { vswitch } = createTestSwitch();
  vswitch.addBridge(bridge);
  const [p1, p2] = ['p1', 'p2'].map((name) => vswitch.findPort(name)!);
  const learn = { type: 'learn', bridge: p1.bridge, port: p1, mac: undefined, vlan: 5, gratuitousArp: false } as const;
  const neighbour = { type: 'neighbour', bridge: 'br0', ip: Uint8Array.of(10, 0, 0, 1) } as const;
  const [rule, other] = [...p1.bridge.tables.rules(), undefined];

  it('are one where they say the same', () => {
    const make = (): Effect[] => [
      { type: 'rule', tables: p1.bridge.tables, rule: rule! },
      { type: 'received', port: p1 },
      { ...learn },
      { ...neighbour, ip: neighbour.ip.slice() },
      { type: 'sent', port: p2 },
    ];
    const lists = new EffectLists();
    expect(lists.acquire(make())).toBe(lists.acquire(make()));
    expect(other).toBeUndefined();
  });

  it('are several where they differ in anything', () => {
    const variants: Effect[][] = [
      [],
      [learn],
      [learn, learn],
      [{ ...learn, port: p2 }],
      [{ ...learn, vlan: 6 }],
      [{ ...learn, mac: 7 }],
      [{ ...learn, mac: 0 }],
      [{ ...learn, gratuitousArp: true }],
      [neighbour],
      [{ ...neighbour, bridge: 'br1' }],
      [{ ...neighbour, ip: Uint8Array.of(10, 0, 1, 1) }],
      [{ ...neighbour, ip: Uint8Array.of(10, 0, 0, 1, 0) }],
      [{ type: 'received', port: p1 }],
      [{ type: 'received', port: p2 }],
      [{ type: 'sent', port: p1 }],
      [{ type: 'rule', tables: p1.bridge.tables, rule: rule! }],
      [{ type: 'rule', tables: p1.bridge.tables, rule: { ...rule! } }],
    ];
    const lists = new EffectLists();
    const made = variants.map((effects) => lists.acquire(effects));
    expect(new Set(made).size).toBe(variants.length);
    expect(variants.map((effects) => lists.acquire([...effects]))).toEqual(made);
  });

  it('go with the last that refers to them', () => {
    const lists = new EffectLists();
    const first = lists.acquire([learn]);
    lists.acquire([learn]);
    lists.release(first);
    expect(lists.acquire([learn])).toBe(first);
    lists.release(first);
    lists.release(first);
    expect(lists.acquire([learn])).not.toBe(first);
  });
});

it('teaches a bridge the MAC of each flow, though flows share all else', () => {
  const { vswitch, clock } = createTestSwitch();
  vswitch.addBridge(bridge);
  const { macTable } = vswitch.bridge('br0');
  for (const source of [A, B]) vswitch.deliver('p1', frame(source, C));
  const [first, second] = vswitch.datapath.flowNumbers();
  clock.advance(5000);
  // Hits, which only statistics tell of.
  vswitch.receive('p1', frame(B, C));
  clock.advance(1000);
  expect([first, second].map((flow) => vswitch.datapath.flowPackets(flow))).toEqual([0, 1]);
  expect([...macTable].map((entry) => [entry.mac & 0xff, macTable.ageSeconds(entry)])).toEqual([
    [0x0a, 6],
    [0x0b, 1],
  ]);
});
