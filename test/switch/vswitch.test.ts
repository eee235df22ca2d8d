// A switch from outside: what it tells (events, counters), how it is changed while traffic runs, what it refuses, and that it leaves
// nothing behind.
import { describe, expect, it } from 'vitest';
import { appctl } from '../../src/control/appctl.js';
import { dumpFlows, showDatapath } from '../../src/control/dpctl.js';
import { createFunctionPort } from '../../src/io/function-port.js';
import { ManualClock } from '../../src/util/clock.js';
import { VSwitch, type SwitchEvents } from '../../src/switch/vswitch.js';
import { A, B, BROADCAST, C, actionTexts, arp, createTestSwitch, frame, ports } from './frames.js';

const MAC = 'aa:55:aa:55:00:00';

function simple(): { vswitch: VSwitch; clock: ManualClock } {
  const made = createTestSwitch();
  made.vswitch.addBridge({ name: 'br0', mac: MAC, ports: [{ name: 'p1' }, { name: 'p2' }] });
  return made;
}

/** A switch with an underlay, an address and a tunnel. */
function tunnelled(): { vswitch: VSwitch; clock: ManualClock } {
  const made = simple();
  made.vswitch.addBridge({ name: 'br1', mac: 'aa:55:aa:55:00:01', ports: [{ name: 'ens8' }] });
  made.vswitch.addAddress('br1', '10.10.10.1/24');
  made.vswitch.addPort('br0', {
    name: 'vx1',
    interface: { type: 'vxlan', ofport: 9, options: { remote_ip: '10.10.10.2', key: '5' } },
  });
  made.vswitch.setNeighbour('br1', '10.10.10.2', 'aa:55:aa:55:00:02');
  return made;
}

/** A MAC address with a number in it. */
function numbered(index: number): string {
  return `02:00:00:01:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`;
}

/** Everything that can be seen of a switch. */
function state(vswitch: VSwitch): unknown {
  const bridges = vswitch.bridges().map(({ name, ports: list, macTable, config, forwardBpdu, mirrors }) => ({
    name,
    ports: list.map((port) => [
      port.name,
      port.type,
      port.ofPort,
      port.datapathPort,
      port.vlan,
      port.protected,
      port.tunnelConfig?.options,
      port.peer,
    ]),
    macTable: [
      macTable.agingSeconds,
      macTable.size,
      [...macTable.floodVlans],
      [...macTable].map(({ mac, port }) => `${mac} ${port.name}`),
    ],
    config,
    forwardBpdu,
    mirrors: mirrors.map(({ name: mirror }) => mirror),
  }));
  const listeners = [...vswitch.listeners].map(({ device, destinationPort, datapathPort }) => [
    device,
    destinationPort,
    datapathPort,
  ]);
  return [bridges, listeners, vswitch.addresses(), vswitch.router.routes(), showDatapath(vswitch), dumpFlows(vswitch)];
}

describe('numbers of ports in the datapath', () => {
  it('are those asked for, or else the lowest that are free', () => {
    const numbers: Record<string, number> = { p1: 7, p2: 7, vxlan_sys_4789: 4789 };
    const vswitch = new VSwitch({ datapathPort: (name) => numbers[name] });
    vswitch.addBridge({
      name: 'br0',
      mac: 'aa:55:aa:00:00:00',
      ports: [
        { name: 'p1' },
        { name: 'p2' },
        { name: 'vx', interface: { type: 'vxlan', options: { remote_ip: '10.0.0.2' } } },
      ],
    });
    expect(vswitch.datapath.ports().map(({ name, number }) => [name, number])).toEqual([
      ['br0', 1],
      ['p2', 2],
      ['p1', 7],
      ['vxlan_sys_4789', 4789],
    ]);
    vswitch.close();
  });
});

