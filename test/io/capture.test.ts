import { describe, expect, it, vi } from 'vitest';
import { capturePort, type FrameToCapture } from '../../src/io/capture.js';
import { createCaptureReader, parseCapture } from '../../src/io/capture-reader.js';
import { createLink } from '../../src/io/link.js';
import { createPcapWriter } from '../../src/io/pcap.js';
import { createPcapngWriter } from '../../src/io/pcapng.js';
import { ManualClock } from '../../src/util/clock.js';
import { MegaflowError } from '../../src/util/errors.js';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { attachBench, createRandom, numbered } from './bench.js';

const frame = fromHex('ffffffffffff aa55aa550001 88b5 6869');

function concat(...chunks: Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}

/** The place and the message of the error that a file gives. */
function problemOf(run: () => unknown): { offset: number; message: string } {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(MegaflowError);
    expect((error as MegaflowError).code).toBe('bad-capture');
    return { offset: ((error as MegaflowError).value as { offset: number }).offset, message: (error as Error).message };
  }
  throw new Error('nothing was thrown');
}

// One frame at 1700000000.123456 s, 20 bytes on the wire of which 16 were captured. The first is by hand from
// draft-ietf-opsawg-pcap section 4 and 5; the second is what Wireshark's `editcap -F nsecpcap` 4.0.17 makes of it.
const PCAP_LITTLE =
  'd4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000 00f15365 40e20100 10000000 14000000' + toHex(frame);
const PCAP_NANOSECONDS =
  '4d3cb2a1 0200 0400 00000000 00000000 ffff0000 01000000 00f15365 00ca5b07 10000000 14000000' + toHex(frame);
// By hand: the same fields, big-endian.
const PCAP_BIG =
  'a1b2c3d4 0002 0004 00000000 00000000 0000ffff 00000001 6553f100 0001e240 00000010 00000014' + toHex(frame);
const PCAP_BIG_NANOSECONDS =
  'a1b23c4d 0002 0004 00000000 00000000 0000ffff 00000001 6553f100 075bca00 00000010 00000014' + toHex(frame);

// What `editcap -F pcapng -a 1:hello` of Wireshark 4.0.17 makes of PCAP_LITTLE, without its comment on the section.
const PCAPNG_LITTLE =
  '0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000 ' +
  '01000000 14000000 0100 0000 ffff0000 14000000 ' +
  `06000000 40000000 00000000 240a0600 40222018 10000000 14000000 ${toHex(frame)} ` +
  '0100 0500 68656c6c6f000000 00000000 40000000';
// By hand from draft-ietf-opsawg-pcapng sections 4.1 to 4.4, big-endian: an interface `ens8` with nanoseconds
// (if_tsresol 9), one with units of 2^-16 s that begin 100 s late (if_tsoffset), a block of an unknown type, packets
// with and without flags.
const PCAPNG_BIG =
  '0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c' +
  '00000001 00000028 0001 0000 00000040 0002 0004 656e7338 0009 0001 09000000 0000 0000 00000028' +
  '00000001 0000002c 0001 0000 00000000 0009 0001 90000000 000e 0008 0000000000000064 0000 0000 0000002c' +
  '00000bad 00000010 01020304 00000010' +
  `00000006 0000003c 00000000 17979cfe 3d85ca00 00000010 00000014 ${toHex(frame)} ` +
  '0002 0004 00000002 00000000 0000003c' +
  '00000006 00000024 00000001 00000000 00038000 00000002 00000002 abcd0000 00000024' +
  '00000003 00000014 00000003 01020300 00000014' +
  '00000002 00000024 0001 ffff 00000000 00010000 00000001 00000001 ee000000 00000024';

