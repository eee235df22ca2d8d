/**
 * How a group of type `select` chooses (Open vSwitch's group_set_selection_method): by the datapath's hash of the packet, whose low bits
 * are mapped to buckets by their weights; where weights are too far apart for that, by a symmetric hash of addresses and ports; or by the
 * fields that the group names. The last two give each bucket a score, and the best wins.
 */
import {
  VLAN_PRESENT,
  getBytes,
  getField,
  setExact,
  setField,
  type FieldName,
  type FlowWords,
} from '../flow/fields.js';
import { setBytes } from '../flow/fields.js';
import { fieldOfName } from '../openflow/field-names.js';
import type { GroupBucket, OpenFlowGroup } from '../openflow/group.js';
import { hasPrerequisites, maskSubfield, readSubfield, wholeField } from '../openflow/subfield.js';
import { bigintToBytes } from '../openflow/value.js';
import { hashBytes, hashInt, hashUint64, jenkinsHash } from '../util/hash.js';
import type { Context } from './context.js';

export type Selection =
  | {
      readonly method: 'dp_hash';
      readonly algorithm: 'l4' | 'sym_l4';
      readonly basis: number;
      readonly buckets: readonly GroupBucket[];
    }
  | { readonly method: 'symmetric' }
  | { readonly method: 'fields' };

/** Most hash values that are mapped to buckets, and most if the group does not ask for it. */
const MOST_SLOTS = 256;
const MOST_SLOTS_BY_DEFAULT = 64;
const LEAST_SLOTS = 16;

export function selection(group: OpenFlowGroup): Selection {
  const param = group.selectionMethodParam ?? 0n;
  switch (group.selectionMethod) {
    case 'hash':
      return { method: group.fields?.length ? 'fields' : 'symmetric' };
    case 'dp_hash': {
      const buckets = mapBuckets(group.buckets, MOST_SLOTS);
      const algorithm = param >> 32n === 1n ? 'sym_l4' : 'l4';
      return buckets
        ? { method: 'dp_hash', algorithm, basis: Number(param & 0xffffffffn), buckets }
        : { method: 'symmetric' };
    }
    default: {
      const buckets = mapBuckets(group.buckets, MOST_SLOTS_BY_DEFAULT);
      return buckets ? { method: 'dp_hash', algorithm: 'sym_l4', basis: 0, buckets } : { method: 'symmetric' };
    }
  }
}

/** A bucket for each hash value, as many for each as its weight says (Webster's method); undefined: that takes too many. */
export function mapBuckets(buckets: readonly GroupBucket[], most: number): readonly GroupBucket[] | undefined {
  const total = buckets.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return undefined;
  const least = Math.min(...buckets.filter(({ weight }) => weight > 0).map(({ weight }) => weight));
  let slots = LEAST_SLOTS;
  while (slots < Math.ceil(total / least)) slots *= 2;
  if (slots > most) return undefined;
  const shares = buckets.map((bucket) => ({ bucket, divisor: 1, value: bucket.weight }));
  return Array.from({ length: slots }, () => {
    const winner = shares.reduce((best, share) => (share.value > best.value ? share : best));
    winner.divisor += 2;
    winner.value = winner.bucket.weight / winner.divisor;
    return winner.bucket;
  });
}

/** The live bucket with the best score. */
export function bestBucket(
  ctx: Context,
  group: OpenFlowGroup,
  method: 'symmetric' | 'fields',
  isLive: (bucket: GroupBucket) => boolean,
  reportDead: (bucket: GroupBucket) => void,
): GroupBucket | undefined {
  const basis = method === 'fields' ? hashFields(ctx, group) : hashSymmetric(ctx);
  let best: GroupBucket | undefined;
  let bestScore = 0;
  for (const bucket of group.buckets) {
    if (!isLive(bucket)) {
      reportDead(bucket);
      continue;
    }
    const score = ((hashInt(bucket.id, basis) & 0xffff) * bucket.weight) >>> 0;
    if (score >= bestScore) {
      best = bucket;
      bestScore = score;
    }
    ctx.reporter?.report(`bucket ${bucket.id}: score ${score}`);
  }
  return best;
}

function hashFields({ flow, wildcards }: Context, group: OpenFlowGroup): number {
  let hash = hashUint64(group.selectionMethodParam ?? 0n);
  for (const name of group.fields ?? []) {
    const field = fieldOfName(name)!;
    if (!hasPrerequisites(field.needs, flow, wildcards)) continue;
    const whole = wholeField(field);
    hash = hashBytes(bigintToBytes(readSubfield(flow, whole), Math.ceil(field.bits / 8)), hash);
    maskSubfield(wildcards, whole);
  }
  return hash;
}

const TCP = 6;
const SCTP = 132;

/** The same for both directions; of UDP the ports do not count. */
function hashSymmetric({ flow, wildcards }: Context): number {
  const look = (...names: FieldName[]): void => {
    for (const name of names) {
      if (name.startsWith('ipv6')) setBytes(wildcards, name, new Uint8Array(16).fill(0xff));
      else setExact(wildcards, name);
    }
  };
  // Address of 16 bytes, Ethernet type, VLAN, port, MAC, protocol: 29 bytes in the 32 of a structure.
  const data = new Uint8Array(32);
  look('ethSrc', 'ethDst');
  for (const name of ['vlanTci', 'innerVlanTci'] as const)
    setField(wildcards, name, getField(wildcards, name) | 0x0fff | VLAN_PRESENT);
  data.set(getBytes(flow, 'ethType'), 16);
  const vid = (getField(flow, 'vlanTci') ^ getField(flow, 'innerVlanTci')) & 0x0fff;
  data.set([vid >>> 8, vid & 0xff], 18);
  data.set(xor(flow, 'ethSrc', 'ethDst'), 22);
  const type = getField(flow, 'ethType');
  if (type !== 0x0800 && type !== 0x86dd) return jenkinsHash(data, 0);
  const isIpv4 = type === 0x0800;
  const [source, destination] = isIpv4 ? (['ipv4Src', 'ipv4Dst'] as const) : (['ipv6Src', 'ipv6Dst'] as const);
  look(source, destination, 'ipProto');
  data.set(xor(flow, source, destination), 0);
  const protocol = getField(flow, 'ipProto');
  data[28] = protocol;
  if (protocol === TCP || protocol === SCTP) {
    look('tpSrc', 'tpDst');
    data.set(xor(flow, 'tpSrc', 'tpDst'), 20);
  }
  return jenkinsHash(data, 0);
}

function xor(flow: FlowWords, a: FieldName, b: FieldName): Uint8Array {
  const other = getBytes(flow, b);
  return getBytes(flow, a).map((byte, index) => byte ^ other[index]);
}
