import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { IpHost } from '../../src/io/host.js';
import { parseCapture } from '../../src/io/capture-reader.js';
import { createCaptureFile } from '../../src/node/capture-file.js';
import { checkSwitchFile } from '../../src/node/switch-check.js';
import { openSwitch, readSwitchFile, type SwitchFile } from '../../src/node/switch-file.js';
import { openUdpPort, type UdpPort } from '../../src/node/udp-port.js';
import type { VxlanSocket } from '../../src/node/vxlan-socket.js';
import { frameOf, sitAt, until } from './ports.js';

const folder = mkdtempSync(join(tmpdir(), 'megaflow-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bridge = (name: string, number: number, ports: unknown[] = []) => ({
  name,
  mac: `02:00:00:00:00:0${number}`,
  ports,
});
const vxlan = (name: string, options: Record<string, string>) => ({ name, interface: { type: 'vxlan', options } });

describe('a switch file', () => {
  it('makes a switch of everything in it', async () => {
    const [read, write] = [join(folder, 'in.pcap'), join(folder, 'out.pcap')];
    {
      using file = createCaptureFile(read);
      file.sink({ frame: frameOf(7), seconds: 0, nanoseconds: 0 });
    }
    const path = join(folder, 'whole.json');
    const config = {
      bridges: [bridge('br0', 1, [{ name: 'vm' }, { name: 'p1', tag: 5 }, { name: 'p2' }])],
      addresses: [{ dev: 'br0', ip: '10.0.0.1/24' }],
      routes: [{ prefix: '0.0.0.0/0', dev: 'br0', gateway: '10.0.0.254' }],
      neighbors: [{ bridge: 'br0', ip: '10.0.0.9', mac: '02:00:00:00:00:09' }],
      nics: {
        br0: { type: 'host', mtu: 1400 },
        vm: { type: 'qemu', listen: join(folder, 'vm.sock') },
        p1: { type: 'udp', bind: '127.0.0.1:0' },
        p2: { type: 'pcap', read, write, pace: 'at once' },
      },
      control: join(folder, 'switch.ctl'),
    };
    writeFileSync(path, JSON.stringify(config));
    const running = await openSwitch(readSwitchFile(path));
    expect([...running.ports.keys()]).toEqual(['br0', 'vm', 'p1', 'p2']);
    expect(running.ports.get('br0') as IpHost).toMatchObject({
      mac: '02:00:00:00:00:01',
      addresses: ['10.0.0.1'],
      mtu: 1400,
    });
    expect(existsSync(config.control)).toBe(true);
    await using peer = await openUdpPort({
      name: 'peer',
      bind: '127.0.0.1:0',
      to: (running.ports.get('p1') as UdpPort).address,
    });
    const seat = sitAt(peer);
    seat.send([frameOf(8)]);
    // What p2 replayed went to everybody but into VLAN 5; what p1 sent is in VLAN 5, and leaves p2, a trunk, with its tag.
    await until(() => running.ports.get('p2')?.counters.txPackets === 1);
    const lines = running.describe().split('\n');
    expect(lines[0]).toMatch(/^lookups: hit 0, missed 2, lost 0; flows: 2; drops: none$/);
    expect(lines).toContain('p2: rx 1 frames, 64 bytes, drops: none; tx 1 frames, 68 bytes, drops: none');
    expect(lines).toContain('vm: rx 0 frames, 0 bytes, drops: none; tx 0 frames, 0 bytes, drops: port-closed 2');
    await running.close();
    expect(existsSync(config.control)).toBe(false);
    expect(parseCapture(readFileSync(write)).map(({ frame }) => frame.length)).toEqual([68]);
  });

  it('takes flow-based tunnels through VXLAN sockets, one for each UDP port', async () => {
    const file = {
      nativeTunnels: false,
      bridges: [
        bridge('br0', 1, [
          vxlan('v1', { remote_ip: '127.9.0.2', local_ip: '127.9.0.1', key: '1', dst_port: '14789' }),
          vxlan('v2', { remote_ip: '127.9.0.3', local_ip: '127.9.0.1', key: '2', dst_port: '14789' }),
          vxlan('v3', { remote_ip: 'flow', key: 'flow', dst_port: '14790' }),
        ]),
      ],
    };
    for (const addresses of [undefined, ['127.9.0.9']]) {
      await using running = await openSwitch(checkSwitchFile({ ...file, vxlan: { addresses, sourcePorts: 2 } }));
      expect([...running.ports.keys()]).toEqual(['vxlan_sys_14789', 'vxlan_sys_14790']);
      expect((running.ports.get('vxlan_sys_14789') as VxlanSocket).sourcePorts.ipv4).toHaveLength(2);
    }
    // Native tunnels need no socket.
    await using native = await openSwitch(checkSwitchFile({ ...file, nativeTunnels: true }));
    expect(native.ports.size).toBe(0);
  });

  it('tells which key is wrong', () => {
    const good = { bridges: [bridge('br0', 1, [{ name: 'p1' }])] };
    expect(checkSwitchFile(good)).toBe(good);
    const wrong: [unknown, string][] = [
      [[], 'the file: an object is needed'],
      [{}, 'bridges is missing'],
      [{ ...good, bridge: 1 }, 'bridge: there is no such key'],
      [{ bridges: 1 }, 'bridges: a list is needed, and not 1'],
      [{ bridges: [null] }, 'bridges[0]: an object is needed, and not null'],
      [{ bridges: [{ name: 'br0' }] }, 'bridges[0].mac is missing'],
      [{ bridges: [{ name: 'br0', mac: 'x' }] }, 'bridges[0].mac: '],
      [
        { bridges: [bridge('br0', 1, [{ name: 'p', tag: '5' }])] },
        'bridges[0].ports[0].tag: a whole number from 0 to 4095 is needed, and not "5"',
      ],
      [
        { bridges: [bridge('br0', 1, [{ name: 'p', vlan_mode: 'access' }])] },
        'bridges[0].ports[0].vlan_mode: there is no such key',
      ],
      [{ bridges: [bridge('br0', 1, [{ name: 'br0' }])] }, 'bridges[0].ports[0].name: there is another br0'],
      [{ bridges: [bridge('a', 1), bridge('a', 2)] }, 'bridges[1].name: there is another a'],
      [
        { bridges: [bridge('br0', 1, [vxlan('v', {})])] },
        'bridges[0].ports[0].interface.options: v: vxlan type requires',
      ],
      [
        { bridges: [bridge('br0', 1, [{ name: 'v', interface: { type: 'gre' } }])] },
        'bridges[0].ports[0].interface.type: cannot be "gre"',
      ],
      [{ ...good, addresses: [{ dev: 'br9', ip: '1.1.1.1/24' }] }, 'addresses[0].dev: there is no port br9'],
      [{ ...good, addresses: [{ dev: 'br0', ip: '1.1.1/24' }] }, 'addresses[0].ip: '],
      [{ ...good, routes: [{ dev: 'br0', prefix: 'x' }] }, 'routes[0].prefix: '],
      [{ ...good, routes: [{ dev: 'x', prefix: '1.0.0.0/8' }] }, 'routes[0].dev: '],
      [{ ...good, routes: [{ dev: 'br0', prefix: '1.0.0.0/8', gateway: 'x' }] }, 'routes[0].gateway: '],
      [{ ...good, neighbors: [{ bridge: 'p1', ip: '1.1.1.1', mac: 'x' }] }, 'neighbors[0].bridge: '],
      [{ ...good, neighbors: [{ bridge: 'br0', ip: 'x', mac: 'x' }] }, 'neighbors[0].ip: '],
      [{ ...good, neighbors: [{ bridge: 'br0', ip: '1.1.1.1', mac: 'x' }] }, 'neighbors[0].mac: '],
      [{ ...good, nics: { p9: { type: 'host' } } }, 'nics.p9: there is no port or bridge p9'],
      [{ ...good, nics: { p1: { type: 'host' } } }, 'nics.p1: a host stands behind a bridge'],
      [
        { ...good, nics: { p1: { type: 'tap' } } },
        'nics.p1.type: cannot be "tap": one of macvtap, host, qemu, udp, pcap',
      ],
      [{ ...good, nics: { p1: {} } }, 'nics.p1.type: cannot be nothing'],
      [{ ...good, nics: { p1: { type: 'udp' } } }, 'nics.p1.bind is missing'],
      [{ ...good, nics: { p1: { type: 'udp', bind: 'a', file: 1 } } }, 'nics.p1.file: there is no such key'],
      [{ ...good, nics: { p1: { type: 'qemu' } } }, 'nics.p1: neither of listen, connect'],
      [{ ...good, nics: { p1: { type: 'macvtap', path: 'a', descriptor: 3 } } }, 'nics.p1: both of path, descriptor'],
      [{ ...good, nics: { p1: { type: 'pcap' } } }, 'nics.p1: neither of read, write'],
      [{ ...good, nics: { p1: { type: 'pcap', read: 'a', pace: 'fast' } } }, 'nics.p1.pace: a number is needed'],
      [{ ...good, control: 7 }, 'control: a string is needed, and not 7'],
      [{ bridges: [bridge('', 1)] }, 'bridges[0].name: is empty'],
      [
        { bridges: [bridge('br0', 1, [{ name: 'p', tag: 4096 }])] },
        'bridges[0].ports[0].tag: a whole number from 0 to',
      ],
      [{ bridges: [bridge('br0', 1, [{ name: 'p', trunks: [1, 1.5] }])] }, 'bridges[0].ports[0].trunks[1]: a whole'],
      [{ bridges: [{ ...bridge('br0', 1), floodVlans: [-1] }] }, 'bridges[0].floodVlans[0]: a whole number'],
      [
        { bridges: [{ ...bridge('br0', 1), otherConfig: { 'mac-table-size': 'many' } }] },
        'bridges[0].otherConfig: mac-table-size cannot be many',
      ],
      [
        {
          bridges: [
            bridge('br0', 1, [
              { name: 'p', interface: { ofport: 1 } },
              { name: 'q', interface: { ofport: 1 } },
            ]),
          ],
        },
        'bridges[0].ports[1].interface: port q: ofport 1 is taken',
      ],
      [
        { bridges: [bridge('br0', 1, [{ name: 'p', interface: { type: 'patch' } }])] },
        'bridges[0].ports[0].interface: p: patch type requires',
      ],
      [
        { bridges: [bridge('br0', 1, [vxlan('v', { remote_ip: '1.1.1.1' }), vxlan('w', { remote_ip: '1.1.1.1' })])] },
        'bridges[0].ports[1].interface: there is a tunnel port with the same key',
      ],
      [
        { bridges: [bridge('br0', 1), { ...bridge('br1', 2), openflow: ['actions=normal', 'priority=x'] }] },
        'bridges[1].openflow[1]: ',
      ],
      [{ bridges: [{ ...bridge('br0', 1), groups: ['group_id=1,type=all', 'x'] }] }, 'bridges[0].groups[1]: '],
      [
        { bridges: [{ ...bridge('br0', 1), mirrors: [{ name: 'm', outputVlan: 7 }, { name: 'n' }] }] },
        'bridges[0].mirrors[1]: mirror n must have one destination',
      ],
      [
        {
          ...good,
          addresses: [
            { dev: 'br0', ip: '1.1.1.1/24' },
            { dev: 'br0', ip: '1.1.1.1/8' },
          ],
        },
        'addresses[1]: br0 has the address 1.1.1.1 already',
      ],
      [{ ...good, routes: [{ dev: 'br0', prefix: '1.0.0.0/8' }] }, 'routes[0]: route 1.0.0.0/8: br0 has no address'],
      [{ ...good, nics: { p1: { type: 'udp', bind: 'a', mtu: 67 } } }, 'nics.p1.mtu: a whole number from 68 to 65517'],
      [{ ...good, nics: { p1: { type: 'macvtap', descriptor: -1 } } }, 'nics.p1.descriptor: a whole number from 0'],
      [{ ...good, nics: { p1: { type: 'pcap', read: 'a', pace: 0 } } }, 'nics.p1.pace: cannot be 0'],
      [{ ...good, nics: { p1: { type: 'pcap', write: 'a', pace: 1 } } }, 'nics.p1.pace: nothing is read'],
      [{ ...good, nics: { p1: { type: 'pcap', read: 'a', rotateBytes: 5000 } } }, 'nics.p1.rotateBytes: nothing is'],
      [{ ...good, nics: { p1: { type: 'pcap', write: 'a', files: 2 } } }, 'nics.p1.files: only one is written'],
      [
        {
          bridges: [bridge('br0', 1, [vxlan('v', { remote_ip: '1.1.1.1' })])],
          nics: { v: { type: 'udp', bind: 'a' } },
        },
        'nics.v: a vxlan port has no device',
      ],
      [{ ...good, vxlan: { sourcePorts: 65 } }, 'vxlan.sourcePorts: a whole number from 1 to 64'],
      [{ ...good, vxlan: {} }, 'vxlan: native tunnels use no sockets'],
      [{ ...good, nativeTunnels: false, vxlan: {} }, 'vxlan: there is no tunnel'],
      [
        {
          nativeTunnels: false,
          bridges: [bridge('br0', 1, [vxlan('v', { remote_ip: '1.1.1.1' })])],
          vxlan: { addresses: ['::1', 'fe80::x'] },
        },
        'vxlan.addresses[1]: ',
      ],
    ];
    for (const [value, message] of wrong) {
      expect(() => checkSwitchFile(value), message).toThrow(
        expect.objectContaining({ code: 'bad-config', message: expect.stringContaining(message) }),
      );
    }
    writeFileSync(join(folder, 'bad.json'), '{"bridges": [}');
    expect(() => readSwitchFile(join(folder, 'bad.json'))).toThrow(/bad\.json: no JSON/);
    expect(() => readSwitchFile(join(folder, 'none.json'))).toThrow(expect.objectContaining({ code: 'not-found' }));
  });

  it('takes the config of every recorded scenario', () => {
    const scenarios = new URL('../scenarios/', import.meta.url);
    const names = readdirSync(scenarios).filter((name) => name.endsWith('.json'));
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) {
      const { config } = JSON.parse(readFileSync(new URL(name, scenarios), 'utf8')) as { config: unknown };
      expect(checkSwitchFile(config), name).toBe(config);
    }
  });

  it('is refused with a key whatever stands in it', () => {
    const text = JSON.stringify({
      bridges: [
        {
          ...bridge('br0', 1, [
            { name: 'p1', tag: 5, trunks: [5, 6], vlanMode: 'native-tagged', protected: true },
            { name: 'p2', interface: { type: 'system', ofport: 9 }, otherConfig: { 'priority-tags': 'always' } },
            vxlan('v1', { remote_ip: '10.0.0.2', key: '1' }),
            { name: 'x1', interface: { type: 'patch', options: { peer: 'x2' } } },
          ]),
          openflow: ['priority=5,ip,nw_dst=1.1.1.1 actions=group:1', 'actions=NORMAL'],
          groups: ['group_id=1,type=all,bucket=output:9'],
          otherConfig: { 'mac-aging-time': '30' },
          floodVlans: [1],
          mirrors: [{ name: 'm', selectAll: true, selectVlan: [1], outputPort: 'p2' }],
        },
        bridge('br1', 2, [{ name: 'x2', interface: { type: 'patch', options: { peer: 'x1' } } }]),
      ],
      addresses: [{ dev: 'br1', ip: '10.0.0.1/24' }],
      routes: [{ prefix: '0.0.0.0/0', dev: 'br1', gateway: '10.0.0.254' }],
      neighbors: [{ bridge: 'br1', ip: '10.0.0.2', mac: '02:00:00:00:00:09' }],
      nativeTunnels: false,
      nics: { p1: { type: 'udp', bind: '127.0.0.1:0', mtu: 1400 }, br1: { type: 'host' } },
      vxlan: { addresses: ['10.0.0.1'], sourcePorts: 2 },
      control: 'switch.ctl',
    });
    checkSwitchFile(JSON.parse(text));
    const other = [
      null,
      undefined,
      true,
      -1,
      0,
      1.5,
      1e99,
      '',
      'x',
      ' br0',
      '\u0000',
      '1.1.1.1/33',
      [],
      {},
      [null],
      [{}],
    ];
    const keys = /^(the file|bridges|addresses|routes|neighbors|nativeTunnels|nics|vxlan|control|more)\b[^:]*: ./;
    const missing = /^[\w.[\]]+ is missing$/;
    let refused = 0;
    const visit = (path: readonly (string | number)[]): void => {
      const at = (root: unknown, length: number): Record<string | number, unknown> => {
        let value = root as Record<string | number, unknown>;
        for (const key of path.slice(0, length)) value = value[key] as Record<string | number, unknown>;
        return value;
      };
      const here: unknown = at(JSON.parse(text), path.length);
      for (const value of [...other, { ...(here as object), more: 1 }]) {
        const file = path.length === 0 ? value : JSON.parse(text);
        if (path.length > 0) at(file, path.length - 1)[path[path.length - 1]] = value;
        try {
          checkSwitchFile(file);
        } catch (error) {
          refused++;
          expect(error, `${path.join('.')}: ${JSON.stringify(value)}`).toMatchObject({ code: 'bad-config' });
          const { message } = error as Error;
          expect(keys.test(message) || missing.test(message), `${path.join('.')}: ${message}`).toBe(true);
        }
      }
      if (typeof here === 'object' && here !== null)
        for (const key of Object.keys(here)) visit([...path, Array.isArray(here) ? Number(key) : key]);
    };
    visit([]);
    expect(refused).toBeGreaterThan(700);
  });

  it('tells which key cannot be opened, and leaves nothing open', async () => {
    const udp = { type: 'udp', bind: '127.0.0.1:0' } as const;
    const good = { bridges: [bridge('br0', 1, [{ name: 'p1' }, { name: 'p2' }])] } as SwitchFile;
    const path = join(folder, 'left.sock');
    const wrong: [SwitchFile, string][] = [
      [
        { ...good, nics: { p1: { type: 'qemu', listen: path }, p2: { type: 'macvtap', path: '/dev/tap99999' } } },
        'nics.p2.path: cannot open /dev/tap99999',
      ],
      [
        { ...good, nics: { p1: { type: 'qemu', listen: path }, p2: { ...udp, mtu: 3 } } },
        'nics.p2.mtu: mtu cannot be 3',
      ],
      [
        { ...good, nics: { p1: { type: 'qemu', listen: path }, p2: { type: 'udp', bind: '192.0.2.1:0' } } },
        'nics.p2.bind: cannot bind UDP 192.0.2.1:0',
      ],
      [
        { ...good, nics: { p1: { type: 'qemu', listen: path }, p2: { type: 'udp', bind: '127.0.0.1:0', to: '::1' } } },
        'nics.p2.to: no address and port: ::1',
      ],
      [
        { ...good, nics: { p1: { type: 'qemu', listen: join(folder, 'no', 'where') } } },
        'nics.p1.listen: cannot listen on',
      ],
      [{ ...good, nics: { p1: { type: 'qemu', connect: '' } } }, 'nics.p1.connect: no socket'],
      [{ ...good, nics: { p1: { type: 'pcap', read: join(folder, 'no.pcap') } } }, 'nics.p1.read: cannot read'],
      [{ ...good, nics: { p1: { type: 'pcap', write: join(folder, 'no', 'where') } } }, 'nics.p1.write: cannot write'],
      [
        { ...good, nics: { p1: { type: 'qemu', listen: path } }, control: join(folder, 'no', 'where') },
        'control: cannot listen on',
      ],
      [
        { ...good, addresses: [{ dev: 'br0', ip: 'fe80::1' }], nics: { br0: { type: 'host', mtu: 1 } } },
        'nics.br0: mtu cannot be 1',
      ],
      [
        { ...good, addresses: [{ dev: 'br0', ip: '224.0.0.1/24' }], nics: { br0: { type: 'host' } } },
        'addresses[0].ip: a host cannot have the address 224.0.0.1/24',
      ],
      [
        {
          ...good,
          addresses: [{ dev: 'br0', ip: '10.0.0.1/24' }],
          routes: [{ dev: 'br0', prefix: '0.0.0.0/0', gateway: '10.0.1.254' }],
          nics: { br0: { type: 'host' } },
        },
        'routes[0].gateway: the gateway 10.0.1.254 is not on the link',
      ],
      [
        {
          nativeTunnels: false,
          bridges: [bridge('br0', 1, [vxlan('v', { remote_ip: '127.9.0.2', local_ip: '192.0.2.1' })])] as never,
        },
        'bridges[0].ports[0].interface.options: cannot bind UDP 192.0.2.1:4789',
      ],
      [
        {
          nativeTunnels: false,
          bridges: [bridge('br0', 1, [vxlan('v', { remote_ip: '127.9.0.2' })])] as never,
          vxlan: { addresses: ['192.0.2.1'] },
        },
        'vxlan.addresses: cannot bind',
      ],
    ];
    for (const [file, message] of wrong) {
      await expect(openSwitch(file), message).rejects.toMatchObject({
        code: 'bad-config',
        message: expect.stringContaining(message),
      });
      expect(existsSync(path)).toBe(false);
    }
  });
});