describe('reading pcap', () => {
  it('works in both byte orders, with microseconds and nanoseconds', () => {
    for (const file of [PCAP_LITTLE, PCAP_BIG, PCAP_NANOSECONDS, PCAP_BIG_NANOSECONDS]) {
      expect(parseCapture(fromHex(file))).toEqual([
        {
          frame,
          seconds: 1_700_000_000,
          nanoseconds: 123_456_000,
          originalLength: 20,
          linkType: 1,
          interface: 0,
          offset: 24,
        },
      ]);
    }
  });

  it('carries over a fraction that is more than a second', () => {
    const file = fromHex(PCAP_LITTLE.replace('40e20100', '40420f00'));
    expect(parseCapture(file)[0]).toMatchObject({ seconds: 1_700_000_001, nanoseconds: 0 });
  });

  it('takes the link type without what is said of check sequences', () => {
    expect(parseCapture(fromHex(PCAP_LITTLE.replace('ffff0000 01000000', 'ffff0000 65000024')))[0].linkType).toBe(0x65);
  });

  it('says where a file is bad', () => {
    expect(problemOf(() => parseCapture(new Uint8Array(0)))).toMatchObject({ offset: 0 });
    expect(problemOf(() => parseCapture(fromHex('d4c3b2')))).toMatchObject({ offset: 0 });
    expect(problemOf(() => parseCapture(fromHex('00000000')))).toMatchObject({
      offset: 0,
      message: expect.stringContaining('0x00000000'),
    });
    // "Modified" pcap of old, with longer record headers.
    expect(problemOf(() => parseCapture(fromHex('34cdb2a1')))).toMatchObject({ offset: 0 });
    expect(problemOf(() => parseCapture(fromHex(PCAP_LITTLE.replace('0200 0400', '0300 0400'))))).toMatchObject({
      offset: 4,
    });
    expect(problemOf(() => parseCapture(fromHex(PCAP_LITTLE.replace('10000000', '01000400'))))).toMatchObject({
      offset: 32,
    });
    for (const cut of [1, 15, 16, 31]) {
      expect(problemOf(() => parseCapture(fromHex(PCAP_LITTLE).subarray(0, 56 - cut)))).toMatchObject({ offset: 24 });
    }
    expect(problemOf(() => parseCapture(fromHex(PCAP_LITTLE).subarray(0, 23)))).toMatchObject({ offset: 0 });
    expect(parseCapture(fromHex(PCAP_LITTLE).subarray(0, 24))).toEqual([]);
  });
});

describe('reading pcapng', () => {
  it('works for what Wireshark writes', () => {
    expect(parseCapture(fromHex(PCAPNG_LITTLE))).toEqual([
      {
        frame,
        seconds: 1_700_000_000,
        nanoseconds: 123_456_000,
        originalLength: 20,
        linkType: 1,
        interface: 0,
        comment: 'hello',
        offset: 48,
      },
    ]);
  });

  it('works for big-endian files with interfaces, resolutions, and simple and old packet blocks', () => {
    const [enhanced, coarse, simple, old] = parseCapture(fromHex(PCAPNG_BIG));
    // 0x17979cfe3d85ca00 is 1700000000123456000.
    expect(enhanced).toMatchObject({
      frame,
      seconds: 1_700_000_000,
      nanoseconds: 123_456_000,
      interface: 0,
      interfaceName: 'ens8',
      direction: 'out',
    });
    // 0x38000 / 2^16 is 3.5.
    expect(coarse).toMatchObject({ frame: fromHex('abcd'), seconds: 103, nanoseconds: 500_000_000, interface: 1 });
    expect(coarse).not.toHaveProperty('interfaceName');
    expect(simple).toMatchObject({ frame: fromHex('010203'), originalLength: 3, seconds: 0, interfaceName: 'ens8' });
    expect(old).toMatchObject({ frame: fromHex('ee'), seconds: 101, nanoseconds: 0, interface: 1 });
  });

  it('cuts a simple packet to the snap length of the interface', () => {
    const file = fromHex(
      '0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000' +
        '01000000 14000000 0100 0000 02000000 14000000' +
        '03000000 14000000 00010000 01020000 14000000',
    );
    expect(parseCapture(file)).toMatchObject([{ frame: fromHex('0102'), originalLength: 256 }]);
  });

  it('takes several sections, each with its own byte order and interfaces', () => {
    const file = concat(fromHex(PCAPNG_LITTLE), fromHex(PCAPNG_BIG), fromHex(PCAPNG_LITTLE));
    const found = parseCapture(file);
    expect(found.map(({ interfaceName }) => interfaceName)).toEqual([
      undefined,
      'ens8',
      undefined,
      'ens8',
      undefined,
      undefined,
    ]);
    expect(found.at(-1)?.comment).toBe('hello');
  });

  it('says where a file is bad', () => {
    const little = (change: (file: string) => string): { offset: number; message: string } =>
      problemOf(() => parseCapture(fromHex(change(PCAPNG_LITTLE))));
    expect(little((file) => file.replace('4d3c2b1a', '4d3c2b1b'))).toMatchObject({ offset: 8 });
    expect(little((file) => file.replace('4d3c2b1a 0100', '4d3c2b1a 0200'))).toMatchObject({ offset: 12 });
    expect(little((file) => file.replace('1c000000', '18000000'))).toMatchObject({ offset: 4 });
    expect(little((file) => file.replace('14000000', '15000000'))).toMatchObject({ offset: 32 });
    expect(little((file) => file.replace('40000000', '04000001'))).toMatchObject({ offset: 52 });
    expect(little((file) => file.replace(/40000000$/, '44000000'))).toMatchObject({ offset: 108 });
    expect(little((file) => file.replace('40000000 00000000', '40000000 01000000'))).toMatchObject({ offset: 56 });
    expect(little((file) => file.replace('10000000 14000000 ff', '25000000 14000000 ff'))).toMatchObject({
      offset: 68,
    });
    expect(little((file) => file.replace('0100 0500', '0100 0f00'))).toMatchObject({ offset: 92 });
    expect(little((file) => file.slice(0, -2))).toMatchObject({ offset: 48 });
    const simple = '0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000';
    const noInterface = simple + '03000000 14000000 03000000 01020300 14000000';
    expect(problemOf(() => parseCapture(fromHex(noInterface)))).toMatchObject({ offset: 28 });
    const description = '01000000 14000000 0100 0000 00000000 14000000';
    const tooLong = `${simple}${description}03000000 14000000 05000000 01020300 14000000`;
    expect(problemOf(() => parseCapture(fromHex(tooLong)))).toMatchObject({ offset: 56 });
    expect(parseCapture(fromHex(simple))).toEqual([]);
  });
});

