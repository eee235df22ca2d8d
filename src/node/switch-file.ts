/**
 * A switch from a file: the `config` of a recorded scenario, with the network devices that its ports are, and the socket
 * on which `ovs-appctl` finds it.
 *
 *     { "bridges": [...], "addresses": [...], "routes": [...], "neighbors": [...], "nativeTunnels": true,
 *       "nics": { "ens8": { "type": "macvtap", "path": "/dev/tap4" }, "br1": { "type": "host" } },
 *       "vxlan": { "addresses": ["10.10.10.1"] }, "control": "/run/switch.ctl" }
 *
 * A key of `nics` is a port's name, or a bridge's, which is its LOCAL port. What is wrong with a file is told with the key
 * that it is about, before anything is opened wherever that can be.
 */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { createSwitch, type SwitchConfig } from '../control/config.js';
import { createIpHost } from '../io/host.js';
import type { Port } from '../io/port.js';
import type { VSwitch } from '../switch/vswitch.js';
import { parseTunnelOptions } from '../tunnel/options.js';
import { formatIp, parseIp, parseMac, parsePrefix } from '../util/address.js';
import { systemClock } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { reasonCounts } from '../util/reason.js';
import { openControlSocket } from './control-socket.js';
import { ioError } from './io-error.js';
import { openMacvtapPort } from './macvtap-port.js';
import type { NodePort } from './node-port.js';
import { openPcapPort } from './pcap-port.js';
import { openQemuPort } from './qemu-port.js';
import { checkShape, switchShape, type Shape } from './switch-shape.js';
import { openUdpPort } from './udp-port.js';
import { openVxlanSocket, type VxlanSocket } from './vxlan-socket.js';

/** A network device of the file, by its `type`; the options are those of the functions that open such ports. */
export type NicConfig =
  | { type: 'macvtap'; path?: string; descriptor?: number; virtioHeader?: 0 | 10 | 12; mtu?: number }
  | { type: 'host'; mtu?: number }
  | { type: 'qemu'; listen?: string; connect?: string; mtu?: number }
  | { type: 'udp'; bind: string; to?: string; mtu?: number }
  | { type: 'pcap'; read?: string; write?: string; pace?: number | 'at once'; mtu?: number };

export interface SwitchFile extends SwitchConfig {
  nics?: Readonly<Record<string, NicConfig>>;
  /** For flow-based tunnels: the local addresses to receive on, and how many source ports to use. */
  vxlan?: { addresses?: readonly string[]; sourcePorts?: number };
  /** Path of the control socket. */
  control?: string;
}

export interface RunningSwitch {
  readonly vswitch: VSwitch;
  /** The device behind each port, by its name; `vxlan_sys_PORT` are those of flow-based tunnels. */
  readonly ports: ReadonlyMap<string, Port>;
  /** Counters of the datapath and of every device, as text of a line each. */
  describe(): string;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

function refuse(key: string, problem: string, value: unknown, allowed: string, cause?: unknown): never {
  throw new MegaflowError('bad-config', `${key}: ${problem}`, value, allowed, { cause });
}

/** Adds the key to what its parts refuse. */
function attempt<T>(key: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof MegaflowError)) throw error;
    return refuse(key, error.message, error.value, error.allowed, error);
  }
}

/**
 * Reads a file and checks its shape: keys, types, and names that refer to others. Throws `bad-config` with the key that is
 * wrong, `not-found` and `io-failed` for a file that cannot be read.
 */
export function readSwitchFile(path: string): SwitchFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw ioError(error, `cannot read ${path}`, path, { ENOENT: 'a file', EISDIR: 'a file, and no directory' });
  }
  try {
    return checkSwitchFile(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) refuse(path, `no JSON: ${error.message}`, undefined, 'a JSON object', error);
    throw error;
  }
}

