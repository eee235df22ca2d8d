import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openQemuPort } from '../../src/node/qemu-port.js';
import { reasonCounts } from '../../src/util/reason.js';
import { frameOf, sitAt, until } from './ports.js';

const folder = mkdtempSync(join(tmpdir(), 'megaflow-qemu-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Frames as QEMU writes them: a length of four bytes, big-endian (net/stream.c), then the frame. */
function inStream(frames: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    frames.map((frame) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(frame.length);
      return Buffer.concat([length, frame]);
    }),
  );
}

const frames = Array.from({ length: 300 }, (_, number) => frameOf(number, 14 + ((number * 131) % 1500)));
const bytesOf = (list: readonly Uint8Array[]): number => list.reduce((sum, { length }) => sum + length, 0);

describe('a port for QEMU', () => {
  for (const place of ['a Unix socket', 'TCP'] as const) {
    it(`carries frames both ways over ${place}`, async () => {
      const listen = place === 'TCP' ? '127.0.0.1:0' : join(folder, 'both');
      await using server = await openQemuPort({ name: 'server', listen });
      await using client = await openQemuPort({ name: 'client', connect: server.address });
      const [left, right] = [sitAt(server), sitAt(client)];
      await until(() => server.isConnected && client.isConnected);
      right.send(frames.slice(0, 200));
      left.send(frames.slice(0, 100));
      expect((await left.receive(200)).map(({ frame }) => frame)).toEqual(frames.slice(0, 200));
      expect((await right.receive(100)).map(({ frame }) => frame)).toEqual(frames.slice(0, 100));
      const [many, few] = [frames.slice(0, 200), frames.slice(0, 100)];
      expect(server.counters).toMatchObject({
        rxPackets: 200,
        rxBytes: bytesOf(many),
        txPackets: 100,
        txBytes: bytesOf(few),
      });
      expect(client.counters).toMatchObject({
        rxPackets: 100,
        rxBytes: bytesOf(few),
        txPackets: 200,
        txBytes: bytesOf(many),
      });
    });
  }

  it('writes and reads the stream that QEMU does, however it is cut', async () => {
    await using port = await openQemuPort({ name: 'p', listen: join(folder, 'cut') });
    const seat = sitAt(port);
    const socket = connect(port.address);
    await once(socket, 'connect');
    const bytes = inStream(frames);
    const sizes = [1, 2, 3, 5, 1000, 4, 17, 2000];
    const feed = (async () => {
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const size = sizes[turn % sizes.length];
        socket.write(bytes.subarray(at, at + size));
        at += size;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    expect((await seat.receive(frames.length)).map(({ frame }) => frame)).toEqual(frames);
    await feed;
    seat.send(frames.slice(0, 40));
    const expected = inStream(frames.slice(0, 40));
    let got = Buffer.alloc(0);
    while (got.length < expected.length) got = Buffer.concat([got, (await once(socket, 'data'))[0]]);
    expect(got.equals(expected)).toBe(true);
    socket.destroy();
  });

  it('writes a burst at once', async () => {
    const server = createServer();
    server.listen(join(folder, 'burst'));
    const met = once(server, 'connection');
    await using port = await openQemuPort({ name: 'p', connect: join(folder, 'burst') });
    const [peer] = (await met) as [Socket];
    await until(() => port.isConnected);
    const chunks: number[] = [];
    peer.on('data', ({ length }) => chunks.push(length));
    sitAt(port).send(Array.from({ length: 32 }, (_, number) => frameOf(number)));
    await until(() => chunks.length > 0);
    expect(chunks).toEqual([32 * 68]);
    peer.destroy();
    server.close();
  });

  it('counts frames that are none, and gives up where a length cannot be', async () => {
    await using port = await openQemuPort({ name: 'p', listen: join(folder, 'bad') });
    const seat = sitAt(port, { frameBytes: 1000 });
    const socket = connect(port.address);
    socket.on('error', () => {});
    await once(socket, 'connect');
    // Slots are rounded up: one for 1000 bytes takes no 1400.
    socket.write(inStream([frameOf(1, 13), frameOf(2, 1515), frameOf(3, 0), frameOf(4, 1400), frameOf(5)]));
    expect((await seat.receive(1))[0].frame).toEqual(frameOf(5));
    socket.write(Buffer.from('00011001', 'hex'));
    const ended = once(socket, 'close');
    const sweep = setInterval(() => seat.take(), 1);
    await ended;
    clearInterval(sweep);
    expect(reasonCounts(port.counters.rxDrops)).toEqual({
      runt: 2,
      'mtu-exceeded': 1,
      'frame-too-long': 1,
      'bad-total-length': 1,
    });
    await until(() => !port.isConnected);
  });

  it('gives up on such a length in two pieces, too', async () => {
    await using port = await openQemuPort({ name: 'p', listen: join(folder, 'pieces') });
    const seat = sitAt(port);
    const socket = connect(port.address);
    socket.on('error', () => {});
    await once(socket, 'connect');
    const ended = once(socket, 'close');
    socket.write(Buffer.concat([inStream([frameOf(1)]), Buffer.from('0001', 'hex')]));
    expect((await seat.receive(1))[0].frame).toEqual(frameOf(1));
    const sweep = setInterval(() => seat.take(), 1);
    socket.write(Buffer.from('1001', 'hex'));
    await ended;
    clearInterval(sweep);
    expect(reasonCounts(port.counters.rxDrops)).toEqual({ 'bad-total-length': 1 });
  });

  it('does not read ahead of the datapath, and drops what its peer does not read, in bounded memory', async () => {
    await using port = await openQemuPort({ name: 'p', listen: join(folder, 'slow'), bufferBytes: 100_000 });
    const seat = sitAt(port);
    const socket = connect(port.address);
    await once(socket, 'connect');
    await until(() => port.isConnected);
    const frame = frameOf(1, 1014);
    const flood = inStream(Array.from({ length: 10_000 }, () => frame));
    let isFlushed = false;
    socket.write(flood, () => {
      isFlushed = true;
    });
    socket.pause();
    for (let turn = 0; turn < 100; turn++) {
      seat.send(Array.from({ length: 100 }, () => frame));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(isFlushed).toBe(false);
    const { counters } = port;
    const full = reasonCounts(counters.txDrops)['queue-full'];
    // What the system holds (some 200 kB on Linux) and what the port may hold; far from ten million bytes.
    expect((10_000 - full) * 1018).toBeLessThan(2_000_000);
    expect(await seat.receive(10_000)).toHaveLength(10_000);
    expect(reasonCounts(counters.rxDrops)).toEqual({});
    // What the port holds when its peer goes is lost, and counted: at most 98 writes of 1018 bytes fit into 100,000.
    socket.destroy();
    await until(() => !port.isConnected);
    const held = reasonCounts(counters.txDrops)['port-closed'];
    expect(held).toBeGreaterThan(50);
    expect(held).toBeLessThanOrEqual(98);
    expect(counters.txPackets + full + held).toBe(10_000);
    expect(counters.txBytes).toBe(counters.txPackets * 1014);
  });

  it('drops and counts while there is no peer, and takes the one that came last', async () => {
    await using port = await openQemuPort({ name: 'p', listen: join(folder, 'last') });
    const seat = sitAt(port);
    seat.send([frameOf(1)]);
    expect(reasonCounts(port.counters.txDrops)).toEqual({ 'port-closed': 1 });
    const first = connect(port.address);
    await once(first, 'connect');
    await until(() => port.connections === 1);
    const second = connect(port.address);
    await Promise.all([once(first, 'close'), once(second, 'connect')]);
    second.write(inStream([frameOf(2)]));
    expect((await seat.receive(1))[0].frame).toEqual(frameOf(2));
    expect(port).toMatchObject({ connections: 2, isConnected: true });
    second.destroy();
    await until(() => !port.isConnected);
  });

  it('connects again when its server comes again', async () => {
    const path = join(folder, 'again');
    await using client = await openQemuPort({ name: 'client', connect: path, reconnectMs: 5 });
    const seat = sitAt(client);
    await until(() => client.lastError !== undefined);
    expect(client.lastError).toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('needed: somebody who listens there'),
    });
    for (let round = 1; round <= 3; round++) {
      const server = await openQemuPort({ name: 'server', listen: path });
      const other = sitAt(server);
      await until(() => client.connections === round && server.isConnected);
      expect(client.lastError).toBeUndefined();
      seat.send([frameOf(round)]);
      expect((await other.receive(1))[0].frame).toEqual(frameOf(round));
      await server.close();
      await until(() => !client.isConnected);
      expect(client.lastError).toBeDefined();
    }
  });

  it('closes by signal, whatever it is at', async () => {
    for (const where of [{ listen: join(folder, 'signal') }, { connect: join(folder, 'nobody') }]) {
      const control = new AbortController();
      const port = await openQemuPort({ name: 'p', ...where, signal: control.signal });
      control.abort();
      expect(await port.closed).toBeUndefined();
      await expect(openQemuPort({ name: 'p', ...where, signal: control.signal })).rejects.toBe(control.signal.reason);
    }
  });

  it('refuses options that cannot be', async () => {
    await expect(openQemuPort({ name: 'p' })).rejects.toMatchObject({ code: 'bad-option' });
    await expect(openQemuPort({ name: 'p', listen: 'a', connect: 'b' })).rejects.toMatchObject({ code: 'bad-option' });
    await expect(openQemuPort({ name: 'p', connect: '127.0.0.1:0' })).rejects.toMatchObject({ code: 'bad-address' });
    await expect(openQemuPort({ name: 'p', listen: '' })).rejects.toMatchObject({ code: 'bad-address' });
    await expect(openQemuPort({ name: 'p', listen: join(folder, 'none', 'a') })).rejects.toMatchObject({
      code: 'not-found',
    });
    await using port = await openQemuPort({ name: 'p', listen: '127.0.0.1:0' });
    await expect(openQemuPort({ name: 'p', listen: port.address })).rejects.toMatchObject({ code: 'already-exists' });
    await expect(openQemuPort({ name: 'p', listen: 'a', reconnectMs: 0 })).rejects.toMatchObject({
      code: 'out-of-range',
    });
    await expect(openQemuPort({ name: 'p', listen: 'a', bufferBytes: 1 })).rejects.toMatchObject({
      code: 'out-of-range',
    });
  });
});
