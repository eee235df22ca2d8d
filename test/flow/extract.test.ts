// Extraction: each rule of Open vSwitch's miniflow_extract by hand, a naive twin beside it over frames by chance, every
// cut, and that a row says nothing of frames before it or of bytes around its frame.
import { describe, expect, it } from 'vitest';
import { createExtractor, type ExtractOptions } from '../../src/flow/extract.js';
import { createKeyRows, createKnownKeys } from '../../src/flow/key-rows.js';
import {
  GROUPS_WORD,
  GROUP_WORDS,
  Group,
  KEY_WORDS,
  fields,
  getBytes,
  getField,
  sealKey,
  type FieldName,
} from '../../src/flow/fields.js';
import { sourcePort } from '../../src/action/push.js';
import { BURST, Extras, PacketPool } from '../../src/packet/pool.js';
import { writeTunnel, type TunnelMetadata } from '../../src/packet/tunnel.js';
import { buildFrame, type Layer } from '../../src/packet/build.js';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { randomFrom, seed } from '../wire/contract.js';
import {
  DESTINATION,
  SOURCE,
  MACS,
  frameOf,
  ipv4,
  UDP,
  UDP_FIELDS,
  ipv6,
  HEADER6,
  PORTS6,
  UDP6,
  SOLICITATION,
  SLL,
  ARP,
  NSH1,
  NSH_FIELDS,
  rows,
} from './extract-rows.js';
import { naiveExtract, type NaiveFields } from './naive-extract.js';
import { randomFrame } from './random-frame.js';

const NAMES = (Object.keys(fields) as FieldName[]).filter((name) => fields[name].at < KEY_WORDS * 4);

/** The fields of a row that are not zero, in the form of the twin. */
function fieldsOf(row: Int32Array): NaiveFields {
  const found: NaiveFields = {};
  for (const name of NAMES) {
    const isNumber = fields[name].order === 'number';
    const text = isNumber ? getField(row, name).toString(16).padStart(8, '0') : toHex(getBytes(row, name));
    if (!/^0*$/.test(text)) found[name] = text;
  }
  return found;
}

interface Setting extends ExtractOptions {
  inPort?: number;
  recircId?: number;
  tunnel?: TunnelMetadata;
  packetType?: number;
  metadata?: { skbPriority?: number; skbMark?: number; dpHash?: number };
  hash?: number;
  filling?: number;
}

interface Extracted {
  row: Int32Array;
  /** For the caches. */
  hash: number;
  /** Open vSwitch's. */
  fiveTuple: number;
}

function extractOne(frame: Uint8Array, setting: Setting = {}): Extracted {
  const pool = new PacketPool({ slots: 64 });
  pool.bytes.fill(setting.filling ?? 0xa5);
  const packet = pool.allocateCopy(frame);
  pool.inPort[packet] = setting.inPort ?? 0;
  pool.recircId[packet] = setting.recircId ?? 0;
  pool.hash[packet] = setting.hash ?? 0;
  if (setting.tunnel) writeTunnel(pool, packet, setting.tunnel);
  if (setting.packetType || setting.metadata) {
    pool.extras[packet] |= Extras.metadata;
    pool.packetType[packet] = setting.packetType ?? 0;
    pool.skbPriority[packet] = setting.metadata?.skbPriority ?? 0;
    pool.skbMark[packet] = setting.metadata?.skbMark ?? 0;
    pool.dpHash[packet] = setting.metadata?.dpHash ?? 0;
  }
  const rows = createKeyRows();
  createExtractor(pool, rows, createKnownKeys(1), setting).extract(Int32Array.of(packet), 1, 0);
  return { row: rows.keys.slice(0, KEY_WORDS), hash: rows.hashes[0], fiveTuple: pool.hash[packet] };
}

const ethernet: Layer = { type: 'ethernet', source: '02:00:00:00:00:09', destination: '02:00:00:00:00:0a' };

describe('each rule', () => {
  it.each(rows)('%s', (_, hex, expected, vlanLimit = 1) => {
    const { row } = extractOne(frameOf(hex), { vlanLimit });
    expect(fieldsOf(row)).toEqual({ ...MACS, ...expected });
  });
});

/** Layers of a packet between 1.1.1.9 and 1.1.1.10 (IPv4) or fe80::9 and fe80::8. */
const over4 = (...layers: Layer[]): Layer[] => [
  ethernet,
  { type: 'ipv4', source: '1.1.1.9', destination: '1.1.1.10' },
  ...layers,
];
const payload: Layer = { type: 'payload', bytes: new Uint8Array(12) };
const udpLayer: Layer = { type: 'udp', sourcePort: 1111, destinationPort: 2222 };

