import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseCapture } from '../../src/io/capture-reader.js';
import { createLink } from '../../src/io/link.js';
import { createCaptureFile } from '../../src/node/capture-file.js';
import { openPcapPort } from '../../src/node/pcap-port.js';
import { openRecorder, recordPort } from '../../src/node/recorder.js';
import { createPcapWriter } from '../../src/io/pcap.js';
import { ManualClock } from '../../src/util/clock.js';
import { reasonCounts } from '../../src/util/reason.js';
import { frameOf, sitAt, until } from './ports.js';

const folder = mkdtempSync(join(tmpdir(), 'megaflow-pcap-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A capture with frames 0, 1, 2 … at these times in ms after some day. */
function capture(name: string, timesMs: readonly number[], length = 64): string {
  const path = join(folder, name);
  using file = createCaptureFile(path);
  timesMs.forEach((ms, number) => {
    file.sink({
      frame: frameOf(number, length),
      seconds: 1_700_000_000 + Math.floor(ms / 1000),
      nanoseconds: (ms % 1000) * 1e6,
    });
  });
  return path;
}

const numberOf = ({ frame }: { frame: Uint8Array }): number => new DataView(frame.buffer).getUint32(14);

describe('a replay', () => {
  it('gives frames at their own pace, or at a factor of it', async () => {
    for (const pace of [1, 4, 0.5]) {
      const clock = new ManualClock(12_345);
      await using port = await openPcapPort({
        name: 'p',
        read: capture('paced.pcap', [0, 100, 100, 1500]),
        pace,
        clock,
      });
      const seat = sitAt(port);
      expect(seat.take().map(numberOf)).toEqual([0]);
      clock.advance(100 / pace - 1);
      expect(seat.take()).toEqual([]);
      const { wakes } = seat;
      clock.advance(1);
      expect(seat.wakes).toBeGreaterThan(wakes);
      expect(seat.take().map(numberOf)).toEqual([1, 2]);
      clock.advance(1400 / pace);
      expect(seat.take().map(numberOf)).toEqual([3]);
    }
  });

  it('gives frames at once, in order, across chunks, and as fast as they are taken', async () => {
    const times = Array.from({ length: 2000 }, (_, number) => number * 1000);
    await using port = await openPcapPort({ name: 'p', read: capture('long.pcap', times, 1000), pace: Infinity });
    const seat = sitAt(port);
    // Room for less than a burst: nothing is lost.
    const got: number[] = [];
    while (got.length < 2000) {
      got.push(...seat.take(7).map(numberOf));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(got).toEqual(times.map((_, number) => number));
    expect(seat.take()).toEqual([]);
    await port.finished;
    expect(port.counters).toMatchObject({ rxPackets: 2000, rxBytes: 2_000_000 });
  });

  it('waits for slots when the pool is empty', async () => {
    const clock = new ManualClock();
    const path = capture('slots.pcap', [0, 0, 0]);
    await using port = await openPcapPort({ name: 'p', read: path, pace: Infinity, clock });
    const seat = sitAt(port, { slots: 64 });
    const held = Array.from({ length: 62 }, () => seat.pool.allocate());
    expect(seat.take().map(numberOf)).toEqual([0, 1]);
    held.forEach((handle) => seat.pool.release(handle));
    const { wakes } = seat;
    clock.advance(1);
    expect(seat.wakes).toBe(wakes + 1);
    expect(seat.take().map(numberOf)).toEqual([2]);
  });

  it('passes over what is no whole Ethernet frame within the MTU, and counts why', async () => {
    const path = join(folder, 'odd.pcap');
    {
      using file = createCaptureFile(path);
      file.sink({ frame: frameOf(0, 60), originalLength: 61, seconds: 0, nanoseconds: 0 });
      file.sink({ frame: frameOf(1, 13), seconds: 0, nanoseconds: 0 });
      file.sink({ frame: frameOf(2, 1515), seconds: 0, nanoseconds: 0 });
      file.sink({ frame: frameOf(3, 1514), seconds: 0, nanoseconds: 0 });
    }
    await using port = await openPcapPort({ name: 'p', read: path, pace: Infinity });
    expect(sitAt(port).take().map(numberOf)).toEqual([3]);
    expect(reasonCounts(port.counters.rxDrops)).toEqual({ truncated: 1, runt: 1, 'mtu-exceeded': 1 });

    await using narrow = await openPcapPort({ name: 'p', read: path, pace: Infinity });
    expect(sitAt(narrow, { frameBytes: 512 }).take()).toEqual([]);
    expect(reasonCounts(narrow.counters.rxDrops)['frame-too-long']).toBe(1);

    // Link type 101 of the registry: raw IP.
    const raw = join(folder, 'raw.pcap');
    {
      using file = createCaptureFile(raw, createPcapWriter({ linkType: 101 }));
      file.sink({ frame: frameOf(0), seconds: 0, nanoseconds: 0 });
    }
    await using other = await openPcapPort({ name: 'p', read: raw, pace: Infinity });
    expect(sitAt(other).take()).toEqual([]);
    expect(reasonCounts(other.counters.rxDrops)).toEqual({ 'bad-type': 1 });
  });

  it('ends with the error of a file that ends within a record, behind its sound frames', async () => {
    const path = capture('cut.pcap', [0, 1]);
    truncateSync(path, statSync(path).size - 1);
    const port = await openPcapPort({ name: 'p', read: path, pace: Infinity });
    const seat = sitAt(port);
    expect(seat.take().map(numberOf)).toEqual([0]);
    expect(await port.closed).toMatchObject({ code: 'bad-capture' });
    await port.finished;
  });

  it('refuses files and options that cannot be', async () => {
    const text = join(folder, 'text');
    writeFileSync(text, 'this is no capture');
    await expect(openPcapPort({ name: 'p', read: text })).rejects.toMatchObject({ code: 'bad-capture' });
    await expect(openPcapPort({ name: 'p', read: join(folder, 'none') })).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('needed: a capture file'),
    });
    await expect(openPcapPort({ name: 'p', write: join(folder, 'none', 'a') })).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(openPcapPort({ name: 'p' })).rejects.toMatchObject({ code: 'bad-option' });
    for (const pace of [0, -1, NaN]) {
      await expect(openPcapPort({ name: 'p', read: text, pace })).rejects.toMatchObject({
        code: 'bad-option',
        value: pace,
      });
    }
  });

  it('stops by signal', async () => {
    const control = new AbortController();
    const path = capture('slow.pcap', [0, 1e6]);
    const port = await openPcapPort({ name: 'p', read: path, signal: control.signal });
    const seat = sitAt(port);
    expect(seat.take()).toHaveLength(1);
    expect(seat.take()).toHaveLength(0);
    control.abort();
    expect(await port.closed).toBeUndefined();
    await port.finished;
    expect(seat.take()).toHaveLength(0);
  });
});

describe('a pcap port that writes', () => {
  it('writes what is sent to it, with the time of day', async () => {
    const path = join(folder, 'sent.pcap');
    const before = Date.now();
    const port = await openPcapPort({ name: 'p', write: path });
    const seat = sitAt(port);
    await port.finished;
    const frames = Array.from({ length: 100 }, (_, number) => frameOf(number));
    seat.send([...frames, frameOf(1, 1515)]);
    await port.close();
    seat.send([frameOf(0)]);
    const written = parseCapture(readFileSync(path));
    expect(written.map(({ frame }) => frame)).toEqual(frames);
    // The clock of performance.now may be some ms off that of Date.now.
    expect(Math.abs(written[0].seconds * 1000 - before)).toBeLessThan(600_000);
    expect(port.counters).toMatchObject({ txPackets: 100, txBytes: 6400 });
    expect(reasonCounts(port.counters.txDrops)).toEqual({ 'mtu-exceeded': 1, 'port-closed': 1 });
  });
});

describe('a recorder', () => {
  it('records any port, both ways, and leaves it as it was', async () => {
    for (const [direction, expected] of [
      ['both', [0, 1]],
      ['in', [1]],
      ['out', [0]],
    ] as const) {
      const path = join(folder, `link-${direction}.pcapng`);
      const [near, far] = createLink();
      const { port, recorder } = await recordPort(near, { path, direction, format: 'pcapng' });
      const seat = sitAt(port);
      const other = sitAt(far);
      seat.send([frameOf(0)]);
      other.send([frameOf(1)]);
      expect(seat.take().map(numberOf)).toEqual([1]);
      expect(other.take().map(numberOf)).toEqual([0]);
      await recorder.close();
      expect(parseCapture(readFileSync(path)).map(numberOf)).toEqual(expected);
      seat.send([frameOf(2)]);
      expect(other.take().map(numberOf)).toEqual([2]);
      expect(recorder.counts).toEqual({ recorded: expected.length, dropped: direction === 'in' ? 0 : 1, files: 1 });
    }
  });

  it('begins a new file when one is full, and replaces the first after the last', async () => {
    const place = mkdtempSync(join(folder, 'rotated-'));
    const path = join(place, 'a.pcap');
    // A file header has 24 bytes and a record 16 + 100: nine of them fit into 1068 bytes.
    const recorder = await openRecorder({ path, rotateBytes: 24 + 9 * 116, files: 3 });
    for (let number = 0; number < 30; number++)
      recorder.sink({ frame: frameOf(number, 100), seconds: number, nanoseconds: 0 });
    await recorder.close();
    expect(recorder.counts).toEqual({ recorded: 30, dropped: 0, files: 4 });
    expect(readdirSync(place).sort()).toEqual(['a.pcap', 'a.pcap1', 'a.pcap2']);
    const numbers = (file: string): number[] => parseCapture(readFileSync(file)).map(numberOf);
    expect(numbers(path)).toEqual([27, 28, 29]);
    expect(numbers(`${path}1`)).toEqual([9, 10, 11, 12, 13, 14, 15, 16, 17]);
    expect(numbers(`${path}2`)).toEqual([18, 19, 20, 21, 22, 23, 24, 25, 26]);
  });

  it('drops and counts what finds its buffer full, and never holds more', async () => {
    const path = join(folder, 'full.pcap');
    const recorder = await openRecorder({ path, bufferBytes: 65_536 });
    // Nothing is written before this turn of the loop is over: 65 records of 1016 bytes fill the buffer.
    for (let number = 0; number < 100; number++)
      recorder.sink({ frame: frameOf(number, 1000), seconds: 0, nanoseconds: 0 });
    expect(recorder.counts).toEqual({ recorded: 64, dropped: 36, files: 1 });
    await until(() => statSync(path).size === 24 + 64 * 1016);
    recorder.sink({ frame: frameOf(200, 1000), seconds: 0, nanoseconds: 0 });
    await recorder.close();
    expect(parseCapture(readFileSync(path)).map(numberOf)).toEqual([...Array.from({ length: 64 }, (_, at) => at), 200]);
  });

  it('ends when the disk does, and says so', async () => {
    // /dev/full takes nothing: ENOSPC.
    await expect(openRecorder({ path: '/dev/full' })).rejects.toMatchObject({
      code: 'io-failed',
      message: expect.stringContaining('needed: free space'),
    });
    const place = mkdtempSync(join(folder, 'gone-'));
    const recorder = await openRecorder({ path: join(place, 'a'), rotateBytes: 1024 });
    rmSync(place, { recursive: true });
    for (let number = 0; number < 20; number++)
      recorder.sink({ frame: frameOf(number, 100), seconds: 0, nanoseconds: 0 });
    expect(await recorder.closed).toMatchObject({ code: 'not-found' });
    const { dropped } = recorder.counts;
    recorder.sink({ frame: frameOf(0), seconds: 0, nanoseconds: 0 });
    expect(recorder.counts.dropped).toBe(dropped + 1);
  });

  it('refuses options that cannot be', async () => {
    const path = join(folder, 'refused');
    await expect(openRecorder({ path, format: 'snoop' as never })).rejects.toMatchObject({ code: 'bad-option' });
    await expect(openRecorder({ path, rotateBytes: 10 })).rejects.toMatchObject({ code: 'out-of-range' });
    await expect(openRecorder({ path, files: 0 })).rejects.toMatchObject({ code: 'out-of-range' });
    await expect(openRecorder({ path, bufferBytes: 1 })).rejects.toMatchObject({ code: 'out-of-range' });
    expect(readdirSync(folder)).not.toContain('refused');
  });
});
