// VLAN rules of ports, table by table: sections 5.2 and 5.3 of the behaviour reference (ofproto/ofproto-dpif-xlate.c:
// input_vid_is_valid, xvlan_input_translate, xvlan_output_translate, xbundle_includes_vlan, xvlan_put).
import { describe, expect, it } from 'vitest';
import { FLOW_WORDS, getField, setField } from '../../src/flow/fields.js';
import {
  acceptsVid,
  includesVlan,
  readTags,
  sameVlanRules,
  translateInput,
  translateOutput,
  vlanRules,
  writeTags,
  type Tags,
  type VlanColumns,
} from '../../src/switch/vlan.js';

const rules = (columns: VlanColumns) => vlanRules('p1', columns);
const PCP5 = 5 << 13;

function tags(vid = 0, more: Partial<Tags> = {}): Tags {
  const present = vid !== 0 || more.priority !== undefined;
  return { tpid: present ? 0x8100 : 0, vid, priority: 0, innerTpid: 0, innerVid: 0, innerPriority: 0, ...more };
}

const access = rules({ tag: 10 });
const trunk = rules({});
const someTrunks = rules({ trunks: [10, 20] });
const withUntagged = rules({ trunks: [0, 10] });
const nativeTagged = rules({ tag: 10, vlanMode: 'native-tagged' });
const nativeUntagged = rules({ tag: 10, vlanMode: 'native-untagged' });
const nativeSome = rules({ tag: 10, trunks: [20, 30], vlanMode: 'native-untagged' });
const tunnel = rules({ tag: 100, vlanMode: 'dot1q-tunnel' });
const tunnelSome = rules({ tag: 100, cvlans: [10, 20], vlanMode: 'dot1q-tunnel' });

describe('the mode of a port', () => {
  it.each([
    [{}, 'trunk', -1],
    [{ trunks: [1, 2] }, 'trunk', -1],
    [{ tag: 5 }, 'access', 5],
    [{ tag: 0 }, 'access', 0],
    [{ tag: null }, 'trunk', -1],
    // A tag makes an access port, whatever the trunks.
    [{ tag: 5, trunks: [6, 7] }, 'access', 5],
    [{ tag: 5, vlanMode: 'trunk' }, 'trunk', -1],
    [{ vlanMode: 'access' }, 'access', 0],
    [{ tag: 5, vlanMode: 'native-tagged' }, 'native-tagged', 5],
    [{ tag: 5, vlanMode: 'native-untagged' }, 'native-untagged', 5],
    [{ tag: 5, vlanMode: 'dot1q-tunnel' }, 'dot1q-tunnel', 5],
  ] as [VlanColumns, string, number][])('of %j is %s', (columns, mode, vlan) => {
    expect(rules(columns)).toMatchObject({ mode, vlan });
  });

  it.each([
    [{ tag: 4096 }],
    [{ tag: 1.5 }],
    [{ trunks: [1, 4096] }],
    [{ trunks: [-1] }],
    [{ cvlans: [5000], vlanMode: 'dot1q-tunnel', tag: 1 }],
    [{ vlanMode: 'hybrid' }],
  ] as unknown as [VlanColumns][])('cannot be had from %j', (columns) => {
    expect(() => rules(columns)).toThrow(expect.objectContaining({ code: 'bad-config' }));
  });

  it('is compared by what it amounts to', () => {
    expect(sameVlanRules(rules({ trunks: [1, 2] }), rules({ trunks: [2, 1] }))).toBe(true);
    expect(sameVlanRules(rules({ tag: 5 }), rules({ tag: 5, trunks: [9] }))).toBe(true);
    const different: VlanColumns[] = [
      {},
      { tag: 5 },
      { tag: 6 },
      { trunks: [1] },
      { trunks: [1, 2] },
      { tag: 5, vlanMode: 'native-tagged' },
      { tag: 5, vlanMode: 'dot1q-tunnel' },
      { tag: 5, vlanMode: 'dot1q-tunnel', cvlans: [7] },
      { tag: 5, vlanMode: 'dot1q-tunnel', otherConfig: { 'qinq-ethtype': '802.1q' } },
      { otherConfig: { 'priority-tags': 'always' } },
      { otherConfig: { 'priority-tags': 'if-nonzero' } },
    ];
    different.forEach((a, i) =>
      different.forEach((b, j) => expect([a, b, sameVlanRules(rules(a), rules(b))]).toEqual([a, b, i === j])),
    );
  });
});