describe('reading in pieces', () => {
  it('keeps nothing of a buffer that is used again, not even of one of Node', () => {
    const writer = createPcapWriter();
    const frame = fromHex('0102030405060708090a0b0c0d0e');
    const file = Buffer.concat([writer.header, writer.write({ frame, seconds: 1, nanoseconds: 0 })]);
    const reader = createCaptureReader();
    const chunk = Buffer.alloc(40);
    const frames = [];
    // The first chunk ends within the record's header, the second with the file.
    for (const [from, to] of [
      [0, 30],
      [30, file.length],
    ]) {
      file.copy(chunk, 0, from, to);
      frames.push(...reader.push(chunk.subarray(0, to - from)));
      chunk.fill(0xa5);
    }
    const [whole] = parseCapture(file);
    file.fill(0xa5);
    for (const captured of [...frames, whole]) expect(toHex(captured.frame)).toBe(toHex(frame));
    expect(frames.length).toBe(1);
  });

  it('gives the same frames however the file is cut', () => {
    for (const file of [PCAP_LITTLE + PCAP_LITTLE.replaceAll(' ', '').slice(48), PCAPNG_LITTLE + PCAPNG_BIG].map(
      fromHex,
    )) {
      const whole = parseCapture(file);
      for (const size of [1, 2, 3, 7, 16, 29, 64]) {
        const reader = createCaptureReader();
        const found = [];
        // One buffer for all chunks: the reader must copy what it keeps.
        const buffer = new Uint8Array(size);
        for (let at = 0; at < file.length; at += size) {
          const chunk = file.subarray(at, at + size);
          buffer.set(chunk);
          found.push(...reader.push(buffer.subarray(0, chunk.length)));
          buffer.fill(0xa5);
        }
        reader.end();
        expect(found, `chunks of ${size}`).toEqual(whole);
      }
    }
  });

  it('gives the frames before what is bad, then throws, and goes on throwing', () => {
    const reader = createCaptureReader();
    const bad = fromHex('00000000 00000000 ffffffff 00000000');
    expect(reader.push(concat(fromHex(PCAP_LITTLE), bad))).toHaveLength(1);
    for (const run of [() => reader.push(fromHex(PCAP_LITTLE)), () => reader.end()])
      expect(problemOf(run)).toMatchObject({ offset: 64 });
  });

  it('ends in frames or in bad-capture for whatever comes', () => {
    const seed = 0xcafe;
    const random = createRandom(seed);
    const files = [PCAP_LITTLE, PCAP_BIG, PCAPNG_LITTLE, PCAPNG_BIG].map(fromHex);
    for (let round = 0; round < 20_000; round++) {
      const file = files[random(files.length)].slice();
      for (let change = random(4); change >= 0; change--) file[random(file.length)] = random(256);
      try {
        parseCapture(random(3) === 0 ? file.subarray(0, random(file.length)) : file);
      } catch (error) {
        if (!(error instanceof MegaflowError) || error.code !== 'bad-capture')
          throw new Error(`seed ${seed}, ${toHex(file)}`, { cause: error });
      }
    }
  });
});

