// An IP host behind a port: frames in, frames out. Frames are built by `buildFrame` and read by `dissect`.
import { describe, expect, it } from 'vitest';
import { createIpHost, type IpHost, type IpHostOptions } from '../../src/io/host.js';
import { createLink } from '../../src/io/link.js';
import { buildFrame, type Layer } from '../../src/packet/build.js';
import { dissect } from '../../src/packet/dissect.js';
import { ManualClock } from '../../src/util/clock.js';
import { Reason, reasonCounts } from '../../src/util/reason.js';
import { attachBench, createRandom, type Bench } from './bench.js';
import { connectHosts, MAC_A, MAC_B } from './hosts.js';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';

interface Setup {
  clock: ManualClock;
  host: IpHost;
  bench: Bench;
  /** Sends a frame to the host and answers what it sent, taken apart. */
  exchange(...layers: Layer[]): Layer[][];
}

function setUp(options: Partial<IpHostOptions> = {}): Setup {
  const clock = new ManualClock(5000);
  const addresses = ['10.0.0.1/24', 'fd00::1/64', 'fe80::1/64'];
  const host = createIpHost({ name: 'br0', mac: MAC_A, addresses, clock, ...options });
  const bench = attachBench(host);
  return {
    clock,
    host,
    bench,
    exchange(...layers) {
      bench.send(buildFrame(layers));
      return bench.receive().map((frame) => dissect(frame));
    },
  };
}

const ethernet = (destination = MAC_A, source = MAC_B): Layer => ({ type: 'ethernet', destination, source });
const fromB = (rest: object = {}): Layer => ({ type: 'ipv4', source: '10.0.0.2', destination: '10.0.0.1', ...rest });
const fromB6 = (rest: object = {}): Layer => ({ type: 'ipv6', source: 'fd00::2', destination: 'fd00::1', ...rest });
const echo = (rest: object = {}): Layer => ({ type: 'icmp', icmpType: 8, identifier: 7, sequence: 9, ...rest });
const echo6 = (rest: object = {}): Layer => ({ type: 'icmpv6', icmpType: 128, identifier: 7, sequence: 9, ...rest });
const payload = (...bytes: number[]): Layer => ({ type: 'payload', bytes: Uint8Array.from(bytes) });
const arpFrom = (rest: object = {}): Layer => ({
  type: 'arp',
  operation: 1,
  senderMac: MAC_B,
  senderIp: '10.0.0.2',
  targetIp: '10.0.0.1',
  ...rest,
});
const solicitation = (rest: object = {}): Layer => ({
  type: 'icmpv6',
  icmpType: 135,
  target: 'fd00::1',
  options: [{ type: 'source-link-layer', mac: MAC_B }],
  ...rest,
});
const SOLICITED = '33:33:ff:00:00:01';

