// Frames and switches for the tests of this folder: short ways to say them.
import { buildFrame, type Layer } from '../../src/packet/build.js';
import { ManualClock } from '../../src/util/clock.js';
import { toHex } from '../../src/util/bytes.js';
import { VSwitch, type VSwitchOptions } from '../../src/switch/vswitch.js';

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
export const A = '02:00:00:00:00:0a';
export const B = '02:00:00:00:00:0b';
export const C = '02:00:00:00:00:0c';

export type Tag = number | { vid: number; priority?: number; etherType?: number };

/** Ethernet with tags, the outer first, and what follows; a payload of an experimental type where nothing follows. */
export function frame(source: string, destination: string, tags: readonly Tag[] = [], ...rest: Layer[]): Uint8Array {
  const layers: Layer[] = [{ type: 'ethernet', source, destination }];
  for (const tag of tags) layers.push({ type: 'vlan', ...(typeof tag === 'number' ? { vid: tag } : tag) });
  if (rest.length) layers.push(...rest);
  else {
    const last = layers[layers.length - 1] as Extract<Layer, { type: 'ethernet' | 'vlan' }>;
    last.etherType ??= 0x88b5;
    layers.push({ type: 'payload', bytes: Uint8Array.from({ length: 46 }, (_, index) => index) });
  }
  return buildFrame(layers);
}

export function arp(
  operation: number,
  senderMac: string,
  senderIp: string,
  targetIp: string,
  more: { targetMac?: string; to?: string } = {},
): Uint8Array {
  const { targetMac, to = operation === 1 ? BROADCAST : (targetMac ?? BROADCAST) } = more;
  return frame(senderMac, to, [], { type: 'arp', operation, senderMac, senderIp, targetMac, targetIp });
}

export function udp(
  source: string,
  destination: string,
  from: string,
  to: string,
  more: { sport?: number; dport?: number; tos?: number; ttl?: number; tags?: readonly Tag[] } = {},
): Uint8Array {
  const { sport = 1000, dport = 2000, tos, ttl, tags } = more;
  const ip: Layer = to.includes(':')
    ? { type: 'ipv6', source: from, destination: to, trafficClass: tos, hopLimit: ttl }
    : { type: 'ipv4', source: from, destination: to, tos, ttl };
  return frame(
    source,
    destination,
    tags,
    ip,
    { type: 'udp', sourcePort: sport, destinationPort: dport },
    { type: 'payload', bytes: new Uint8Array(8).fill(7) },
  );
}

/** What left, as hex by port, for comparisons that people can read. */
export function hex(frames: Record<string, Uint8Array[]>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(frames).map(([port, list]) => [port, list.map((bytes) => toHex(bytes))]));
}

/** The ports that something left on. */
export function ports(frames: Record<string, Uint8Array[]>): string[] {
  return Object.keys(frames).sort();
}

/** The tags of a frame, as `vid` or `vid/priority`, with the TPID in front where it is not 0x8100. */
export function tagsOf(bytes: Uint8Array): string[] {
  const tags: string[] = [];
  for (let at = 12; ; at += 4) {
    const type = (bytes[at] << 8) | bytes[at + 1];
    if (type !== 0x8100 && type !== 0x88a8) return tags;
    const priority = bytes[at + 2] >> 5;
    tags.push(
      `${type === 0x8100 ? '' : 'ad:'}${((bytes[at + 2] & 15) << 8) | bytes[at + 3]}${priority ? `/${priority}` : ''}`,
    );
  }
}

/** A switch whose clock stands still. */
export function createTestSwitch(options: VSwitchOptions = {}): { vswitch: VSwitch; clock: ManualClock } {
  const clock = new ManualClock(10_000);
  return { vswitch: new VSwitch({ clock, poolOptions: { slots: 256 }, ...options }), clock };
}

/** The text of the actions of all flows, sorted. */
export function actionTexts(vswitch: VSwitch): string[] {
  return vswitch.datapath
    .flowNumbers()
    .map((flow) => vswitch.datapath.flowActionsText(flow))
    .sort();
}
