// The reference topology, in both ways of Open vSwitch, in one process. Two machines, each with a bridge br0 whose VXLAN
// port leads to the other machine over the NIC ens8:
//
//     vm1  br0 1.1.1.1/24 ── vxlan1 ~ ens8 10.10.10.1/24 ════ 10.10.10.2/24 ens8 ~ vxlan1 ── br0 1.1.1.2/24  vm2
//
// vm1 pings vm2; then come the commands that a person would type on vm1, and what they print. What passed ens8 is left in
// captures/. Time is a ManualClock: five seconds of pings take no time, and the output is the same in every run.
//
//     npm start
//
// @ts-check
import { mkdirSync } from 'node:fs';
import {
  ManualClock,
  VSwitch,
  appctl,
  capturePort,
  createIpHost,
  createLink,
  createVxlanDevice,
  dissect,
  printFrame,
  toHex,
} from 'megaflow';
import { createCaptureFile, readCapture } from 'megaflow/node';

/** @typedef {{ overlay: string, underlay: string, remote: string, mac: string, underlayMac: string }} Machine */

/** @type {Machine} */
const VM1 = {
  overlay: '1.1.1.1/24',
  underlay: '10.10.10.1/24',
  remote: '10.10.10.2',
  mac: '6a:7b:1a:1e:79:44',
  underlayMac: '12:31:66:3c:95:47',
};

/** @type {Machine} */
const VM2 = {
  overlay: '1.1.1.2/24',
  underlay: '10.10.10.2/24',
  remote: '10.10.10.1',
  mac: 'b2:5a:9e:97:39:4f',
  underlayMac: '52:54:00:9f:e8:0e',
};

const VXLAN_PORT = 8472;

/** @param {Machine} machine */
const vxlan1 = ({ remote }) => ({
  name: 'vxlan1',
  interface: /** @type {const} */ ({
    type: 'vxlan',
    options: { remote_ip: remote, key: 'flow', dst_port: String(VXLAN_PORT) },
  }),
});

/**
 * Native tunnels: br1 holds ens8 and has the underlay's address. The switch routes, resolves and builds the outer headers.
 * @param {ManualClock} clock
 * @param {Machine} machine
 * @param {import('megaflow').Port} ens8
 */
function createNative(clock, machine, ens8) {
  // VXLAN over IPv4 takes 50 bytes of what ens8 carries.
  const host = createIpHost({ clock, name: 'br0', mac: machine.mac, addresses: [machine.overlay], mtu: 1450 });
  const underlay = createIpHost({ clock, name: 'br1', mac: machine.underlayMac, addresses: [machine.underlay] });
  const vswitch = new VSwitch({ clock });
  vswitch.addBridge({ name: 'br0', mac: host.mac, local: host, ports: [vxlan1(machine)] });
  vswitch.addBridge({ name: 'br1', mac: underlay.mac, local: underlay, ports: [{ name: 'ens8', port: ens8 }] });
  vswitch.addAddress('br0', machine.overlay);
  vswitch.addAddress('br1', machine.underlay);
  return { vswitch, host };
}

/**
 * Flow-based tunnels: ens8 and its address are the machine's own. The switch attaches tunnel metadata, and a VXLAN device
 * that uses the machine's UDP encapsulates.
 * @param {ManualClock} clock
 * @param {Machine} machine
 * @param {import('megaflow').Port} ens8
 */
function createFlowBased(clock, machine, ens8) {
  const host = createIpHost({ clock, name: 'br0', mac: machine.mac, addresses: [machine.overlay], mtu: 1450 });
  const underlay = createIpHost({ clock, name: 'ens8', mac: machine.underlayMac, addresses: [machine.underlay] });
  underlay.connect(ens8);
  const vswitch = new VSwitch({
    clock,
    nativeTunnels: false,
    tunnelDevice: (name, port) => createVxlanDevice({ name, port, host: underlay }),
  });
  vswitch.addBridge({ name: 'br0', mac: host.mac, local: host, ports: [vxlan1(machine)] });
  vswitch.addAddress('br0', machine.overlay);
  return { vswitch, host };
}

/**
 * Brings up both machines, pings, and prints what there is to see on vm1.
 * @param {string} title
 * @param {typeof createNative} create
 * @param {string} file
 */
async function show(title, create, file) {
  const clock = new ManualClock();
  const [end1, end2] = createLink({ names: ['ens8', 'ens8'] });
  const pcap = createCaptureFile(file);
  const ens8 = capturePort(end1, pcap.sink, { clock, epochMs: Date.UTC(2026, 0, 1) });
  const vm1 = create(clock, VM1, ens8);
  const vm2 = create(clock, VM2, end2);

  console.log(`=== ${title}\n`);
  const ping = vm1.host.ping('1.1.1.2', { count: 5 });
  clock.advance(5000);
  print('ping -c 5 1.1.1.2', (await ping).lines.join('\n'));

  const tables = vm1.vswitch.bridges().map(({ name }) => `fdb/show ${name}`);
  for (const command of ['dpctl/show', 'dpctl/dump-flows --names', ...tables, 'tnl/neigh/show', 'ovs/route/show']) {
    const [name, ...words] = command.split(' ');
    print(`ovs-appctl ${command}`, appctl(vm1.vswitch, name, ...words));
  }

  pcap.close();
  const frames = [...readCapture(file)].map(({ frame }) => frame);
  const outer = frames.find((frame) => dissect(frame).some(({ type }) => type === 'icmp'));
  if (!outer) throw new Error('no ping passed ens8');
  print(`the first ping in ${file}, which has ${frames.length} frames`, `${printFrame(outer)}\n${describe(outer)}`);

  vm1.vswitch.close();
  vm2.vswitch.close();
}

/**
 * @param {string} command
 * @param {string} output
 */
function print(command, output) {
  console.log(`# ${command}\n${output.trimEnd()}\n`);
}

/**
 * The layers of a frame, a line each.
 * @param {Uint8Array} frame
 */
function describe(frame) {
  return dissect(frame)
    .map(({ type, ...values }) => {
      const words = Object.entries(values)
        .filter(([, value]) => value !== false && value.length !== 0)
        .map(([name, value]) => `${name} ${describeValue(name, value)}`);
      return `    ${type.padEnd(8)}  ${words.join(', ')}`;
    })
    .join('\n');
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function describeValue(name, value) {
  if (value instanceof Uint8Array) return `${toHex(value.subarray(0, 12))}… (${value.length})`;
  return name === 'etherType' || name === 'checksum'
    ? `0x${Number(value).toString(16).padStart(4, '0')}`
    : String(value);
}

mkdirSync('captures', { recursive: true });
await show('native tunnels: the switch builds the outer headers', createNative, 'captures/ens8-native.pcap');
await show('flow-based tunnels: a VXLAN device builds them', createFlowBased, 'captures/ens8-flow-based.pcap');
