// From what translation changed to the actions that change the packet likewise: only what differs, masked to what was looked at or set, in
// Open vSwitch's order (2.6 of the behaviour reference); and what is set does to frames what it says.
import { describe, expect, it } from 'vitest';
import { formatActions } from '../../src/action/text-format.js';
import {
  FLOW_WORDS,
  VLAN_PRESENT,
  setBytes,
  setExact,
  setField,
  type FieldName,
  type FlowWords,
} from '../../src/flow/fields.js';
import { commit, commitTunnel } from '../../src/switch/commit.js';
import type { Context } from '../../src/switch/context.js';
import { parseIp } from '../../src/util/address.js';

type Values = Partial<Record<FieldName, number | string>>;

function write(words: FlowWords, values: Values): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'string') setBytes(words, name as FieldName, parseIp(value));
    else setField(words, name as FieldName, value!);
  }
}

const IPV4: Values = {
  ethType: 0x0800,
  ethSrc: 0x0200_0000_000a,
  ethDst: 0x0200_0000_000b,
  ipProto: 17,
  ipTos: 0x10,
  ipTtl: 64,
  ipv4Src: '1.1.1.1',
  ipv4Dst: '1.1.1.2',
  tpSrc: 1000,
  tpDst: 53,
};
const IPV6: Values = {
  ethType: 0x86dd,
  ipProto: 6,
  ipv6Src: 'fd00::1',
  ipv6Dst: 'fd00::2',
  ipTtl: 64,
  tpSrc: 1000,
  tpDst: 80,
};

/** A translation of a packet with `before`, in which `changes` have been made and those fields (and `looked`) looked at. */
function translated(
  before: Values,
  changes: Values,
  looked: readonly FieldName[] = Object.keys(changes) as FieldName[],
): Context {
  const base = new Int32Array(FLOW_WORDS);
  write(base, before);
  const flow = base.slice();
  write(flow, changes);
  const wildcards = new Int32Array(FLOW_WORDS);
  for (const name of looked) setExact(wildcards, name);
  return { flow, base, wildcards, actions: [] } as unknown as Context;
}

function committed(ctx: Context): string {
  const from = ctx.actions.length;
  commit(ctx);
  const text = formatActions(ctx.actions.slice(from));
  // What has been committed is not committed again.
  const count = ctx.actions.length;
  commit(ctx);
  expect(ctx.actions.length).toBe(count);
  return text;
}

