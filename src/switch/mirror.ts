/**
 * Mirrors (ovs-vswitchd.conf.db(5), table Mirror): copies of packets, chosen by port and VLAN, to a port or into a VLAN. A packet goes to
 * each destination once.
 */
import { VLAN_PRESENT, getField, setField } from '../flow/fields.js';
import type { Context } from './context.js';
import { isMirrorOutput, findPort, type SwitchPort } from './model.js';
import { admitVid, inputRules, isReservedMac, outputNormal } from './normal.js';
import { includesVlan, readTags, translateInput } from './vlan.js';

/** Mirrors the packet, which came in on `port` (`source`) or has just been sent there (`destination`). */
export function mirrorPacket(ctx: Context, port: SwitchPort | undefined, side: 'source' | 'destination'): void {
  const { bridge } = ctx;
  if (bridge.mirrors.length === 0) return;
  const rules = inputRules(ctx, port);
  if (!rules) return;
  const tags = readTags(ctx.flow);
  if (!admitVid(ctx, port, tags.vid) || !port) return;
  const candidates = bridge.mirrors.filter(
    (mirror) =>
      (ctx.mirrors & mirror.bit) === 0 &&
      (side === 'source' ? mirror.selectsSource(port) : mirror.selectsDestination(port)),
  );
  const inside = translateInput(rules, tags);
  for (const mirror of candidates) {
    if (ctx.mirrors & mirror.bit) continue;
    if (mirror.vlans) {
      setField(ctx.wildcards, 'vlanTci', getField(ctx.wildcards, 'vlanTci') | 0x0fff | VLAN_PRESENT);
      if (!mirror.vlans.has(inside.vid)) continue;
    }
    // Before sending: what is sent may itself be chosen by mirrors with the same destination.
    ctx.mirrors |= mirror.bit | mirror.duplicates;
    if (mirror.outputPort !== undefined) {
      const target = findPort(bridge, mirror.outputPort);
      if (target) outputNormal(ctx, target, inside);
    } else if (
      mirror.outputVlan !== undefined &&
      inside.vid !== mirror.outputVlan &&
      !isReservedMac(getField(ctx.flow, 'ethDst'))
    ) {
      const mirrored = { ...inside, vid: mirror.outputVlan };
      for (const target of bridge.ports) {
        if (includesVlan(target.vlan, mirrored) && !isMirrorOutput(bridge, target)) outputNormal(ctx, target, mirrored);
      }
    }
  }
}