describe('ARP of a host', () => {
  it('is answered for its addresses, and teaches the asker', () => {
    const { host, exchange } = setUp();
    const [[outer, reply]] = exchange(ethernet(BROADCAST), arpFrom());
    expect(outer).toMatchObject({ destination: MAC_B, source: MAC_A });
    expect(reply).toEqual({
      type: 'arp',
      operation: 2,
      senderMac: MAC_A,
      senderIp: '10.0.0.1',
      targetMac: MAC_B,
      targetIp: '10.0.0.2',
    });
    expect(host.neighbours).toEqual([{ address: '10.0.0.2', mac: MAC_B }]);
  });

  it('is not answered for others, nor learned from them', () => {
    const { host, exchange } = setUp();
    expect(exchange(ethernet(BROADCAST), arpFrom({ targetIp: '10.0.0.3' }))).toEqual([]);
    expect(exchange(ethernet(), arpFrom({ operation: 2 }))).toEqual([]);
    expect(exchange(ethernet(BROADCAST), arpFrom({ senderIp: '192.0.2.1' }))).toHaveLength(1);
    expect(exchange(ethernet(BROADCAST), arpFrom({ senderIp: '0.0.0.0' }))).toHaveLength(1);
    expect(host.neighbours).toEqual([]);
    expect(host.refused[Reason.notForUs]).toBe(1);
  });

  it('follows a neighbour that moved, as a gratuitous ARP says', () => {
    const { host, exchange } = setUp();
    exchange(ethernet(BROADCAST), arpFrom());
    exchange(
      ethernet(BROADCAST, 'aa:55:aa:55:00:09'),
      arpFrom({ senderMac: 'aa:55:aa:55:00:09', targetIp: '10.0.0.2' }),
    );
    expect(host.neighbours).toEqual([{ address: '10.0.0.2', mac: 'aa:55:aa:55:00:09' }]);
  });

  it('refuses senders that cannot be', () => {
    const { host, exchange } = setUp();
    expect(exchange(ethernet(BROADCAST), arpFrom({ senderMac: BROADCAST }))).toEqual([]);
    expect(exchange(ethernet(BROADCAST), arpFrom({ senderMac: '00:00:00:00:00:00' }))).toEqual([]);
    expect(exchange(ethernet(BROADCAST, BROADCAST), arpFrom())).toEqual([]);
    expect(exchange(ethernet(BROADCAST), arpFrom({ operation: 3 }))).toEqual([]);
    expect(reasonCounts(host.refused)).toEqual({ 'bad-source': 3, 'bad-type': 1 });
    expect(host.neighbours).toEqual([]);
  });

  it('asks three times a second apart, then gives up what waits', () => {
    const { clock, host, bench } = setUp();
    for (let index = 0; index < 10; index++) {
      host.sendUdp({ destination: '10.0.0.2', destinationPort: 5, sourcePort: index, payload: Uint8Array.of(index) });
    }
    // Eight wait; the first two gave way.
    expect(host.unsent[Reason.unresolved]).toBe(2);
    for (let round = 0; round < 3; round++) {
      const [[outer, request], ...rest] = bench.receive().map((frame) => dissect(frame));
      expect(rest).toEqual([]);
      expect(outer).toMatchObject({ destination: BROADCAST, source: MAC_A });
      expect(request).toMatchObject({
        operation: 1,
        senderMac: MAC_A,
        senderIp: '10.0.0.1',
        targetIp: '10.0.0.2',
        targetMac: '00:00:00:00:00:00',
      });
      expect(host.neighbours).toEqual([{ address: '10.0.0.2', mac: undefined }]);
      clock.advance(1000);
    }
    expect(bench.receive()).toEqual([]);
    expect(host.unsent[Reason.unresolved]).toBe(10);
    expect(clock.pending).toBe(0);
  });

  it('sends what waited, in order, when the answer comes', () => {
    const { clock, host, bench, exchange } = setUp();
    for (let index = 0; index < 3; index++) {
      host.sendUdp({ destination: '10.0.0.2', destinationPort: 5, sourcePort: index, payload: Uint8Array.of(index) });
    }
    bench.receive();
    const sent = exchange(ethernet(), arpFrom({ operation: 2, targetMac: MAC_A }));
    expect(sent.map((layers) => [layers[0].type === 'ethernet' && layers[0].destination, layers[3]])).toEqual([
      [MAC_B, payload(0)],
      [MAC_B, payload(1)],
      [MAC_B, payload(2)],
    ]);
    expect(clock.pending).toBe(0);
  });

  it('asks again for what has aged, at the MAC it knows, and loses nothing meanwhile', () => {
    const { clock, host, bench, exchange } = setUp({ neighbourAgeMs: 10_000 });
    const send = (): Layer[][] => {
      host.sendUdp({ destination: '10.0.0.2', destinationPort: 5, sourcePort: 6, payload: Uint8Array.of(1) });
      return bench.receive().map((frame) => dissect(frame));
    };
    expect(send()).toHaveLength(1);
    expect(exchange(ethernet(), arpFrom({ operation: 2 }))).toHaveLength(1);
    clock.advance(9999);
    expect(send().map((layers) => layers[1].type)).toEqual(['ipv4']);
    clock.advance(1);
    const [request, datagram] = send();
    expect([request[0], request[1].type, datagram[1].type]).toMatchObject([{ destination: MAC_B }, 'arp', 'ipv4']);
    expect(send()).toHaveLength(1);
    // Nobody answers: after three seconds it is forgotten, and the next packet asks everybody.
    clock.advance(3000);
    expect(bench.receive()).toHaveLength(2);
    expect(host.neighbours).toEqual([]);
    expect(send().map((layers) => layers[0])).toMatchObject([{ destination: BROADCAST }]);
  });

  it('keeps at most 1024 neighbours', () => {
    const { host, exchange } = setUp({ addresses: ['10.0.0.1/8'] });
    for (let index = 0; index < 1100; index++)
      exchange(ethernet(BROADCAST), arpFrom({ senderIp: `10.1.${index >> 8}.${index & 255}` }));
    expect(host.neighbours.length).toBe(1024);
    expect(host.neighbours[0].address).toBe(`10.1.0.${1100 - 1024}`);
  });

  it('lets at most 64 packets wait, each time', () => {
    const { clock, host, bench, exchange } = setUp({ addresses: ['10.0.0.1/8'] });
    const send = (): void => {
      for (let index = 0; index < 100; index++) {
        host.sendUdp({ destination: `10.1.0.${index}`, destinationPort: 5, sourcePort: 6, payload: Uint8Array.of(1) });
      }
      bench.receive();
    };
    send();
    expect(host.unsent[Reason.unresolved]).toBe(36);
    clock.advance(3000);
    expect(host.unsent[Reason.unresolved]).toBe(100);
    bench.receive();
    send();
    expect(host.unsent[Reason.unresolved]).toBe(136);
    // Ten are answered: there is room for ten more.
    for (let index = 0; index < 10; index++)
      exchange(ethernet(), arpFrom({ operation: 2, senderIp: `10.1.0.${index}` }));
    for (let index = 0; index < 11; index++) {
      host.sendUdp({ destination: `10.2.0.${index}`, destinationPort: 5, sourcePort: 6, payload: Uint8Array.of(1) });
    }
    expect(host.unsent[Reason.unresolved]).toBe(137);
    host.close();
    expect(host.unsent[Reason.unresolved]).toBe(137 + 64);
  });
});