describe('the hash of the 5-tuple', () => {
  // Source ports that Open vSwitch 3.1.0 was seen to choose for packets like these (built without SSE4.2).
  it.each<[string, Uint8Array, number]>([
    [
      'ICMP echo request',
      frameOf('0800' + '45000054000040004001000001010101' + '01010102' + '0800beef00010001' + '00'.repeat(56)),
      56566,
    ],
    [
      'ICMP echo reply',
      frameOf('0800' + '45000054000040004001000001010102' + '01010101' + '0000beef00010001' + '00'.repeat(56)),
      51737,
    ],
    ['UDP', buildFrame(over4(udpLayer, payload)), 46587],
    ['UDP behind a tag', frameOf('81000005' + ipv4('0020', '0000', '11', UDP)), 46587],
    ['UDP, first fragment', frameOf(ipv4('0020', '2000', '11', UDP)), 46587],
    ['UDP, later fragment', frameOf(ipv4('0020', '2001', '11', UDP)), 42262],
    ['UDP that is cut', frameOf(ipv4('001b', '0000', '11', '045708ae000cbe')), 42262],
    ['TCP', buildFrame(over4({ type: 'tcp', sourcePort: 1111, destinationPort: 80 })), 38943],
    ['IGMP', frameOf(ipv4('001c', '0000', '02', '1600beefe0000001')), 51929],
    ['SCTP', buildFrame(over4({ type: 'sctp', sourcePort: 5, destinationPort: 6, verificationTag: 0 })), 38737],
    ['IPv4 that is not sound', frameOf(ipv4('0021', '0000', '11', UDP)), 52643],
    ['neither IP nor ARP', frameOf('88b5'), 33705],
    ['ARP request', frameOf('0806' + ARP), 42009],
    ['IPv6 that is not sound', frameOf(ipv6('0009', '11', UDP6)), 56620],
    ['IPv6 UDP', frameOf(ipv6('0008', '11', UDP6)), 49378],
    ['IPv6 UDP behind a hop-by-hop header', frameOf(ipv6('0010', '00', '1100000000000000' + UDP6)), 43324],
  ])('%s gives the port that was observed', (_, frame, port) => {
    expect(sourcePort(extractOne(frame).fiveTuple)).toBe(port);
  });

  it('is kept where it is known, and is then the same for the caches', () => {
    const frame = buildFrame(over4(udpLayer, payload));
    const { hash } = extractOne(frame);
    const known = extractOne(frame, { hash: 0x12345678 });
    expect(known.fiveTuple).toBe(0x12345678);
    expect(known.hash).toBe(hash);
  });
});