/** Checks the shape of what a file holds. Throws `bad-config`. */
export function checkSwitchFile(value: unknown): SwitchFile {
  checkShape(value, switchShape as Shape, '');
  const file = value as SwitchFile;
  const ports = new Set<string>();
  file.bridges.forEach((bridge, at) => {
    if (ports.has(bridge.name))
      refuse(`bridges[${at}].name`, `there is another ${bridge.name}`, bridge.name, 'a name of its own');
    ports.add(bridge.name);
    attempt(`bridges[${at}].mac`, () => parseMac(bridge.mac));
    bridge.ports?.forEach(({ name, interface: options }, index) => {
      const key = `bridges[${at}].ports[${index}]`;
      if (ports.has(name)) refuse(`${key}.name`, `there is another ${name}`, name, 'a name of its own');
      ports.add(name);
      if (options?.type === 'vxlan')
        attempt(`${key}.interface.options`, () => parseTunnelOptions(name, options.options ?? {}));
    });
  });
  const bridges = new Set(file.bridges.map(({ name }) => name));
  const known = [...ports].join(', ');
  for (const [name, nic] of Object.entries(file.nics ?? {})) {
    const key = `nics.${name}`;
    if (!ports.has(name)) refuse(key, `there is no port or bridge ${name}`, name, known);
    if (nic.type === 'host' && !bridges.has(name))
      refuse(key, 'a host stands behind a bridge', name, [...bridges].join(', '));
    const one = nic.type === 'qemu' ? ['listen', 'connect'] : nic.type === 'macvtap' ? ['path', 'descriptor'] : [];
    const given = one.filter((option) => option in nic);
    if (one.length > 0 && given.length !== 1)
      refuse(key, `${given.length === 0 ? 'neither' : 'both'} of ${one.join(', ')}`, nic, 'one of them');
    if (nic.type === 'pcap' && nic.read === undefined && nic.write === undefined)
      refuse(key, 'neither of read, write', nic, 'one or both');
  }
  const device = (key: string, dev: string): void => {
    if (!ports.has(dev)) refuse(`${key}.dev`, `there is no port ${dev}`, dev, known);
  };
  file.addresses?.forEach(({ dev, ip }, at) => {
    device(`addresses[${at}]`, dev);
    attempt(`addresses[${at}].ip`, () => parsePrefix(ip));
  });
  file.routes?.forEach(({ dev, prefix, gateway }, at) => {
    device(`routes[${at}]`, dev);
    attempt(`routes[${at}].prefix`, () => parsePrefix(prefix));
    if (gateway !== undefined) attempt(`routes[${at}].gateway`, () => parseIp(gateway));
  });
  file.neighbors?.forEach(({ bridge, ip, mac }, at) => {
    if (!bridges.has(bridge))
      refuse(`neighbors[${at}].bridge`, `there is no bridge ${bridge}`, bridge, [...bridges].join(', '));
    attempt(`neighbors[${at}].ip`, () => parseIp(ip));
    attempt(`neighbors[${at}].mac`, () => parseMac(mac));
  });
  return file;
}

/**
 * Opens the devices, the sockets of flow-based tunnels, the switch and its control socket. Rejects with `bad-config` and
 * the key of what cannot be; all that was open by then is closed again.
 */
