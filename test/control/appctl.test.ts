// What `ovs-appctl` prints of a switch, to the last blank: the forms of sections 6, 10 and 11.6 of the behaviour reference, which were
// observed with Open vSwitch 3.1.0, and its refusals.
import { beforeEach, describe, expect, it } from 'vitest';
import { appctl } from '../../src/control/appctl.js';
import { createSwitch } from '../../src/control/config.js';
import { MegaflowError } from '../../src/util/errors.js';
import type { VSwitch } from '../../src/switch/vswitch.js';
import type { ManualClock } from '../../src/util/clock.js';
import { A, B, BROADCAST, arp, createTestSwitch, frame, udp } from '../switch/frames.js';

let vswitch: VSwitch;
let clock: ManualClock;

/** The topology of the reference: an overlay, an underlay with an address, a tunnel on port 9. */
beforeEach(() => {
  ({ vswitch, clock } = createTestSwitch());
  vswitch.addBridge({
    name: 'br0',
    mac: 'aa:55:aa:55:00:01',
    ports: [
      { name: 'p1' },
      {
        name: 'vxlan1',
        interface: { type: 'vxlan', ofport: 9, options: { remote_ip: '10.10.10.2', key: '5', dst_port: '8472' } },
      },
    ],
  });
  vswitch.addBridge({ name: 'br1', mac: 'aa:55:aa:55:10:01', ports: [{ name: 'ens8' }] });
  vswitch.addAddress('br1', '10.10.10.1/24');
});

/** What a refused command says. */
function refusal(name: string, ...words: string[]): string {
  try {
    appctl(vswitch, name, ...words);
  } catch (error) {
    expect(error).toBeInstanceOf(MegaflowError);
    expect((error as MegaflowError).code).toBe('command-failed');
    return (error as MegaflowError).message;
  }
  throw new Error('it was not refused');
}

describe('dpctl/show', () => {
  it('shows look-ups, flows and ports', () => {
    vswitch.deliver('p1', frame(A, BROADCAST));
    expect(appctl(vswitch, 'dpctl/show')).toBe(
      [
        'netdev@ovs-netdev:',
        '  lookups: hit:0 missed:1 lost:0',
        '  flows: 1',
        '  port 0: ovs-netdev (tap)',
        '  port 1: br0 (tap)',
        '  port 2: p1',
        '  port 3: vxlan_sys_8472 (vxlan: dst_port=8472, packet_type=ptap)',
        '  port 4: br1 (tap)',
        '  port 5: ens8',
        '',
      ].join('\n'),
    );
  });

  it('leaves the default port of VXLAN out', () => {
    vswitch.setInterface('vxlan1', { remote_ip: '10.10.10.2' });
    expect(appctl(vswitch, 'dpctl/show')).toMatch(/^ {2}port \d: vxlan_sys_4789 \(vxlan: packet_type=ptap\)$/m);
  });
});

describe('dpctl/dump-flows', () => {
  const key = `recirc_id(0),in_port(2),packet_type(ns=0,id=0),eth(src=${A},dst=${B}),eth_type(0x0800),ipv4(tos=0/0x3,frag=no)`;

  it('prints nothing of no flows', () => {
    expect(appctl(vswitch, 'dpctl/dump-flows')).toBe('');
  });

  it('prints a header, and a line a flow with its counters and its age', () => {
    vswitch.deliver('p1', udp(A, B, '1.1.1.1', '1.1.1.2'));
    // The neighbour is asked for, so the tunnel has no part in it yet.
    expect(appctl(vswitch, 'dpctl/dump-flows')).toBe(
      `flow-dump from the main thread:\n${key}, packets:0, bytes:0, used:never, actions:1\n`,
    );
    vswitch.deliver('p1', udp(A, B, '1.1.1.1', '1.1.1.2'));
    clock.advance(1234);
    expect(appctl(vswitch, 'dpctl/dump-flows')).toContain(', packets:1, bytes:50, used:1.234s, actions:1\n');
  });

  it('prints names with --names, and with -m all fields', () => {
    vswitch.deliver('p1', udp(A, B, '1.1.1.1', '1.1.1.2'));
    const named = appctl(vswitch, 'dpctl/dump-flows', '--names');
    expect(named).toContain('in_port(p1)');
    expect(named).toContain('actions:br0');
    const verbose = appctl(vswitch, 'dpctl/dump-flows', '-m');
    expect(verbose).toContain('in_port(p1)');
    expect(verbose).toMatch(
      /ipv4\(src=1\.1\.1\.1\/0\.0\.0\.0,dst=1\.1\.1\.2\/0\.0\.0\.0,proto=17\/0,tos=0\/0x3,ttl=64\/0,frag=no\),udp\(src=1000\/0,dst=2000\/0\)/,
    );
    expect(appctl(vswitch, 'dpctl/dump-flows', '-m', '--no-names')).toContain('in_port(2)');
  });
});

describe('fdb/show and fdb/flush', () => {
  it('print the table, least recently used first, and forget it', () => {
    vswitch.deliver('br0', frame('02:7a:e0:fd:cb:41', BROADCAST));
    clock.advance(12_000);
    vswitch.deliver('p1', frame(A, BROADCAST, [100]));
    vswitch.bridge('br0').macTable.addStatic(0x77, 0, vswitch.findPort('vxlan1')!);
    expect(appctl(vswitch, 'fdb/show', 'br0')).toBe(
      [
        ' port  VLAN  MAC                Age',
        'LOCAL     0  02:7a:e0:fd:cb:41   12',
        `    1   100  ${A}    0`,
        '    9     0  00:00:00:00:00:77  static',
        '',
      ].join('\n'),
    );
    expect(appctl(vswitch, 'fdb/flush', 'br0')).toBe('table successfully flushed\n');
    expect(appctl(vswitch, 'fdb/show', 'br0')).toBe(
      ' port  VLAN  MAC                Age\n    9     0  00:00:00:00:00:77  static\n',
    );
    vswitch.deliver('p1', frame(A, BROADCAST));
    vswitch.deliver('ens8', frame(B, BROADCAST));
    expect(appctl(vswitch, 'fdb/flush')).toBe('table successfully flushed\n');
    expect(appctl(vswitch, 'fdb/show', 'br1')).toBe(' port  VLAN  MAC                Age\n');
  });
});

