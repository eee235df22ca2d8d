/**
 * Native tunnels: the switch routes, resolves and builds the outer header itself (`tnl_push`), and recognises the frames that are for
 * one of its tunnels (`tnl_pop`). On the way it learns who its neighbours are (Open vSwitch's native_tunnel_output,
 * terminate_native_tunnel, lib/netdev-native-tnl.c).
 */
import {
  TunnelFlags,
  fields,
  getBytes,
  getField,
  setBytes,
  setExact,
  setField,
  type FlowWords,
} from '../flow/fields.js';
import { VXLAN_TYPE } from '../action/push.js';
import type { Action } from '../action/types.js';
import { buildFrame } from '../packet/build.js';
import { formatIp, formatMac } from '../util/address.js';
import { put16, put24, put32, put48 } from '../util/bytes.js';
import { checksum } from '../util/checksum.js';
import type { TunnelConfig } from '../tunnel/options.js';
import { inPrefix, maskAddress } from '../tunnel/router.js';
import type { Context } from './context.js';
import type { SwitchPort } from './model.js';
import { enterBridge } from './output.js';

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const ARP = 0x0806;
const UDP = 17;
const ICMPV6 = 58;
const ECT_0 = 2;
const CE = 3;
const ECN = 3;
const ARP_REPLY = 2;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
const NO_IPV4 = new Uint8Array(4);
const NO_IPV6 = new Uint8Array(16);

function isIp(flow: FlowWords): boolean {
  const type = getField(flow, 'ethType');
  return type === IPV4 || type === IPV6;
}

/** Bits that tables and tunnels looked at, added. */
function look(wildcards: FlowWords, name: 'ipTos' | 'ipTtl', bits: number): void {
  setField(wildcards, name, getField(wildcards, name) | bits);
}

/** Fills the flow's tunnel metadata with what the port sends. */
export function prepareTunnel(ctx: Context, port: SwitchPort): void {
  const { flow, wildcards } = ctx;
  const config = port.tunnelConfig!;
  if (config.localIp !== 'flow') setTunnelAddress(flow, 'tunSrc', 'tunIpv6Src', config.localIp);
  if (config.remoteIp !== 'flow') setTunnelAddress(flow, 'tunDst', 'tunIpv6Dst', config.remoteIp);
  setField(flow, 'tunTpDst', config.destinationPort);
  if (config.outKey !== 'flow') {
    setField(flow, 'tunId', config.outKey % 0x1_0000_0000);
    setField(flow, 'tunIdHigh', Math.floor(config.outKey / 0x1_0000_0000));
  }
  const ip = isIp(flow);
  if (config.ttl === 'inherit' && ip) {
    look(wildcards, 'ipTtl', 0xff);
    setField(flow, 'tunTtl', getField(flow, 'ipTtl'));
  } else setField(flow, 'tunTtl', config.ttl === 'inherit' ? 64 : config.ttl);
  let tos = config.tos === 'inherit' ? 0 : config.tos;
  if (config.tos === 'inherit' && ip) {
    look(wildcards, 'ipTos', 0xfc);
    tos = getField(flow, 'ipTos') & ~ECN;
  }
  if (ip) {
    // ECN is always inherited; congestion inside starts a new, uncongested outer header (RFC 6040 does otherwise).
    look(wildcards, 'ipTos', ECN);
    const ecn = getField(flow, 'ipTos') & ECN;
    tos |= ecn === CE ? ECT_0 : ecn;
  }
  setField(flow, 'tunTos', tos);
  let flags = getField(flow, 'tunFlags');
  if (config.dontFragment) flags |= TunnelFlags.dontFragment;
  if (config.checksum) flags |= TunnelFlags.checksum;
  if (config.outKeyPresent) flags |= TunnelFlags.key;
  setField(flow, 'tunFlags', flags);
  if (config.egressMark !== undefined) {
    setField(flow, 'skbMark', config.egressMark);
    setExact(wildcards, 'skbMark');
  }
}

function setTunnelAddress(
  flow: FlowWords,
  v4: 'tunSrc' | 'tunDst',
  v6: 'tunIpv6Src' | 'tunIpv6Dst',
  ip: Uint8Array | undefined,
): void {
  setBytes(flow, v4, ip?.length === 4 ? ip : NO_IPV4);
  setBytes(flow, v6, ip?.length === 16 ? ip : NO_IPV6);
}

/** The tunnel address of a flow, 4 or 16 bytes. */
export function tunnelAddress(flow: FlowWords, side: 'source' | 'destination'): Uint8Array {
  const v4 = side === 'source' ? 'tunSrc' : 'tunDst';
  if (getField(flow, v4) !== 0) return getBytes(flow, v4);
  return getBytes(flow, side === 'source' ? 'tunIpv6Src' : 'tunIpv6Dst');
}

