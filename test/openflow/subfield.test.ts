// Parts of fields in the words of a flow: reading what was written, touching nothing else, and what fields need.
import { describe, expect, it } from 'vitest';
import { FLOW_WORDS, getField, setField, type FieldName } from '../../src/flow/fields.js';
import { fieldOfAnyName, fieldOfName, openFlowFields } from '../../src/openflow/field-names.js';
import { parseExactFlow } from '../../src/openflow/parse.js';
import {
  formatSubfield,
  hasPrerequisites,
  maskSubfield,
  parseSubfield,
  readField,
  readSubfield,
  writeField,
  writeSubfield,
} from '../../src/openflow/subfield.js';
import { ones } from '../../src/openflow/value.js';
import { createRandom } from '../classifier/random.js';

function randomWords(seed: number): Int32Array {
  const random = createRandom(seed);
  return Int32Array.from({ length: FLOW_WORDS }, () => random.word());
}

/** Bits of a field that a flow has no place for. */
const missing: Readonly<Record<string, bigint>> = { nw_tos: 3n, arp_op: 0xff00n };

describe('fields', () => {
  it('are as wide as their parts', () => {
    for (const field of openFlowFields)
      expect([field.name, field.parts.reduce((bits, part) => bits + part.bits, 0)]).toEqual([field.name, field.bits]);
  });

  it('are found by each of their names', () => {
    const names = ['eth_dst', 'dl_dst', 'NXM_OF_ETH_DST', 'OXM_OF_ETH_DST'];
    expect(names.map((name) => fieldOfAnyName(name)?.name)).toEqual(['eth_dst', 'eth_dst', 'eth_dst', 'eth_dst']);
    expect(fieldOfName('NXM_OF_ETH_DST')).toBeUndefined();
    expect(fieldOfAnyName('constructor')).toBeUndefined();
  });

  it.each(openFlowFields.map((field) => [field.name, field] as const))(
    '%s: what is written is read, and nothing else changes',
    (name, field) => {
      const random = createRandom(field.bits);
      const there = ones(field.bits) & ~(missing[name] ?? 0n);
      for (const seed of [1, 2, 3]) {
        const words = randomWords(seed);
        const before = words.slice();
        let value = 0n;
        for (let bits = 0; bits < field.bits; bits += 32) value = (value << 32n) | BigInt(random.word() >>> 0);
        value &= ones(field.bits);
        const mask = (value * 0x9e3779b97f4a7c15n) & ones(field.bits);
        const old = readField(words, field);
        writeField(words, field, value, mask);
        expect(readField(words, field)).toBe(((old & ~mask) | (value & mask)) & there);
        writeField(words, field, old);
        expect(Array.from(words)).toEqual(Array.from(before));
      }
    },
  );
});

describe('subfields', () => {
  it.each([
    ['reg0', 0, 32, 'NXM_NX_REG0[]'],
    ['reg0[]', 0, 32, 'NXM_NX_REG0[]'],
    ['reg0[3]', 3, 1, 'NXM_NX_REG0[3]'],
    ['reg0[0..31]', 0, 32, 'NXM_NX_REG0[]'],
    ['xxreg1[64..127]', 64, 64, 'NXM_NX_XXREG1[64..127]'],
    ['vlan_tci[13..15]', 13, 3, 'NXM_OF_VLAN_TCI[13..15]'],
  ])('%s is %i and %i bits', (text, offset, bits, printed) => {
    const subfield = parseSubfield(text);
    expect([subfield.offset, subfield.bits, formatSubfield(subfield)]).toEqual([offset, bits, printed]);
  });

  it('lie where the fields of a flow have them', () => {
    const words = new Int32Array(FLOW_WORDS);
    writeSubfield(words, parseSubfield('xreg1[32..39]'), 0xabn); // The upper half of xreg1 is reg2.
    writeSubfield(words, parseSubfield('ipv6_dst[112..127]'), 0xfd00n);
    writeSubfield(words, parseSubfield('tun_id[32..63]'), 7n);
    writeSubfield(words, parseSubfield('vlan_pcp'), 5n);
    writeSubfield(words, parseSubfield('nw_tos[2..7]'), 0x2en);
    const found = (name: FieldName): number => getField(words, name);
    expect([
      found('reg2'),
      found('reg3'),
      found('tunIdHigh'),
      found('tunId'),
      found('vlanTci'),
      found('ipTos'),
    ]).toEqual([0xab, 0, 7, 0, 0xa000, 0xb8]);
    expect(readSubfield(words, parseSubfield('ipv6_dst[120..127]'))).toBe(0xfdn);
    const mask = new Int32Array(FLOW_WORDS);
    maskSubfield(mask, parseSubfield('eth_src[0..7]'));
    expect(getField(mask, 'ethSrc')).toBe(0xff);
  });
});

describe('hasPrerequisites', () => {
  it.each([
    ['tcp', 'tcp', true, 'ipProto'],
    ['tcp', 'udp', false, 'ipProto'],
    ['tcp', 'arp', false, undefined],
    ['tcp', 'tcp,nw_frag=later', false, 'ipProto'],
    ['ipv4', 'ip', true, undefined],
    ['ip', 'ipv6', true, undefined],
    ['arp', 'rarp', true, undefined],
    ['vlan', 'dl_vlan=5', true, 'vlanTci'],
    ['vlan', 'ip', false, 'vlanTci'],
    ['mpls', 'mplsm', true, undefined],
    ['nd_solicit', 'icmp6,icmpv6_type=135', true, 'tpSrc'],
    ['nd_advert', 'icmp6,icmpv6_type=135', false, 'tpSrc'],
    ['nd', 'icmp6,icmpv6_type=136,icmpv6_code=1', false, 'tpDst'],
    ['icmp', 'icmp', true, 'ipProto'],
    ['icmpv6', 'icmp', false, undefined],
  ] as const)('%s of %s: %s', (needs, text, answer, looked) => {
    const wildcards = new Int32Array(FLOW_WORDS);
    expect(hasPrerequisites(needs, parseExactFlow(text), wildcards)).toBe(answer);
    if (looked === undefined) expect(wildcards.every((bits) => bits === 0)).toBe(true);
    else expect(getField(wildcards, looked)).not.toBe(0);
  });

  it('asks for Ethernet where packets are something else', () => {
    const flow = new Int32Array(FLOW_WORDS);
    expect(hasPrerequisites('ethernet', flow)).toBe(true);
    setField(flow, 'packetType', 0x1_0800);
    expect(hasPrerequisites('ethernet', flow)).toBe(false);
  });
});
