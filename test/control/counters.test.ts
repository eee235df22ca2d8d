// What commands print of megaflow itself, where there is nothing to agree with: drops as `coverage/*`, and the counters
// of ports.
import { describe, expect, it } from 'vitest';
import {
  ManualClock,
  MegaflowError,
  REASON_COUNT,
  appctl,
  createFunctionPort,
  createSwitch,
  listCommands,
  showCoverage,
  showDatapath,
  type SwitchFromConfigOptions,
} from '../../src/index.js';

const config = {
  bridges: [
    {
      name: 'br0',
      mac: 'aa:55:aa:55:00:00',
      ports: [
        { name: 'p1' },
        { name: 'p2' },
        { name: 'vx1', interface: { type: 'vxlan' as const, options: { remote_ip: '10.0.0.2' } } },
      ],
    },
  ],
};

function build(options: SwitchFromConfigOptions = {}) {
  const clock = new ManualClock();
  return { clock, vswitch: createSwitch(config, { clock, systemRoutes: false, ...options }) };
}

/** Broadcast of an unknown type. */
const frame = (length: number): Uint8Array =>
  Uint8Array.from(
    { length },
    (_, index) => [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5][index] ?? 0,
  );

describe('coverage', () => {
  it('shows nothing before anything was dropped', () => {
    const { vswitch } = build();
    expect(showCoverage(vswitch)).toMatch(
      new RegExp(
        `^Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=[0-9a-f]{8}:\n${REASON_COUNT - 1} events never hit\n$`,
      ),
    );
  });

  it('counts drops of ports and of the datapath, and how many a second', () => {
    const { vswitch, clock } = build();
    for (let count = 0; count < 10; count++) vswitch.receive('p1', frame(13));
    clock.advance(5000);
    expect(appctl(vswitch, 'coverage/show').split('\n')[1]).toBe(
      'drop_runt                  2.0/sec     0.167/sec        0.0028/sec   total: 10',
    );
    expect(appctl(vswitch, 'coverage/read-counter', 'drop_runt')).toBe('10\n');
    clock.advance(5000);
    expect(appctl(vswitch, 'coverage/show').split('\n')[1]).toBe(
      'drop_runt                  0.0/sec     0.167/sec        0.0028/sec   total: 10',
    );
    clock.advance(60_000);
    expect(appctl(vswitch, 'coverage/show').split('\n')[1]).toBe(
      'drop_runt                  0.0/sec     0.000/sec        0.0028/sec   total: 10',
    );
    clock.advance(3_600_000);
    expect(appctl(vswitch, 'coverage/show').split('\n')[1]).toBe(
      'drop_runt                  0.0/sec     0.000/sec        0.0000/sec   total: 10',
    );
  });

  it('spreads over the time what was dropped while no sample was taken', () => {
    const { vswitch, clock } = build();
    for (let count = 0; count < 10; count++) vswitch.receive('p1', frame(13));
    clock.leap(50_000);
    expect(appctl(vswitch, 'coverage/show').split('\n')[1]).toBe(
      'drop_runt                  0.2/sec     0.167/sec        0.0028/sec   total: 10',
    );
  });

  it('changes its hash with what it shows', () => {
    const { vswitch } = build();
    const hash = (): string => /hash=(\w+)/.exec(showCoverage(vswitch))![1];
    const before = hash();
    vswitch.receive('p1', frame(13));
    expect(hash()).not.toBe(before);
  });

  it('refuses a counter that there is not', () => {
    expect(() => appctl(build().vswitch, 'coverage/read-counter', 'drop_nothing')).toThrow(
      expect.objectContaining({ code: 'command-failed', message: 'No such counter' }),
    );
  });
});

describe('dpctl/show -s', () => {
  it('shows what each port has counted', () => {
    const { vswitch } = build({
      port: (name) =>
        name.startsWith('vx') ? undefined : createFunctionPort({ name, mtu: 1500, send: () => undefined }).port,
    });
    vswitch.receive('p1', frame(13));
    vswitch.receive('p1', frame(1515));
    for (let count = 0; count < 20; count++) vswitch.receive('p1', frame(100));
    expect(appctl(vswitch, 'dpctl/show', '-s')).toBe(showDatapath(vswitch, { statistics: true }));
    expect(showDatapath(vswitch, { statistics: true }).split('\n').slice(1)).toEqual([
      '  lookups: hit:20 missed:1 lost:0',
      '  flows: 1',
      '  port 0: ovs-netdev (tap)',
      '    RX packets:0 errors:? dropped:? overruns:? frame:?',
      '    TX packets:0 errors:? dropped:? aborted:? carrier:?',
      '    collisions:?',
      '    RX bytes:0  TX bytes:0',
      '  port 1: br0 (tap)',
      '    RX packets:0 errors:? dropped:0 overruns:? frame:?',
      '    TX packets:20 errors:? dropped:1 aborted:? carrier:?',
      '    collisions:?',
      '    RX bytes:0  TX bytes:2000 (2.0 KiB)',
      '  port 2: p1',
      '    RX packets:22 errors:? dropped:1 overruns:? frame:?',
      '    TX packets:0 errors:? dropped:0 aborted:? carrier:?',
      '    collisions:?',
      '    RX bytes:3528 (3.4 KiB)  TX bytes:0',
      '  port 3: p2',
      '    RX packets:0 errors:? dropped:0 overruns:? frame:?',
      '    TX packets:20 errors:? dropped:1 aborted:? carrier:?',
      '    collisions:?',
      '    RX bytes:0  TX bytes:2000 (2.0 KiB)',
      '  port 4: vxlan_sys_4789 (vxlan: packet_type=ptap)',
      '    RX packets:0 errors:? dropped:? overruns:? frame:?',
      '    TX packets:0 errors:? dropped:? aborted:? carrier:?',
      '    collisions:?',
      '    RX bytes:0  TX bytes:0',
      '',
    ]);
  });
});

describe('list-commands', () => {
  it('names each command, in order, with what it takes', () => {
    const lines = listCommands().split('\n');
    expect(lines.shift()).toBe('The available commands are:');
    expect(lines.pop()).toBe('');
    expect(lines).toContain('  dpctl/dump-flows        [-m] [--names] [dp] [filter=..] [type=..] [pmd=..]');
    expect(lines).toContain('  fdb/flush               [bridge]');
    expect(lines).toEqual([...lines].sort());
  });

  it('names no command that is not one', () => {
    const { vswitch } = build();
    for (const line of listCommands().split('\n').slice(1, -1)) {
      const name = line.trim().split(' ')[0];
      let message = '';
      try {
        appctl(vswitch, name, ...Array.from({ length: 50 }, () => 'x'));
      } catch (error) {
        expect(error).toBeInstanceOf(MegaflowError);
        message = (error as Error).message;
      }
      expect(message).not.toContain('is not a valid command');
    }
  });
});

describe('upcall/show', () => {
  it('tells how flows are looked after', () => {
    const { vswitch, clock } = build();
    vswitch.receive('p1', frame(100));
    clock.advance(1500);
    appctl(vswitch, 'upcall/set-flow-limit', '7');
    expect(appctl(vswitch, 'upcall/show')).toBe(
      [
        'netdev@ovs-netdev:',
        '  flows         : (current 1) (avg 0) (max 1) (limit 7)',
        '  dump duration : 1ms',
        '  ufid enabled : true',
        '',
        '  1: (keys 1)',
        '',
      ].join('\n'),
    );
  });
});
