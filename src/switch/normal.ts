/**
 * The NORMAL pipeline: a learning switch with VLANs (Open vSwitch's xlate_normal). The order of the steps is the order in which fields are
 * looked at, and so decides how wide the megaflow is.
 */
import { VLAN_PRESENT, getField, setExact, setField } from '../flow/fields.js';
import type { Context } from './context.js';
import { isMirrorOutput, type SwitchPort } from './model.js';
import { output } from './output.js';
import { hasPartialTag } from './translate.js';
import { acceptsVid, includesVlan, readTags, translateInput, translateOutput, writeTags, type Tags } from './vlan.js';

const ARP = 0x0806;
const BROADCAST = 0xffff_ffff_ffff;
const REQUEST = 1;
const REPLY = 2;

export function normal(ctx: Context): void {
  const { flow, wildcards, bridge, inPort: port, reporter } = ctx;
  setExact(wildcards, 'ethSrc');
  setExact(wildcards, 'ethDst');
  setField(wildcards, 'vlanTci', getField(wildcards, 'vlanTci') | 0x0fff | VLAN_PRESENT);

  if (!port) {
    reporter?.report('no input bundle, dropping');
    return;
  }
  if (hasPartialTag(flow)) {
    reporter?.report('partial VLAN tag, dropping');
    return;
  }
  if (isMirrorOutput(bridge, port)) {
    reporter?.report('input port is mirror output port, dropping');
    return;
  }
  const received = readTags(flow);
  if (!acceptsVid(port.vlan, received.vid)) {
    reporter?.report('disallowed VLAN VID for this input port, dropping');
    return;
  }
  const tags = translateInput(port.vlan, received);
  const destination = getField(flow, 'ethDst');
  if (!bridge.forwardBpdu && isReservedMac(destination)) {
    reporter?.report('packet has reserved destination MAC, dropping');
    return;
  }

  const gratuitousArp = isGratuitousArp(ctx);
  const source = getField(flow, 'ethSrc');
  if (getField(flow, 'packetType') === 0) {
    if (ctx.sideEffects) bridge.macTable.learn(source, tags.vid, port, gratuitousArp);
    ctx.effects?.push({ type: 'learn', bridge, port, mac: source, vlan: tags.vid, gratuitousArp });
  }

  const learned = bridge.macTable.lookup(destination, tags.vid)?.port;
  if (!learned) {
    reporter?.report('no learned MAC for destination, flooding');
    flood(ctx, port, tags);
  } else if (learned === port) reporter?.report('learned port is input port, dropping');
  else if (isMirrorOutput(bridge, learned)) reporter?.report('learned port is a mirror port, dropping');
  else {
    reporter?.report('forwarding to learned port');
    outputNormal(ctx, learned, tags);
  }
}

function flood(ctx: Context, inPort: SwitchPort, tags: Tags): void {
  for (const port of ctx.bridge.ports) {
    if (port !== inPort && includesVlan(port.vlan, tags) && !isMirrorOutput(ctx.bridge, port)) outputNormal(ctx, port, tags);
  }
}

/** Outputs with the tags that a frame with `tags` inside the switch has on this port. */
export function outputNormal(ctx: Context, port: SwitchPort, tags: Tags): void {
  const { flow, wildcards } = ctx;
  const { vlan } = port;
  if (vlan.mode === 'dot1q-tunnel' && vlan.cvlans) setField(wildcards, 'innerVlanTci', 0xffff);
  const outside = translateOutput(vlan, tags);
  if (vlan.priorityTags !== 'never') outside.priority = getField(flow, 'vlanTci') & 0xe000;
  const [tag, tpid, inner] = [flow[5], flow[10], flow[48]];
  writeTags(flow, outside, vlan.priorityTags);
  output(ctx, port);
  flow[5] = tag;
  flow[10] = tpid;
  flow[48] = inner;
}

/** ARP to broadcast that tells rather than asks. Looks at no more than it must. */
function isGratuitousArp({ flow, wildcards }: Context): boolean {
  if (getField(flow, 'ethType') !== ARP || getField(flow, 'ethDst') !== BROADCAST) return false;
  setExact(wildcards, 'ipProto');
  const opcode = getField(flow, 'ipProto');
  if (opcode === REPLY) return true;
  if (opcode !== REQUEST) return false;
  setExact(wildcards, 'ipv4Src');
  setExact(wildcards, 'ipv4Dst');
  return getField(flow, 'ipv4Src') === getField(flow, 'ipv4Dst');
}

/** Destinations that a bridge does not forward (IEEE 802.1D section 7.12.6, and those of some vendors' protocols). */
export function isReservedMac(mac: number): boolean {
  if (mac >= 0x0180_c200_0000 && mac <= 0x0180_c200_000f) return true;
  return RESERVED.has(mac) || (mac >= 0x0100_0ccc_ccc0 && mac <= 0x0100_0ccc_ccc7);
}

const RESERVED: ReadonlySet<number> = new Set([
  0x00e0_2b00_0000, 0x00e0_2b00_0004, 0x00e0_2b00_0006, 0x0100_0c00_0000, 0x0100_0ccc_cccc, 0x0100_0ccc_cccd, 0x0100_0ccd_cdcd,
]);