const SOURCE = fields.tunSrc.at >> 2;
const IPV6_SOURCE = fields.tunIpv6Src.at >> 2;
const DESTINATION = fields.tunDst.at >> 2;
const IPV6_DESTINATION = fields.tunIpv6Dst.at >> 2;

/** Whether a flow has come, or goes, through a tunnel. */
export function hasTunnel(flow: FlowWords): boolean {
  return hasAddress(flow, DESTINATION, IPV6_DESTINATION);
}

/** Whether either of the addresses that begin at these words is set. */
function hasAddress(flow: FlowWords, ipv4: number, ipv6: number): boolean {
  return (flow[ipv4] | flow[ipv6] | flow[ipv6 + 1] | flow[ipv6 + 2] | flow[ipv6 + 3]) !== 0;
}

/** Whether the tunnels of two flows lead to the same address, or to none. */
export function isSameDestination(one: FlowWords, other: FlowWords): boolean {
  if (one[DESTINATION] !== other[DESTINATION]) return false;
  if (one[DESTINATION] !== 0) return true;
  for (let word = IPV6_DESTINATION; word < IPV6_DESTINATION + 4; word++) if (one[word] !== other[word]) return false;
  return true;
}

/**
 * Routes, resolves, pushes the header, and lets the bridge underneath decide where the outer packet goes. The copy that this
 * takes is unwrapped at the end of a translation, where nothing follows. `isCut`: only a part of the packet is sent.
 */
export function nativeTunnelOutput(ctx: Context, port: SwitchPort, last: boolean, isCut: boolean): void {
  const { flow, world, reporter } = ctx;
  const remote = tunnelAddress(flow, 'destination');
  const wanted = hasAddress(flow, SOURCE, IPV6_SOURCE) ? tunnelAddress(flow, 'source') : undefined;
  const route = world.router.lookup(remote, getField(flow, 'skbMark'), wanted);
  const device = route && world.findBridgePort(route.device);
  if (!route || !device) {
    reporter?.report('native tunnel routing failed', 'warning');
    return;
  }
  const nextHop = route.gateway ?? remote;
  const bridge = device.bridge.name;
  reporter?.report(`tunneling to ${formatIp(nextHop)} via ${device.name}`);
  const mac = world.neighbours.lookup(bridge, nextHop);
  if (mac < 0) {
    reporter?.report(
      `neighbor cache miss for ${formatIp(nextHop)} on bridge ${bridge}, sending ${nextHop.length === 4 ? 'ARP' : 'ND'} request`,
    );
    sendNeighbourRequest(ctx, device, route.source, nextHop);
    return;
  }
  ctx.effects?.push({ type: 'neighbour', bridge, ip: nextHop });
  reporter?.report(
    `tunneling from ${formatMac(device.mac)} ${formatIp(route.source)} to ${formatMac(mac)} ${formatIp(nextHop)}`,
  );

  // An IPv6 route may lead to an IPv4 remote (`::/0` does). The header is then IPv6 too, and (a quirk of 3.1) to no address.
  const outer = route.source.length === remote.length ? remote : new Uint8Array(route.source.length);
  const push: Action = {
    type: 'tnl_push',
    tunnelPort: port.tunnel!.datapathPort,
    outPort: device.datapathPort,
    header: { type: VXLAN_TYPE, bytes: buildHeader(flow, port.tunnelConfig!, device.mac, mac, route.source, outer) },
  };

  if (isCut) {
    // How much is left of the packet the datapath alone knows: it looks the outer packet up anew.
    ctx.actions.push({ type: 'clone', actions: [push, { type: 'recirc', id: 0 }] });
    return;
  }
  // The bridge underneath sees the outer packet. Nothing it looks at concerns the inner one; what it learns it learns from statistics.
  const { base, wildcards, actions, sideEffects, imagined, effects } = ctx;
  const { flows } = world;
  const { height } = flows;
  ctx.flow = flows.copy(flow);
  writeOuter(ctx.flow, device.mac, mac, route.source, outer);
  ctx.base = flows.copy(ctx.flow);
  ctx.wildcards = flows.empty();
  ctx.actions = [];
  ctx.sideEffects = false;
  ctx.imagined = false;
  // In a trace as well, where nothing becomes of them.
  ctx.effects ??= [];
  const headerBytes = push.header.bytes.length;
  ctx.effects.push({ type: 'tunnel-header', bytes: headerBytes });
  enterBridge(ctx, device, last);
  ctx.effects.push({ type: 'tunnel-header', bytes: -headerBytes });
  const underneath = ctx.actions;
  ctx.flow = flow;
  ctx.base = base;
  ctx.wildcards = wildcards;
  ctx.actions = actions;
  ctx.sideEffects = sideEffects;
  ctx.imagined = imagined;
  ctx.effects = effects;
  flows.release(height);
  // Without an output the header would go nowhere.
  if (underneath.length === 0) return;
  ctx.actions.push({ type: 'clone', actions: [push, ...underneath] });
}