describe('the hash for caches', () => {
  it('tells apart what the 5-tuple does not', () => {
    const frame = buildFrame(over4(udpLayer, payload));
    const tunnel = (id: number): TunnelMetadata => ({ source: '10.10.10.2', destination: '10.10.10.1', id, key: true });
    const other = frameOf('88b5');
    const swapped = fromHex(SOURCE + DESTINATION + '88b5');
    const neighbour = fromHex(DESTINATION + '02000000000b' + '88b5');
    const hashes = [
      extractOne(frame, { inPort: 1 }),
      extractOne(frame, { inPort: 2 }),
      extractOne(frame, { inPort: 1, recircId: 1 }),
      extractOne(frame, { inPort: 1, tunnel: tunnel(0) }),
      extractOne(frame, { inPort: 1, tunnel: tunnel(1) }),
      extractOne(other, { inPort: 1 }),
      extractOne(swapped, { inPort: 1 }),
      extractOne(neighbour, { inPort: 1 }),
    ].map(({ hash }) => hash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

describe('metadata', () => {
  const frame = buildFrame(over4(udpLayer, payload));
  const plain = fieldsOf(extractOne(frame).row);

  it('are the way in and the recirculation id', () => {
    const { row } = extractOne(frame, { inPort: 7, recircId: 9 });
    expect(fieldsOf(row)).toEqual({ ...plain, inPort: '00000007', recircId: '00000009' });
  });

  it('are four words of a tunnel over IPv4', () => {
    const tunnel: TunnelMetadata = {
      source: '10.10.10.2',
      destination: '10.10.10.1',
      id: 0x123456,
      tos: 3,
      ttl: 64,
      key: true,
      checksum: true,
    };
    expect(fieldsOf(extractOne(frame, { tunnel }).row)).toEqual({
      ...plain,
      tunSrc: '0a0a0a02',
      tunDst: '0a0a0a01',
      tunId: '00123456',
      tunFlags: '0c',
      tunTos: '03',
      tunTtl: '40',
    });
  });

  it('are all words of a wide tunnel', () => {
    const tunnel: TunnelMetadata = {
      source: 'fd00::2',
      destination: 'fd00::1',
      id: 2 ** 32 + 5,
      sourcePort: 1,
      destinationPort: 4789,
      gbpId: 6,
      gbpFlags: 7,
    };
    expect(fieldsOf(extractOne(frame, { tunnel }).row)).toEqual({
      ...plain,
      tunIpv6Src: `fd00${'00'.repeat(13)}02`,
      tunIpv6Dst: `fd00${'00'.repeat(13)}01`,
      tunId: '00000005',
      tunIdHigh: '00000001',
      tunTpSrc: '0001',
      tunTpDst: '12b5',
      tunGbpId: '0006',
      tunGbpFlags: '07',
    });
  });

  it('are priority, mark and hash', () => {
    const { row } = extractOne(frame, { metadata: { skbPriority: 1, skbMark: 0xffffffff, dpHash: 3 } });
    expect(fieldsOf(row)).toEqual({ ...plain, skbPriority: '00000001', skbMark: 'ffffffff', dpHash: '00000003' });
  });

  it.each([
    ['IPv4', 0x0800, ipv4('0020', '0000', '11', UDP).slice(4), UDP_FIELDS],
    ['IPv6', 0x86dd, ipv6('0008', '11', UDP6).slice(4), { ...HEADER6, ipProto: '11', ...PORTS6 }],
    [
      'NSH',
      0x894f,
      NSH1,
      { ...NSH_FIELDS, nshMdtype: '01', nshC1: '00000001', nshC2: '00000002', nshC3: '00000003', nshC4: 'a0000004' },
    ],
    ['a tag, which is none without Ethernet', 0x8100, '00050800', { ethType: '8100' }],
  ])('are the packet type, without an Ethernet header: %s', (_, type, hex, expected) => {
    const { row } = extractOne(fromHex(hex), { packetType: 0x10000 | type });
    expect(fieldsOf(row)).toEqual({ ...expected, packetType: `0001${type.toString(16).padStart(4, '0')}` });
  });
});

/** What the twin says of a frame, with the fields that it does not know of. */
function expectTwin(row: Int32Array, frame: Uint8Array, vlanLimit: number, extra: NaiveFields, packetType = 0): void {
  const expected = naiveExtract(frame, { vlanLimit, packetType });
  expect([`${toHex(frame)} (seed ${seed})`, fieldsOf(row)]).toEqual([
    `${toHex(frame)} (seed ${seed})`,
    { ...expected.fields, ...extra },
  ]);
}

describe('beside its twin', () => {
  for (const vlanLimit of [1, 2]) {
    it(`agrees on 8,000 frames in bursts, rows and slots used again, limit ${vlanLimit} (seed ${seed})`, () => {
      const random = randomFrom(seed + vlanLimit);
      const pool = new PacketPool({ slots: 64 });
      pool.bytes.fill(0x5a);
      const rows = createKeyRows();
      const { extract } = createExtractor(pool, rows, createKnownKeys(1), { vlanLimit });
      const burst = new Int32Array(BURST);
      for (let done = 0; done < 8_000; ) {
        const count = 1 + random(BURST);
        const frames: Uint8Array[] = [];
        for (let index = 0; index < count; index++) {
          frames.push(randomFrame(random));
          burst[index] = pool.allocateCopy(frames[index]);
          pool.inPort[burst[index]] = 5;
          if (random(4) === 0) {
            writeTunnel(
              pool,
              burst[index],
              random(2) === 0 ? { source: '1.2.3.4', id: 1 } : { source: 'fd00::1', id: 2 ** 40, sourcePort: 9 },
            );
          }
        }
        extract(burst, count, 0);
        for (let index = 0; index < count; index++) {
          const row = rows.keys.slice(index * KEY_WORDS, (index + 1) * KEY_WORDS);
          const extras = pool.extras[burst[index]];
          const wide: NaiveFields = { tunIpv6Src: `fd00${'00'.repeat(13)}01`, tunIdHigh: '00000100', tunTpSrc: '0009' };
          const narrow: NaiveFields = { tunSrc: '01020304', tunId: '00000001' };
          expectTwin(row, frames[index], vlanLimit, {
            inPort: '00000005',
            ...(extras === 0 ? {} : extras & Extras.tunnelWide ? wide : narrow),
          });
          expect([toHex(frames[index]), pool.hash[burst[index]]]).toEqual([
            toHex(frames[index]),
            naiveExtract(frames[index], { vlanLimit }).hash,
          ]);
          // Words that hold something are in a group that says so.
          const sealed = row.slice();
          sealKey(sealed);
          expect(sealed[GROUPS_WORD] & ~row[GROUPS_WORD]).toBe(0);
        }
        pool.releaseBurst(burst, count);
        done += count;
      }
    });
  }

  it(`agrees on packets without an Ethernet header (seed ${seed})`, () => {
    const random = randomFrom(seed + 3);
    for (let round = 0; round < 500; round++) {
      const frame = randomFrame(random);
      const bare = frame.slice(14);
      const packetType = 0x10000 | (frame[12] << 8) | frame[13];
      if (bare.length === 0) continue;
      const expected: NaiveFields = { packetType: packetType.toString(16).padStart(8, '0') };
      expectTwin(extractOne(bare, { packetType }).row, bare, 1, expected, packetType);
    }
  });

  it('agrees on every cut of every row of the table', () => {
    for (const [, hex, , vlanLimit = 1] of rows) {
      const whole = frameOf(hex);
      for (let length = 14; length <= whole.length; length++) {
        const frame = whole.slice(0, length);
        const { row, fiveTuple } = extractOne(frame, { vlanLimit });
        expectTwin(row, frame, vlanLimit, {});
        expect(fiveTuple).toBe(naiveExtract(frame, { vlanLimit }).hash);
      }
    }
  });
});

describe('a row', () => {
  it(`is the same in the midst of anything (seed ${seed})`, () => {
    const random = randomFrom(seed + 4);
    const pools = [0x00, 0xff].map((filling) => {
      const pool = new PacketPool({ slots: 64 });
      pool.bytes.fill(filling);
      const rows = createKeyRows();
      const { extract } = createExtractor(pool, rows, createKnownKeys(1), { vlanLimit: 2 });
      return { pool, rows, extract, filling };
    });
    for (let round = 0; round < 4000; round++) {
      const frame = randomFrame(random);
      const answers = pools.map(({ pool, rows, extract, filling }) => {
        const packet = pool.allocateCopy(frame);
        rows.keys.fill(0);
        extract(Int32Array.of(packet), 1, 0);
        const { bytes, offset, slotBytes } = pool;
        bytes.fill(filling, packet * slotBytes, (packet + 1) * slotBytes);
        expect(offset[packet] & 3).toBe(2);
        pool.release(packet);
        return [[...rows.keys.subarray(0, KEY_WORDS)], rows.hashes[0], pool.hash[packet]];
      });
      expect([toHex(frame), answers[1]]).toEqual([toHex(frame), answers[0]]);
    }
  });

  // A packet for each group of rare words (conntrack has none: nothing fills it).
  const tunnel: TunnelMetadata = { source: '1.2.3.4', id: 5 };
  const wide: TunnelMetadata = { source: 'fd00::1', id: 2 ** 40 };
  const groups: [name: keyof typeof Group, frame: Uint8Array, setting: Setting][] = [
    ['tunnel', frameOf('88b5'), { tunnel }],
    ['tunnelWide', frameOf('88b5'), { tunnel: wide }],
    ['ipv6', frameOf(ipv6('0008', '11', UDP6)), {}],
    ['nd', frameOf('0806' + ARP), {}],
    ['nd', frameOf(ipv6('0020', '3a', SOLICITATION + SLL)), {}],
    ['innerTag', frameOf('88a8000a8100000b0800'), { vlanLimit: 2 }],
    ['labels', frameOf('8847' + '00001040' + '00002140'), {}],
    ['labels', frameOf('894f' + NSH1), {}],
    ['metadata', frameOf('88b5'), { metadata: { skbMark: 3 } }],
  ];

  it.each(groups)(
    'forgets the words of group %s when the next packet has none, and keeps those it has',
    (name, frame, setting) => {
      const pool = new PacketPool({ slots: 64 });
      const rows = createKeyRows();
      const { extract } = createExtractor(pool, rows, createKnownKeys(1), setting);
      const put = (bytes: Uint8Array, given: Setting): Int32Array => {
        const packet = pool.allocateCopy(bytes);
        if (given.tunnel) writeTunnel(pool, packet, given.tunnel);
        if (given.metadata) {
          pool.extras[packet] |= Extras.metadata;
          pool.skbMark[packet] = given.metadata.skbMark ?? 0;
        }
        extract(Int32Array.of(packet), 1, 0);
        pool.release(packet);
        return rows.keys.slice(0, KEY_WORDS);
      };
      const [first, count] = GROUP_WORDS[Math.log2(Group[name])];
      const plain = buildFrame(over4(udpLayer, payload));
      const clean = put(plain, {});
      const filled = put(frame, setting);
      expect(filled[GROUPS_WORD] & Group[name]).toBe(Group[name]);
      expect(filled.slice(first, first + count).some((word) => word !== 0)).toBe(true);
      expect(put(frame, setting)).toEqual(filled);
      expect(put(plain, {})).toEqual(clean);
      // Another packet of the same group, with less in it.
      for (const [otherName, other, otherSetting] of groups) {
        if (otherName !== name) continue;
        put(frame, setting);
        expect(put(other, otherSetting)).toEqual(
          extractOne(other, { ...otherSetting, vlanLimit: setting.vlanLimit }).row,
        );
      }
    },
  );
});
