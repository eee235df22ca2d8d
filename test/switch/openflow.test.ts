// OpenFlow actions on a switch, frame by frame. What traces show of them is held to Open vSwitch in test/control/trace.test.ts, and live
// frames through rules and groups in test/regressions (openflow-actions.json, select-groups.json, both recorded from 3.1.0).
import { describe, expect, it } from 'vitest';
import { ManualClock, VSwitch, appctl, formatActions, fromHex, trace } from '../../src/index.js';
import { parseGroup } from '../../src/openflow/group.js';
import { floodOrder } from '../../src/switch/flood-order.js';
import { actionSet } from '../../src/switch/run-group.js';
import { mapBuckets, selection } from '../../src/switch/select-bucket.js';
import { formatOpenFlowActions } from '../../src/openflow/action-format.js';
import { jenkinsHash } from '../../src/util/hash.js';

const frame = (source: number, port = 80): Uint8Array =>
  fromHex(
    `020000000002${'0200000000'}${source.toString(16).padStart(2, '0')}08004500002800000000400600000a0000010a000002` +
      `${(1000 + source).toString(16).padStart(4, '0')}${port.toString(16).padStart(4, '0')}00000000000000005002000000000000`.padEnd(
        52,
        '0',
      ),
  );

function build(openflow: string[], groups: string[] = []): { vswitch: VSwitch; clock: ManualClock } {
  const clock = new ManualClock();
  const vswitch = new VSwitch({ clock });
  const ports = ['p1', 'p2', 'p3', 'p4'].map((name) => ({ name }));
  vswitch.addBridge({ name: 'br0', mac: 'aa:55:aa:00:00:00', ports, openflow, groups });
  return { vswitch, clock };
}

const flows = (vswitch: VSwitch): string[] =>
  vswitch.datapath
    .flowNumbers()
    .map((flow) => formatActions(vswitch.datapath.flow(flow).actions))
    .sort();

describe('a group that selects by hash', () => {
  const openflow = ['in_port=1,actions=group:1', 'in_port=2,actions=group:1'];
  const groups = ['group_id=1,type=select,bucket=output:3,bucket=output:4'];

  it('sends packets round, those of one conversation to one bucket', () => {
    const { vswitch } = build(openflow, groups);
    const ways = new Map<number, string>();
    for (let source = 1; source <= 32; source++) {
      const sent = vswitch.deliver('p1', frame(source));
      expect(Object.keys(sent)).toHaveLength(1);
      ways.set(source, Object.keys(sent)[0]);
    }
    expect(new Set(ways.values())).toEqual(new Set(['p3', 'p4']));
    for (const [source, port] of ways) expect(Object.keys(vswitch.deliver('p1', frame(source)))).toEqual([port]);
    // One flow for the hash, and one for each of the 16 hash values at most.
    expect(flows(vswitch).filter((text) => text.includes('recirc'))).toEqual(['hash(sym_l4(0)),recirc(0x1)']);
    expect(flows(vswitch).length).toBeLessThanOrEqual(17);
  });

  it('gives each way in a number of its own, and numbers back when their flows go', () => {
    const { vswitch, clock } = build(openflow, groups);
    vswitch.deliver('p1', frame(1));
    vswitch.deliver('p2', frame(1));
    const round = (): string[] => flows(vswitch).filter((text) => text.includes('recirc'));
    expect(round()).toEqual(['hash(sym_l4(0)),recirc(0x1)', 'hash(sym_l4(0)),recirc(0x2)']);
    clock.leap(60_000);
    vswitch.revalidate();
    expect(flows(vswitch)).toEqual([]);
    clock.leap(1000);
    vswitch.revalidate();
    // The number is gone, and a packet that still carried it would be lost.
    expect(() =>
      appctl(
        vswitch,
        'ofproto/trace',
        'recirc_id(0x1),dp_hash(0x5),in_port(2),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x88b5)',
      ),
    ).toThrow('no recirculation data for recirc_id 0x1');
    vswitch.deliver('p1', frame(1));
    expect(round()).toEqual(['hash(sym_l4(0)),recirc(0x3)']);
  });

  it('keeps its numbers while flows are translated again', () => {
    const { vswitch } = build(openflow, groups);
    vswitch.deliver('p1', frame(1));
    const before = flows(vswitch);
    for (let round = 0; round < 3; round++) {
      vswitch.addFlow('br0', `table=9,priority=${round},actions=drop`);
      vswitch.revalidate();
      expect(flows(vswitch)).toEqual(before);
    }
    expect(Object.keys(vswitch.deliver('p1', frame(1)))).toHaveLength(1);
  });

  it('resumes where it stopped: a trace of the packet that has come round says so', () => {
    const { vswitch } = build(
      [
        'in_port=1,actions=load:7->NXM_NX_REG0[],resubmit(,1),output:2',
        'table=1,cookie=0x5,actions=group:1,resubmit(,2)',
        'table=2,reg0=7,actions=LOCAL',
      ],
      groups,
    );
    vswitch.deliver('p1', frame(1));
    const flow =
      'recirc_id(0x1),dp_hash(0x5),in_port(2),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x88b5)';
    const { steps, actions } = trace(vswitch, { flow });
    const [bridge] = steps;
    expect(bridge.steps[0]).toMatchObject({
      kind: 'thaw',
      steps: [
        { text: 'Resuming from table 0' },
        { text: /^Restoring actions: unroll_xlate\(table=1, cookie=5\),group:1,resubmit\(,2\),.*output:2$/ },
      ].map(({ text }) => ({ text: expect.stringMatching(text) })),
    });
    expect(actions).toMatch(/^[45],1,3$/);
  });
});

