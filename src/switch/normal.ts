/**
 * The NORMAL pipeline: a learning switch with VLANs (Open vSwitch's xlate_normal). The order of the steps is the order in which fields are
 * looked at, and so decides how wide the megaflow is.
 */
import { VLAN_PRESENT, getField, setExact, setField } from '../flow/fields.js';
import { OpenFlowPort } from '../openflow/ports.js';
import { formatMac } from '../util/address.js';
import { inputPort, type Context } from './context.js';
import { isMirrorOutput, type SwitchPort } from './model.js';
import { output } from './output.js';
import { hasPartialTag } from './translate.js';
import {
  acceptsVid,
  includesVlan,
  readTags,
  translateInput,
  translateOutput,
  vlanRules,
  writeTags,
  type Tags,
  type VlanRules,
} from './vlan.js';

const ARP = 0x0806;
const BROADCAST = 0xffff_ffff_ffff;
const REQUEST = 1;
const REPLY = 2;

export function normal(ctx: Context): void {
  const { flow, wildcards, bridge, reporter } = ctx;
  setExact(wildcards, 'ethSrc');
  setExact(wildcards, 'ethDst');
  setField(wildcards, 'vlanTci', getField(wildcards, 'vlanTci') | 0x0fff | VLAN_PRESENT);

  const port = inputPort(ctx);
  const rules = inputRules(ctx, port);
  if (!rules) {
    reporter?.report('no input bundle, dropping', 'warning');
    return;
  }
  if (hasPartialTag(flow)) {
    if (ctx.imagined)
      reporter?.report(`dropping packet with partial VLAN tag received on port ${portName(port)}`, 'error');
    reporter?.report('partial VLAN tag, dropping', 'warning');
    return;
  }
  if (port && isMirrorOutput(bridge, port)) {
    if (ctx.imagined) {
      reporter?.report(
        `dropping packet received on port ${port.name}, which is reserved exclusively for mirroring`,
        'error',
      );
    }
    reporter?.report('input port is mirror output port, dropping', 'warning');
    return;
  }
  const received = readTags(flow);
  if (!admitVid(ctx, port, received.vid)) {
    reporter?.report('disallowed VLAN VID for this input port, dropping', 'warning');
    return;
  }
  const tags = translateInput(rules, received);
  const destination = getField(flow, 'ethDst');
  if (port && !bridge.forwardBpdu && isReservedMac(destination)) {
    reporter?.report('packet has reserved destination MAC, dropping');
    return;
  }

  const gratuitousArp = isGratuitousArp(ctx);
  const source = getField(flow, 'ethSrc');
  if (port && getField(flow, 'packetType') === 0) {
    const { macTable } = bridge;
    const isNew = reporter && ctx.imagined && macTable.lookup(source, tags.vid)?.port !== port;
    if (isNew) reporter.report(`learned that ${formatMac(source)} is on port ${port.name} in VLAN ${tags.vid}`);
    if (ctx.sideEffects) macTable.learn(source, tags.vid, port, gratuitousArp);
    const mac = isOwnSource(ctx) ? undefined : source;
    ctx.effects?.push({ type: 'learn', bridge, port, mac, vlan: tags.vid, gratuitousArp });
  }

  const learned = bridge.macTable.lookup(destination, tags.vid)?.port;
  if (!learned) {
    reporter?.report('no learned MAC for destination, flooding');
    flood(ctx, port, tags);
  } else if (isMirrorOutput(bridge, learned)) reporter?.report('learned port is a mirror port, dropping', 'warning');
  else if (learned === port) reporter?.report('learned port is input port, dropping');
  else {
    reporter?.report('forwarding to learned port');
    outputNormal(ctx, learned, tags);
  }
}

/** Whether the Ethernet source is that with which the packet came in. */
function isOwnSource({ flow, arrivedAs }: Context): boolean {
  return ((flow[3] ^ arrivedAs[3]) & 0xffff_0000) === 0 && flow[4] === arrivedAs[4];
}

/** VLAN rules of a packet that comes from a controller rather than from a port. */
const NO_PORT_RULES = vlanRules('OFPP_NONE', {});

/** The VLAN rules of the port that a packet is on; undefined: there is no such port. */
export function inputRules(ctx: Context, port: SwitchPort | undefined): VlanRules | undefined {
  if (port) return port.vlan;
  const number = getField(ctx.flow, 'ofInPort');
  if (number === OpenFlowPort.none || number === OpenFlowPort.controller) return NO_PORT_RULES;
  ctx.reporter?.report(`received packet on unknown port ${number}`, 'error');
  return undefined;
}

function portName(port: SwitchPort | undefined): string {
  return port?.name ?? 'OFPP_NONE';
}

/** Whether a port takes frames whose outer tag has `vid` (0: none); if not, says so. */
export function admitVid({ reporter }: Context, port: SwitchPort | undefined, vid: number): boolean {
  if (!port || acceptsVid(port.vlan, vid)) return true;
  switch (port.vlan.mode) {
    case 'access':
      reporter?.report(
        `dropping VLAN ${vid} tagged packet received on port ${port.name} configured as VLAN ${port.vlan.vlan} access port`,
        'error',
      );
      break;
    case 'dot1q-tunnel':
      reporter?.report(
        `dropping VLAN ${vid} packet received on dot1q-tunnel port ${port.name} that excludes this VLAN`,
        'error',
      );
      break;
    default:
      reporter?.report(
        `dropping VLAN ${vid} packet received on port ${port.name} not configured for trunking VLAN ${vid}`,
        'error',
      );
  }
  return false;
}

function flood(ctx: Context, inPort: SwitchPort | undefined, tags: Tags): void {
  for (const port of ctx.bridge.ports) {
    if (port !== inPort && includesVlan(port.vlan, tags) && !isMirrorOutput(ctx.bridge, port))
      outputNormal(ctx, port, tags);
  }
}

/** Outputs with the tags that a frame with `tags` inside the switch has on this port. */
export function outputNormal(ctx: Context, port: SwitchPort, tags: Tags): void {
  const { flow, wildcards } = ctx;
  const { vlan } = port;
  if (vlan.mode === 'dot1q-tunnel' && vlan.cvlans) setField(wildcards, 'innerVlanTci', 0xffff);
  const outside = translateOutput(vlan, tags);
  const tag = flow[5];
  const tpid = flow[10];
  const inner = flow[48];
  writeTags(
    flow,
    vlan.priorityTags === 'never' ? outside : { ...outside, priority: getField(flow, 'vlanTci') & 0xe000 },
    vlan.priorityTags,
  );
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
  0x00e0_2b00_0000, 0x00e0_2b00_0004, 0x00e0_2b00_0006, 0x0100_0c00_0000, 0x0100_0ccc_cccc, 0x0100_0ccc_cccd,
  0x0100_0ccd_cdcd,
]);