export async function openSwitch(file: SwitchFile, options: { signal?: AbortSignal } = {}): Promise<RunningSwitch> {
  const { signal } = options;
  const ports = new Map<string, Port>();
  const vxlan = new Map<string, VxlanSocket>();
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  const keep = <T extends NodePort>(port: T): T => {
    ports.set(port.name, port);
    closers.push(() => port.close());
    return port;
  };
  const opening = async <T>(key: string, opened: Promise<T>): Promise<T> => {
    try {
      return await opened;
    } catch (error) {
      if (!(error instanceof MegaflowError)) throw error;
      return refuse(key, error.message, error.value, error.allowed, error);
    }
  };

  try {
    for (const [name, nic] of Object.entries(file.nics ?? {})) {
      const key = `nics.${name}`;
      if (nic.type === 'host') {
        const host = attempt(key, () => createHost(file, name, nic.mtu));
        ports.set(name, host);
        closers.push(() => host.close());
      } else keep(await opening(key, openNic(name, nic, signal)));
    }
    if (file.nativeTunnels === false) {
      for (const [destinationPort, tunnels] of tunnelsOf(file)) {
        const name = `vxlan_sys_${destinationPort}`;
        const key = file.vxlan?.addresses === undefined ? name : 'vxlan.addresses';
        const socket = openVxlanSocket({
          name,
          port: destinationPort,
          addresses: file.vxlan?.addresses ?? localAddresses(tunnels),
          remotes: remotesOf(tunnels),
          sourcePorts: file.vxlan?.sourcePorts,
          signal,
        });
        vxlan.set(name, keep(await opening(key, socket)));
      }
    }
    const vswitch = attempt('bridges', () =>
      createSwitch(file, { port: (name) => ports.get(name), tunnelDevice: (name) => vxlan.get(name) }),
    );
    closers.push(() => vswitch.close());
    if (file.control !== undefined) {
      const control = await opening('control', openControlSocket({ vswitch, path: file.control, signal }));
      closers.push(() => control.close());
    }
    return {
      vswitch,
      ports,
      describe: () => describe(vswitch, ports),
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function openNic(name: string, nic: Exclude<NicConfig, { type: 'host' }>, signal?: AbortSignal): Promise<NodePort> {
  switch (nic.type) {
    case 'macvtap':
      return openMacvtapPort({ ...nic, name, signal });
    case 'qemu':
      return openQemuPort({ ...nic, name, signal });
    case 'udp':
      return openUdpPort({ ...nic, name, signal });
    case 'pcap':
      return openPcapPort({ ...nic, name, signal, pace: nic.pace === 'at once' ? Infinity : nic.pace });
  }
}

/** The library's own host behind a bridge, with the bridge's MAC, addresses and default routes. */
function createHost(file: SwitchFile, name: string, mtu: number | undefined) {
  const isDefault = (prefix: string): boolean => prefix === '0.0.0.0/0' || prefix === '::/0';
  return createIpHost({
    name,
    clock: systemClock,
    mtu,
    mac: file.bridges.find((bridge) => bridge.name === name)?.mac ?? '',
    addresses: file.addresses?.filter(({ dev }) => dev === name).map(({ ip }) => ip),
    gateways: file.routes?.flatMap(({ dev, prefix, gateway }) =>
      dev === name && isDefault(prefix) && gateway !== undefined ? [gateway] : [],
    ),
  });
}

type Tunnel = ReturnType<typeof parseTunnelOptions>;

/** The tunnels of all bridges, by UDP port. */
function tunnelsOf(file: SwitchFile): Map<number, Tunnel[]> {
  const tunnels = new Map<number, Tunnel[]>();
  for (const { name, interface: options } of file.bridges.flatMap(({ ports }) => ports ?? [])) {
    if (options?.type !== 'vxlan') continue;
    const tunnel = parseTunnelOptions(name, options.options ?? {});
    const others = tunnels.get(tunnel.destinationPort);
    if (others === undefined) tunnels.set(tunnel.destinationPort, [tunnel]);
    else others.push(tunnel);
  }
  return tunnels;
}

function remotesOf(tunnels: readonly Tunnel[]): readonly string[] | 'flow' {
  const remotes: string[] = [];
  for (const { remoteIp } of tunnels) {
    if (remoteIp === 'flow') return 'flow';
    remotes.push(formatIp(remoteIp));
  }
  return remotes;
}

/** Where no tunnel says which of the machine's addresses is its own, all are, of the families that the remotes have. */
function localAddresses(tunnels: readonly Tunnel[]): string[] {
  const told = tunnels.map(({ localIp }) => localIp);
  if (told.every((local) => local instanceof Uint8Array)) return [...new Set(told.map((local) => formatIp(local)))];
  const families = new Set(tunnels.map(({ remoteIp }) => (remoteIp === 'flow' ? 0 : remoteIp.length)));
  const wanted = (family: string): boolean => families.has(0) || families.has(family === 'IPv4' ? 4 : 16);
  const found = Object.values(networkInterfaces()).flatMap((interfaces) => interfaces ?? []);
  return found
    .filter(({ family, address }) => wanted(family) && !address.startsWith('fe80:'))
    .map(({ address }) => address);
}

/** What passed, for people: one line for the datapath, and one for each device. */
function describe(vswitch: VSwitch, ports: ReadonlyMap<string, Port>): string {
  const { hit, missed, lost, flows, drops } = vswitch.datapath.statistics();
  const dropped = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', ') || 'none';
  const lines = [`lookups: hit ${hit}, missed ${missed}, lost ${lost}; flows: ${flows}; drops: ${dropped(drops)}`];
  for (const [name, { counters }] of ports) {
    const { rxPackets, rxBytes, txPackets, txBytes, rxDrops, txDrops } = counters;
    lines.push(
      `${name}: rx ${rxPackets} frames, ${rxBytes} bytes, drops: ${dropped(reasonCounts(rxDrops))}; ` +
        `tx ${txPackets} frames, ${txBytes} bytes, drops: ${dropped(reasonCounts(txDrops))}`,
    );
  }
  return lines.join('\n');
}
