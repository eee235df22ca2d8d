// Flows from their text and back: against what Open vSwitch 3.1.0 printed and refused, and at random.
import { describe, expect, it } from 'vitest';
import { formatRule } from '../../src/openflow/format.js';
import { parseGroup } from '../../src/openflow/group.js';
import { formatFlow } from '../../src/openflow/match-format.js';
import { parseExactFlow, parseFlowMod, parseFlows } from '../../src/openflow/parse.js';
import { createFlowTables } from '../../src/openflow/table.js';
import { MegaflowError } from '../../src/util/errors.js';
import { createRandom } from '../classifier/random.js';
import { randomFlowText, randomNonsense } from './random-flow.js';
import { recordedFlows, recordedRefusals } from './recorded.js';

const ports = { portNumber: (name: string) => (/^p[123]$/.test(name) ? Number(name[1]) : undefined) };

/** The line of a flow in a table of its own. */
function line(text: string): string {
  const tables = createFlowTables();
  tables.apply(parseFlowMod(text, 'add', ports), 0);
  return Array.from(tables.rules(), (rule) => formatRule(rule, 0)).join('\n');
}

function brief(text: string): string {
  return text.replace(/(cookie=0x0|table=0|duration=0s|n_packets=0|n_bytes=0|idle_age=0), /g, '').trim();
}

function refusalOf(parse: () => unknown): MegaflowError {
  try {
    parse();
  } catch (error) {
    if (error instanceof MegaflowError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

describe('parseFlowMod', () => {
  it.each(recordedFlows)('takes %s', (given, printed) => {
    expect(brief(line(given))).toBe(printed);
  });

  it.each(recordedRefusals)('refuses %s', (given, message) => {
    const error = refusalOf(() => parseFlowMod(given, 'add', ports));
    expect([error.code, error.message]).toEqual(['bad-flow-text', message]);
  });

  // As `ovs-ofctl parse-flow` of 3.1.0 does.
  it('refuses ports of later fragments, which have none, and takes types of ICMP', () => {
    for (const fields of [
      'tcp,nw_frag=later,tp_dst=80',
      'sctp,ip_frag=later,tp_src=5',
      'tcp,ip_frag=later,tcp_flags=+ack',
    ])
      expect(refusalOf(() => parseFlowMod(`${fields},actions=1`)).message).toContain('OFPBMC_BAD_PREREQ');
    for (const fields of ['tcp,nw_frag=later', 'icmp,nw_frag=later,icmp_type=8', 'icmp6,nw_frag=later,icmp_type=128'])
      expect(brief(line(`${fields},actions=1`))).toBe(`${fields} actions=output:1`);
  });

  it('says which actions it does not know', () => {
    expect(refusalOf(() => parseFlowMod('actions=ct(commit)')).code).toBe('unsupported-action');
    expect(refusalOf(() => parseFlowMod('actions=write_actions(output:1)')).code).toBe('unsupported-action');
  });

  it('reads options of each command, and refuses those of others', () => {
    expect(parseFlowMod('table=3,cookie=0x5/0xf,out_port=LOCAL,out_group=7,tcp', 'delete')).toMatchObject({
      table: 3,
      cookieMatch: { value: 5n, mask: 15n },
      outPort: 0xfffe,
      outGroup: 7,
      actions: [],
    });
    expect(parseFlowMod('priority=7,in_port=1', 'delete_strict').priority).toBe(7);
    expect(parseFlowMod('cookie=1/-1,cookie=2,actions=normal', 'modify')).toMatchObject({
      cookie: 2n,
      cookieMatch: { value: 1n, mask: 2n ** 64n - 1n },
    });
    for (const [text, command, message] of [
      ['priority=7', 'delete', 'unknown keyword priority'],
      ['actions=drop', 'delete', 'unknown keyword actions'],
      ['cookie=5', 'delete', 'cannot set cookie (to match on a cookie, specify a mask, e.g. cookie=5/-1)'],
      ['out_port=1,actions=drop', 'add', 'unknown keyword out_port'],
      ['importance=1,actions=drop', 'modify', 'unknown keyword importance'],
    ] as const) {
      expect(refusalOf(() => parseFlowMod(text, command)).message).toBe(message);
    }
  });

  it('reads what it prints as the same, at random', () => {
    const random = createRandom(21);
    for (let round = 0; round < 1000; round++) {
      const text = randomFlowText(random);
      const first = line(text);
      expect(line(first), text).toBe(first);
    }
  });

  it('answers nonsense with a MegaflowError or a flow, never otherwise', () => {
    const random = createRandom(22);
    let refused = 0;
    for (let round = 0; round < 6000; round++) {
      const text = randomNonsense(random);
      for (const parse of [
        () => line(text),
        () => parseFlowMod(text, 'delete', ports),
        () => parseExactFlow(text, ports),
        () => parseGroup(text, ports),
      ]) {
        try {
          parse();
        } catch (error) {
          if (!(error instanceof MegaflowError))
            throw new Error(`seed 22, round ${round}: ${JSON.stringify(text)}`, { cause: error });
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(12_000);
  });
});

describe('parseFlows', () => {
  it('reads a flow a line, without comments', () => {
    const mods = parseFlows('# first\npriority=1,ip,actions=1\n\n  priority=2,arp,actions=2 # second\n');
    expect(mods.map(({ priority }) => priority)).toEqual([1, 2]);
  });
});

describe('parseExactFlow', () => {
  // `Flow:` lines of ofproto/trace of Open vSwitch 3.1.0 for these arguments.
  const udp4 = 'vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=0.0.0.0,nw_dst=1.2.3.4';
  it.each([
    [
      'in_port=1,tcp,tp_dst=443,tcp_flags=ack',
      'tcp,in_port=1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00,nw_src=0.0.0.0,nw_dst=0.0.0.0,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,tp_src=0,tp_dst=443,tcp_flags=ack',
    ],
    [
      'in_port=LOCAL,udp,nw_dst=1.2.3.4,nw_ttl=64',
      `udp,in_port=LOCAL,${udp4},nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=no,tp_src=0,tp_dst=0`,
    ],
  ])('prints %s as trace does', (given, printed) => {
    expect(formatFlow(parseExactFlow(given))).toBe(printed);
  });

  it('has a port that is none where none is said', () => {
    expect(formatFlow(parseExactFlow('arp'))).toContain('in_port=ANY');
  });

  it('refuses fields without what they need, and fields said twice', () => {
    const messageOf = (text: string): string => refusalOf(() => parseExactFlow(text)).message;
    expect(messageOf('nw_dst=1.2.3.4,ip')).toBe('nw_dst=1.2.3.4,ip: prerequisites not met for setting nw_dst');
    expect(messageOf('in_port=1,in_port=2')).toBe('in_port=1,in_port=2: field in_port set multiple times');
    expect(messageOf('foo=1')).toBe('foo=1: unknown field foo');
  });
});