describe('writing', () => {
  const captured: FrameToCapture[] = [
    { frame, seconds: 0, nanoseconds: 0 },
    { frame: numbered(1, 61), seconds: 1_700_000_000, nanoseconds: 123_456_789, originalLength: 1514 },
    { frame: new Uint8Array(0), seconds: 2 ** 32 - 1, nanoseconds: 999_999_999 },
    { frame: numbered(2, 1514), seconds: 5, nanoseconds: 6 },
  ];

  it('makes the pcap files that were made by hand', () => {
    const one: FrameToCapture = { frame, seconds: 1_700_000_000, nanoseconds: 123_456_789, originalLength: 20 };
    const make = (options: object): string => {
      const writer = createPcapWriter({ snapLength: 65535, ...options });
      return toHex(concat(writer.header, writer.write(one)));
    };
    expect(make({})).toBe(toHex(fromHex(PCAP_LITTLE)));
    expect(make({ bigEndian: true })).toBe(toHex(fromHex(PCAP_BIG)));
    const exact = { ...one, nanoseconds: 123_456_000 };
    for (const [bigEndian, file] of [
      [false, PCAP_NANOSECONDS],
      [true, PCAP_BIG_NANOSECONDS],
    ] as const) {
      const writer = createPcapWriter({ snapLength: 65535, nanoseconds: true, bigEndian });
      expect(toHex(concat(writer.header, writer.write(exact)))).toBe(toHex(fromHex(file)));
    }
  });

  it('makes pcap files that are read again', () => {
    for (const bigEndian of [false, true]) {
      for (const nanoseconds of [false, true]) {
        const writer = createPcapWriter({ bigEndian, nanoseconds, linkType: 147 });
        const found = parseCapture(concat(writer.header, ...captured.map((each) => writer.write(each))));
        expect(found).toMatchObject(
          captured.map((each) => ({
            originalLength: each.frame.length,
            ...each,
            linkType: 147,
            nanoseconds: nanoseconds ? each.nanoseconds : each.nanoseconds - (each.nanoseconds % 1000),
          })),
        );
      }
    }
  });

  it('makes pcapng files that are read again', () => {
    for (const bigEndian of [false, true]) {
      for (const nanoseconds of [undefined, false]) {
        const interfaces = [{ name: 'ens8' }, { name: 'br0-\u00e9', linkType: 147 }, {}];
        const writer = createPcapngWriter({ bigEndian, nanoseconds, interfaces, comment: 'made by a test' });
        const details: Partial<FrameToCapture>[] = [
          { interface: 0, direction: 'in' },
          { interface: 1, direction: 'out', comment: 'h\u00e9llo' },
          { interface: 2 },
          { comment: 'x' },
        ];
        const given = captured.map((each, index) => ({ ...each, ...details[index] }));
        const found = parseCapture(concat(writer.header, ...given.map((each) => writer.write(each))));
        expect(found).toMatchObject(
          given.map((each) => ({
            originalLength: each.frame.length,
            ...each,
            nanoseconds: nanoseconds === undefined ? each.nanoseconds : each.nanoseconds - (each.nanoseconds % 1000),
          })),
        );
        expect(found.map(({ interfaceName, linkType }) => [interfaceName, linkType])).toEqual([
          ['ens8', 1],
          ['br0-\u00e9', 147],
          [undefined, 1],
          ['ens8', 1],
        ]);
      }
    }
  });

  it('cuts what exceeds the snap length', () => {
    const pcap = createPcapWriter({ snapLength: 10 });
    const pcapng = createPcapngWriter({ interfaces: [{}, { snapLength: 10 }] });
    for (const writer of [pcap, pcapng]) {
      const [found] = parseCapture(
        concat(writer.header, writer.write({ frame, seconds: 1, nanoseconds: 0, interface: 1 })),
      );
      expect(found).toMatchObject({ frame: frame.subarray(0, 10), originalLength: 16 });
    }
  });

  it('refuses what cannot be written', () => {
    const writers = [createPcapWriter(), createPcapngWriter()];
    const change: Partial<FrameToCapture>[] = [
      { seconds: -1 },
      { seconds: 1.5 },
      { seconds: 2 ** 33 + 1 },
      { nanoseconds: 1e9 },
      { originalLength: 2 ** 32 },
    ];
    for (const writer of writers) {
      for (const each of change) {
        expect(() => writer.write({ frame, seconds: 0, nanoseconds: 0, ...each })).toThrow(
          expect.objectContaining({ code: 'out-of-range' }),
        );
      }
    }
    expect(() => writers[0].write({ frame, seconds: 2 ** 32, nanoseconds: 0 })).toThrow(
      expect.objectContaining({ code: 'out-of-range' }),
    );
    expect(() => writers[1].write({ frame, seconds: 0, nanoseconds: 0, interface: 1 })).toThrow(
      expect.objectContaining({ code: 'out-of-range' }),
    );
    for (const options of [{ snapLength: 0 }, { snapLength: 262_145 }, { linkType: 65536 }]) {
      expect(() => createPcapWriter(options)).toThrow(expect.objectContaining({ code: 'out-of-range' }));
      expect(() => createPcapngWriter({ interfaces: [options] })).toThrow(
        expect.objectContaining({ code: 'out-of-range' }),
      );
    }
    expect(() => createPcapngWriter({ interfaces: [] })).toThrow(expect.objectContaining({ code: 'out-of-range' }));
    expect(() => createPcapngWriter({ comment: 'x'.repeat(65536) })).toThrow(
      expect.objectContaining({ code: 'out-of-range' }),
    );
  });
});