describe('5.2: the tags a port takes', () => {
  it.each([
    ['access', access, [0], [10, 1, 4095]],
    ['trunk', trunk, [0, 1, 10, 4095], []],
    ['trunk with VLANs', someTrunks, [10, 20], [0, 11]],
    ['trunk with VLAN 0', withUntagged, [0, 10], [1]],
    ['native-tagged', nativeTagged, [0, 1, 10, 4095], []],
    ['native-untagged', nativeUntagged, [0, 1, 10, 4095], []],
    ['native-untagged with VLANs', nativeSome, [0, 10, 20, 30], [1, 11]],
    ['dot1q-tunnel', tunnel, [0, 1, 4095], []],
    ['dot1q-tunnel with VLANs', tunnelSome, [10, 20], [0, 11, 100]],
  ])('%s', (_mode, port, taken, refused) => {
    expect(taken.filter((vid) => !acceptsVid(port, vid))).toEqual([]);
    expect(refused.filter((vid) => acceptsVid(port, vid))).toEqual([]);
  });
});

describe('5.3: from the port to the switch', () => {
  it.each([
    ['access, untagged', access, tags(), tags(10)],
    ['access, priority tag', access, tags(0, { priority: PCP5 }), tags(10, { priority: PCP5 })],
    ['trunk, untagged', trunk, tags(), tags()],
    ['trunk, tagged', trunk, tags(7, { priority: PCP5 }), tags(7, { priority: PCP5 })],
    [
      'trunk, two tags',
      trunk,
      tags(7, { innerTpid: 0x8100, innerVid: 8 }),
      tags(7, { innerTpid: 0x8100, innerVid: 8 }),
    ],
    ['native-tagged, untagged', nativeTagged, tags(), tags(10)],
    ['native-tagged, priority tag', nativeTagged, tags(0, { priority: PCP5 }), tags(10, { priority: PCP5 })],
    ['native-tagged, tagged', nativeTagged, tags(20), tags(20)],
    ['native-untagged, untagged', nativeUntagged, tags(), tags(10)],
    ['native-untagged, its own tag', nativeUntagged, tags(10), tags(10)],
    ['dot1q-tunnel, untagged', tunnel, tags(), tags(100, { tpid: 0x88a8 })],
    [
      'dot1q-tunnel, tagged',
      tunnel,
      tags(10, { priority: PCP5 }),
      tags(100, { tpid: 0x88a8, innerTpid: 0x8100, innerVid: 10, innerPriority: PCP5 }),
    ],
    [
      'dot1q-tunnel with 802.1q',
      rules({ tag: 100, vlanMode: 'dot1q-tunnel', otherConfig: { 'qinq-ethtype': '802.1q' } }),
      tags(10),
      tags(100, { innerTpid: 0x8100, innerVid: 10 }),
    ],
  ])('%s', (_case, port, outside, inside) => {
    const given = { ...outside };
    expect(translateInput(port, outside)).toEqual(inside);
    expect(outside).toEqual(given);
  });
});

describe('5.3: from the switch to the port', () => {
  const double = tags(100, { tpid: 0x88a8, innerTpid: 0x8100, innerVid: 10, innerPriority: PCP5 });
  it.each([
    ['access', access, tags(10, { priority: PCP5 }), tags()],
    ['trunk', trunk, tags(10, { priority: PCP5 }), tags(10, { priority: PCP5 })],
    ['native-tagged', nativeTagged, tags(10), tags(10)],
    ['native-untagged, native VLAN', nativeUntagged, tags(10, { priority: PCP5 }), tags()],
    ['native-untagged, other VLAN', nativeUntagged, tags(20), tags(20)],
    ['native-untagged, inner tag', nativeUntagged, tags(10, { innerTpid: 0x8100, innerVid: 8 }), tags(8)],
    ['dot1q-tunnel', tunnel, double, tags(10, { priority: PCP5 })],
    ['trunk, two tags', trunk, double, double],
  ])('%s', (_case, port, inside, outside) => {
    expect(translateOutput(port, inside)).toEqual(outside);
  });
});

