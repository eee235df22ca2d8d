/**
 * Tunnel ports of a switch and how a received packet finds its own (Open vSwitch's ofproto/tunnel.c): by datapath port, key and
 * addresses, from the most to the least specific.
 */
import { MegaflowError } from '../util/errors.js';
import { formatIp } from '../util/address.js';
import type { TunnelAddress, TunnelConfig } from './options.js';

export interface TunnelPort<T> {
  readonly datapathPort: number;
  readonly config: TunnelConfig;
  /** What the port is to its owner. */
  readonly owner: T;
}

/** The tunnel metadata of a received packet, as far as they choose a port. Addresses as 4 or 16 bytes. */
export interface ReceivedTunnel {
  readonly key: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

export class TunnelPorts<T> {
  readonly #ports = new Map<string, TunnelPort<T>>();

  /** Adds a port. Throws `already-exists` when another has the same key and addresses on the same datapath port. */
  add(port: TunnelPort<T>): void {
    const { config, datapathPort } = port;
    const match = matchText(datapathPort, config.inKey, config.remoteIp, config.localIp);
    if (this.#ports.has(match)) {
      throw new MegaflowError(
        'already-exists',
        'there is a tunnel port with the same key and addresses',
        config.options,
        'another key or address',
      );
    }
    this.#ports.set(match, port);
  }

  remove(port: TunnelPort<T>): void {
    const { config, datapathPort } = port;
    this.#ports.delete(matchText(datapathPort, config.inKey, config.remoteIp, config.localIp));
  }

  /** The port for a packet: key exact before `flow`, remote exact before `flow`, local exact, then none, then `flow`. */
  find(datapathPort: number, tunnel: ReceivedTunnel): TunnelPort<T> | undefined {
    for (const key of [tunnel.key, 'flow'] as const) {
      for (const remote of [tunnel.source, 'flow'] as const) {
        for (const local of [tunnel.destination, undefined, 'flow'] as const) {
          const port = this.#ports.get(matchText(datapathPort, key, remote, local));
          if (port) return port;
        }
      }
    }
    return undefined;
  }

  [Symbol.iterator](): Iterator<TunnelPort<T>> {
    return this.#ports.values();
  }
}

function matchText(
  port: number,
  key: number | 'flow',
  remote: TunnelAddress,
  local: TunnelAddress | undefined,
): string {
  return `${port} ${key} ${addressText(remote)} ${local === undefined ? '' : addressText(local)}`;
}

function addressText(address: TunnelAddress): string {
  return address === 'flow' ? address : formatIp(address);
}
