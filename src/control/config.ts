/**
 * A switch from JSON: the `config` of a recorded scenario, which names things as Open vSwitch's database does.
 */
import type { Port } from '../io/port.js';
import type { BridgeConfig, PortConfig } from '../switch/model.js';
import { VSwitch, type VSwitchOptions } from '../switch/vswitch.js';
import { MegaflowError } from '../util/errors.js';

export interface SwitchConfig {
  bridges: readonly (Omit<BridgeConfig, 'local' | 'ports'> & { ports?: readonly Omit<PortConfig, 'port'>[] })[];
  /** Addresses of LOCAL ports (or of other ports), with prefix length. */
  addresses?: readonly { dev: string; ip: string }[];
  routes?: readonly { prefix: string; dev: string; gateway?: string }[];
  neighbors?: readonly { bridge: string; ip: string; mac: string }[];
  /** False: flow-based tunnel ports. Default true. */
  nativeTunnels?: boolean;
}

export interface SwitchFromConfigOptions extends VSwitchOptions {
  /** The host's side of a port, by its name (a bridge's name is its LOCAL port); absent or undefined: nothing is behind it. */
  port?: (name: string) => Port | undefined;
}

/** Makes the switch that `config` describes. Throws `bad-config` and whatever its parts throw. */
export function createSwitch(config: SwitchConfig, options: SwitchFromConfigOptions = {}): VSwitch {
  const { port: hostPort, ...rest } = options;
  checkList('bridges', config.bridges);
  const vswitch = new VSwitch({ ...rest, nativeTunnels: config.nativeTunnels ?? options.nativeTunnels });
  try {
    for (const bridge of config.bridges) {
      const ports = (bridge.ports ?? []).map((port) => ({ ...port, port: hostPort?.(port.name) }));
      vswitch.addBridge({ ...bridge, ports, local: hostPort?.(bridge.name) });
    }
    for (const { dev, ip } of config.addresses ?? []) vswitch.addAddress(dev, ip);
    for (const { prefix, dev, gateway } of config.routes ?? []) vswitch.addRoute(prefix, dev, gateway);
    for (const { bridge, ip, mac } of config.neighbors ?? []) vswitch.setNeighbour(bridge, ip, mac);
  } catch (error) {
    vswitch.close();
    throw error;
  }
  return vswitch;
}

function checkList(key: string, value: unknown): void {
  if (!Array.isArray(value))
    throw new MegaflowError('bad-config', `${key} is missing`, value, `a list under the key "${key}"`);
}
