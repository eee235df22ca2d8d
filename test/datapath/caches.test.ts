// Caches change nothing but speed: the same traffic, with flows that come, change and go under it, through datapaths with
// caches of every size and one without, must leave the same frames, the same counters and no slot behind.
import { expect, it } from 'vitest';
import { parseActions } from '../../src/action/text-parse.js';
import type { FieldName, FlowWords } from '../../src/flow/fields.js';
import { getField } from '../../src/flow/fields.js';
import { randomFrame } from '../flow/random-frame.js';
import { randomFrom, seed } from '../wire/contract.js';
import { createBench, decision, udp, type Bench, type Decide } from './bench.js';

const HEADER =
  'header(size=50,type=4,eth(dst=46:a3:4e:39:12:4e,src=3a:74:f7:8c:f3:4e,dl_type=0x0800),' +
  'ipv4(src=10.10.10.1,dst=10.10.10.2,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=8472,csum=0x0),' +
  'vxlan(flags=0x8000000,vni=0x7))';
const LISTS = [
  '2',
  '3',
  'drop',
  'push_vlan(vid=5,pcp=0),2,pop_vlan,3',
  `clone(tnl_push(tnl_port(4),${HEADER},out_port(3)),2),4`,
  `tnl_push(tnl_port(4),${HEADER},out_port(3)),tnl_pop(3)`,
  'recirc(1)',
  '2,recirc(2),3',
  'set(eth(src=02:00:00:00:00:77)),4',
  'trunc(30),2,3',
  'check_pkt_len(size=70,gt(2),le(3)),4',
];
const FIELDS: FieldName[] = [
  'ethSrc',
  'ethType',
  'ipProto',
  'ipv4Src',
  'tpSrc',
  'vlanTci',
  'ipv6Src',
  'arpSha',
  'tunId',
  'ipFrag',
];

/** A decision that hangs on the key under its mask alone. */
const decide: Decide = (key: FlowWords) => {
  const inPort = getField(key, 'inPort');
  const recircId = getField(key, 'recircId');
  const type = getField(key, 'ethType');
  const fields = FIELDS.filter((_, index) => ((type * 7 + recircId) >> index % 5) & 1);
  const choice = fields.reduce(
    (sum, name) => sum + (name === 'ipv6Src' ? key[33] & 0xff : getField(key, name) % 251),
    inPort + 3 * recircId,
  );
  if (choice % 17 === 0) return null;
  const text = LISTS[recircId > 2 ? choice % 4 : choice % LISTS.length];
  return decision(text, 'ethType', 'vlanTci', ...fields);
};

it(`without caches and with them, the same happens (seed ${seed})`, { timeout: 120_000 }, () => {
  const sizes = [0, 64, 8192];
  const benches = sizes.map((exactMatchEntries) => createBench(decide, { exactMatchEntries, seed: 5 }));
  const random = randomFrom(seed);
  const frames = Array.from({ length: 300 }, (_, index) =>
    index % 3 === 0 ? udp(1 + (index % 40), 9) : randomFrame(random),
  );
  const each = (act: (bench: Bench) => unknown): void => {
    const [expected, ...others] = benches.map(act);
    for (const other of others) expect(other).toEqual(expected);
  };
  const state = ({ datapath }: Bench): unknown =>
    datapath.flowNumbers().map((flow) => {
      const { key, mask, ...rest } = datapath.flow(flow);
      return { key: key.join(), mask: mask.join(), text: datapath.flowActionsText(flow), ...rest, actions: undefined };
    });
  for (let round = 0; round < 600; round++) {
    for (let count = random(70); count > 0; count--) {
      // Few frames, often: some are in the caches, and some are not any more.
      const one = frames[random(random(3) === 0 ? frames.length : 30)];
      const port = 1 + random(2);
      for (const bench of benches) bench.receive(port, one);
    }
    each((bench) => {
      bench.clock.advance(10);
      return bench.take();
    });
    const kind = random(10);
    const pick = random(1000);
    each(({ datapath }) => {
      const numbers = datapath.flowNumbers();
      const flow = numbers[pick % numbers.length];
      if (flow === undefined) return undefined;
      if (kind === 0) datapath.deleteFlow(flow);
      else if (kind === 1) datapath.modifyFlow(flow, parseActions(LISTS[pick % 2]));
      else if (kind === 2 && pick < 100) datapath.deleteAllFlows();
      return numbers;
    });
    each(({ datapath }) => [datapath.statistics(), datapath.pool.available]);
    if (round % 20 === 0) each(state);
  }
  each(state);
  each(({ datapath }) =>
    datapath.ports().map(({ rxPackets, rxBytes, txPackets, txBytes }) => [rxPackets, rxBytes, txPackets, txBytes]),
  );
  const { hit, missed, lost } = benches[0].datapath.statistics();
  expect(Math.min(hit, missed, lost)).toBeGreaterThan(50);
  for (const bench of benches) bench.close();
});
