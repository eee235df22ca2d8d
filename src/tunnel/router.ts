/**
 * The tunnel router (Open vSwitch's lib/ovs-router.c): from a remote address to the device that leads there, the source address
 * and the next hop. It is a list ordered by priority rather than a longest-prefix match: a route made by hand counts as 32 bits
 * longer than one of the system's, and the system's local addresses as 64 bits longer. IPv4 stands in it as IPv4-mapped IPv6, so that the
 * route `::/0` leads to IPv4 addresses too.
 */
import { formatIp } from '../util/address.js';
import { MegaflowError } from '../util/errors.js';

export interface Route {
  /** 4 or 16 bytes, host bits zero. */
  readonly prefix: Uint8Array;
  readonly prefixLength: number;
  readonly device: string;
  /** Next hop, absent on a link. */
  readonly gateway: Uint8Array | undefined;
  /** Source address, fixed when the route is added. */
  readonly source: Uint8Array;
  /** `skb_mark` of the packets that it is for; 0 by default, matched exactly. */
  readonly mark: number;
  readonly kind: 'user' | 'cached';
  /** A cached route to an address of our own. */
  readonly local: boolean;
  readonly priority: number;
}

/** An address of a device. */
export interface DeviceAddress {
  readonly device: string;
  /** 4 or 16 bytes. */
  readonly ip: Uint8Array;
  readonly prefixLength: number;
}

export class Router {
  /** Changes with every route that comes or goes. */
  sequence = 0;
  readonly #addresses: () => readonly DeviceAddress[];
  readonly #listening = new Set<string>();
  #routes: Route[] = [];

  /** `addresses` answers the addresses of all devices, at the time of the call. */
  constructor(addresses: () => readonly DeviceAddress[]) {
    this.#addresses = addresses;
  }

  /**
   * Adds a route, or replaces the one with the same prefix, mark and priority. Throws `bad-config` when the device has no address to
   * send from: in the subnet of the prefix or, failing that, in that of the gateway.
   */
  add(route: {
    prefix: Uint8Array;
    prefixLength: number;
    device: string;
    gateway?: Uint8Array;
    mark?: number;
    kind?: Route['kind'];
    local?: boolean;
  }): Route {
    const { device, prefixLength, gateway, mark = 0, kind = 'user', local = false } = route;
    const prefix = maskAddress(route.prefix, prefixLength);
    const source = this.#sourceFor(device, prefix) ?? (gateway && this.#sourceFor(device, gateway));
    if (!source) {
      const text = `${formatIp(prefix)}/${prefixLength}`;
      throw new MegaflowError(
        'bad-config',
        `route ${text}: ${device} has no address to send from`,
        text,
        `an address of ${device} in the subnet of the prefix or of the gateway`,
      );
    }
    const length = mappedLength(prefix, prefixLength);
    const priority = length + (kind === 'user' ? 32 : local ? 64 : 0);
    const added: Route = { prefix, prefixLength, device, gateway, source, mark, kind, local, priority };
    this.#routes = this.#routes.filter((other) => !sameRoute(other, added));
    const at = this.#routes.findIndex((other) => other.priority < priority);
    this.#routes.splice(at < 0 ? this.#routes.length : at, 0, added);
    this.#listening.add(device);
    this.sequence++;
    return added;
  }

  /** Removes a route of one kind; false when there was none. */
  remove(prefix: Uint8Array, prefixLength: number, mark = 0, kind: Route['kind'] = 'user'): boolean {
    const masked = maskAddress(prefix, prefixLength);
    const at = this.#routes.findIndex(
      (route) =>
        route.kind === kind &&
        route.prefixLength === prefixLength &&
        route.mark === mark &&
        formatIp(route.prefix) === formatIp(masked),
    );
    if (at < 0) return false;
    this.#listening.delete(this.#routes[at].device);
    this.#routes.splice(at, 1);
    this.sequence++;
    return true;
  }

  /** Removes the cached routes through a device, or to one address of it. */
  removeCached(device: string): void {
    const kept = this.#routes.filter((route) => route.kind !== 'cached' || route.device !== device);
    if (kept.length === this.#routes.length) return;
    this.#listening.delete(device);
    this.sequence++;
    this.#routes = kept;
  }

  /**
   * The route to `destination` for packets with `mark`; where the caller insists on a source address, a local route must lead to
   * it, and it is the one used.
   */
  lookup(
    destination: Uint8Array,
    mark = 0,
    source?: Uint8Array,
  ): { device: string; source: Uint8Array; gateway: Uint8Array | undefined } | undefined {
    if (source && !this.#find(source, mark)?.local) return undefined;
    const route = this.#find(destination, mark);
    return route && { device: route.device, source: source ?? route.source, gateway: route.gateway };
  }

  /** In the order in which they are tried. */
  routes(): readonly Route[] {
    return this.#routes;
  }

  /**
   * The devices on whose addresses tunnels listen: a route that is added adds its device, and any route of it that is removed removes it,
   * whatever other routes it has (so does 3.1, and the next route that is added to it brings it back).
   */
  get listening(): ReadonlySet<string> {
    return this.#listening;
  }

  #find(ip: Uint8Array, mark: number): Route | undefined {
    return this.#routes.find((route) => route.mark === mark && contains(route.prefix, route.prefixLength, ip));
  }

  /** The address of `device` whose subnet contains `ip`, the longest prefix first. */
  #sourceFor(device: string, ip: Uint8Array): Uint8Array | undefined {
    let best: DeviceAddress | undefined;
    for (const address of this.#addresses()) {
      if (
        address.device !== device ||
        !contains(maskAddress(address.ip, address.prefixLength), address.prefixLength, ip)
      )
        continue;
      if (!best || mappedLength(address.ip, address.prefixLength) > mappedLength(best.ip, best.prefixLength))
        best = address;
    }
    return best?.ip;
  }
}

/** An address with the bits behind the prefix cleared. */
export function maskAddress(ip: Uint8Array, prefixLength: number): Uint8Array {
  return ip.map((byte, index) => {
    const bits = Math.min(8, Math.max(0, prefixLength - index * 8));
    return byte & (0xff00 >> bits);
  });
}

/** Whether `ip` lies in a prefix of the same family. */
export function inPrefix(ip: Uint8Array, prefix: Uint8Array, prefixLength: number): boolean {
  if (ip.length !== prefix.length) return false;
  const bytes = prefixLength >> 3;
  for (let index = 0; index < bytes; index++) if (ip[index] !== prefix[index]) return false;
  const bits = prefixLength & 7;
  return bits === 0 || ((ip[bytes] ^ prefix[bytes]) & (0xff00 >> bits) & 0xff) === 0;
}

/** Length of a prefix that counts IPv4 as IPv4-mapped IPv6. */
function mappedLength(prefix: Uint8Array, prefixLength: number): number {
  return prefixLength + (prefix.length === 4 ? 96 : 0);
}

/** Whether a prefix contains an address of either family. */
function contains(prefix: Uint8Array, prefixLength: number, ip: Uint8Array): boolean {
  if (prefix.length === ip.length) return inPrefix(ip, prefix, prefixLength);
  return inPrefix(mapped(ip), mapped(prefix), mappedLength(prefix, prefixLength));
}

function mapped(ip: Uint8Array): Uint8Array {
  return ip.length === 16 ? ip : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...ip);
}

function sameRoute(a: Route, b: Route): boolean {
  return (
    a.priority === b.priority &&
    a.mark === b.mark &&
    a.prefixLength === b.prefixLength &&
    formatIp(a.prefix) === formatIp(b.prefix)
  );
}
