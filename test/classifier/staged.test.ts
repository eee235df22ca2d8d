// The staged classifier: which rule it finds, against a linear search; that the bits it un-wildcards do decide it, by
// flipping all others; and how few they are, against what Open vSwitch 3.1.0 answered to `ofproto/trace`.
import { describe, expect, it } from 'vitest';
import { createStagedClassifier, type StagedRule } from '../../src/classifier/staged.js';
import {
  FLOW_WORDS,
  GROUPS_WORD,
  KEY_WORDS,
  fields,
  getField,
  setExact,
  setField,
  type FieldName,
  type FlowWords,
} from '../../src/flow/fields.js';
import { parseIpv4 } from '../../src/util/address.js';
import { MegaflowError } from '../../src/util/errors.js';
import { createRandom, type Random } from './random.js';

type Values = Partial<Record<FieldName, number | readonly [value: number, mask: number]>>;

interface NamedRule extends StagedRule {
  readonly name: string;
}

function createRule(name: string, priority: number, values: Values): NamedRule {
  const key = new Int32Array(FLOW_WORDS);
  const mask = new Int32Array(FLOW_WORDS);
  for (const [field, value] of Object.entries(values) as [FieldName, number | readonly [number, number]][]) {
    if (typeof value === 'number') {
      setField(key, field, value);
      setExact(mask, field);
    } else {
      setField(key, field, value[0]);
      setField(mask, field, value[1]);
    }
  }
  return { name, priority, key, mask };
}

function createFlow(values: Record<string, number>): FlowWords {
  const flow = new Int32Array(FLOW_WORDS);
  for (const [field, value] of Object.entries(values)) setField(flow, field as FieldName, value);
  return flow;
}

/** The fields that a mask looks at, with their masks in hexadecimal. */
function shown(mask: FlowWords): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of Object.keys(fields) as FieldName[]) {
    if (fields[name].length <= 6 && getField(mask, name) !== 0) found[name] = getField(mask, name).toString(16);
  }
  return found;
}

function lookup(
  rules: readonly NamedRule[],
  flow: FlowWords,
  prefixFields?: readonly FieldName[],
): [string | undefined, Record<string, string>] {
  const classifier = createStagedClassifier<NamedRule>({ prefixFields });
  for (const rule of rules) classifier.insert(rule);
  const wildcards = new Int32Array(FLOW_WORDS);
  const found = classifier.lookup(flow, wildcards);
  expect(classifier.lookup(flow, null)).toBe(found);
  return [found?.name, shown(wildcards)];
}

const ip = (text: string): number => parseIpv4(text);
const udp53 = createFlow({
  ofInPort: 1,
  ethType: 0x0800,
  ipProto: 17,
  ipv4Src: ip('1.1.1.2'),
  ipv4Dst: ip('10.10.10.1'),
  tpSrc: 4321,
  tpDst: 53,
});