/** The outer Ethernet, IP, UDP and VXLAN headers, with what depends on the packet left open. */
function buildHeader(
  flow: FlowWords,
  config: TunnelConfig,
  sourceMac: number,
  destinationMac: number,
  source: Uint8Array,
  remote: Uint8Array,
): Uint8Array {
  const ipv6 = remote.length === 16;
  const flags = getField(flow, 'tunFlags');
  const bytes = new Uint8Array(ipv6 ? 70 : 50);
  put48(bytes, 0, destinationMac);
  put48(bytes, 6, sourceMac);
  put16(bytes, 12, ipv6 ? IPV6 : IPV4);
  const tos = getField(flow, 'tunTos');
  const ttl = getField(flow, 'tunTtl');
  let l4: number;
  if (ipv6) {
    put32(bytes, 14, (6 << 28) | (tos << 20));
    bytes[20] = UDP;
    bytes[21] = ttl;
    bytes.set(source, 22);
    bytes.set(remote, 38);
    l4 = 54;
  } else {
    bytes[14] = 0x45;
    bytes[15] = tos;
    put16(bytes, 20, flags & TunnelFlags.dontFragment ? 0x4000 : 0);
    bytes[22] = ttl;
    bytes[23] = UDP;
    bytes.set(source, 26);
    bytes.set(remote, 30);
    put16(bytes, 24, checksum(bytes, 14, 34));
    l4 = 34;
  }
  put16(bytes, l4 + 2, getField(flow, 'tunTpDst'));
  // 0xffff marks a checksum to be computed at push; over IPv6 it always is.
  if (ipv6 || config.checksum) put16(bytes, l4 + 6, 0xffff);
  bytes[l4 + 8] = 0x08;
  put24(bytes, l4 + 12, getField(flow, 'tunId') & 0xffffff);
  return bytes;
}

/** Makes the flow of a packet that of the encapsulated one. */
function writeOuter(
  flow: FlowWords,
  sourceMac: number,
  destinationMac: number,
  source: Uint8Array,
  remote: Uint8Array,
): void {
  const ipv6 = remote.length === 16;
  setField(flow, 'ethDst', destinationMac);
  setField(flow, 'ethSrc', sourceMac);
  for (const name of ['vlanTci', 'vlanTpid', 'innerVlanTci', 'innerVlanTpid', 'packetType', 'ipFrag', 'tpSrc'] as const)
    setField(flow, name, 0);
  setField(flow, 'ethType', ipv6 ? IPV6 : IPV4);
  setField(flow, 'ipTos', getField(flow, 'tunTos'));
  setField(flow, 'ipTtl', getField(flow, 'tunTtl'));
  setField(flow, 'ipProto', UDP);
  setField(flow, 'tpDst', getField(flow, 'tunTpDst'));
  setBytes(flow, 'ipv4Src', ipv6 ? NO_IPV4 : source);
  setBytes(flow, 'ipv4Dst', ipv6 ? NO_IPV4 : remote);
  setBytes(flow, 'ipv6Src', ipv6 ? source : NO_IPV6);
  setBytes(flow, 'ipv6Dst', ipv6 ? remote : NO_IPV6);
}

/** Asks for the next hop's MAC, through the bridge underneath, as if the request had come in on its device. */
function sendNeighbourRequest(ctx: Context, device: SwitchPort, source: Uint8Array, nextHop: Uint8Array): void {
  const mac = formatMac(device.mac);
  const frame =
    nextHop.length === 4
      ? buildFrame([
          { type: 'ethernet', source: mac, destination: 'ff:ff:ff:ff:ff:ff' },
          {
            type: 'arp',
            operation: 1,
            senderMac: mac,
            senderIp: formatIp(requestSource(ctx, device, source, nextHop)),
            targetMac: '00:00:00:00:00:00',
            targetIp: formatIp(nextHop),
          },
        ])
      : solicitation(mac, source, nextHop);
  ctx.world.sendFrom(device, frame, ctx.depth + 1);
}

/** The address that asks: of the bridge that the request leaves through, in the subnet of the next hop; else the tunnel's source. */
function requestSource(ctx: Context, device: SwitchPort, source: Uint8Array, nextHop: Uint8Array): Uint8Array {
  for (const { ip, prefixLength } of ctx.world.addressesOf(device.bridge.name)) {
    if (ip.length === 4 && inPrefix(nextHop, maskAddress(ip, prefixLength), prefixLength)) return ip;
  }
  return source;
}