describe('buckets', () => {
  it('get hash values by their weights', () => {
    const { buckets } = parseGroup('group_id=1,type=select,bucket=weight:1,output:1,bucket=weight:3,output:2');
    const map = mapBuckets(buckets, 64)!;
    expect(map).toHaveLength(16);
    expect(map.filter(({ id }) => id === 0)).toHaveLength(4);
    const wide = parseGroup('group_id=1,type=select,bucket=weight:1,output:1,bucket=weight:100,output:2');
    expect(mapBuckets(wide.buckets, 64)).toBeUndefined();
    expect(mapBuckets(wide.buckets, 256)).toHaveLength(128);
    expect(selection(wide).method).toBe('symmetric');
    expect(mapBuckets(parseGroup('group_id=1,type=select,bucket=weight:0,output:1').buckets, 64)).toBeUndefined();
  });

  it.each([
    ['output:1,mod_dl_src:02:00:00:00:00:01,strip_vlan', 'strip_vlan,mod_dl_src:02:00:00:00:00:01,output:1'],
    ['output:1,output:2', 'output:2'],
    ['resubmit(,3),output:2,group:7,output:4', 'group:7'],
    ['mod_dl_src:02:00:00:00:00:01', 'drop'],
    ['dec_ttl,note:01,output:1', 'dec_ttl,output:1'],
  ])('are action sets: %s', (given, done) => {
    const [bucket] = parseGroup(`group_id=1,type=indirect,bucket=${given}`).buckets;
    expect(formatOpenFlowActions(actionSet(bucket.actions))).toBe(done);
  });
});

describe('FLOOD', () => {
  // Ports 1 to 4 and LOCAL as 3.1.0 flooded them (test/control/recorded-traces.json, "actions"); 65534 is LOCAL.
  it('visits ports in the order of their hash', () => {
    const order = floodOrder([65534, 1, 2, 3, 4].map((ofPort) => ({ ofPort }))).map(({ ofPort }) => ofPort);
    expect(order.filter((port) => port !== 4)).toEqual([65534, 1, 2, 3]);
    const many = Array.from({ length: 100 }, (_, index) => ({ ofPort: index + 1 }));
    expect(new Set(floodOrder(many))).toEqual(new Set(many));
  });
});

describe('the hash of Bob Jenkins', () => {
  // lookup3.c's own examples: an empty key, and "Four score and seven years ago" with a basis of 0 and 1.
  it('is his', () => {
    const text = new TextEncoder().encode('Four score and seven years ago');
    expect(jenkinsHash(new Uint8Array(), 0) >>> 0).toBe(0xdeadbeef);
    expect(jenkinsHash(text, 0) >>> 0).toBe(0x17770551);
    expect(jenkinsHash(text, 1) >>> 0).toBe(0xcd628161);
  });
});

describe('what 3.1 leaves to its slow path', () => {
  // 1000 and 1001: observed with 3.1.0, which installs the one and not the other.
  it.each([
    [1000, Array(1000).fill('2').join(',')],
    [1001, 'userspace(pid=0,slow_path(action))'],
  ])('has up to so many outputs: %i', (count, installed) => {
    const { vswitch } = build([`actions=${Array(count).fill('output:1').join(',')}`]);
    for (const round of [0, 1]) {
      expect(vswitch.deliver('p2', frame(1)).p1).toHaveLength(count);
      expect(flows(vswitch), `${round}`).toEqual([installed]);
    }
    expect(vswitch.datapath.statistics()).toMatchObject({ hit: 1, missed: 1, lost: 0 });
  });

  // 32 bytes for each of set(eth(...)) and set(ipv4(...)), 16 for set(tcp(...)), 8 for the output. Observed with 3.1.0.
  it.each([
    [744, 'set(eth(src='],
    [745, 'userspace(pid'],
  ])('fits into a netlink attribute: %i times 88 bytes', (count, installed) => {
    const each = (digit: number): string =>
      `mod_dl_src:00:00:00:00:00:0${digit},mod_nw_src:1.1.1.${digit},mod_tp_src:${digit},output:LOCAL`;
    const { vswitch } = build([
      `tcp,actions=${Array.from({ length: count }, (_, index) => each((index % 2) + 1)).join(',')}`,
    ]);
    expect(vswitch.deliver('p1', frame(1)).br0).toHaveLength(count);
    expect(flows(vswitch)).toEqual([expect.stringContaining(installed)]);
  });

  it('is learned from at each packet', () => {
    const { vswitch } = build(['arp,actions=load:0xa000009->NXM_OF_ARP_SPA[],NORMAL', 'actions=NORMAL']);
    const arp = (source: number): Uint8Array =>
      fromHex(`020000000002020000000${source}0108060001080006040002${'0'.repeat(8)}00000a000001`.padEnd(120, '0'));
    expect(Object.keys(vswitch.deliver('p1', arp(1))).sort()).toEqual(['br0', 'p2', 'p3', 'p4']);
    appctl(vswitch, 'fdb/flush', 'br0');
    vswitch.settle();
    vswitch.datapath.inject(2, arp(1));
    expect(appctl(vswitch, 'fdb/show', 'br0')).toContain('02:00:00:00:01:01');
  });
});

describe('a trace of what 3.1 leaves to its slow path', () => {
  it('says so', () => {
    const { vswitch } = build(['arp,actions=load:0xa000009->NXM_OF_ARP_SPA[],output:2']);
    const { translation } = trace(vswitch, { bridge: 'br0', flow: 'in_port=1,arp,arp_op=1,arp_spa=10.0.0.1' });
    expect(translation.isSlow).toBe(true);
  });
});
