/**
 * What tunnels run over: addresses of devices with the routes that come with them, routes and neighbours, the datapath ports that frames of
 * tunnels come from and go to, and which headers are terminated. What is configured here is looked up by translation (`native-tunnel.ts`); that
 * flows are looked at again after a change is the switch's business.
 */
import type { Port } from '../io/port.js';
import { ListenerTable } from '../tunnel/listeners.js';
import { NeighbourTable } from '../tunnel/neighbours.js';
import { VXLAN_PORT } from '../tunnel/options.js';
import { TunnelPorts } from '../tunnel/ports.js';
import { Router, type DeviceAddress } from '../tunnel/router.js';
import { formatIp, parseIp, parseMac, parsePrefix } from '../util/address.js';
import type { Clock } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import type { SwitchPort } from './model.js';

export interface UnderlayOptions {
  /** For flow-based tunnels: the port that encapsulates for all tunnels with one UDP port; `name` is `vxlan_sys_PORT`. */
  tunnelDevice?: (name: string, destinationPort: number) => Port | undefined;
  /** Whether an address of a device brings the routes with it that an operating system would have for it. Default true. */
  systemRoutes?: boolean;
}

export interface UnderlayHost {
  readonly clock: Clock;
  readonly nativeTunnels: boolean;
  /** The port of that name; throws `not-found`. */
  port(name: string): SwitchPort;
  /** The port that a device is: that of the bridge of its name first. */
  findBridgePort(name: string): SwitchPort | undefined;
  /** Adds a port for tunnels to the datapath, native ones if there is no `port`; answers its number. */
  addDatapathPort(port: Port | undefined, name: string, options: Record<string, string>): number;
  /** Removes a port of the datapath with its flows. */
  removeDatapathPort(number: number): void;
}

const NONE: readonly DeviceAddress[] = [];

export class Underlay {
  readonly neighbours: NeighbourTable;
  readonly router: Router;
  /** Headers that are terminated. */
  readonly listeners = new ListenerTable();
  readonly tunnels = new TunnelPorts<SwitchPort>();

  readonly #host: UnderlayHost;
  readonly #tunnelDevice: UnderlayOptions['tunnelDevice'];
  readonly #systemRoutes: boolean;
  /** Datapath ports of tunnels, by UDP port. */
  readonly #tunnelDevices = new Map<number, { datapathPort: number; users: number }>();
  /** In the order in which they were added, and by device. */
  readonly #addresses: DeviceAddress[] = [];
  readonly #byDevice = new Map<string, readonly DeviceAddress[]>();

  constructor(host: UnderlayHost, options: UnderlayOptions) {
    this.#host = host;
    this.#tunnelDevice = options.tunnelDevice;
    this.#systemRoutes = options.systemRoutes ?? true;
    this.neighbours = new NeighbourTable(host.clock);
    this.router = new Router(() => this.#addresses);
  }

  // ---- devices of tunnels ------------------------------------------------------------------------------------------------

  /** The datapath port of the tunnels with a UDP port, for one more user. */
  acquireTunnelDevice(destinationPort: number): number {
    const device = this.#tunnelDevices.get(destinationPort);
    if (device) {
      device.users++;
      return device.datapathPort;
    }
    const name = `vxlan_sys_${destinationPort}`;
    const options: Record<string, string> = {};
    if (destinationPort !== VXLAN_PORT) options.dst_port = String(destinationPort);
    options.packet_type = 'ptap';
    const port = this.#host.nativeTunnels ? undefined : this.#tunnelDevice?.(name, destinationPort);
    const datapathPort = this.#host.addDatapathPort(port, name, options);
    this.#tunnelDevices.set(destinationPort, { datapathPort, users: 1 });
    return datapathPort;
  }

  releaseTunnelDevice(destinationPort: number): void {
    const device = this.#tunnelDevices.get(destinationPort);
    if (!device || --device.users > 0) return;
    this.#tunnelDevices.delete(destinationPort);
    this.#host.removeDatapathPort(device.datapathPort);
  }

  // ---- addresses, routes, neighbours -------------------------------------------------------------------------------------

  addAddress(device: string, prefix: string): void {
    const { bytes, length } = parsePrefix(prefix);
    this.#host.port(device);
    if (this.addressesOf(device).some(({ ip }) => formatIp(ip) === formatIp(bytes))) {
      throw new MegaflowError(
        'already-exists',
        `${device} has the address ${formatIp(bytes)} already`,
        prefix,
        'another address',
      );
    }
    this.#addresses.push({ device, ip: bytes, prefixLength: length });
    this.#addressesChanged(device);
  }

  removeAddress(device: string, prefix: string): void {
    const { bytes } = parsePrefix(prefix);
    const at = this.#addresses.findIndex(
      (address) => address.device === device && formatIp(address.ip) === formatIp(bytes),
    );
    if (at < 0)
      throw new MegaflowError(
        'not-found',
        `${device} has no address ${formatIp(bytes)}`,
        prefix,
        'an address of the device',
      );
    this.#addresses.splice(at, 1);
    this.#addressesChanged(device);
  }

  /** A device that leaves takes its addresses with it, and the routes that came with them. */
  forgetDevice(device: string): void {
    for (let at = this.#addresses.length - 1; at >= 0; at--)
      if (this.#addresses[at].device === device) this.#addresses.splice(at, 1);
    this.#byDevice.delete(device);
    if (this.#systemRoutes) this.router.removeCached(device);
    this.rebuildListeners();
  }

  /** Addresses of all devices. */
  addresses(): readonly DeviceAddress[] {
    return this.#addresses;
  }

  /** Addresses of one device: each output asks for them. */
  addressesOf(device: string): readonly DeviceAddress[] {
    return this.#byDevice.get(device) ?? NONE;
  }

  #addressesChanged(device: string): void {
    const addresses = this.#addresses.filter((address) => address.device === device);
    this.#byDevice.set(device, addresses);
    if (this.#systemRoutes) {
      this.router.removeCached(device);
      for (const { ip, prefixLength } of addresses) {
        this.router.add({ prefix: ip, prefixLength: ip.length * 8, device, kind: 'cached', local: true });
        this.router.add({ prefix: ip, prefixLength, device, kind: 'cached' });
      }
    }
    this.rebuildListeners();
  }

  addRoute(prefix: string, device: string, gateway: string | undefined, mark: number): void {
    const { bytes, length } = parsePrefix(prefix);
    this.router.add({
      prefix: bytes,
      prefixLength: length,
      device,
      gateway: gateway === undefined ? undefined : parseIp(gateway),
      mark,
    });
    this.rebuildListeners();
  }

  /** False when there was no such route. */
  removeRoute(prefix: string, mark: number): boolean {
    const { bytes, length } = parsePrefix(prefix);
    const removed = this.router.remove(bytes, length, mark);
    this.rebuildListeners();
    return removed;
  }

  setNeighbour(bridge: string, ip: string, mac: string): void {
    this.neighbours.set(bridge, parseIp(ip), parseMac(mac));
  }

  /** Devices that have a route listen on their addresses, for the tunnel ports that there are. */
  rebuildListeners(): void {
    const devices = [...this.router.listening].flatMap((name) => {
      const port = this.#host.findBridgePort(name);
      const addresses = this.addressesOf(name).map(({ ip }) => ip);
      return port ? [{ name, mac: port.mac, addresses }] : [];
    });
    const ports = [...this.#tunnelDevices].map(([destinationPort, { datapathPort }]) => ({
      destinationPort,
      datapathPort,
    }));
    this.listeners.rebuild(devices, ports);
  }
}