describe('neighbour discovery of a host', () => {
  it('is answered for its addresses, and teaches the asker', () => {
    const { host, exchange } = setUp();
    const [[outer, ip, reply]] = exchange(
      ethernet(SOLICITED),
      fromB6({ destination: 'ff02::1:ff00:1', hopLimit: 255 }),
      solicitation(),
    );
    expect(outer).toMatchObject({ destination: MAC_B, source: MAC_A });
    expect(ip).toMatchObject({ source: 'fd00::1', destination: 'fd00::2', hopLimit: 255 });
    expect(reply).toMatchObject({
      icmpType: 136,
      rest: 0x6000_0000,
      target: 'fd00::1',
      options: [{ type: 'target-link-layer', mac: MAC_A }],
    });
    expect(host.neighbours).toEqual([{ address: 'fd00::2', mac: MAC_B }]);
    expect(reasonCounts(host.refused)).toEqual({});
  });

  it('answers everybody when the asker has no address yet', () => {
    const { host, exchange } = setUp();
    const nobody = fromB6({ source: '::', destination: 'ff02::1:ff00:1', hopLimit: 255 });
    const [[outer, ip, reply]] = exchange(ethernet(SOLICITED), nobody, solicitation({ options: [] }));
    expect(outer).toMatchObject({ destination: '33:33:00:00:00:01' });
    expect(ip).toMatchObject({ source: 'fd00::1', destination: 'ff02::1' });
    expect(reply).toMatchObject({ icmpType: 136, rest: 0x2000_0000, target: 'fd00::1' });
    expect(exchange(ethernet(SOLICITED), nobody, solicitation())).toEqual([]);
    expect(exchange(ethernet(), fromB6({ source: '::', hopLimit: 255 }), solicitation({ options: [] }))).toEqual([]);
    expect(host.refused[Reason.badSource]).toBe(2);
    expect(host.neighbours).toEqual([]);
  });

  it('refuses what was forwarded, what is for others and what makes no sense', () => {
    const { host, exchange } = setUp();
    const local = fromB6({ hopLimit: 255 });
    expect(exchange(ethernet(), fromB6({ hopLimit: 254 }), solicitation())).toEqual([]);
    expect(exchange(ethernet(), local, solicitation({ target: 'fd00::9' }))).toEqual([]);
    expect(exchange(ethernet(), local, solicitation({ target: 'ff02::1' }))).toEqual([]);
    const longOption = { type: 'other', kind: 1, data: new Uint8Array(14) };
    expect(exchange(ethernet(), local, solicitation({ options: [longOption] }))).toEqual([]);
    expect(exchange(ethernet(), local, { type: 'icmpv6', icmpType: 134 })).toEqual([]);
    expect(exchange(ethernet(), local, solicitation({ checksum: 1 }))).toEqual([]);
    expect(
      exchange(ethernet(), fromB6({ source: '::', hopLimit: 255 }), solicitation({ icmpType: 136, options: [] })),
    ).toEqual([]);
    expect(reasonCounts(host.refused)).toEqual({
      'bad-flags': 1,
      'not-for-us': 1,
      'bad-option': 2,
      'bad-type': 1,
      'bad-checksum': 1,
      'bad-source': 1,
    });
    expect(host.neighbours).toEqual([]);
  });

  it('asks the solicited-node group, and obeys the override flag', () => {
    const { clock, host, bench, exchange } = setUp();
    host.sendUdp({ destination: 'fd00::2', destinationPort: 5, sourcePort: 6, payload: Uint8Array.of(1) });
    const [[outer, ip, request]] = bench.receive().map((frame) => dissect(frame));
    expect(outer).toMatchObject({ destination: '33:33:ff:00:00:02' });
    expect(ip).toMatchObject({ source: 'fd00::1', destination: 'ff02::1:ff00:2', hopLimit: 255 });
    expect(request).toMatchObject({
      icmpType: 135,
      target: 'fd00::2',
      options: [{ type: 'source-link-layer', mac: MAC_A }],
    });
    const advertise = (rest: number, mac: string): Layer[][] =>
      exchange(
        ethernet(),
        fromB6({ hopLimit: 255 }),
        solicitation({ icmpType: 136, rest, target: 'fd00::2', options: [{ type: 'target-link-layer', mac }] }),
      );
    expect(advertise(0x4000_0000, MAC_B)[0][3]).toEqual(payload(1));
    expect(clock.pending).toBe(0);
    advertise(0x4000_0000, 'aa:55:aa:55:00:09');
    expect(host.neighbours).toEqual([{ address: 'fd00::2', mac: MAC_B }]);
    advertise(0x2000_0000, 'aa:55:aa:55:00:09');
    expect(host.neighbours).toEqual([{ address: 'fd00::2', mac: 'aa:55:aa:55:00:09' }]);
  });

  it('works between link-local addresses', () => {
    const { exchange } = setUp();
    const ip = { source: 'fe80::2', destination: 'fe80::1' };
    const [[, answer]] = exchange(ethernet(), fromB6({ ...ip, hopLimit: 255 }), solicitation({ target: 'fe80::1' }));
    expect(answer).toMatchObject({ source: 'fe80::1', destination: 'fe80::2' });
    expect(exchange(ethernet(), fromB6(ip), echo6())[0][2]).toMatchObject({ icmpType: 129 });
  });
});