describe('events', () => {
  it('tell what happens, in the order in which it happens', () => {
    const { vswitch, clock } = tunnelled();
    const heard: unknown[] = [];
    const listen = <Name extends keyof SwitchEvents>(
      name: Name,
      show: (event: SwitchEvents[Name]) => unknown,
    ): void => {
      vswitch.on(name, (event) => heard.push([name, show(event)]));
    };
    listen('flow-installed', ({ flow, key, mask, actions }) => [flow, key.length, mask.length, actions]);
    listen('flow-removed', ({ flow, reason }) => [flow, reason]);
    listen('mac-learned', (event) => event);
    listen('mac-moved', (event) => event);
    listen('neighbour-resolved', (event) => event);
    listen('drop', (event) => event);

    vswitch.deliver('p1', frame(A, B, [7]));
    expect(heard).toEqual([
      ['mac-learned', { bridge: 'br0', port: 'p1', vlan: 7, mac: A }],
      // The outer packet is one of the bridge underneath.
      ['mac-learned', { bridge: 'br1', port: 'br1', vlan: 0, mac: 'aa:55:aa:55:00:01' }],
      ['flow-installed', [expect.any(Number), 84, 84, expect.stringContaining('tnl_push')]],
    ]);
    heard.length = 0;

    vswitch.deliver('p2', frame(A, B, [7]));
    expect(heard.map((event) => (event as unknown[])[0])).toEqual(['mac-moved', 'flow-installed']);
    expect(heard[0]).toEqual(['mac-moved', { bridge: 'br0', port: 'p2', vlan: 7, mac: A }]);
    heard.length = 0;

    vswitch.deliver('p2', frame(B, '01:80:c2:00:00:00'));
    expect(heard.filter((event) => (event as unknown[])[0] === 'drop')).toEqual([
      ['drop', { reason: 'flow-drop', count: 1 }],
    ]);
    heard.length = 0;

    vswitch.deliver('ens8', arp(2, C, '10.10.10.9', '10.10.10.1', { targetMac: 'aa:55:aa:55:00:01' }));
    expect(heard).toContainEqual(['neighbour-resolved', { bridge: 'br1', ip: '10.10.10.9', mac: C }]);
    heard.length = 0;

    clock.advance(11_000);
    const removed = heard.filter((event) => (event as unknown[])[0] === 'flow-removed') as [string, [number, string]][];
    expect(removed.length).toBe(4);
    expect(new Set(removed.map(([, [, reason]]) => reason))).toEqual(new Set(['idle']));
  });

  it('say why a flow went', () => {
    const { vswitch } = simple();
    const reasons: string[] = [];
    vswitch.on('flow-removed', ({ reason }) => reasons.push(reason));
    vswitch.deliver('p1', frame(A, BROADCAST));
    vswitch.removePort('p1');
    expect(reasons).toEqual(['stale']);
  });

  it('end when they are no longer wanted', () => {
    const { vswitch } = simple();
    let count = 0;
    const off = vswitch.on('mac-learned', () => count++);
    const offDrop = vswitch.on('drop', () => count++);
    expect(vswitch.datapath.onDrop).toBeDefined();
    off();
    offDrop();
    // Nobody listens: the datapath is not even watched.
    expect(vswitch.datapath.onDrop).toBeUndefined();
    vswitch.deliver('p1', frame(A, '01:80:c2:00:00:00'));
    vswitch.deliver('p1', frame(A, B));
    expect(count).toBe(0);
  });
});