describe('capturing a port', () => {
  const setUp = (direction?: 'in' | 'out' | 'both') => {
    const [left, right] = createLink();
    const clock = new ManualClock(1500);
    const seen: FrameToCapture[] = [];
    const sink = (each: FrameToCapture): void => void seen.push({ ...each, frame: each.frame.slice() });
    const port = capturePort(left, sink, { clock, direction, epochMs: 1_700_000_000_000, snapLength: 70 });
    return { clock, seen, port, left, near: attachBench(port), far: attachBench(right) };
  };

  it('shows what passes, both ways, and lets it pass', () => {
    const { clock, seen, port, left, near, far } = setUp();
    near.send(numbered(1), numbered(2, 100));
    expect(far.receive()).toEqual([numbered(1), numbered(2, 100)]);
    clock.advance(0.25);
    far.send(numbered(3));
    expect(near.receive()).toEqual([numbered(3)]);
    expect(near.wakes).toBe(1);
    expect(seen).toEqual([
      { frame: numbered(1), seconds: 1_700_000_001, nanoseconds: 500_000_000, originalLength: 60, direction: 'out' },
      {
        frame: numbered(2, 100).subarray(0, 70),
        seconds: 1_700_000_001,
        nanoseconds: 500_000_000,
        originalLength: 100,
        direction: 'out',
      },
      { frame: numbered(3), seconds: 1_700_000_001, nanoseconds: 500_250_000, originalLength: 60, direction: 'in' },
    ]);
    expect([port.name, port.mtu, port.counters]).toEqual([left.name, left.mtu, left.counters]);
    port.detach();
    port.send(new Int32Array(1), 1);
    expect(seen.length).toBe(3);
  });

  it('shows one direction if that is asked for', () => {
    for (const direction of ['in', 'out'] as const) {
      const { seen, near, far } = setUp(direction);
      near.send(numbered(1));
      far.send(numbered(2));
      near.receive();
      expect(seen.map((each) => each.direction)).toEqual([direction]);
    }
    expect(() => setUp('up' as 'in')).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });

  it('lets frames pass when the sink throws, and throws later', () => {
    const later: (() => void)[] = [];
    const spy = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((callback) => void later.push(callback));
    try {
      const [left, right] = createLink();
      const fail = (): void => {
        throw new Error('the disk is full');
      };
      const near = attachBench(capturePort(left, fail, { clock: new ManualClock() }));
      const far = attachBench(right);
      near.send(numbered(1));
      expect(far.receive()).toEqual([numbered(1)]);
      expect(later[0]).toThrow('the disk is full');
    } finally {
      spy.mockRestore();
    }
  });
});