describe('echo of a host', () => {
  it('comes back as it was', () => {
    const { exchange } = setUp();
    exchange(ethernet(BROADCAST), arpFrom());
    const [[outer, ip, reply, data]] = exchange(ethernet(), fromB({ tos: 0x28 }), echo(), payload(1, 2, 3));
    expect(outer).toMatchObject({ destination: MAC_B, source: MAC_A });
    expect(ip).toMatchObject({ source: '10.0.0.1', destination: '10.0.0.2', tos: 0x28, ttl: 64 });
    expect(reply).toMatchObject({ icmpType: 0, identifier: 7, sequence: 9 });
    expect(data).toEqual(payload(1, 2, 3));
  });

  it('comes back to who asked the group of all nodes', () => {
    const { exchange } = setUp();
    exchange(ethernet(SOLICITED), fromB6({ destination: 'ff02::1:ff00:1', hopLimit: 255 }), solicitation());
    const [[, ip, reply]] = exchange(ethernet('33:33:00:00:00:01'), fromB6({ destination: 'ff02::1' }), echo6());
    expect(ip).toMatchObject({ source: 'fd00::1', destination: 'fd00::2' });
    expect(reply).toMatchObject({ icmpType: 129 });
  });

  it('has right checksums, with odd and even payloads', () => {
    const { exchange, bench } = setUp();
    exchange(ethernet(BROADCAST), arpFrom());
    exchange(ethernet(SOLICITED), fromB6({ destination: 'ff02::1:ff00:1', hopLimit: 255 }), solicitation());
    for (let length = 0; length < 5; length++) {
      for (const [ip, message, type] of [
        [fromB(), echo(), 0],
        [fromB6(), echo6(), 129],
      ] as const) {
        bench.send(buildFrame([ethernet(), ip, message, payload(...new Array(length).fill(0x81))]));
        const [frame] = bench.receive();
        // `buildFrame` computes the checksums that a layer leaves out.
        const rebuilt = dissect(frame).map((layer) => ({ ...layer, checksum: undefined }) as Layer);
        expect(buildFrame(rebuilt)).toEqual(frame);
        expect(rebuilt[2]).toMatchObject({ icmpType: type });
      }
    }
  });

  it('does not answer pings to everybody', () => {
    const { host, exchange } = setUp();
    expect(exchange(ethernet(BROADCAST), fromB({ destination: '10.0.0.255' }), echo())).toEqual([]);
    expect(exchange(ethernet(BROADCAST), fromB(), echo())).toEqual([]);
    expect(host.refused[Reason.notForUs]).toBe(2);
  });

  it('does not answer one without a route back', () => {
    const { host, exchange } = setUp();
    expect(exchange(ethernet(), fromB({ source: '192.0.2.1' }), echo())).toEqual([]);
    expect(exchange(ethernet(), fromB6({ source: '2001:db8::1' }), echo6())).toEqual([]);
    expect(
      exchange(ethernet('33:33:00:00:00:01'), fromB6({ source: '2001:db8::1', destination: 'ff02::1' }), echo6()),
    ).toEqual([]);
    expect(host.unsent[Reason.noRoute]).toBe(3);
  });
});