describe('5.3: the VLANs a port carries', () => {
  const within = (vid: number, innerVid = 0): Tags => tags(vid, { innerVid, innerTpid: innerVid ? 0x8100 : 0 });
  it.each([
    ['access', access, [within(10)], [within(0), within(20), within(10, 5)]],
    ['trunk', trunk, [within(0), within(10), within(10, 5), within(4095)], []],
    ['trunk with VLANs', someTrunks, [within(10), within(20, 5)], [within(0), within(30)]],
    ['trunk with VLAN 0', withUntagged, [within(0), within(10)], [within(20)]],
    // The native VLAN is always carried, and VLAN 0 is the native VLAN.
    ['native-untagged', nativeUntagged, [within(10), within(20)], [within(0)]],
    ['native-untagged with VLANs', nativeSome, [within(10), within(20), within(30)], [within(0), within(40)]],
    ['dot1q-tunnel', tunnel, [within(100), within(100, 5)], [within(10), within(0)]],
    [
      'dot1q-tunnel with VLANs',
      tunnelSome,
      [within(100, 10), within(100, 20)],
      [within(100, 5), within(100), within(10)],
    ],
  ])('%s', (_mode, port, carried, others) => {
    expect(carried.filter((inside) => !includesVlan(port, inside))).toEqual([]);
    expect(others.filter((inside) => includesVlan(port, inside))).toEqual([]);
  });
});

describe('5.3: writing the tag', () => {
  function written(given: Tags, priorityTags: 'never' | 'if-nonzero' | 'always'): string {
    const flow = new Int32Array(FLOW_WORDS);
    setField(flow, 'ethType', 0x0800);
    setField(flow, 'tcpFlags', 0x02);
    writeTags(flow, given, priorityTags);
    // What lies beside the tags in the same words stays.
    expect([getField(flow, 'ethType'), getField(flow, 'tcpFlags')]).toEqual([0x0800, 0x02]);
    return ['vlanTpid', 'vlanTci', 'innerVlanTpid', 'innerVlanTci']
      .map((name) => getField(flow, name as 'vlanTci').toString(16))
      .join(' ');
  }

  it.each([
    ['nothing', tags(), 'never', '0 0 0 0'],
    ['a VLAN', tags(10), 'never', '8100 100a 0 0'],
    ['a VLAN and a priority', tags(10, { priority: PCP5 }), 'never', '8100 b00a 0 0'],
    ['VLAN 0 with a priority', tags(0, { priority: PCP5 }), 'never', '8100 b000 0 0'],
    ['VLAN 0 where there was a tag', tags(0, { priority: 0 }), 'never', '0 0 0 0'],
    ['VLAN 0 where there was a tag, always', tags(0, { priority: 0 }), 'always', '8100 1000 0 0'],
    ['VLAN 0 where there was none, always', tags(), 'always', '0 0 0 0'],
    ['VLAN 0 where there was a tag, if not zero', tags(0, { priority: 0 }), 'if-nonzero', '0 0 0 0'],
    ['a TPID that is missing', tags(10, { tpid: 0 }), 'never', '8100 100a 0 0'],
    [
      'two tags',
      tags(100, { tpid: 0x88a8, innerTpid: 0x8100, innerVid: 10, innerPriority: PCP5 }),
      'never',
      '88a8 1064 8100 b00a',
    ],
  ] as const)('%s', (_case, given, priorityTags, expected) => {
    expect(written({ ...given }, priorityTags)).toBe(expected);
  });

  it('is read back', () => {
    const flow = new Int32Array(FLOW_WORDS);
    const double = tags(100, { tpid: 0x88a8, priority: PCP5, innerTpid: 0x8100, innerVid: 10, innerPriority: PCP5 });
    writeTags(flow, double, 'never');
    expect(readTags(flow)).toEqual(double);
    writeTags(flow, tags(), 'never');
    expect(readTags(flow)).toEqual(tags());
  });
});
