/**
 * The four stages of a staged look-up: which fields are looked at first. They follow the segments of Open vSwitch's
 * `struct flow` (include/openvswitch/flow.h): metadata, L2, L3, L4. A look-up that fails early has looked at few
 * fields.
 */
import { FLOW_WORDS, GROUPS_WORD, fields, type FieldName, type FlowWords } from '../flow/fields.js';

export const Stage = { metadata: 0, l2: 1, l3: 2, l4: 3 } as const;

type StageNumber = (typeof Stage)[keyof typeof Stage];

const { metadata, l2, l3, l4 } = Stage;

/** The stage of each field. */
export const fieldStages = {
  inPort: metadata,
  ofInPort: metadata,
  recircId: metadata,
  tunSrc: metadata,
  tunDst: metadata,
  tunId: metadata,
  tunIdHigh: metadata,
  tunFlags: metadata,
  tunTos: metadata,
  tunTtl: metadata,
  tunTpSrc: metadata,
  tunTpDst: metadata,
  tunIpv6Src: metadata,
  tunIpv6Dst: metadata,
  tunGbpId: metadata,
  tunGbpFlags: metadata,
  tunErspanVersion: metadata,
  tunErspanDirection: metadata,
  tunErspanHardwareId: metadata,
  tunErspanIndex: metadata,
  tunGtpuFlags: metadata,
  tunGtpuType: metadata,
  packetType: metadata,
  skbPriority: metadata,
  skbMark: metadata,
  dpHash: metadata,
  ctState: metadata,
  ctZone: metadata,
  ctMark: metadata,
  ctLabel: metadata,
  ctProto: metadata,
  metadataHigh: metadata,
  metadataLow: metadata,
  reg0: metadata,
  reg1: metadata,
  reg2: metadata,
  reg3: metadata,
  reg4: metadata,
  reg5: metadata,
  reg6: metadata,
  reg7: metadata,
  reg8: metadata,
  reg9: metadata,
  reg10: metadata,
  reg11: metadata,
  reg12: metadata,
  reg13: metadata,
  reg14: metadata,
  reg15: metadata,

  ethDst: l2,
  ethSrc: l2,
  ethType: l2,
  vlanTci: l2,
  vlanTpid: l2,
  innerVlanTpid: l2,
  innerVlanTci: l2,
  mpls0: l2,
  mpls1: l2,
  mpls2: l2,

  ipv4Src: l3,
  ipv4Dst: l3,
  ipv6Src: l3,
  ipv6Dst: l3,
  ipv6Label: l3,
  ipFrag: l3,
  ipTos: l3,
  ipTtl: l3,
  ipProto: l3,
  ctIpv4Src: l3,
  ctIpv4Dst: l3,
  ctIpv6Src: l3,
  ctIpv6Dst: l3,

  ndTarget: l4,
  ndReserved: l4,
  ndOptionsType: l4,
  arpSha: l4,
  arpTha: l4,
  tcpFlags: l4,
  nshFlags: l4,
  nshTtl: l4,
  nshMdtype: l4,
  nshNp: l4,
  nshPath: l4,
  nshC1: l4,
  nshC2: l4,
  nshC3: l4,
  nshC4: l4,
  tpSrc: l4,
  tpDst: l4,
  ctTpSrc: l4,
  ctTpDst: l4,
} as const satisfies Record<FieldName, StageNumber>;

/** For each stage, the bits of a flow that belong to it. Bits that no field claims are in none. */
const stageBits: readonly Int32Array[] = [metadata, l2, l3, l4].map((stage) => {
  const bits = new Int32Array(FLOW_WORDS);
  for (const name of Object.keys(fields) as FieldName[]) {
    if (fieldStages[name] !== stage) continue;
    const { at, length } = fields[name];
    for (let byte = at; byte < at + length; byte++) bits[byte >> 2] |= 0xff << ((byte & 3) << 3);
  }
  bits[GROUPS_WORD] = 0;
  return bits;
});

/** The part of a mask that one stage looks at: words of the flow, ascending, and the bits in them. */
export interface MaskPart {
  readonly stage: StageNumber;
  readonly words: Int32Array;
  readonly bits: Int32Array;
}

/** A mask by stages; stages that look at nothing are left out. */
export function splitMask(mask: FlowWords): MaskPart[] {
  const words: number[][] = [[], [], [], []];
  const bits: number[][] = [[], [], [], []];
  const end = Math.min(mask.length, FLOW_WORDS);
  for (let word = 0; word < end; word++) {
    if (mask[word] === 0) continue;
    for (let stage: number = metadata; stage <= l4; stage++) {
      const part = mask[word] & stageBits[stage][word];
      if (part === 0) continue;
      words[stage].push(word);
      bits[stage].push(part);
    }
  }
  return [metadata, l2, l3, l4]
    .filter((stage) => words[stage].length > 0)
    .map((stage) => ({ stage, words: Int32Array.from(words[stage]), bits: Int32Array.from(bits[stage]) }));
}