/** Neighbour solicitation (RFC 4861 section 4.3) to the solicited-node multicast address. */
function solicitation(mac: string, source: Uint8Array, target: Uint8Array): Uint8Array {
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, target[13], target[14], target[15]);
  const destination = `33:33:ff:${[13, 14, 15].map((index) => target[index].toString(16).padStart(2, '0')).join(':')}`;
  return buildFrame([
    { type: 'ethernet', source: mac, destination },
    { type: 'ipv6', source: formatIp(source), destination: formatIp(group), hopLimit: 255 },
    { type: 'icmpv6', icmpType: SOLICITATION, target: formatIp(target), options: [{ type: 'source-link-layer', mac }] },
  ]);
}

/**
 * The datapath port of the tunnel that the packet belongs to, when it is output to a port that has an address; -1 for none. Snoops the
 * neighbours that the packet tells of.
 */
export function terminateTunnel(ctx: Context, port: SwitchPort): number {
  const { world, flow, wildcards, bridge } = ctx;
  if (!world.nativeTunnels || world.listeners.size === 0 || world.addressesOf(port.name).length === 0) return -1;
  const tunnelPort = world.listeners.lookup(flow, wildcards);
  if (tunnelPort >= 0) {
    if (ctx.sideEffects && isIp(flow)) {
      const ip = getField(flow, 'ethType') === IPV4 ? getBytes(flow, 'ipv4Src') : getBytes(flow, 'ipv6Src');
      world.neighbours.set(bridge.name, ip, getField(flow, 'ethSrc'));
    }
    return tunnelPort;
  }
  if (isReplyToUs(ctx) || isGratuitous(ctx)) snoop(ctx);
  return -1;
}

function isReplyToUs({ world, flow, bridge }: Context): boolean {
  const arp = getField(flow, 'ethType') === ARP;
  if (!arp && getField(flow, 'ipProto') !== ICMPV6) return false;
  const isOurs = (ip: Uint8Array): boolean =>
    ip.length === 4
      ? arp && formatIp(getBytes(flow, 'ipv4Dst')) === formatIp(ip)
      : isForNode(getBytes(flow, 'ipv6Dst'), ip);
  if (world.addressesOf(bridge.name).some(({ ip }) => isOurs(ip))) return true;
  return bridge.ports.some((port) => {
    const first = world.addressesOf(port.name)[0];
    return first !== undefined && isOurs(first.ip);
  });
}

/** Whether an IPv6 destination is `ip` or its solicited-node group. */
function isForNode(destination: Uint8Array, ip: Uint8Array): boolean {
  if (formatIp(destination) === formatIp(ip)) return true;
  const group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ip[13], ip[14], ip[15]];
  return group.every((byte, index) => destination[index] === byte);
}

function isGratuitous({ flow, wildcards }: Context): boolean {
  if (getField(flow, 'ethType') !== ARP) return false;
  setExact(wildcards, 'ipv4Src');
  setExact(wildcards, 'ipv4Dst');
  return getField(flow, 'ipv4Src') === getField(flow, 'ipv4Dst');
}

function snoop(ctx: Context): void {
  const { flow, wildcards, world, bridge, sideEffects } = ctx;
  if (getField(flow, 'ethType') === ARP) {
    if (!isGratuitous(ctx)) {
      setExact(wildcards, 'ipProto');
      if (getField(flow, 'ipProto') !== ARP_REPLY) return;
    }
    setExact(wildcards, 'arpSha');
    const mac = getField(flow, 'arpSha');
    if (mac === 0) return;
    setExact(wildcards, 'ipv4Src');
    if (sideEffects) world.neighbours.set(bridge.name, getBytes(flow, 'ipv4Src'), mac);
    return;
  }
  if (getField(flow, 'ethType') !== IPV6) return;
  setExact(wildcards, 'ipProto');
  if (getField(flow, 'ipProto') !== ICMPV6) return;
  setField(wildcards, 'tpDst', 0xffff);
  if (getField(flow, 'tpDst') !== 0) return;
  setField(wildcards, 'tpSrc', 0xffff);
  const type = getField(flow, 'tpSrc');
  if (type !== ADVERTISEMENT) return;
  setExact(wildcards, 'arpTha');
  const mac = getField(flow, 'arpTha');
  if (mac === 0) return;
  setExact(wildcards, 'ipv6Src');
  setExact(wildcards, 'ipv6Dst');
  setExact(wildcards, 'ndTarget');
  if (sideEffects) world.neighbours.set(bridge.name, getBytes(flow, 'ndTarget'), mac);
}
