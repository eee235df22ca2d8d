/**
 * `tnl/ports/show` and `ofproto/list-tunnels`: the tunnel ports, the headers that are terminated for them, and their
 * options as Open vSwitch shows them.
 */
import { formatFlow } from '../flow/text-format.js';
import { VXLAN_PORT, DEFAULT_TTL, type TunnelAddress, type TunnelConfig } from '../tunnel/options.js';
import type { SwitchPort } from '../switch/model.js';
import type { VSwitch } from '../switch/vswitch.js';
import { formatIp } from '../util/address.js';
import { byName, type Commands } from './command.js';

/** The tunnel ports of all bridges, by name. */
function tunnelPorts(vswitch: VSwitch): SwitchPort[] {
  return vswitch
    .bridges()
    .flatMap(({ ports }) => ports)
    .filter(({ tunnel }) => tunnel !== undefined)
    .sort(byName);
}

/** `tnl/ports/show [-v]`: the UDP ports that tunnels listen on, or (`-v`) the headers that are terminated. */
export function showTunnelPorts(vswitch: VSwitch, options: { verbose?: boolean } = {}): string {
  const lines = ['Listening ports:'];
  const { datapath, listeners } = vswitch;
  if (options.verbose) {
    for (const { key, mask, datapathPort } of listeners) {
      lines.push(`${datapath.port(datapathPort)?.name} (${datapathPort}) : ${formatListener(key, mask)}`);
    }
  } else if (vswitch.nativeTunnels) {
    const users = new Map<number, number>();
    for (const { tunnel } of tunnelPorts(vswitch))
      users.set(tunnel!.datapathPort, (users.get(tunnel!.datapathPort) ?? 0) + 1);
    for (const [port, count] of [...users].sort(([a], [b]) => a - b))
      lines.push(`${datapath.port(port)?.name} (${port}) ref_cnt=${count}`);
  }
  return lines.join('\n') + '\n';
}

/** The part of a match that a listener has: it has no port and says nothing of recirculation. */
function formatListener(key: Int32Array, mask: Int32Array): string {
  return formatFlow({ key, mask }).replace(/recirc_id\([^)]*\),|in_port\([^)]*\),|packet_type\([^)]*\),/g, '');
}

/** `ofproto/list-tunnels`: one line a tunnel port. */
export function listTunnels(vswitch: VSwitch): string {
  return tunnelPorts(vswitch)
    .map((port) => `${describeTunnel(port)}\n`)
    .join('');
}

function describeTunnel({ name, tunnel, tunnelConfig }: SwitchPort): string {
  const { datapathPort } = tunnel!;
  const config = tunnelConfig!;
  const { remoteIp, localIp, inKey, outKey, ttl, tos } = config;
  const { inKeyPresent, outKeyPresent } = keysPresent(config);
  const parts = [
    `${addressText(localIp)}->${addressText(remoteIp)}`,
    `key=${keyText(inKey)}`,
    'legacy_l2',
    `dp port=${datapathPort}`,
  ];
  if (inKey !== outKey || inKeyPresent !== outKeyPresent)
    parts.push(`out_key=${outKeyPresent ? keyText(outKey) : 'none'}`);
  parts.push(`ttl=${ttl}`);
  if (tos === 'inherit') parts.push('tos=inherit');
  else if (tos !== 0) parts.push(`tos=0x${tos.toString(16)}`);
  if (!config.dontFragment) parts.push('df=false');
  if (config.checksum) parts.push('csum=true');
  return `port ${datapathPort}: ${name} (vxlan: ${parts.join(', ')})`;
}

function keysPresent({ options }: TunnelConfig): { inKeyPresent: boolean; outKeyPresent: boolean } {
  return {
    inKeyPresent: (options.in_key ?? options.key) !== undefined,
    outKeyPresent: (options.out_key ?? options.key) !== undefined,
  };
}

const keyText = (key: number | 'flow'): string => (key === 'flow' || key === 0 ? String(key) : `0x${key.toString(16)}`);

const addressText = (address: TunnelAddress | undefined): string =>
  address === undefined ? '::' : address === 'flow' ? address : formatIp(address);

/** The options of a tunnel as `dpif/show` prints them: what is not as it would be without them, in normal form. */
export function tunnelOptions(config: TunnelConfig): Record<string, string> {
  const shown: Record<string, string> = {};
  const { remoteIp, localIp, inKey, outKey, ttl, tos } = config;
  shown.remote_ip = addressText(remoteIp);
  if (localIp !== undefined) shown.local_ip = addressText(localIp);
  const { inKeyPresent, outKeyPresent } = keysPresent(config);
  if (inKeyPresent && outKeyPresent && inKey === outKey) shown.key = String(inKey);
  else {
    if (inKeyPresent) shown.in_key = String(inKey);
    if (outKeyPresent) shown.out_key = String(outKey);
  }
  if (ttl !== DEFAULT_TTL) shown.ttl = String(ttl);
  if (tos !== 0) shown.tos = tos === 'inherit' ? tos : `0x${tos.toString(16)}`;
  if (config.destinationPort !== VXLAN_PORT) shown.dst_port = String(config.destinationPort);
  if (config.checksum) shown.csum = 'true';
  if (!config.dontFragment) shown.df_default = 'false';
  if (config.egressMark !== undefined) shown.egress_pkt_mark = String(config.egressMark);
  return shown;
}

export const tunnelCommands: Commands = {
  'ofproto/list-tunnels': { usage: '', least: 0, most: 0, run: listTunnels },
  'tnl/ports/show': {
    usage: '-v',
    least: 0,
    most: 1,
    run: (vswitch, [option]) => showTunnelPorts(vswitch, { verbose: option === '-v' }),
  },
};
