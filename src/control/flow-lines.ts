/**
 * Flows as the lines of a dump, with what `-m` adds to them: an identifier, and how many words of Open vSwitch's own
 * representation the mask covers.
 */
import { formatActions } from '../action/text-format.js';
import type { Datapath, FlowInfo } from '../datapath/datapath.js';
import { formatFlowInfo, formatStatistics } from '../datapath/dump.js';
import { GROUPS_WORD, KEY_WORDS, anyBit, fields, getField, type FieldName, type FlowWords } from '../flow/fields.js';
import { formatFlow } from '../flow/text-format.js';
import { hashAdd, hashFinish } from '../util/hash.js';

export interface FlowLineOptions {
  /** All fields, whether they are matched or not (`-m`). */
  verbose?: boolean;
  /** Names for port numbers. Default: as `verbose`. */
  names?: boolean;
}

/** The function that names ports, if they are to be named. */
export function portNames(
  datapath: Datapath,
  { verbose, names = verbose }: FlowLineOptions,
): ((port: number) => string | undefined) | undefined {
  return names ? (number) => datapath.port(number)?.name : undefined;
}

/** The line of `dpctl/dump-flows`. */
export function formatDatapathFlow(datapath: Datapath, info: FlowInfo, options: FlowLineOptions = {}): string {
  const nowMs = datapath.clock.now();
  const format = { verbose: options.verbose, portName: portNames(datapath, options) };
  if (!options.verbose) return formatFlowInfo(info, nowMs, format);
  return (
    `${flowName(datapath, info.key)}, ${formatFlow(info, format)}, ${formatStatistics(info, nowMs)}, dp:ovs` +
    `, actions:${formatActions(info.actions, format)}, dp-extra-info:${miniflowBits(info)}`
  );
}

/**
 * The identifier of a flow, `ufid:` and 128 bits: a hash of its whole key. It is stable from run to run, and not the
 * one that Open vSwitch has, where it hangs on a random number.
 */
export function flowIdentifier(key: FlowWords): string {
  const digits = [1, 2, 3, 4].map((basis) => {
    let hash = basis;
    for (let word = 0; word < KEY_WORDS; word++) if (word !== GROUPS_WORD) hash = hashAdd(hash, key[word]);
    return (hashFinish(hash, 4 * KEY_WORDS) >>> 0).toString(16).padStart(8, '0');
  });
  return `ufid:${digits.join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}`;
}

/** Names that flows were given when they were put, by datapath: from the identifier of the key to the name. */
const givenNames = new WeakMap<Datapath, Map<string, string>>();

/** Gives the flow with that key a name, `ufid:` and 128 bits, in place of its identifier. */
export function nameFlow(datapath: Datapath, key: FlowWords, name: string): void {
  let names = givenNames.get(datapath);
  if (!names) givenNames.set(datapath, (names = new Map()));
  names.set(flowIdentifier(key), name);
}

/** The name that a flow was given, or else its identifier. */
export function flowName(datapath: Datapath, key: FlowWords): string {
  const identifier = flowIdentifier(key);
  return givenNames.get(datapath)?.get(identifier) ?? identifier;
}

/** Forgets the name of a flow that goes. */
export function forgetFlowName(datapath: Datapath, key: FlowWords): void {
  givenNames.get(datapath)?.delete(flowIdentifier(key));
}

/**
 * Where fields stand in Open vSwitch 3.1's `struct flow`, in bytes. It keeps a mask as those words of 64 bits of the
 * structure that are not zero, and tells how many of them stand in its first 64 words and how many behind. `in_port` is
 * not among them.
 */