describe('what is un-wildcarded', () => {
  it('is nothing by an empty table and a rule that matches all', () => {
    expect(lookup([], udp53)).toEqual([undefined, {}]);
    expect(lookup([createRule('all', 0, {})], udp53)).toEqual(['all', {}]);
  });

  it('is the whole mask of a rule that matches', () => {
    expect(lookup([createRule('dns', 1, { ethType: 0x0800, ipProto: 17, tpDst: 53 })], udp53)).toEqual([
      'dns',
      { ethType: 'ffff', ipProto: 'ff', tpDst: 'ffff' },
    ]);
  });

  it('ends with the stage that failed', () => {
    const rule = { ofInPort: 1, ethDst: 1, ethType: 0x0800, ipProto: 17, tpDst: 53 };
    const failing = (values: Values): Record<string, string> =>
      lookup([createRule('no', 1, { ...rule, ...values })], udp53)[1];
    const none = { ofInPort: 'ffffffff' };
    expect(failing({ ofInPort: 2 })).toEqual(none);
    expect(failing({})).toEqual({ ...none, ethDst: 'ffffffffffff', ethType: 'ffff' });
    expect(failing({ ethDst: 0, ipProto: 6 })).toEqual({
      ...none,
      ethDst: 'ffffffffffff',
      ethType: 'ffff',
      ipProto: 'ff',
    });
  });

  it('is, of the ports, the leading bits that no rule has', () => {
    // 8472 is 0010 0001 0001 1000 and 53 is 0000 0000 0011 0101: the third bit differs. Observed with 3.1.0:
    // udp(dst=53/0xe000).
    const listener = createRule('vxlan', 1, { ethType: 0x0800, ipProto: 17, tpDst: 8472 });
    expect(lookup([listener], udp53, [])).toEqual([undefined, { ethType: 'ffff', ipProto: 'ff', tpDst: 'e000' }]);
    // With both ports masked the trie begins with the source port: 4321 is 0001..., 8080 is 0001 1111...: bit 5
    // differs.
    const both = createRule('both', 1, { ethType: 0x0800, ipProto: 17, tpSrc: 8080, tpDst: 8472 });
    expect(lookup([both], udp53, [])[1]).toEqual({ ethType: 'ffff', ipProto: 'ff', tpSrc: 'f800' });
  });

  it('is, with the ports, all else of the last stage', () => {
    // 3.1.0, trace of in_port=1,tcp,tp_dst=443,tcp_flags=ack against this rule: tp_dst=0x100/0xff00,tcp_flags=-syn.
    const rule = createRule('syn', 10, { ethType: 0x0800, ipProto: 6, tpDst: 80, tcpFlags: [2, 2] });
    const flow = createFlow({ ethType: 0x0800, ipProto: 6, tpDst: 443, tcpFlags: 0x10 });
    expect(lookup([rule], flow)).toEqual([undefined, { ethType: 'ffff', ipProto: 'ff', tpDst: 'ff00', tcpFlags: '2' }]);
  });

  it('keeps port bits that were set before', () => {
    const classifier = createStagedClassifier<NamedRule>();
    classifier.insert(createRule('vxlan', 1, { ethType: 0x0800, ipProto: 17, tpDst: 8472 }));
    const wildcards = new Int32Array(FLOW_WORDS);
    setExact(wildcards, 'tpSrc');
    setField(wildcards, 'tpDst', 1);
    classifier.lookup(udp53, wildcards);
    expect(shown(wildcards)).toMatchObject({ tpSrc: 'ffff', tpDst: 'e001' });
  });

  it('is a prefix, if the table has no rule for the address', () => {
    // 10.10.10.1 and 172.16.1.0/24 differ in the first bit; nothing of the subtable's other stages was looked at.
    const rule = createRule('net', 1, {
      ofInPort: 1,
      ethType: 0x0800,
      ipv4Dst: [ip('172.16.1.0'), ip('255.255.255.0')],
      ipProto: 6,
    });
    expect(lookup([rule], udp53)).toEqual([undefined, { ofInPort: 'ffffffff', ethType: 'ffff', ipv4Dst: '80000000' }]);
    expect(lookup([rule], udp53, [])[1]).toEqual({
      ofInPort: 'ffffffff',
      ethType: 'ffff',
      ipv4Dst: 'ffffff00',
      ipProto: 'ff',
    });
  });

  it('is no prefix longer than the mask itself would be', () => {
    // For 10.10.10.0/32 the trie needs 32 bits to tell 10.10.10.1 from it, but that rule fails at the port already.
    const long = createRule('long', 1, { ofInPort: 2, ethType: 0x0800, ipv4Dst: ip('10.10.10.0') });
    const short = createRule('short', 2, { ethType: 0x0800, ipv4Dst: [ip('11.0.0.0'), ip('255.0.0.0')] });
    const expected = { ofInPort: 'ffffffff', ethType: 'ffff', ipv4Dst: 'ff000000' };
    expect(lookup([long, short], udp53)[1]).toEqual(expected);
    // Where these bits are exact already, the trie's word is taken, and the last stages are not looked at.
    const all = createRule('all', 3, { ethType: 0x0800, ipv4Dst: ip('10.10.10.1'), ipProto: 6 });
    const port = createRule('port', 2, { ethType: 0x0800, ipv4Dst: [ip('11.0.0.0'), ip('255.0.0.0')], tpDst: 1 });
    expect(lookup([all, long, port], udp53)[1]).toEqual({
      ofInPort: 'ffffffff',
      ethType: 'ffff',
      ipv4Dst: 'ffffffff',
      ipProto: 'ff',
    });
  });

  it('knows nothing of prefixes where the field means something else', () => {
    const arp = createFlow({ ethType: 0x0806, ipProto: 1, ipv4Dst: ip('10.10.10.1') });
    const rule = createRule('net', 1, { ipv4Dst: [ip('172.16.0.0'), ip('255.255.0.0')] });
    expect(lookup([rule], arp)[1]).toEqual({ ipv4Dst: 'ffff0000' });
  });

  it('stops where no better rule can be', () => {
    const rules = [
      createRule('first', 5, { ofInPort: 1 }),
      createRule('second', 5, { ethType: 0x0800 }),
      createRule('third', 4, { ipProto: 17 }),
    ];
    expect(lookup(rules, udp53)).toEqual(['first', { ofInPort: 'ffffffff' }]);
  });
});