describe('commit', () => {
  it.each([
    ['nothing', IPV4, {}, 'drop'],
    ['a MAC', IPV4, { ethDst: 0x0200_0000_00ff }, 'set(eth(dst=02:00:00:00:00:ff))'],
    [
      'both MACs',
      IPV4,
      { ethSrc: 0x0200_0000_0001, ethDst: 0x0200_0000_0002 },
      'set(eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02))',
    ],
    ['an address', IPV4, { ipv4Dst: '9.9.9.9' }, 'set(ipv4(dst=9.9.9.9))'],
    ['the TTL', IPV4, { ipTtl: 63 }, 'set(ipv4(ttl=63))'],
    ['a port', IPV4, { tpDst: 5353 }, 'set(udp(dst=5353))'],
    ['both ports', IPV4, { tpSrc: 1, tpDst: 2 }, 'set(udp(src=1,dst=2))'],
    ['a TCP port', { ...IPV4, ipProto: 6 }, { tpSrc: 1 }, 'set(tcp(src=1))'],
    ['an SCTP port', { ...IPV4, ipProto: 132 }, { tpSrc: 1 }, 'set(sctp(src=1))'],
    ['an IPv6 address', IPV6, { ipv6Dst: 'fd00::9' }, 'set(ipv6(dst=fd00::9))'],
    ['a hop limit', IPV6, { ipTtl: 3 }, 'set(ipv6(hlimit=3))'],
    ['an ARP operation', { ethType: 0x0806, ipProto: 1, ipv4Src: '1.1.1.1' }, { ipProto: 2 }, 'set(arp(op=2))'],
    ['a mark', IPV4, { skbMark: 7 }, 'set(skb_mark(0x7))'],
    ['a priority', IPV4, { skbPriority: 7 }, 'set(skb_priority(0x7))'],
  ] as [string, Values, Values, string][])('of %s', (_what, before, changes, expected) => {
    // Masks in text say `value/mask`; an exact one may be said either way, so only the value is compared.
    const text = committed(translated(before, changes));
    expect(text.replace(/\/(0x[f]+|255(\.255){3}|(ffff:){7}ffff|(ff:){5}ff)(?=[,)])/g, '')).toBe(expected);
  });

  it('writes only the bits that were looked at or set', () => {
    const ctx = translated(IPV4, { ipTos: 0x13 }, []);
    setField(ctx.wildcards, 'ipTos', 3);
    expect(committed(ctx)).toBe('set(ipv4(tos=0x3/0x3))');
  });

  it('goes through the layers from the outside in, and then to tags and marks', () => {
    const text = committed(
      translated(IPV4, { skbMark: 1, vlanTci: VLAN_PRESENT | 5, vlanTpid: 0x8100, tpDst: 1, ipTtl: 9, ethSrc: 1 }),
    );
    expect([...text.matchAll(/set\((\w+)|push_vlan/g)].map(([whole, name]) => name ?? whole)).toEqual([
      'eth',
      'ipv4',
      'udp',
      'push_vlan',
      'skb_mark',
    ]);
  });

  it('writes no ports of what is no transport, and nothing of IP without a protocol', () => {
    expect(committed(translated({ ...IPV4, ipProto: 47 }, { tpDst: 9 }))).toBe('drop');
    expect(committed(translated({ ...IPV4, ipProto: 0 }, { ipTtl: 9 }))).toBe('drop');
  });

  const tag = (vid: number, priority = 0): number => VLAN_PRESENT | vid | (priority << 13);
  it.each([
    ['a first tag', {}, { vlanTpid: 0x8100, vlanTci: tag(5) }, 'push_vlan(vid=5,pcp=0)'],
    ['a service tag', {}, { vlanTpid: 0x88a8, vlanTci: tag(5, 3) }, 'push_vlan(tpid=0x88a8,vid=5,pcp=3)'],
    ['no tag', { vlanTpid: 0x8100, vlanTci: tag(5) }, { vlanTpid: 0, vlanTci: 0 }, 'pop_vlan'],
    ['another tag', { vlanTpid: 0x8100, vlanTci: tag(5) }, { vlanTci: tag(6) }, 'pop_vlan,push_vlan(vid=6,pcp=0)'],
    [
      'another priority',
      { vlanTpid: 0x8100, vlanTci: tag(5) },
      { vlanTci: tag(5, 1) },
      'pop_vlan,push_vlan(vid=5,pcp=1)',
    ],
    [
      'a tag on top',
      { vlanTpid: 0x8100, vlanTci: tag(5) },
      { vlanTpid: 0x88a8, vlanTci: tag(100), innerVlanTpid: 0x8100, innerVlanTci: tag(5) },
      'push_vlan(tpid=0x88a8,vid=100,pcp=0)',
    ],
    [
      'the tag on top gone',
      { vlanTpid: 0x88a8, vlanTci: tag(100), innerVlanTpid: 0x8100, innerVlanTci: tag(5) },
      { vlanTpid: 0x8100, vlanTci: tag(5), innerVlanTpid: 0, innerVlanTci: 0 },
      'pop_vlan',
    ],
    [
      'another tag on top',
      { vlanTpid: 0x88a8, vlanTci: tag(100), innerVlanTpid: 0x8100, innerVlanTci: tag(5) },
      { vlanTci: tag(101) },
      'pop_vlan,push_vlan(tpid=0x88a8,vid=101,pcp=0)',
    ],
    [
      'two other tags',
      { vlanTpid: 0x8100, vlanTci: tag(1), innerVlanTpid: 0x8100, innerVlanTci: tag(2) },
      { vlanTci: tag(3), innerVlanTci: tag(4) },
      'pop_vlan,pop_vlan,push_vlan(vid=4,pcp=0),push_vlan(vid=3,pcp=0)',
    ],
  ] as [string, Values, Values, string][])('of tags: %s', (_what, before, changes, expected) => {
    expect(committed(translated({ ...IPV4, ...before }, changes))).toBe(expected);
  });

  it('looks at whole tags only where one is popped', () => {
    const pushed = translated(IPV4, { vlanTpid: 0x8100, vlanTci: tag(5) }, []);
    commit(pushed);
    expect(pushed.wildcards.some((word) => word !== 0)).toBe(false);
    const popped = translated({ ...IPV4, vlanTpid: 0x8100, vlanTci: tag(5) }, { vlanTpid: 0, vlanTci: 0 }, []);
    commit(popped);
    expect([popped.wildcards[5] >>> 16, popped.wildcards[10] >>> 16, popped.wildcards[48]]).toEqual([
      0xffff, 0xffff, -1,
    ]);
  });

  it('goes on from where the last one was', () => {
    const ctx = translated(IPV4, { ipTtl: 9 });
    expect(committed(ctx)).toContain('ttl=9');
    setField(ctx.flow, 'ipTtl', 64);
    setField(ctx.flow, 'vlanTpid', 0x8100);
    setField(ctx.flow, 'vlanTci', tag(7));
    expect(committed(ctx)).toMatch(/^set\(ipv4\(ttl=64[^)]*\)\),push_vlan\(vid=7,pcp=0\)$/);
    setField(ctx.flow, 'vlanTpid', 0);
    setField(ctx.flow, 'vlanTci', 0);
    expect(committed(ctx)).toBe('pop_vlan');
  });
});

describe('commitTunnel', () => {
  it('sets a tunnel once, and anew when any of it differs', () => {
    const ctx = translated(IPV4, { tunDst: '10.10.10.2', tunId: 5, tunTtl: 64, tunTpDst: 4789 });
    setField(ctx.flow, 'tunFlags', 8);
    commitTunnel(ctx);
    commitTunnel(ctx);
    expect(formatActions(ctx.actions)).toBe('set(tunnel(tun_id=0x5,dst=10.10.10.2,ttl=64,tp_dst=4789,flags(key)))');
    setField(ctx.flow, 'tunTos', 4);
    commitTunnel(ctx);
    expect(ctx.actions.length).toBe(2);
    expect(formatActions(ctx.actions.slice(1))).toBe(
      'set(tunnel(tun_id=0x5,dst=10.10.10.2,tos=0x4,ttl=64,tp_dst=4789,flags(key)))',
    );
  });
});