describe('counters', () => {
  it('add up', () => {
    const { vswitch } = simple();
    vswitch.deliver('p1', frame(A, B));
    vswitch.deliver('p1', frame(A, B));
    vswitch.deliver('p2', frame(B, A));
    vswitch.deliver('p1', new Uint8Array(5));
    vswitch.deliver('p1', frame(A, '01:80:c2:00:00:00'));
    const port = { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0, drops: {} };
    expect(vswitch.counters()).toEqual({
      lookups: { hit: 1, missed: 3, lost: 0 },
      flows: 3,
      drops: { 'flow-drop': 1 },
      ports: {
        br0: { ...port, txPackets: 2, txBytes: 120 },
        p1: { ...port, rxPackets: 4, rxBytes: 185, txPackets: 1, txBytes: 60, drops: { runt: 1 } },
        p2: { ...port, rxPackets: 1, rxBytes: 60, txPackets: 2, txBytes: 120 },
      },
    });
    // The switch's own counters know of all packets once statistics are pushed, of those of the fast path too.
    vswitch.revalidate();
    expect(vswitch.findPort('p1')?.counters).toEqual({ rxPackets: 3, rxBytes: 180, txPackets: 1, txBytes: 60 });
    expect(JSON.parse(JSON.stringify(vswitch.counters()))).toEqual(vswitch.counters());
  });

  it('count what does not fit', () => {
    const { vswitch } = simple();
    vswitch.addPort('br0', {
      name: 'small',
      port: createFunctionPort({ name: 'small', mtu: 100, send: () => undefined }).port,
    });
    const long = new Uint8Array(300);
    long.set(frame(A, B));
    expect(ports(vswitch.deliver('p1', long))).toEqual(['br0', 'p2']);
    expect(vswitch.counters().ports.small.drops).toEqual({ 'mtu-exceeded': 1 });
    vswitch.deliver('p1', new Uint8Array(60_000));
    expect(vswitch.counters().ports.p1.drops).toEqual({ 'frame-too-long': 1 });
  });
});

describe('deliver and collect', () => {
  it('answer what left, copied, also from ports that have a host', () => {
    const { vswitch, clock } = simple();
    const seen: number[] = [];
    const host = createFunctionPort({ name: 'h', send: (bytes) => seen.push(bytes.length) });
    vswitch.addPort('br0', { name: 'h', port: host.port });
    const sent = vswitch.deliver('p1', frame(A, B));
    expect(Object.keys(sent)).toEqual(['br0', 'p2', 'h']);
    const before = sent.p2[0].slice();
    vswitch.deliver('p1', frame(C, A));
    expect(sent.p2[0]).toEqual(before);
    expect(seen).toEqual([60]);
    expect(clock.now()).toBe(10_000);
    // What hosts send meanwhile is delivered as well.
    const answered = vswitch.collect(() => void host.receive(frame(B, C)));
    expect(ports(answered)).toEqual(['p1']);
    expect(vswitch.collect(() => undefined)).toEqual({});
  });

  it.each(['nobody', 'vx1', 'to1'])('refuse frames on %s', (name) => {
    const { vswitch } = tunnelled();
    vswitch.addPort('br0', { name: 'to1', interface: { type: 'patch', options: { peer: 'to0' } } });
    const code = name === 'nobody' ? 'not-found' : 'bad-argument';
    expect(() => vswitch.deliver(name, frame(A, B))).toThrow(expect.objectContaining({ code }));
    expect(() => vswitch.receive(name, frame(A, B))).toThrow(expect.objectContaining({ code }));
  });
});