describe('UDP of a host', () => {
  const datagram = (rest: object = {}): Layer => ({ type: 'udp', sourcePort: 1111, destinationPort: 2222, ...rest });

  it('reaches its listener, with what the headers say', () => {
    const { host, exchange } = setUp();
    const seen: object[] = [];
    host.bind(
      2222,
      ({ payload, source, destination, sourcePort, destinationPort, tos, ttl, hasChecksum }) =>
        void seen.push({
          payload: [...payload],
          source,
          destination,
          sourcePort,
          destinationPort,
          tos,
          ttl,
          hasChecksum,
        }),
    );
    exchange(ethernet(), fromB({ tos: 3, ttl: 9 }), datagram(), payload(1, 2));
    exchange(ethernet(), fromB(), datagram({ checksum: 0 }), payload(3));
    exchange(ethernet(BROADCAST), fromB({ destination: '10.0.0.255' }), datagram());
    exchange(ethernet(), fromB6({ trafficClass: 7, hopLimit: 8 }), datagram(), payload(4));
    const ports = { sourcePort: 1111, destinationPort: 2222 };
    expect(seen).toEqual([
      { payload: [1, 2], source: '10.0.0.2', destination: '10.0.0.1', ...ports, tos: 3, ttl: 9, hasChecksum: true },
      { payload: [3], source: '10.0.0.2', destination: '10.0.0.1', ...ports, tos: 0, ttl: 64, hasChecksum: false },
      { payload: [], source: '10.0.0.2', destination: '10.0.0.255', ...ports, tos: 0, ttl: 64, hasChecksum: true },
      { payload: [4], source: 'fd00::2', destination: 'fd00::1', ...ports, tos: 7, ttl: 8, hasChecksum: true },
    ]);
  });

  it('takes IPv6 datagrams without a checksum only where tunnels listen', () => {
    const { host, exchange } = setUp();
    let count = 0;
    host.bind(2222, () => void count++);
    host.bind(4789, () => void count++, { zeroChecksum: true });
    exchange(ethernet(), fromB6(), datagram({ checksum: 0 }));
    exchange(ethernet(), fromB6(), datagram({ checksum: 0, destinationPort: 4789 }));
    exchange(ethernet(), fromB6(), datagram({ checksum: 0, destinationPort: 9999 }));
    expect(count).toBe(1);
    expect(reasonCounts(host.refused)).toEqual({ 'bad-checksum': 2 });
  });

  it('says so where nobody listens, but not to everybody', () => {
    const { host, exchange } = setUp();
    exchange(ethernet(BROADCAST), arpFrom());
    exchange(ethernet(SOLICITED), fromB6({ destination: 'ff02::1:ff00:1', hopLimit: 255 }), solicitation());
    const request: Layer[] = [ethernet(), fromB(), datagram(), payload(...new Array(1000).fill(1))];
    const [[, ip, message, quoted]] = exchange(...request);
    expect(ip).toMatchObject({ source: '10.0.0.1', destination: '10.0.0.2', tos: 0xc0 });
    expect(message).toMatchObject({ type: 'icmp', icmpType: 3, code: 3, rest: 0 });
    expect(quoted).toEqual({ type: 'payload', bytes: buildFrame(request).subarray(14, 14 + 548) });
    const request6: Layer[] = [ethernet(), fromB6(), datagram(), payload(...new Array(1400).fill(1))];
    const [[, ip6, message6, quoted6]] = exchange(...request6);
    expect(ip6).toMatchObject({ source: 'fd00::1', destination: 'fd00::2', payloadLength: 1240 });
    expect(message6).toMatchObject({ type: 'icmpv6', icmpType: 1, code: 4, rest: 0 });
    expect(quoted6).toEqual({ type: 'payload', bytes: buildFrame(request6).subarray(14, 14 + 1232) });
    expect(exchange(ethernet(BROADCAST), fromB({ destination: '10.0.0.255' }), datagram())).toEqual([]);
    expect(exchange(ethernet(BROADCAST), fromB(), datagram())).toEqual([]);
    expect(exchange(ethernet('33:33:00:00:00:01'), fromB6({ destination: 'ff02::1' }), datagram())).toEqual([]);
    expect(exchange(ethernet(), fromB({ source: '192.0.2.1' }), datagram())).toEqual([]);
    expect(host.refused[Reason.noListener]).toBe(6);
  });

  it('is sent as it was asked for', () => {
    const { host, bench, exchange } = setUp({ addresses: ['10.0.0.1/24', '10.0.0.7/24', 'fd00::1/64'] });
    exchange(ethernet(BROADCAST), arpFrom());
    exchange(ethernet(SOLICITED), fromB6({ destination: 'ff02::1:ff00:1', hopLimit: 255 }), solicitation());
    const socket = host.bind(7777, () => {});
    const to = { destinationPort: 5, payload: [Uint8Array.of(1, 2, 3), Uint8Array.of(), Uint8Array.of(4, 5)] };
    const sent = (): Layer[] => dissect(bench.receive()[0]);
    expect(socket.send({ destination: '10.0.0.2', ...to })).toBe(Reason.sound);
    const [, ip, header, data] = sent();
    expect(ip).toMatchObject({ source: '10.0.0.1', tos: 0, ttl: 64, dontFragment: true, identification: 0 });
    expect(header).toMatchObject({ sourcePort: 7777, destinationPort: 5, length: 13 });
    expect(data).toEqual(payload(1, 2, 3, 4, 5));
    socket.send({
      destination: Uint8Array.of(10, 0, 0, 2),
      source: '10.0.0.7',
      tos: 0xb8,
      ttl: 1,
      dontFragment: false,
      checksum: false,
      ...to,
    });
    const [, ip2, header2] = sent();
    expect(ip2).toMatchObject({ source: '10.0.0.7', tos: 0xb8, ttl: 1, dontFragment: false });
    expect(header2).toMatchObject({ checksum: 0 });
    socket.send({ destination: 'fd00::2', tos: 5, ttl: 6, ...to });
    const [, ip3, header3] = sent();
    expect(ip3).toMatchObject({ source: 'fd00::1', trafficClass: 5, hopLimit: 6 });
    expect(header3.type === 'udp' && header3.checksum).not.toBe(0);
    socket.send({ destination: 'fd00::2', checksum: false, ...to });
    expect(sent()[2]).toMatchObject({ checksum: 0 });
  });

  it('goes to broadcast and multicast addresses without asking', () => {
    const { host, bench } = setUp();
    for (const destination of ['255.255.255.255', '10.0.0.255', '239.129.2.3', 'ff02::fb']) {
      host.sendUdp({ destination, destinationPort: 5, sourcePort: 6, payload: Uint8Array.of(1) });
    }
    expect(bench.receive().map((frame) => dissect(frame)[0])).toMatchObject([
      { destination: BROADCAST },
      { destination: BROADCAST },
      { destination: '01:00:5e:01:02:03' },
      { destination: '33:33:00:00:00:fb' },
    ]);
  });

  it('gives out free ports, and no port twice', () => {
    const { host } = setUp();
    const free = host.bind(0, () => {});
    expect(free.port).toBe(49152);
    expect(host.bind(0, () => {}).port).toBe(49153);
    expect(() => host.bind(49152, () => {})).toThrow(expect.objectContaining({ code: 'already-exists' }));
    free.close();
    expect(() => free.send({ destination: '10.0.0.2', destinationPort: 1, payload: Uint8Array.of() })).toThrow(
      expect.objectContaining({ code: 'closed' }),
    );
    const again = host.bind(49152, () => {});
    free.close();
    expect(again.send({ destination: '10.0.0.2', destinationPort: 1, payload: Uint8Array.of() })).toBe(Reason.sound);
    expect(() => host.bind(65536, () => {})).toThrow(expect.objectContaining({ code: 'out-of-range' }));
    for (let port = 49154; port <= 65535; port++) host.bind(0, () => {});
    expect(() => host.bind(0, () => {})).toThrow(expect.objectContaining({ code: 'not-found' }));
  });

  it('counts what it cannot send, and throws for what it should not be asked', () => {
    const { host } = setUp();
    const to = { destination: '10.0.0.2', destinationPort: 5, sourcePort: 6, payload: new Uint8Array(1472) };
    expect(host.sendUdp({ ...to, destination: '192.0.2.1' })).toBe(Reason.noRoute);
    expect(host.sendUdp({ ...to, payload: new Uint8Array(1473) })).toBe(Reason.mtuExceeded);
    expect(host.sendUdp(to)).toBe(Reason.sound);
    expect(reasonCounts(host.unsent)).toEqual({ 'no-route': 1, 'mtu-exceeded': 1 });
    const misuse: [object, string][] = [
      [{ destination: 'x' }, 'bad-address'],
      [{ destination: new Uint8Array(5) }, 'bad-address'],
      [{ destinationPort: 0 }, 'out-of-range'],
      [{ sourcePort: 65536 }, 'out-of-range'],
      [{ tos: 256 }, 'out-of-range'],
      [{ ttl: -1 }, 'out-of-range'],
      [{ source: '10.0.0.9' }, 'bad-argument'],
      [{ source: 'fd00::1' }, 'bad-argument'],
    ];
    for (const [change, code] of misuse) {
      expect(() => host.sendUdp({ ...to, ...change })).toThrow(expect.objectContaining({ code }));
    }
  });
});

