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
import { formatIp } from '../util/address.js';
import { systemClock } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { reasonCounts } from '../util/reason.js';
import { openControlSocket } from './control-socket.js';
import { ioError } from './io-error.js';
import { openMacvtapPort } from './macvtap-port.js';
import type { NodePort } from './node-port.js';
import { openPcapPort } from './pcap-port.js';
import { openQemuPort, type QemuPort } from './qemu-port.js';
import { attempt, checkSwitchFile, refuse } from './switch-check.js';
import { openUdpPort } from './udp-port.js';
import { openVxlanSocket, type VxlanSocket } from './vxlan-socket.js';

/** A network device of the file, by its `type`; the options are those of the functions that open such ports. */
export type NicConfig =
  | { type: 'macvtap'; path?: string; descriptor?: number; virtioHeader?: 0 | 10 | 12; mtu?: number }
  | { type: 'host'; mtu?: number }
  | { type: 'qemu'; listen?: string; connect?: string; mtu?: number }
  | { type: 'udp'; bind: string; to?: string; mtu?: number }
  | {
      type: 'pcap';
      read?: string;
      pace?: number | 'at once';
      write?: string;
      rotateBytes?: number;
      files?: number;
      mtu?: number;
    };

export interface SwitchFile extends SwitchConfig {
  nics?: Readonly<Record<string, NicConfig>>;
  /** For flow-based tunnels: the local addresses to receive on, and how many source ports to use (`VxlanSocketOptions`). */
  vxlan?: { addresses?: readonly string[]; sourcePorts?: number };
  /** Path of the control socket. */
  control?: string;
}