describe('changes while traffic runs', () => {
  it('of ports show in the next frame', () => {
    const { vswitch } = simple();
    const flood = (): string[] => ports(vswitch.deliver('p1', frame(A, BROADCAST)));
    expect(flood()).toEqual(['br0', 'p2']);
    vswitch.addPort('br0', { name: 'p3', tag: 10 });
    expect(flood()).toEqual(['br0', 'p2']);
    vswitch.setPort('p3', { tag: null });
    expect(flood()).toEqual(['br0', 'p2', 'p3']);
    vswitch.setPort('p1', { protected: true });
    vswitch.setPort('p3', { protected: true });
    expect(flood()).toEqual(['br0', 'p2']);
    vswitch.setPort('p3', { protected: false });
    expect(flood()).toEqual(['br0', 'p2', 'p3']);
    vswitch.removePort('p2');
    expect(flood()).toEqual(['br0', 'p3']);
    vswitch.addPort('br0', { name: 'p2' });
    // The number is free again, and so is the place in the datapath; but the port is the last now.
    expect(vswitch.findPort('p2')).toMatchObject({ ofPort: 2, datapathPort: 3 });
    expect(Object.keys(vswitch.deliver('p1', frame(A, BROADCAST)))).toEqual(['br0', 'p3', 'p2']);
  });

  it('keep a flow that stays right, with its counters', () => {
    const { vswitch } = simple();
    vswitch.deliver('p1', frame(A, BROADCAST));
    vswitch.deliver('p1', frame(A, BROADCAST));
    const [flow] = vswitch.datapath.flowNumbers();
    vswitch.addPort('br0', { name: 'p3', tag: 10 });
    vswitch.revalidate();
    expect(vswitch.datapath.flowNumbers()).toEqual([flow]);
    expect(vswitch.datapath.flowPackets(flow)).toBe(1);
    vswitch.setPort('p3', { tag: null });
    vswitch.revalidate();
    // Changed in place.
    expect(vswitch.datapath.flowNumbers()).toEqual([flow]);
    expect(actionTexts(vswitch)).toEqual(['1,3,4']);
    expect(vswitch.datapath.flowPackets(flow)).toBe(1);
  });

  it('forget what was learned on a port whose VLANs change', () => {
    const { vswitch } = simple();
    vswitch.deliver('p2', frame(B, BROADCAST));
    expect(ports(vswitch.deliver('p1', frame(A, B)))).toEqual(['p2']);
    vswitch.setPort('p2', { trunks: [0, 5] });
    expect(ports(vswitch.deliver('p1', frame(A, B)))).toEqual(['br0', 'p2']);
  });

  it('of a tunnel show in the next frame', () => {
    const { vswitch } = tunnelled();
    vswitch.deliver('p2', frame(B, BROADCAST));
    const outer = (): string | undefined => {
      const bytes = vswitch.deliver('p1', frame(A, BROADCAST)).ens8?.[0];
      return (
        bytes &&
        `${[...bytes.subarray(30, 34)].join('.')} port ${(bytes[36] << 8) | bytes[37]} vni ${bytes[48]} ttl ${bytes[22]} tos ${bytes[15]} df ${bytes[20] >> 6}`
      );
    };
    expect(outer()).toBe('10.10.10.2 port 4789 vni 5 ttl 64 tos 0 df 1');
    vswitch.setInterface('vx1', {
      remote_ip: '10.10.10.2',
      key: '6',
      ttl: '9',
      tos: '0xb8',
      df_default: 'false',
      dst_port: '8472',
    });
    expect(outer()).toBe('10.10.10.2 port 8472 vni 6 ttl 9 tos 184 df 0');
    expect(vswitch.datapath.ports().map(({ name }) => name)).toContain('vxlan_sys_8472');
    expect(vswitch.datapath.ports().map(({ name }) => name)).not.toContain('vxlan_sys_4789');
    vswitch.setNeighbour('br1', '10.10.10.3', 'aa:55:aa:55:00:03');
    vswitch.setInterface('vx1', { remote_ip: '10.10.10.3' });
    expect(outer()).toBe('10.10.10.3 port 4789 vni 0 ttl 64 tos 0 df 1');
    // Not resolved: a request goes out instead.
    vswitch.setInterface('vx1', { remote_ip: '10.10.10.4' });
    expect(vswitch.deliver('p1', frame(A, BROADCAST)).ens8.map((bytes) => (bytes[12] << 8) | bytes[13])).toEqual(
      expect.arrayContaining([0x0806]),
    );
    vswitch.removePort('vx1');
    expect(ports(vswitch.deliver('p1', frame(A, BROADCAST)))).toEqual(['br0', 'p2']);
    expect(vswitch.datapath.ports().map(({ name }) => name)).not.toContain('vxlan_sys_4789');
  });

  it('of addresses and routes show in the next frame', () => {
    const { vswitch } = tunnelled();
    const reaches = (): boolean => 'ens8' in vswitch.deliver('p1', frame(A, BROADCAST));
    expect(reaches()).toBe(true);
    vswitch.removeAddress('br1', '10.10.10.1/24');
    expect(reaches()).toBe(false);
    expect(vswitch.router.routes()).toEqual([]);
    vswitch.addAddress('br1', '10.10.10.7/16');
    expect(reaches()).toBe(true);
    vswitch.addRoute('10.10.10.0/24', 'br1', '10.10.0.254');
    const asked = vswitch.deliver('p1', frame(A, BROADCAST)).ens8;
    expect(asked.map((bytes) => [...bytes.subarray(38, 42)].join('.'))).toContain('10.10.0.254');
    expect(vswitch.removeRoute('10.10.10.0/24')).toBe(true);
    expect(vswitch.removeRoute('10.10.10.0/24')).toBe(false);
    expect(vswitch.deliver('p1', frame(A, BROADCAST)).ens8[0].length).toBe(110);
  });

  it('of a whole bridge take its addresses, routes and tunnels along', () => {
    const { vswitch } = tunnelled();
    vswitch.deliver('p1', frame(A, BROADCAST));
    vswitch.removeBridge('br1');
    expect(ports(vswitch.deliver('p1', frame(A, BROADCAST)))).toEqual(['br0', 'p2']);
    expect([vswitch.addresses(), vswitch.router.routes(), vswitch.listeners.size]).toEqual([[], [], 0]);
    vswitch.addBridge({ name: 'br1', mac: 'aa:55:aa:55:00:01', ports: [{ name: 'ens8' }] });
    vswitch.addAddress('br1', '10.10.10.1/24');
    expect(ports(vswitch.deliver('p1', frame(A, BROADCAST)))).toEqual(['br0', 'ens8', 'p2']);
    for (const bridge of ['br0', 'br1']) vswitch.removeBridge(bridge);
    expect(vswitch.datapath.ports()).toEqual([]);
    expect(vswitch.datapath.flowCount).toBe(0);
  });

  it('of the ageing time and the size of the MAC table take effect', () => {
    const { vswitch, clock } = simple();
    for (let index = 0; index < 30; index++) vswitch.deliver('p1', frame(numbered(index), BROADCAST));
    vswitch.setBridge('br0', { otherConfig: { 'mac-table-size': '12' } });
    clock.advance(1000);
    expect(vswitch.bridge('br0').macTable.count).toBe(12);
    vswitch.setBridge('br0', { otherConfig: { 'mac-aging-time': '15' } });
    // What was not named stays.
    expect(vswitch.bridge('br0').macTable.size).toBe(12);
    clock.advance(15_000);
    expect(vswitch.bridge('br0').macTable.count).toBe(0);
    vswitch.setBridge('br0', { floodVlans: [0] });
    vswitch.deliver('p1', frame(A, B));
    expect(vswitch.bridge('br0').macTable.count).toBe(0);
    expect(vswitch.bridge('br0').macTable.agingSeconds).toBe(15);
  });

  it('of the neighbour table by time: an entry that ages takes its flows along', () => {
    const { vswitch, clock } = tunnelled();
    vswitch.neighbours.ageMs = 5000;
    vswitch.deliver('p1', frame(A, B));
    expect(actionTexts(vswitch)[0]).toContain('tnl_push');
    // The flow is not used, so nothing keeps the neighbour young.
    clock.advance(6000);
    expect(actionTexts(vswitch).join()).not.toContain('tnl_push');
  });

  it('of the neighbour table by use: a flow that is used keeps its next hop', () => {
    const { vswitch, clock } = tunnelled();
    vswitch.neighbours.ageMs = 5000;
    for (let second = 0; second < 30; second++) {
      vswitch.receive('p1', frame(A, B));
      clock.advance(1000);
    }
    expect(vswitch.neighbours.entries().length).toBe(1);
    expect(actionTexts(vswitch)[0]).toContain('tnl_push');
  });
});