describe('tnl/neigh/show and tnl/neigh/set', () => {
  const head = [
    'IP                                            MAC                 Bridge',
    '==========================================================================',
    '',
  ];

  it('print and set what is known', () => {
    expect(appctl(vswitch, 'tnl/neigh/show')).toBe(head.join('\n'));
    expect(appctl(vswitch, 'tnl/neigh/set', 'br1', '10.10.10.2', '46:a3:4e:39:12:4e')).toBe('OK\n');
    expect(appctl(vswitch, 'tnl/neigh/set', 'anything', 'fd00::2', B)).toBe('OK\n');
    vswitch.deliver('ens8', arp(2, A, '10.10.10.9', '10.10.10.1', { targetMac: 'aa:55:aa:55:10:01' }));
    const rows = appctl(vswitch, 'tnl/neigh/show').split('\n').slice(2).sort();
    expect(rows).toEqual([
      '',
      `10.10.10.2                                    46:a3:4e:39:12:4e   br1`,
      `10.10.10.9                                    ${A}   br1`,
      `fd00::2                                       ${B}   anything`,
    ]);
  });

  it('is refused for what is no address', () => {
    expect(refusal('tnl/neigh/set', 'br1', '10.10.10', B)).toBe('bad IP address');
    expect(refusal('tnl/neigh/set', 'br1', '10.10.10.2', 'nonsense')).toBe('bad MAC address');
    expect(appctl(vswitch, 'tnl/neigh/show')).toBe(head.join('\n'));
  });
});

describe('ovs/route/show', () => {
  it('prints routes in the order in which they are tried', () => {
    vswitch.addRoute('0.0.0.0/0', 'br1', '10.10.10.254');
    vswitch.addRoute('20.0.0.0/8', 'br1', '10.10.10.253', 7);
    expect(appctl(vswitch, 'ovs/route/show')).toBe(
      [
        'Route Table:',
        'Cached: 10.10.10.1/32 dev br1 SRC 10.10.10.1 local',
        'User: 20.0.0.0/8 MARK 7 dev br1 GW 10.10.10.253 SRC 10.10.10.1',
        'User: 0.0.0.0/0 dev br1 GW 10.10.10.254 SRC 10.10.10.1',
        'Cached: 10.10.10.0/24 dev br1 SRC 10.10.10.1',
        '',
      ].join('\n'),
    );
  });
});

describe('refusals', () => {
  it.each([
    ['fdb/show', ['br9'], 'no such bridge'],
    ['fdb/flush', ['br9'], 'no such bridge'],
    ['fdb/show', [], '"fdb/show" command requires at least 1 arguments'],
    ['fdb/show', ['br0', 'br1'], '"fdb/show" command takes at most 1 arguments'],
    ['tnl/neigh/set', ['br1'], '"tnl/neigh/set" command requires at least 3 arguments'],
    ['make/coffee', [], '"make/coffee" is not a valid command (use "list-commands" to see a list of valid commands)'],
    ['toString', [], '"toString" is not a valid command (use "list-commands" to see a list of valid commands)'],
  ])('%s %j', (name, words, message) => {
    expect(refusal(name, ...words)).toBe(message);
  });
});

describe('a switch from JSON', () => {
  it('is refused without bridges, and closed where a part is refused', () => {
    expect(() => createSwitch({} as never)).toThrow(expect.objectContaining({ code: 'bad-config' }));
    const before = clock.pending;
    const config = {
      bridges: [{ name: 'b', mac: 'aa:55:aa:55:00:01' }],
      addresses: [{ dev: 'nobody', ip: '1.1.1.1/8' }],
    };
    expect(() => createSwitch(config, { clock })).toThrow(expect.objectContaining({ code: 'not-found' }));
    expect(clock.pending).toBe(before);
  });

  it('has all that the configuration says', () => {
    const made = createSwitch(
      {
        bridges: [
          {
            name: 'b',
            mac: 'aa:55:aa:55:00:01',
            ports: [{ name: 'q', tag: 5 }],
            otherConfig: { 'mac-aging-time': '20' },
          },
        ],
        addresses: [{ dev: 'b', ip: '10.0.0.1/8' }],
        routes: [{ prefix: '0.0.0.0/0', dev: 'b', gateway: '10.0.0.9' }],
        neighbors: [{ bridge: 'b', ip: '10.0.0.2', mac: B }],
        nativeTunnels: false,
      },
      { clock },
    );
    expect(made.bridge('b').macTable.agingSeconds).toBe(20);
    expect(made.findPort('q')?.vlan).toMatchObject({ mode: 'access', vlan: 5 });
    expect(made.nativeTunnels).toBe(false);
    expect(appctl(made, 'tnl/neigh/show')).toContain(B);
    expect(appctl(made, 'ovs/route/show')).toContain('User: 0.0.0.0/0 dev b GW 10.0.0.9 SRC 10.0.0.1');
    made.close();
  });
});