const PLACES: Readonly<Partial<Record<FieldName, number>>> = {
  tunDst: 0,
  tunIpv6Dst: 4,
  tunSrc: 20,
  tunIpv6Src: 24,
  tunId: 40,
  tunIdHigh: 40,
  tunFlags: 48,
  tunTos: 50,
  tunTtl: 51,
  tunTpSrc: 52,
  tunTpDst: 54,
  tunGbpId: 56,
  tunGbpFlags: 58,
  tunErspanVersion: 59,
  tunErspanIndex: 60,
  tunErspanDirection: 64,
  tunErspanHardwareId: 65,
  tunGtpuFlags: 66,
  tunGtpuType: 67,
  skbPriority: 416,
  skbMark: 420,
  dpHash: 424,
  recircId: 432,
  ctState: 436,
  ctProto: 437,
  ctZone: 438,
  ctMark: 440,
  packetType: 444,
  ctLabel: 448,
  ethDst: 472,
  ethSrc: 478,
  ethType: 484,
  vlanTpid: 488,
  vlanTci: 490,
  innerVlanTpid: 492,
  innerVlanTci: 494,
  mpls0: 496,
  mpls1: 500,
  mpls2: 504,
  ipv4Src: 512,
  ipv4Dst: 516,
  ctIpv4Src: 520,
  ctIpv4Dst: 524,
  ipv6Src: 528,
  ipv6Dst: 544,
  ctIpv6Src: 560,
  ctIpv6Dst: 576,
  ipv6Label: 592,
  ipFrag: 596,
  ipTos: 597,
  ipTtl: 598,
  ipProto: 599,
  ndTarget: 600,
  arpSha: 616,
  arpTha: 622,
  tcpFlags: 628,
  ndOptionsType: 628,
  nshFlags: 632,
  nshTtl: 633,
  nshMdtype: 634,
  nshNp: 635,
  nshPath: 636,
  nshC1: 640,
  nshC2: 644,
  nshC3: 648,
  nshC4: 652,
  tpSrc: 656,
  tpDst: 658,
  ctTpSrc: 660,
  ctTpDst: 662,
  ndReserved: 664,
};
/** What every flow matches: the recirculation id, and the VLAN tag or its absence. */
const ALWAYS: readonly FieldName[] = ['recircId', 'vlanTci'];

/**
 * Words of the structure that 3.1 looks for masks in, by the type of the flow (`flow_wc_map` of its lib/flow.c): what
 * else text mentions, such as the ports of a `ct_tuple4` of something that is not IP, is in no mask.
 */
function wordsThatCount({ key }: FlowInfo): (word: number) => boolean {
  const hasTunnel = anyBit(key, 'tunDst') || anyBit(key, 'tunIpv6Dst');
  const payload = PAYLOAD_WORDS[getField(key, 'ethType')] ?? [];
  return (word) => (word < FIRST_METADATA ? hasTunnel : word < FIRST_PAYLOAD || payload.includes(word));
}
const FIRST_METADATA = PLACES.skbPriority! >> 3;
const FIRST_PAYLOAD = PLACES.mpls0! >> 3;
const MPLS_WORDS = [62, 63];
const ARP_WORDS = [64, 74, 77, 78];
const PAYLOAD_WORDS: Readonly<Record<number, readonly number[]>> = {
  0x0800: [64, 65, 74, 78, 82],
  0x86dd: [66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 82, 83],
  0x0806: ARP_WORDS,
  0x8035: ARP_WORDS,
  0x8847: MPLS_WORDS,
  0x8848: MPLS_WORDS,
  0x894f: [79, 80, 81],
};

/** `miniflow_bits(5,1)`. */
function miniflowBits(info: FlowInfo): string {
  const { mask } = info;
  const words = new Set<number>();
  for (const [name, place] of Object.entries(PLACES) as [FieldName, number][]) {
    const { at, length, order } = fields[name];
    if (ALWAYS.includes(name) || (order === 'number' && mask[at >> 2] !== 0)) words.add(place >> 3);
    if (order === 'number') continue;
    for (let index = 0; index < length; index++) {
      const byte = at + index;
      if (((mask[byte >> 2] >>> ((byte & 3) << 3)) & 0xff) !== 0) words.add((place + index) >> 3);
    }
  }
  const counted = [...words].filter(wordsThatCount(info));
  const first = counted.filter((word) => word < 64).length;
  return `miniflow_bits(${first},${counted.length - first})`;
}