describe('what a host refuses', () => {
  it('is counted by reason', () => {
    const { host, bench, exchange } = setUp();
    const cases: [Layer[], keyof typeof Reason][] = [
      [[ethernet(MAC_B)], 'notForUs'],
      [[ethernet(), fromB({ destination: '10.0.0.3' }), echo()], 'notForUs'],
      [[ethernet(), fromB6({ destination: 'fd00::3' }), echo6()], 'notForUs'],
      [[ethernet('01:00:5e:00:00:01'), fromB({ destination: '224.0.0.1' }), echo()], 'notForUs'],
      [[ethernet(), fromB({ checksum: 1 }), echo()], 'badChecksum'],
      [[ethernet(), fromB(), echo({ checksum: 1 })], 'badChecksum'],
      [[ethernet(), fromB6(), echo6({ checksum: 1 })], 'badChecksum'],
      [[ethernet(), fromB(), { type: 'udp', sourcePort: 1, destinationPort: 2, checksum: 1 }], 'badChecksum'],
      [[ethernet(), fromB({ moreFragments: true }), echo()], 'fragmented'],
      [[ethernet(), fromB({ fragmentOffset: 8 }), payload(1, 2, 3, 4, 5, 6, 7, 8)], 'fragmented'],
      [
        [ethernet(), fromB6({ extensions: [{ type: 'fragment', offset: 0, more: true, identification: 1 }] }), echo6()],
        'fragmented',
      ],
      [[ethernet(), fromB({ source: '10.0.0.1' }), echo()], 'badSource'],
      [[ethernet(), fromB({ source: '224.0.0.1' }), echo()], 'badSource'],
      [[ethernet(), fromB({ source: '255.255.255.255' }), echo()], 'badSource'],
      [[ethernet(), fromB({ source: '0.0.0.0' }), echo()], 'badSource'],
      [[ethernet(), fromB6({ source: 'ff02::1' }), echo6()], 'badSource'],
      [[ethernet(), fromB6({ source: '::' }), echo6()], 'badSource'],
      [[ethernet(), fromB6({ source: '::' }), { type: 'udp', sourcePort: 1, destinationPort: 2 }], 'badSource'],
      [[ethernet(), fromB(), { type: 'tcp', sourcePort: 1, destinationPort: 2 } as Layer], 'badType'],
      [[ethernet(), fromB6(), { type: 'tcp', sourcePort: 1, destinationPort: 2 } as Layer], 'badType'],
      [[ethernet(), fromB(), { type: 'icmp', icmpType: 13 }], 'badType'],
      [[ethernet(), fromB6(), { type: 'icmpv6', icmpType: 3 }], 'badType'],
      [[ethernet(), { type: 'vlan', vid: 5 } as Layer, fromB(), echo()], 'badType'],
      [[ethernet(), fromB({ version: 5 }), echo()], 'badVersion'],
      [[ethernet(), fromB({ totalLength: 2000 }), echo()], 'truncated'],
      [[ethernet(), fromB(), { type: 'udp', sourcePort: 1, destinationPort: 2, length: 7 }], 'badTotalLength'],
    ];
    for (const [layers, name] of cases) {
      const before = host.refused[Reason[name]];
      expect(exchange(...layers), name).toEqual([]);
      expect(host.refused[Reason[name]] - before, `${name}: ${JSON.stringify(layers)}`).toBe(1);
    }
    bench.send(new Uint8Array(13));
    expect(host.refused[Reason.truncated]).toBe(2);
    expect(host.counters.txPackets).toBe(cases.length + 1);
  });

  it('does nothing to it: a hundred thousand spoiled frames, and it answers as before', () => {
    const seed = 0x5eed;
    const random = createRandom(seed);
    const { clock, host, bench, exchange } = setUp();
    host.bind(2222, () => {});
    const templates = [
      [ethernet(BROADCAST), arpFrom()],
      [ethernet(), fromB(), echo(), payload(1, 2, 3)],
      [ethernet(), fromB(), { type: 'udp', sourcePort: 1, destinationPort: 2222 } as Layer, payload(1, 2, 3)],
      [ethernet(), fromB6(), { type: 'udp', sourcePort: 1, destinationPort: 2 } as Layer, payload(1, 2, 3)],
      [ethernet(SOLICITED), fromB6({ destination: 'ff02::1:ff00:1', hopLimit: 255 }), solicitation()],
      [ethernet(), fromB6({ hopLimit: 255 }), solicitation({ icmpType: 136 })],
      [ethernet(), fromB6({ extensions: [{ type: 'hop-by-hop', data: new Uint8Array(6) }] }), echo6()],
    ].map((layers) => buildFrame(layers as Layer[]));
    for (let round = 0; round < 100_000; round++) {
      const frame = templates[random(templates.length)].slice();
      for (let change = random(4); change >= 0; change--) frame[random(frame.length)] = random(256);
      bench.send(random(4) === 0 ? frame.subarray(0, random(frame.length + 1)) : frame);
      if (round % 64 === 0) {
        bench.receive();
        clock.advance(10);
      }
    }
    bench.receive();
    expect(bench.pool.available, `seed ${seed}`).toBe(128);
    expect(exchange(ethernet(BROADCAST), arpFrom())).toHaveLength(1);
    expect(exchange(ethernet(), fromB(), echo(), payload(4))[0][3]).toEqual(payload(4));
    expect(exchange(ethernet(), fromB6({ hopLimit: 255 }), solicitation())).toHaveLength(1);
    host.close();
    expect(clock.pending).toBe(0);
  });

  it('looks at nothing behind the end of a frame', () => {
    const frames = [
      [ethernet(BROADCAST), arpFrom()],
      [ethernet(), fromB(), echo(), payload(1, 2, 3)],
      [ethernet(), fromB(), { type: 'udp', sourcePort: 1, destinationPort: 2 } as Layer],
      [ethernet(SOLICITED), fromB6({ destination: 'ff02::1:ff00:1', hopLimit: 255 }), solicitation()],
    ].map((layers) => buildFrame(layers));
    for (const frame of frames) {
      for (let length = 0; length <= frame.length; length++) {
        const [zeros, ones] = [0x00, 0xff].map((filling) => {
          const { host, bench } = setUp();
          bench.pool.bytes.fill(filling);
          bench.send(frame.subarray(0, length));
          return { refused: reasonCounts(host.refused), sent: bench.receive(), neighbours: host.neighbours };
        });
        expect(zeros).toEqual(ones);
      }
    }
  });
});

