// Random matches of every kind that a key can hold, for round trips through text. What text does not carry is left as
// reading leaves it (no tag: exactly none; the recirculation id: exact), so that a match is the same after a round
// trip.
import {
  ETH_TYPE_NONE,
  FRAG_ANY,
  FRAG_LATER,
  KEY_WORDS,
  fields,
  getField,
  sealKey,
  setBytes,
  setExact,
  setField,
  type FieldName,
} from '../../src/flow/fields.js';
import type { FlowMatch, GeneveOption } from '../../src/flow/match.js';

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** A seed that is printed when a test fails; `MEGAFLOW_SEED` sets it. */
export function chooseSeed(): number {
  return Number(process.env.MEGAFLOW_SEED ?? Date.now() % 1_000_000_007);
}

export class Dice {
  readonly random: () => number;
  constructor(seed: number) {
    this.random = seededRandom(seed);
  }
  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }
  chance(probability: number): boolean {
    return this.random() < probability;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

export interface RandomFlowOptions {
  /**
   * Only what verbose text carries whole: fragments and TCP flags that are matched or zero, tags that are matched to be
   * there.
   */
  readonly forVerbose?: boolean;
}

export function randomFlow(dice: Dice, options: RandomFlowOptions = {}): FlowMatch {
  const key = new Int32Array(KEY_WORDS);
  const mask = new Int32Array(KEY_WORDS);

  const store = (words: Int32Array, field: FieldName, value: Uint8Array): void => {
    const { length, bits, order } = fields[field];
    if (order === 'wire' && bits === length * 8) setBytes(words, field, value);
    else
      setField(
        words,
        field,
        Number(value.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n) & ((1n << BigInt(bits)) - 1n)),
      );
  };
  const value = (field: FieldName): Uint8Array =>
    dice.chance(0.2) ? new Uint8Array(fields[field].length) : dice.bytes(fields[field].length);
  /** A value, and a mask that is nothing, all or anything. */
  const field = (...names: FieldName[]): void => {
    for (const name of names) {
      store(key, name, value(name));
      const kind = dice.below(3);
      if (kind === 1) setExact(mask, name);
      else if (kind === 2) store(mask, name, dice.bytes(fields[name].length));
    }
  };
  /** As `field`, but a value of zero is not in the text, nor its mask. */
  const visible = (...names: FieldName[]): void => {
    for (const name of names) {
      if (dice.chance(0.5)) field(name);
      if (getField(key, name) === 0 && fields[name].length <= 6) setField(mask, name, 0);
    }
  };

  field('skbPriority', 'skbMark', 'ctZone', 'ctMark', 'ctLabel', 'dpHash');
  setField(key, 'ctState', dice.below(256));
  setField(mask, 'ctState', dice.pick([0, 0xff, dice.below(256)]));
  setField(key, 'recircId', dice.pick([0, dice.below(0xffff_ffff)]));
  setExact(mask, 'recircId');
  if (dice.chance(0.05)) setField(key, 'inPort', 0xffff_ffff);
  else {
    setField(key, 'inPort', dice.pick([dice.below(10), dice.below(0xffff_ffff)]));
    setField(mask, 'inPort', dice.pick([0xffff_ffff, 0xffff_ffff, 0xff]));
  }
  const geneve = dice.chance(0.4) ? randomTunnel() : undefined;

  const isFrame = dice.chance(0.9);
  const ethType = dice.pick([
    0x0800,
    0x0800,
    0x86dd,
    0x86dd,
    0x0806,
    0x8035,
    0x8847,
    0x8848,
    0x894f,
    ETH_TYPE_NONE,
    0x0600 + dice.below(0xfa00),
  ]);
  const isTag = ethType === 0x8100 || ethType === 0x88a8;
  const tags = isFrame && !isTag ? dice.below(3) : 0;
  if (isFrame) field('ethSrc', 'ethDst');
  else if (ethType === ETH_TYPE_NONE || isTag) return randomFlow(dice, options);
  else setField(key, 'packetType', 0x1_0000 + ethType);
  setField(mask, 'packetType', dice.pick([0, 0xffff_ffff, 0xffff_0000]));
  if (tags === 0) setExact(mask, 'vlanTci');
  for (const [tci, tpid] of (
    [
      ['vlanTci', 'vlanTpid'],
      ['innerVlanTci', 'innerVlanTpid'],
    ] as const
  ).slice(0, tags)) {
    setField(key, tci, dice.below(0x1_0000) | 0x1000);
    setField(mask, tci, dice.pick([options.forVerbose ? 0x1000 : 0, 0xffff, dice.below(0x1_0000) | 0x1000]));
    setField(key, tpid, dice.pick([0x8100, 0x88a8]));
    setExact(mask, tpid);
  }
  setField(key, 'ethType', ethType);
  // A match on a packet of no type, or on the type of what is behind a tag, is exact or not at all.
  setField(mask, 'ethType', ethType === ETH_TYPE_NONE ? (tags > 0 ? 0xffff : dice.pick([0, 0xffff])) : 0xffff);
  if (networkIs(0x0800, 0x86dd) && dice.chance(0.2)) {
    setField(key, 'ctProto', 1 + dice.below(255));
    setField(mask, 'ctProto', dice.pick([0xff, 0x0f]));
    field('ctTpSrc', 'ctTpDst');
    if (ethType === 0x0800) field('ctIpv4Src', 'ctIpv4Dst');
    else field('ctIpv6Src', 'ctIpv6Dst');
  }
  if (networkIs(0x0800)) field('ipv4Src', 'ipv4Dst', 'ipTos', 'ipTtl');
  else if (networkIs(0x86dd)) field('ipv6Src', 'ipv6Dst', 'ipv6Label', 'ipTos', 'ipTtl');
  else if (networkIs(0x0806, 0x8035)) field('ipv4Src', 'ipv4Dst', 'ipProto', 'arpSha', 'arpTha');
  else if (networkIs(0x8847, 0x8848)) randomLabels();
  else if (networkIs(0x894f))
    field('nshFlags', 'nshTtl', 'nshMdtype', 'nshNp', 'nshPath', 'nshC1', 'nshC2', 'nshC3', 'nshC4');
  if (networkIs(0x0800, 0x86dd)) randomTransport();

  sealKey(key);
  return { key, mask, ...(geneve && { geneve }) };

  function networkIs(...types: number[]): boolean {
    return types.includes(ethType);
  }

  function randomTunnel(): readonly GeneveOption[] | undefined {
    if (dice.chance(0.7)) {
      setField(key, 'tunDst', 1 + dice.below(0xffff_fffe));
      setField(mask, 'tunDst', dice.pick([0, 0xffff_ffff, 0xffff_ff00]));
      visible('tunSrc');
    } else {
      setBytes(
        key,
        'tunIpv6Dst',
        Uint8Array.from({ length: 16 }, () => 1 + dice.below(255)),
      );
      if (dice.chance(0.7)) setExact(mask, 'tunIpv6Dst');
      if (dice.chance(0.5)) {
        setBytes(
          key,
          'tunIpv6Src',
          Uint8Array.from({ length: 16 }, () => 1 + dice.below(255)),
        );
        setBytes(mask, 'tunIpv6Src', dice.bytes(16));
      }
    }
    setField(key, 'tunFlags', dice.below(8));
    setField(mask, 'tunFlags', dice.below(8));
    if (dice.chance(0.7)) {
      field('tunId', 'tunIdHigh');
      setField(key, 'tunFlags', getField(key, 'tunFlags') | 8);
      setField(mask, 'tunFlags', getField(mask, 'tunFlags') | 8);
    }
    field('tunTtl');
    visible('tunTos', 'tunTpSrc', 'tunTpDst');
    if (dice.chance(0.2)) {
      field('tunGbpId', 'tunGbpFlags');
      setField(key, 'tunGbpId', 1 + dice.below(0xffff));
    }
    if (dice.chance(0.2)) {
      const version = 1 + dice.below(2);
      setField(key, 'tunErspanVersion', version);
      setField(mask, 'tunErspanVersion', dice.pick([0, 0xff, 3]));
      if (version === 1) field('tunErspanIndex');
      else {
        field('tunErspanDirection', 'tunErspanHardwareId');
        setField(key, 'tunErspanDirection', dice.below(2));
        setField(key, 'tunErspanHardwareId', dice.below(16));
      }
    }
    if (dice.chance(0.2)) {
      field('tunGtpuFlags', 'tunGtpuType');
      setField(key, 'tunGtpuFlags', 1 + dice.below(255));
      setField(key, 'tunGtpuType', 1 + dice.below(255));
    }
    if (dice.chance(0.7)) return undefined;
    return Array.from({ length: dice.below(4) }, () => {
      const length = 4 * dice.below(4);
      return {
        optionClass: dice.below(0x1_0000),
        optionClassMask: dice.pick([0xffff, 0xff]),
        type: dice.below(256),
        typeMask: dice.pick([0, 0xff, 0xf]),
        lengthMask: dice.pick([31, 31, 7]),
        data: dice.bytes(length),
        dataMask: dice.pick([new Uint8Array(length).fill(0xff), dice.bytes(length), new Uint8Array(length)]),
      };
    });
  }

  function randomLabels(): void {
    const labels = ['mpls0', 'mpls1', 'mpls2'] as const;
    const bottom = dice.below(4);
    for (let index = 0; index <= Math.min(bottom, 2); index++) {
      field(labels[index]);
      // A label of zero in the midst of a stack without bottom is not counted, nor printed.
      const label = (getField(key, labels[index]) | 0x1000) >>> 0;
      setField(key, labels[index], index === bottom ? (label | 0x100) >>> 0 : (label & ~0x100) >>> 0);
    }
  }

  function randomTransport(): void {
    const protocol = dice.pick([6, 17, 132, 1, 58, 2, dice.below(256)]);
    const fragment = dice.pick([0, 0, 0, FRAG_ANY, FRAG_ANY | FRAG_LATER]);
    setField(key, 'ipFrag', fragment);
    setField(mask, 'ipFrag', fragment !== 0 || dice.chance(0.7) ? FRAG_ANY | FRAG_LATER : 0);
    setField(key, 'ipProto', protocol);
    setExact(mask, 'ipProto');
    if ((fragment & FRAG_LATER) !== 0) return;
    if (protocol === 6 || protocol === 17 || protocol === 132) field('tpSrc', 'tpDst');
    if (protocol === 6) {
      field('tcpFlags');
      if (options.forVerbose && getField(mask, 'tcpFlags') === 0) setField(key, 'tcpFlags', 0);
    }
    if ((protocol === 1 && ethType === 0x0800) || (protocol === 58 && ethType === 0x86dd)) {
      const isNd = protocol === 58 && dice.chance(0.7);
      setField(key, 'tpSrc', isNd ? dice.pick([135, 136]) : dice.below(256));
      setField(key, 'tpDst', isNd ? 0 : dice.below(256));
      setField(mask, 'tpSrc', dice.pick([0xff, 0xff, 0x0f]));
      setField(mask, 'tpDst', 0xff);
      if (!isNd) return;
      if (getField(mask, 'tpSrc') !== 0xff) {
        if (options.forVerbose) setField(mask, 'tpSrc', 0xff);
        else return;
      }
      field('ndTarget', 'arpSha', 'arpTha');
      if (dice.chance(0.3)) {
        field('ndOptionsType');
        setField(key, 'ndReserved', dice.below(0xffff_ffff));
        setExact(mask, 'ndReserved');
      }
    }
  }
}