describe('createStagedClassifier', () => {
  it('keeps rules of one match by priority, and gives the place of an equal one to the next', () => {
    const classifier = createStagedClassifier<NamedRule>();
    const rules = [3, 7, 5].map((priority) => createRule(`p${priority}`, priority, { ofInPort: 1 }));
    const flow = createFlow({ ofInPort: 1 });
    for (const rule of rules) expect(classifier.insert(rule)).toBeUndefined();
    expect(classifier.lookup(flow, null)?.name).toBe('p7');
    const other = createRule('other', 7, { ofInPort: 1 });
    expect(classifier.insert(other)).toBe(rules[1]);
    expect(classifier.size).toBe(3);
    expect(Array.from(classifier, (rule) => rule.name)).toEqual(['p3', 'other', 'p5']);
    expect(classifier.remove(rules[1])).toBe(false);
    expect(classifier.remove(other)).toBe(true);
    expect(classifier.lookup(flow, null)?.name).toBe('p5');
    expect(classifier.find(flow, rules[0].mask, 3)).toBe(rules[0]);
    expect(classifier.find(flow, rules[0].mask, 7)).toBeUndefined();
    expect(classifier.find(flow, new Int32Array(FLOW_WORDS), 3)).toBeUndefined();
  });

  it('is iterated by the highest priority of subtables', () => {
    const classifier = createStagedClassifier<NamedRule>();
    const low = createRule('low', 1, { ofInPort: 1 });
    const high = createRule('high', 9, { ofInPort: 2 });
    for (const rule of [low, createRule('middle', 5, { ethType: 1 }), high]) classifier.insert(rule);
    expect(Array.from(classifier, (rule) => rule.name)).toEqual(['low', 'high', 'middle']);
    classifier.remove(high);
    expect(Array.from(classifier, (rule) => rule.name)).toEqual(['middle', 'low']);
    classifier.remove(low);
    expect(Array.from(classifier, (rule) => rule.name)).toEqual(['middle']);
  });

  it('takes keys and masks of a datapath', () => {
    const classifier = createStagedClassifier<StagedRule>({ prefixFields: [] });
    const key = new Int32Array(KEY_WORDS);
    const mask = new Int32Array(KEY_WORDS);
    setField(key, 'tpDst', 4789);
    setExact(mask, 'tpDst');
    const rule = { key, mask, priority: 0 };
    classifier.insert(rule);
    expect(classifier.lookup(createFlow({ tpDst: 4789, reg15: 3 }), new Int32Array(FLOW_WORDS))).toBe(rule);
  });

  it('refuses a prefix field that is no address', () => {
    expect(() => createStagedClassifier({ prefixFields: ['tpDst'] })).toThrow(MegaflowError);
  });
});

// Small worlds, so that rules overlap, prefixes nest and stages fail at each step.
const addresses = ['10.0.0.1', '10.0.0.2', '10.0.1.1', '10.128.0.1', '11.0.0.1', '192.168.0.1'].map(ip);
const choices: Partial<Record<FieldName, readonly number[]>> = {
  ofInPort: [1, 2],
  reg3: [0, 7],
  tunId: [0, 5],
  ethDst: [1, 2, 0xffffffffffff],
  vlanTci: [0, 0x100a, 0x300a],
  ipProto: [6, 17],
  ipTos: [0, 3, 0xb8],
  tpSrc: [53, 1000],
  tpDst: [53, 80, 443, 8472],
  tcpFlags: [2, 0x10, 0x12],
  mpls0: [0, 0x140],
};

function randomFlow(random: Random): FlowWords {
  const flow = new Int32Array(FLOW_WORDS);
  for (const [name, values] of Object.entries(choices)) setField(flow, name as FieldName, random.pick(values));
  const isIpv6 = random.below(4) === 0;
  setField(flow, 'ethType', isIpv6 ? 0x86dd : random.pick([0x0800, 0x0800, 0x0806]));
  setField(flow, 'ipv4Src', random.pick(addresses));
  setField(flow, 'ipv4Dst', random.pick(addresses));
  for (let word = 30; word < 38; word++) flow[word] = random.pick([0, 0x80fe, 0x01000000]);
  return flow;
}

