// Looking up in a table: the rule and the un-wildcarded bits, against what Open vSwitch 3.1.0 said in `ofproto/trace`.
import { describe, expect, it } from 'vitest';
import {
  FLOW_WORDS,
  FRAG_LATER,
  VLAN_PRESENT,
  anyBit,
  getField,
  setExact,
  setField,
  type FlowWords,
} from '../../src/flow/fields.js';
import { formatMatch } from '../../src/openflow/match-format.js';
import { parseExactFlow, parseFlowMod } from '../../src/openflow/parse.js';
import { createFlowTables } from '../../src/openflow/table.js';
import { recordedTraces } from './recorded-traces.js';

/** What every translation looks at, before the tables. */
function startMask(flow: FlowWords): FlowWords {
  const mask = new Int32Array(FLOW_WORDS);
  for (const name of ['recircId', 'packetType', 'ethType', 'ofInPort'] as const) setExact(mask, name);
  const ethType = getField(flow, 'ethType');
  if (ethType === 0x0800 || ethType === 0x86dd) setExact(mask, 'ipFrag');
  return mask;
}

/** What every translation does with its mask in the end, as far as it shows here. */
function finishMask(mask: FlowWords, flow: FlowWords): void {
  if (!anyBit(flow, 'vlanTci')) setField(mask, 'vlanTci', 0);
  else if (anyBit(mask, 'vlanTci')) setField(mask, 'vlanTci', getField(mask, 'vlanTci') | VLAN_PRESENT);
  const isIcmp = [1, 58].includes(getField(flow, 'ipProto'));
  const isLater = (getField(flow, 'ipFrag') & FRAG_LATER) !== 0;
  for (const name of ['tpSrc', 'tpDst'] as const) {
    if (isLater) setField(mask, name, 0);
    else if (isIcmp) setField(mask, name, getField(mask, name) & 0xff);
  }
}

describe('FlowTables.lookup', () => {
  it.each(recordedTraces.map((recorded, index) => [index, recorded] as const))(
    'agrees with recorded traces, set %i',
    (_, { rules, traces }) => {
      const tables = createFlowTables();
      for (const rule of rules) tables.apply(parseFlowMod(rule), 0);
      for (const [text, ruleText, megaflow] of traces) {
        const flow = parseExactFlow(text);
        const mask = startMask(flow);
        const rule = tables.lookup(0, flow, mask);
        finishMask(mask, flow);
        const match = rule ? formatMatch(rule) : '';
        const shown = rule ? `${match}${match === '' ? '' : ', '}priority ${rule.priority}` : 'No match.';
        expect([text, shown, formatMatch({ key: flow, mask })]).toEqual([text, ruleText, megaflow]);
      }
    },
  );

  it('takes the ports of fragments for zero, as Open vSwitch does unless it is told otherwise', () => {
    const tables = createFlowTables();
    tables.apply(parseFlowMod('priority=2,udp,tp_dst=53,actions=1'), 0);
    tables.apply(parseFlowMod('priority=1,udp,actions=2'), 0);
    const priority = (text: string): number | undefined => tables.lookup(0, parseExactFlow(text), null)?.priority;
    expect(priority('udp,udp_dst=53')).toBe(2);
    expect(priority('udp,nw_frag=first,udp_dst=53')).toBe(1);
    const flow = parseExactFlow('udp,nw_frag=first,udp_dst=53');
    tables.lookup(0, flow, null);
    expect(getField(flow, 'tpDst')).toBe(53);
  });
});