export interface RunningSwitch {
  readonly vswitch: VSwitch;
  /** The device behind each port, by its name; `vxlan_sys_PORT` are those of flow-based tunnels. */
  readonly ports: ReadonlyMap<string, Port | NodePort>;
  /** Counters of the datapath and of every device, as text of a line each; also when it is closed. */
  describe(): string;
  /** Closes the switch and all that was opened for it; the signal does so too. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Reads a file and checks it (`checkSwitchFile`). Throws `bad-config` with the key that is wrong, `not-found` and `io-failed`
 * for a file that cannot be read.
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

/**
 * Opens the devices, the sockets of flow-based tunnels, the switch and its control socket. Rejects with `bad-config` and
 * the key of what cannot be; all that was open by then is closed again.
 */
export async function openSwitch(file: SwitchFile, options: { signal?: AbortSignal } = {}): Promise<RunningSwitch> {
  const { signal } = options;
  const ports = new Map<string, Port>();
  const vxlan = new Map<string, VxlanSocket>();
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async (): Promise<void> => {
    signal?.removeEventListener('abort', close);
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= closeAll());
  const keep = <T extends NodePort>(port: T): T => {
    ports.set(port.name, port);
    closers.push(() => port.close());
    return port;
  };
  /** `key` may depend on what was wrong. */
  const opening = async <T>(key: (error: MegaflowError) => string, opened: Promise<T>): Promise<T> => {
    try {
      return await opened;
    } catch (error) {
      if (!(error instanceof MegaflowError)) throw error;
      return refuse(key(error), error.message, error.value, error.allowed, error);
    }
  };

  try {
    for (const [name, nic] of Object.entries(file.nics ?? {})) {
      if (nic.type === 'host') {
        const host = createHost(file, name, nic.mtu);
        ports.set(name, host);
        closers.push(() => host.close());
      } else keep(await opening((error) => keyOf(name, nic, error), openNic(name, nic, signal)));
    }
    if (file.nativeTunnels === false) {
      for (const [destinationPort, tunnels] of tunnelsOf(file)) {
        const name = `vxlan_sys_${destinationPort}`;
        const key = file.vxlan?.addresses === undefined ? tunnels[0].key : 'vxlan.addresses';
        const socket = openVxlanSocket({
          name,
          port: destinationPort,
          addresses: file.vxlan?.addresses ?? localAddresses(tunnels),
          remotes: remotesOf(tunnels),
          sourcePorts: file.vxlan?.sourcePorts,
          signal,
        });
        vxlan.set(name, keep(await opening(() => key, socket)));
      }
    }
    const vswitch = attempt('bridges', () =>
      createSwitch(file, { port: (name) => ports.get(name), tunnelDevice: (name) => vxlan.get(name) }),
    );
    closers.push(() => vswitch.close());
    if (file.control !== undefined) {
      const control = await opening(() => 'control', openControlSocket({ vswitch, path: file.control, signal }));
      closers.push(() => control.close());
    }
    signal?.throwIfAborted();
    signal?.addEventListener('abort', close);
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

/** The key of a device that an error is about: the one whose value it tells, or else all of it. */
function keyOf(name: string, nic: NicConfig, { value, message }: MegaflowError): string {
  const isTold = (option: unknown): boolean =>
    option === value || (typeof option === 'string' && message.includes(option));
  const found = Object.entries(nic).find(([key, option]) => key !== 'type' && isTold(option));
  return found === undefined ? `nics.${name}` : `nics.${name}.${found[0]}`;
}

/** The library's own host behind a bridge, with the bridge's MAC, addresses and default routes. */
function createHost(file: SwitchFile, name: string, mtu: number | undefined) {
  const at = file.bridges.findIndex((bridge) => bridge.name === name);
  const isDefault = (prefix: string): boolean => prefix === '0.0.0.0/0' || prefix === '::/0';
  const addresses = (file.addresses ?? []).filter(({ dev }) => dev === name).map(({ ip }) => ip);
  const gateways = (file.routes ?? []).flatMap(({ dev, prefix, gateway }) =>
    dev === name && isDefault(prefix) && gateway !== undefined ? [gateway] : [],
  );
  const { mac } = file.bridges[at];
  try {
    return createIpHost({ name, clock: systemClock, mtu, mac, addresses, gateways });
  } catch (error) {
    if (!(error instanceof MegaflowError)) throw error;
    const { message, value, allowed } = error;
    const address = file.addresses?.findIndex(({ dev, ip }) => dev === name && ip === value) ?? -1;
    const route = file.routes?.findIndex(({ dev, gateway }) => dev === name && gateway === value) ?? -1;
    if (address >= 0) return refuse(`addresses[${address}].ip`, message, value, allowed, error);
    if (route >= 0) return refuse(`routes[${route}].gateway`, message, value, allowed, error);
    return refuse(value === mac ? `bridges[${at}].mac` : `nics.${name}`, message, value, allowed, error);
  }
}

type Tunnel = ReturnType<typeof parseTunnelOptions> & { readonly key: string };

/** The tunnels of all bridges, by UDP port. */
function tunnelsOf(file: SwitchFile): Map<number, Tunnel[]> {
  const tunnels = new Map<number, Tunnel[]>();
  file.bridges.forEach(({ ports }, at) =>
    ports?.forEach(({ name, interface: options }, index) => {
      if (options?.type !== 'vxlan') return;
      const key = `bridges[${at}].ports[${index}].interface.options`;
      const tunnel = { ...parseTunnelOptions(name, options.options ?? {}), key };
      const others = tunnels.get(tunnel.destinationPort);
      if (others === undefined) tunnels.set(tunnel.destinationPort, [tunnel]);
      else others.push(tunnel);
    }),
  );
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

/** What passed, for people: one line for the datapath, and one for each device and what is to be known of it. */
function describe(vswitch: VSwitch, ports: ReadonlyMap<string, Port>): string {
  const { hit, missed, lost, flows, drops } = vswitch.datapath.statistics();
  const dropped = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', ') || 'none';
  const lines = [`lookups: hit ${hit}, missed ${missed}, lost ${lost}; flows: ${flows}; drops: ${dropped(drops)}`];
  for (const [name, port] of ports) {
    const { rxPackets, rxBytes, txPackets, txBytes, rxDrops, txDrops } = port.counters;
    lines.push(
      `${name}: rx ${rxPackets} frames, ${rxBytes} bytes, drops: ${dropped(reasonCounts(rxDrops))}; ` +
        `tx ${txPackets} frames, ${txBytes} bytes, drops: ${dropped(reasonCounts(txDrops))}`,
    );
    if ('uncarried' in port) {
      const { tos, dontFragment, noChecksum } = (port as VxlanSocket).uncarried;
      lines.push(`${name}: sent without their TOS ${tos}, DF ${dontFragment}, with a UDP checksum ${noChecksum}`);
    }
    if ('lastError' in port) {
      const { connections, lastError } = port as QemuPort;
      lines.push(
        `${name}: peers so far ${connections}${lastError === undefined ? '' : `, the last: ${lastError.message}`}`,
      );
    }
  }
  return lines.join('\n');
}