function randomRule(random: Random, number: number): NamedRule {
  const key = randomFlow(random);
  const mask = new Int32Array(FLOW_WORDS);
  for (const name of Object.keys(choices) as FieldName[]) {
    const how = random.below(6);
    if (how === 0) setExact(mask, name);
    else if (how === 1) setField(mask, name, random.word() & 0xff);
  }
  if (random.below(2) === 0) setExact(mask, 'ethType');
  for (const name of ['ipv4Src', 'ipv4Dst'] as const) {
    const how = random.below(4);
    if (how === 0) setField(mask, name, (-1 << random.pick([0, 8, 23, 24, 30])) >>> 0);
    else if (how === 1) setField(mask, name, random.word() >>> 0);
  }
  if (random.below(4) === 0) {
    for (let word = 0; word < random.below(5); word++) mask[34 + word] = -1;
    if (random.below(2) === 0) mask[34] = 0xffff;
  }
  for (let word = 0; word < FLOW_WORDS; word++) key[word] &= mask[word];
  return { name: `rule ${number}`, priority: random.below(8), key, mask };
}

function matches(rule: StagedRule, flow: FlowWords): boolean {
  return rule.key.every((value, word) => word === GROUPS_WORD || ((value ^ flow[word]) & rule.mask[word]) === 0);
}

describe('at random', () => {
  it.each([
    [11, 3, undefined],
    [12, 10, undefined],
    [13, 40, undefined],
    [14, 40, [] as FieldName[]],
    [15, 25, ['ipv6Dst', 'ipv6Src', 'ipv4Src'] as FieldName[]],
    [16, 100, ['ipv4Src', 'ipv4Dst', 'ipv6Dst'] as FieldName[]],
  ])(
    'finds what a linear search finds, and no other bit decides it; seed %i, about %i rules',
    (seed, count, prefixFields) => {
      const random = createRandom(seed);
      const classifier = createStagedClassifier<NamedRule>({ prefixFields });
      const rules: NamedRule[] = [];
      const best = (flow: FlowWords): number =>
        Math.max(-1, ...rules.filter((rule) => matches(rule, flow)).map((rule) => rule.priority));
      let probes = 0;
      const wrong: string[] = [];
      for (let round = 0; round < 300; round++) {
        if (rules.length < count || random.below(2) === 0) {
          const rule = randomRule(random, round);
          const old = classifier.insert(rule);
          if (old) rules.splice(rules.indexOf(old), 1);
          rules.push(rule);
        } else {
          const [rule] = rules.splice(random.below(rules.length), 1);
          expect(classifier.find(rule.key, rule.mask, rule.priority)).toBe(rule);
          expect(classifier.remove(rule)).toBe(true);
          expect(classifier.find(rule.key, rule.mask, rule.priority)).toBeUndefined();
        }
        expect(classifier.size).toBe(rules.length);
        expect(new Set(classifier)).toEqual(new Set(rules));
        for (let probe = 0; probe < 4; probe++) {
          const flow = randomFlow(random);
          const wildcards = new Int32Array(FLOW_WORDS);
          setExact(wildcards, 'ethType');
          const found = classifier.lookup(flow, wildcards);
          expect(found?.priority ?? -1).toBe(best(flow));
          if (found) expect(matches(found, flow)).toBe(true);
          for (let flip = 0; flip < 12; flip++) {
            const other = flow.slice();
            const from =
              random.below(2) === 0 ? randomFlow(random) : Int32Array.from({ length: FLOW_WORDS }, () => random.word());
            for (let word = 0; word < FLOW_WORDS; word++) other[word] ^= (other[word] ^ from[word]) & ~wildcards[word];
            if (classifier.lookup(other, null) !== found) wrong.push(`round ${round}: other fields`);
            probes++;
          }
          for (let flip = 0; flip < 40; flip++) {
            const word = random.below(FLOW_WORDS);
            const other = flow.slice();
            other[word] ^= (1 << random.below(32)) & ~wildcards[word];
            if (classifier.lookup(other, null) !== found) wrong.push(`round ${round}: word ${word}`);
          }
        }
      }
      expect(wrong).toEqual([]);
      expect(probes).toBe(300 * 4 * 12);
      for (const rule of rules) classifier.remove(rule);
      expect(classifier.size).toBe(0);
      const wildcards = new Int32Array(FLOW_WORDS);
      expect(classifier.lookup(randomFlow(random), wildcards)).toBeUndefined();
      expect(wildcards.every((word) => word === 0)).toBe(true);
    },
  );
});
