// Two datapaths in one process share nothing: what one is given, told and asked in the midst of the other's work leaves no trace there.
import { describe, expect, it } from 'vitest';
import { Datapath } from '../../src/datapath/datapath.js';
import { formatFlowInfo } from '../../src/datapath/dump.js';
import { setExact, getField } from '../../src/flow/fields.js';
import { createMatch } from '../../src/flow/match.js';
import { createIdlePort } from '../../src/io/idle-port.js';
import { buildFrame } from '../../src/packet/build.js';
import { toHex } from '../../src/util/bytes.js';
import { ManualClock } from '../../src/util/clock.js';
import * as vxlan from '../../src/wire/vxlan.js';

/** A frame of one of a few conversations, in VXLAN now and then. */
function frameOf(round: number): Uint8Array {
  const frame = buildFrame([
    { type: 'ethernet', source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' },
    { type: 'ipv4', source: `10.0.0.${round % 7}`, destination: '10.0.0.2' },
    { type: 'udp', sourcePort: 1024, destinationPort: round % 5 },
    { type: 'payload', bytes: new Uint8Array(round % 60) },
  ]);
  if (round % 3 !== 0) return frame;
  const outer = {
    sourceMac: '02:00:00:00:00:03',
    destinationMac: '02:00:00:00:00:04',
    sourceIp: '1.1.1.1',
    destinationIp: '1.1.1.2',
  };
  return vxlan.encapsulate(frame, { ...outer, sourcePort: 50000, vni: round % 4 });
}

/** A datapath that pops what is VXLAN and sends the rest out on port `out`, with flows as fine as the ports. */
function createSubject(out: number): {
  datapath: Datapath;
  sent: string[];
  take(round: number): void;
  dump(): string[];
} {
  const clock = new ManualClock();
  const datapath = new Datapath({
    clock,
    upcall(_packet, key) {
      const { mask } = createMatch();
      for (const field of ['inPort', 'ethType', 'ipProto', 'tpDst', 'tunId'] as const) setExact(mask, field);
      const isTunnel = getField(key, 'tpDst') === vxlan.PORT;
      return { mask, actions: [isTunnel ? { type: 'tnl_pop', port: 9 } : { type: 'output', port: out }] };
    },
  });
  for (const name of ['p1', 'p2', 'p3']) datapath.addPort(createIdlePort(name));
  datapath.addPort(undefined, { name: 'vxlan_sys_4789', type: 'vxlan', number: 9 });
  const sent: string[] = [];
  datapath.onSend = ({ name }, frame) => sent.push(`${name} ${toHex(frame)}`);
  return {
    datapath,
    sent,
    take(round) {
      clock.advance(10);
      datapath.inject(1, frameOf(round));
    },
    dump: () => datapath.flowNumbers().map((flow) => formatFlowInfo(datapath.flow(flow), clock.now())),
  };
}

describe('two datapaths', () => {
  it('each do what they would do alone, however their packets alternate', () => {
    const alone = [2, 3].map(createSubject);
    const together = [2, 3].map(createSubject);
    for (const { take } of alone) for (let round = 0; round < 200; round++) take(round);
    for (let round = 0; round < 200; round++) for (const { take } of together) take(round);
    for (const number of [0, 1]) {
      expect(together[number].sent).toEqual(alone[number].sent);
      expect(together[number].dump()).toEqual(alone[number].dump());
      expect(together[number].datapath.statistics()).toEqual(alone[number].datapath.statistics());
    }
    expect(together[0].dump()).not.toEqual(together[1].dump());
    expect(together[0].dump().length).toBeGreaterThan(5);
  });

  it('can be worked on in the midst of the other: from its slow path, and as it sends', () => {
    const subject = createSubject(2);
    let rounds = 0;
    const outer = new Datapath({
      upcall() {
        subject.take(rounds++);
        const { mask } = createMatch();
        setExact(mask, 'tpDst');
        return { mask, actions: [{ type: 'output', port: 2 }] };
      },
    });
    for (const name of ['p1', 'p2']) outer.addPort(createIdlePort(name));
    const sent: string[] = [];
    outer.onSend = (_port, frame) => {
      subject.take(rounds++);
      sent.push(toHex(frame));
    };
    for (let packet = 0; packet < 50; packet++) outer.inject(1, frameOf(packet));
    expect(sent).toEqual(Array.from({ length: 50 }, (_, packet) => toHex(frameOf(packet))));

    const alone = createSubject(2);
    for (let round = 0; round < rounds; round++) alone.take(round);
    expect(rounds).toBeGreaterThan(50);
    expect(subject.sent).toEqual(alone.sent);
    expect(subject.dump()).toEqual(alone.dump());
  });
});