describe('what is refused', () => {
  const vxlan = (options: Record<string, string>) => ({ type: 'vxlan' as const, options });
  it.each([
    ['a bridge that is there', 'already-exists', (vswitch: VSwitch) => vswitch.addBridge({ name: 'br0', mac: MAC })],
    [
      'a bridge with the name of a port',
      'already-exists',
      (vswitch: VSwitch) => vswitch.addBridge({ name: 'p1', mac: MAC }),
    ],
    [
      'a bridge without a MAC',
      'bad-address',
      (vswitch: VSwitch) => vswitch.addBridge({ name: 'br9', mac: 'nonsense' }),
    ],
    [
      'a bridge with a bad port',
      'bad-config',
      (vswitch: VSwitch) =>
        vswitch.addBridge({ name: 'br9', mac: MAC, ports: [{ name: 'q1' }, { name: 'q2', tag: 5000 }] }),
    ],
    [
      'a bridge with a port that is elsewhere',
      'already-exists',
      (vswitch: VSwitch) => vswitch.addBridge({ name: 'br9', mac: MAC, ports: [{ name: 'q1' }, { name: 'p1' }] }),
    ],
    [
      'a bridge with a bad mirror',
      'bad-config',
      (vswitch: VSwitch) => vswitch.addBridge({ name: 'br9', mac: MAC, mirrors: [{ name: 'm' }] }),
    ],
    [
      'a bridge with a bad count',
      'bad-config',
      (vswitch: VSwitch) => vswitch.addBridge({ name: 'br9', mac: MAC, otherConfig: { 'mac-table-size': 'big' } }),
    ],
    [
      'a bridge with the name of a tunnel device',
      'already-exists',
      (vswitch: VSwitch) => vswitch.addBridge({ name: 'vxlan_sys_4789', mac: MAC }),
    ],
    ['a change of no bridge', 'not-found', (vswitch: VSwitch) => vswitch.setBridge('br9', {})],
    [
      'a bad count',
      'bad-config',
      (vswitch: VSwitch) =>
        vswitch.setBridge('br0', { otherConfig: { 'mac-aging-time': '20', 'mac-table-size': '-1' } }),
    ],
    [
      'a mirror into no VLAN',
      'bad-config',
      (vswitch: VSwitch) => vswitch.setBridge('br0', { mirrors: [{ name: 'm', selectAll: true, outputVlan: 4096 }] }),
    ],
    [
      'a mirror of no VLAN',
      'bad-config',
      (vswitch: VSwitch) => vswitch.setBridge('br0', { mirrors: [{ name: 'm', selectVlan: [-1], outputPort: 'p1' }] }),
    ],
    ['the removal of no bridge', 'not-found', (vswitch: VSwitch) => vswitch.removeBridge('p1')],
    ['a port that is there', 'already-exists', (vswitch: VSwitch) => vswitch.addPort('br1', { name: 'p1' })],
    ['a port of no bridge', 'not-found', (vswitch: VSwitch) => vswitch.addPort('br9', { name: 'q' })],
    ['a port with a bad tag', 'bad-config', (vswitch: VSwitch) => vswitch.addPort('br0', { name: 'q', tag: 4096 })],
    ['a port with a bad MAC', 'bad-address', (vswitch: VSwitch) => vswitch.addPort('br0', { name: 'q', mac: '1:2' })],
    [
      'a port with a number that is taken',
      'already-exists',
      (vswitch: VSwitch) => vswitch.addPort('br0', { name: 'q', interface: { ofport: 9 } }),
    ],
    [
      'a port with a number that cannot be',
      'bad-config',
      (vswitch: VSwitch) => vswitch.addPort('br0', { name: 'q', interface: { ofport: 65_280 } }),
    ],
    [
      'a port of an unknown type',
      'bad-config',
      (vswitch: VSwitch) => vswitch.addPort('br0', { name: 'q', interface: { type: 'gre' as 'vxlan' } }),
    ],
    [
      'a patch port without a peer',
      'bad-option',
      (vswitch: VSwitch) => vswitch.addPort('br0', { name: 'q', interface: { type: 'patch' } }),
    ],
    [
      'a tunnel without options',
      'bad-option',
      (vswitch: VSwitch) => vswitch.addPort('br0', { name: 'q', interface: { type: 'vxlan' } }),
    ],
    [
      'a tunnel like another',
      'already-exists',
      (vswitch: VSwitch) =>
        vswitch.addPort('br0', { name: 'q', interface: vxlan({ remote_ip: '10.10.10.2', key: '5' }) }),
    ],
    [
      'a tunnel on a device that cannot be',
      'already-exists',
      (vswitch: VSwitch) =>
        vswitch.addPort('br0', { name: 'q', interface: vxlan({ remote_ip: '10.10.10.2', dst_port: '99' }) }),
    ],
    ['the removal of no port', 'not-found', (vswitch: VSwitch) => vswitch.removePort('q')],
    ['the removal of LOCAL', 'bad-config', (vswitch: VSwitch) => vswitch.removePort('br0')],
    [
      'a bad change of a port',
      'bad-config',
      (vswitch: VSwitch) => vswitch.setPort('p1', { protected: true, tag: 9999 }),
    ],
    ['a change of no port', 'not-found', (vswitch: VSwitch) => vswitch.setPort('q', {})],
    [
      'bad options',
      'bad-option',
      (vswitch: VSwitch) => vswitch.setInterface('vx1', { remote_ip: '10.10.10.3', ttl: 'long' }),
    ],
    [
      'options like those of another',
      'already-exists',
      (vswitch: VSwitch) => vswitch.setInterface('vx2', { remote_ip: '10.10.10.2', key: '5' }),
    ],
    [
      'options for a device that cannot be',
      'already-exists',
      (vswitch: VSwitch) => vswitch.setInterface('vx1', { remote_ip: '10.10.10.2', dst_port: '99' }),
    ],
    [
      'options of an ordinary port',
      'bad-config',
      (vswitch: VSwitch) => vswitch.setInterface('p1', { remote_ip: '10.10.10.2' }),
    ],
    ['an address of nothing', 'not-found', (vswitch: VSwitch) => vswitch.addAddress('eth9', '10.0.0.1/8')],
    ['an address twice', 'already-exists', (vswitch: VSwitch) => vswitch.addAddress('br1', '10.10.10.1/16')],
    ['a bad address', 'bad-address', (vswitch: VSwitch) => vswitch.addAddress('br1', '10.10.10.1/33')],
    ['the removal of no address', 'not-found', (vswitch: VSwitch) => vswitch.removeAddress('br1', '10.10.10.9/24')],
    [
      'a route that nothing can use',
      'bad-config',
      (vswitch: VSwitch) => vswitch.addRoute('1.0.0.0/8', 'br1', '2.2.2.2'),
    ],
    ['a neighbour without an address', 'bad-address', (vswitch: VSwitch) => vswitch.setNeighbour('br1', '10.10', MAC)],
  ] as [string, string, (vswitch: VSwitch) => void][])('%s leaves the switch as it was', (_what, code, action) => {
    const { vswitch } = tunnelled();
    vswitch.addPort('br0', {
      name: 'vx2',
      interface: { type: 'vxlan', options: { remote_ip: '10.10.10.2', key: '6' } },
    });
    vswitch.addPort('br1', { name: 'vxlan_sys_99' });
    vswitch.deliver('p1', frame(A, BROADCAST));
    vswitch.revalidate();
    const before = structuredClone(state(vswitch));
    expect(() => action(vswitch)).toThrow(expect.objectContaining({ code }));
    vswitch.revalidate();
    expect(state(vswitch)).toEqual(before);
    expect(ports(vswitch.deliver('p1', frame(A, BROADCAST)))).toEqual(['br0', 'ens8', 'p2', 'vxlan_sys_99']);
  });
});

