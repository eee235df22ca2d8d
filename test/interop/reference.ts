// The reference topology's machines: Open vSwitch, a megaflow process in either way, and the kernel's own vxlan device.
//
//     machine N:  br0 1.1.1.N/24 ── vxlan1 (remote_ip: the other's underlay, key=flow, dst_port=8472) ~ ens8 10.10.10.N/24
import { existsSync, mkdirSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { until, type Lab } from './lab.js';

export type Number_ = 1 | 2;

export const PORT = 8472;
export const other = (number: Number_): Number_ => (number === 1 ? 2 : 1);
export const overlayMac = (number: Number_): string => `aa:55:00:00:00:0${number}`;
export const underlayMac = (number: Number_): string => `aa:55:00:00:01:0${number}`;

const tunnelOptions = (number: Number_) => ({
  remote_ip: `10.10.10.${other(number)}`,
  key: 'flow',
  dst_port: String(PORT),
});

/** Two machines' namespaces, joined by a cable whose ends are called ens8; and what passes it is recorded. */
export function makeMachines(lab: Lab): [string, string] {
  const machines: [string, string] = [lab.namespace('a'), lab.namespace('b')];
  lab.cable([
    [machines[0], 'ens8'],
    [machines[1], 'ens8'],
  ]);
  return machines;
}

/**
 * A megaflow process. `native`: br1 has the underlay's address, with the library's own host behind it, and ens8 is taken
 * by macvtap. Otherwise the kernel has the address, and a VXLAN socket uses it. Behind br0 stands the kernel's stack in
 * both ways, at the end of a cable (`l0`), so that ordinary programs can be used.
 */
export async function startMegaflow(lab: Lab, namespace: string, number: Number_, way: 'native' | 'flow-based') {
  lab.cable(
    [
      [namespace, 'l0', overlayMac(number)],
      [namespace, 'l1'],
    ],
    { addresses: [`1.1.1.${number}/24`] },
  );
  lab.sh(namespace, 'ip link set l0 mtu 1450');
  const vxlan1 = { name: 'vxlan1', interface: { type: 'vxlan', options: tunnelOptions(number) } };
  const br0 = { name: 'br0', mac: overlayMac(number), ports: [vxlan1] };
  const local = { type: 'macvtap', path: lab.macvtap(namespace, 'l1') };
  if (way === 'flow-based') {
    lab.sh(namespace, `ip address add 10.10.10.${number}/24 dev ens8`);
    return lab.megaflow(namespace, { nativeTunnels: false, bridges: [br0], nics: { br0: local } });
  }
  return lab.megaflow(namespace, {
    bridges: [br0, { name: 'br1', mac: underlayMac(number), ports: [{ name: 'ens8' }] }],
    // Of br0 too, as Open vSwitch sees it on the device: flows towards a port that owns an address match more.
    addresses: [
      { dev: 'br0', ip: `1.1.1.${number}/24` },
      { dev: 'br1', ip: `10.10.10.${number}/24` },
    ],
    nics: { br0: local, br1: { type: 'host' }, ens8: { type: 'macvtap', path: lab.macvtap(namespace, 'ens8') } },
  });
}

/** The kernel as a machine: a vxlan device on ens8's address. */
export function startKernel(lab: Lab, namespace: string, number: Number_): void {
  lab.sh(namespace, `ip address add 10.10.10.${number}/24 dev ens8`);
  lab.sh(
    namespace,
    `ip link add br0 type vxlan id 0 local 10.10.10.${number} remote 10.10.10.${other(number)} dstport ${PORT}`,
  );
  lab.sh(
    namespace,
    `ip link set br0 address ${overlayMac(number)} mtu 1450 up && ip address add 1.1.1.${number}/24 dev br0`,
  );
}

/** Open vSwitch with its userspace datapath, in a namespace, with files of its own. */
export async function startOpenVSwitch(lab: Lab, namespace: string, number: Number_) {
  const folder = lab.path(`ovs-${number}`);
  mkdirSync(folder);
  const env = { OVS_RUNDIR: folder, OVS_DBDIR: folder, OVS_LOGDIR: folder, OVS_SYSCONFDIR: folder };
  const [database, socket] = [`${folder}/conf.db`, `${folder}/db.sock`];
  execFileSync('ovsdb-tool', ['create', database, '/usr/share/openvswitch/vswitch.ovsschema']);
  lab.start(namespace, ['ovsdb-server', database, `--remote=punix:${socket}`, `--unixctl=${folder}/db.ctl`], { env });
  await until('the database listens', () => existsSync(socket));
  const control = `${folder}/vswitchd.ctl`;
  const vsctl = (...words: string[]): string =>
    execFileSync('ip', ['netns', 'exec', namespace, 'ovs-vsctl', `--db=unix:${socket}`, '--timeout=20', ...words], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
  vsctl('--no-wait', 'init');
  lab.start(namespace, ['ovs-vswitchd', `unix:${socket}`, `--unixctl=${control}`, '--disable-system'], { env });
  const bridge = (name: string, mac: string): string[] => [
    '--',
    'add-br',
    name,
    '--',
    'set',
    'bridge',
    name,
    'datapath_type=netdev',
    `other_config:hwaddr="${mac}"`,
  ];
  const options = Object.entries(tunnelOptions(number)).map(([key, value]) => `options:${key}=${value}`);
  // One after the other: within a transaction Open vSwitch chooses the order, and so the numbers, itself.
  vsctl(...bridge('br0', overlayMac(number)));
  vsctl('add-port', 'br0', 'vxlan1', '--', 'set', 'interface', 'vxlan1', 'type=vxlan', ...options);
  vsctl(...bridge('br1', underlayMac(number)));
  vsctl('add-port', 'br1', 'ens8');
  for (const [device, address] of [
    ['br0', '1.1.1'],
    ['br1', '10.10.10'],
  ] as const) {
    lab.sh(namespace, `ip link set ${device} up && ip address add ${address}.${number}/24 dev ${device}`);
  }
  lab.sh(namespace, 'ip link set br0 mtu 1450');
  // The stack's own checksums are computed by the stack.
  for (const device of ['br0', 'br1']) lab.sh(namespace, `ethtool -K ${device} tx off`);
  return {
    appctl: (...words: string[]): string => execFileSync('ovs-appctl', ['-t', control, ...words], { encoding: 'utf8' }),
  };
}

/** The match and the actions of each line of a flow dump, without what is counted. */
export function flowsOf(dump: string): string[] {
  return dump
    .split('\n')
    .filter((line) => line.includes('actions:'))
    .map((line) => line.replace(/, packets:\d+, bytes:\d+, used:[^,]*(, flags:[^ ,]*)?, /, ', '))
    .sort();
}

/** The same as the other machine would say it: addresses exchanged. */
export function exchanged(flows: readonly string[]): string[] {
  const swap = (text: string): string =>
    text.replace(
      /(1\.1\.1\.|10\.10\.10\.|aa:55:00:00:0[01]:0)([12])(?!\d)/g,
      (_, head: string, last: string) => head + (last === '1' ? '2' : '1'),
    );
  return flows.map(swap).sort();
}