describe('the place of a host', () => {
  it('is one, behind a port or at one', () => {
    const { clock, host } = setUp();
    const [left] = createLink();
    expect(() => host.connect(left)).toThrow(expect.objectContaining({ code: 'already-exists' }));
    const { a } = connectHosts();
    expect(() => attachBench(a)).toThrow(expect.objectContaining({ code: 'already-exists' }));
    host.detach();
    host.connect(left);
    host.close();
    expect(() => host.connect(left)).toThrow(expect.objectContaining({ code: 'closed' }));
    expect(() => host.bind(1, () => {})).toThrow(expect.objectContaining({ code: 'closed' }));
    host.close();
    expect(clock.pending).toBe(0);
  });

  it('drops what it should send while it has none, or the queue is full', () => {
    const clock = new ManualClock();
    const host = createIpHost({ name: 'h', mac: MAC_A, addresses: ['10.0.0.1/24'], clock, queue: 2 });
    const to = { destination: '10.0.0.255', destinationPort: 5, sourcePort: 6, payload: Uint8Array.of(1) };
    expect(host.sendUdp(to)).toBe(Reason.portClosed);
    expect(host.receive(new Int32Array(1), 1)).toBe(0);
    const bench = attachBench(host);
    expect([host.sendUdp(to), host.sendUdp(to), host.sendUdp(to)]).toEqual([0, 0, Reason.queueFull]);
    expect(bench.receive()).toHaveLength(2);
    const big = new Uint8Array(1515);
    bench.send(big);
    expect(host.counters.txDrops[Reason.mtuExceeded]).toBe(1);
    host.close();
    expect(host.sendUdp(to)).toBe(Reason.portClosed);
    bench.send(new Uint8Array(60));
    expect(host.counters.txDrops[Reason.portClosed]).toBe(1);
    host.detach();
    expect(reasonCounts(host.unsent)).toEqual({ 'port-closed': 2, 'queue-full': 1 });
  });

  it('is checked when it is made', () => {
    const make = (options: Partial<IpHostOptions>) => (): IpHost =>
      createIpHost({
        name: 'h',
        mac: MAC_A,
        addresses: ['10.0.0.1/24', 'fd00::1/64'],
        clock: new ManualClock(),
        ...options,
      });
    const cases: [Partial<IpHostOptions>, string][] = [
      [{ mac: 'x' }, 'bad-address'],
      [{ mac: '01:00:00:00:00:01' }, 'bad-config'],
      [{ mac: '00:00:00:00:00:00' }, 'bad-config'],
      [{ addresses: ['10.0.0.1/33'] }, 'bad-address'],
      [{ addresses: ['224.0.0.1/24'] }, 'bad-config'],
      [{ addresses: ['::/64'] }, 'bad-config'],
      [{ gateways: ['10.0.1.1'] }, 'bad-config'],
      [{ gateways: ['10.0.0.1'] }, 'bad-config'],
      [{ gateways: ['10.0.0.2', '10.0.0.3'] }, 'bad-config'],
      [{ mtu: 67 }, 'out-of-range'],
      [{ queue: 0 }, 'out-of-range'],
      [{ neighbourAgeMs: 0 }, 'out-of-range'],
    ];
    for (const [options, code] of cases)
      expect(make(options), JSON.stringify(options)).toThrow(expect.objectContaining({ code }));
    const host = make({ gateways: ['10.0.0.2', 'fd00::2'] })();
    expect([host.mac, host.addresses]).toEqual([MAC_A, ['10.0.0.1', 'fd00::1']]);
  });
});