describe('the end', () => {
  it('leaves no timer and no attached port', () => {
    const { vswitch, clock } = tunnelled();
    const attached = createFunctionPort({ name: 'f', send: () => undefined });
    vswitch.addPort('br0', { name: 'f', port: attached.port });
    vswitch.deliver('p1', frame(A, BROADCAST));
    attached.receive(frame(B, A));
    expect(clock.pending).toBeGreaterThan(0);
    vswitch.close();
    expect(clock.pending).toBe(0);
    vswitch.close();
    expect(attached.receive(frame(B, A))).not.toBe(0);
    for (const action of [
      () => vswitch.addBridge({ name: 'b', mac: MAC }),
      () => vswitch.run(),
      () => vswitch.addPort('br0', { name: 'q' }),
    ]) {
      expect(action).toThrow(expect.objectContaining({ code: 'closed' }));
    }
    clock.advance(100_000);
    expect(clock.pending).toBe(0);
  });

  it('comes by itself with `using`', () => {
    const clock = new ManualClock();
    const vswitch = new VSwitch({ clock });
    expect(clock.pending).toBe(1);
    vswitch[Symbol.dispose]();
    expect(clock.pending).toBe(0);
  });

  it('may come in the midst of a sweep', () => {
    const { vswitch, clock } = simple();
    // More flows than one turn of revalidation looks at.
    for (let index = 0; index < 2500; index++) vswitch.receive('p1', frame(A, numbered(index)));
    expect(vswitch.counters().flows).toBe(2500);
    vswitch.on('flow-removed', () => vswitch.close());
    clock.advance(11_000);
    expect(clock.pending).toBe(0);
  });

  it('of a turn of revalidation lets the next one go on', () => {
    const { vswitch, clock } = simple();
    for (let index = 0; index < 5000; index++) vswitch.receive('p1', frame(A, numbered(index)));
    expect(vswitch.counters().flows).toBe(5000);
    clock.advance(11_000);
    expect(vswitch.counters().flows).toBe(0);
    expect(clock.pending).toBe(1);
  });
});

describe('flows', () => {
  it('go when they are idle for ten seconds, and stay as long as they are used', () => {
    const { vswitch, clock } = simple();
    vswitch.deliver('p1', frame(A, B));
    vswitch.deliver('p2', frame(B, A));
    for (let second = 0; second < 12; second++) {
      clock.advance(1000);
      vswitch.receive('p1', frame(A, B));
    }
    expect(vswitch.counters().flows).toBe(1);
    expect(actionTexts(vswitch)).toEqual(['3']);
  });

  it('are bounded: beyond the limit packets are forwarded and nothing is installed', () => {
    const clock = new ManualClock();
    const vswitch = new VSwitch({ clock, flowLimit: 1000 });
    vswitch.addBridge({ name: 'br0', mac: MAC, ports: [{ name: 'p1' }, { name: 'p2' }] });
    for (let index = 0; index < 1200; index++) {
      const sent = vswitch.deliver('p1', frame(A, numbered(index)));
      if (index >= 1000) expect(ports(sent)).toEqual(['br0', 'p2']);
    }
    expect(vswitch.counters().lookups).toEqual({ hit: 0, missed: 1000, lost: 200 });
    expect(vswitch.counters().flows).toBe(1000);
    vswitch.close();
  });

  it('that were put by hand must agree with the switch, or are made to', () => {
    const { vswitch } = simple();
    vswitch.revalidate();
    const key = vswitch.datapath.keyOf(frame(A, BROADCAST), vswitch.findPort('p1')!.datapathPort)!;
    const { mask, actions } = vswitch.translate(key)!;
    const put = vswitch.datapath.putFlow(key, mask, []);
    expect(vswitch.deliver('p1', frame(A, BROADCAST))).toEqual({});
    vswitch.revalidate();
    expect(vswitch.datapath.flow(put).actions).toEqual(actions);
    expect(ports(vswitch.deliver('p1', frame(A, BROADCAST)))).toEqual(['br0', 'p2']);
  });

  it('are flushed of what relied on the MAC table when it is', () => {
    const { vswitch } = simple();
    vswitch.deliver('p2', frame(B, BROADCAST));
    vswitch.deliver('p1', frame(A, B));
    expect(actionTexts(vswitch)).toContain('3');
    appctl(vswitch, 'fdb/flush', 'br0');
    vswitch.revalidate();
    expect(actionTexts(vswitch)).toEqual(['1,2', '1,3']);
  });
});
