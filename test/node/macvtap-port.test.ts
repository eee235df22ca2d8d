import { execFileSync, spawn } from 'node:child_process';
import { constants, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openMacvtapPort } from '../../src/node/macvtap-port.js';
import { reasonCounts } from '../../src/util/reason.js';
import { frameOf, sitAt, until } from './ports.js';

const folder = mkdtempSync(join(tmpdir(), 'megaflow-macvtap-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A pipe with a name stands in for a device that needs root: what is written comes back, one read at a time. */
function fifo(name: string): string {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  return path;
}

describe('a macvtap port', () => {
  it('reads and writes frames behind a virtio header, of the length that it was told', async () => {
    for (const virtioHeader of [0, 10, 12] as const) {
      const path = fifo(`loop-${virtioHeader}`);
      await using port = await openMacvtapPort({ name: 'p', path, virtioHeader });
      const seat = sitAt(port);
      for (const frame of [frameOf(1), frameOf(2, 14), frameOf(3, 1514)]) {
        seat.send([frame]);
        expect(await seat.receive(1)).toEqual([{ frame, tunnel: undefined }]);
      }
      const bytes = 64 + 14 + 1514;
      expect(port.counters).toMatchObject({ rxPackets: 3, rxBytes: bytes, txPackets: 3, txBytes: bytes });
    }
  });

  it('writes an empty header of 10 bytes before a frame, whatever lay there', async () => {
    const path = fifo('header');
    await using port = await openMacvtapPort({ name: 'p', path });
    await using reader = await openMacvtapPort({ name: 'r', path, virtioHeader: 0 });
    const seat = sitAt(port);
    seat.pool.bytes.fill(0xa5);
    const other = sitAt(reader);
    seat.send([frameOf(1)]);
    const [{ frame }] = await other.receive(1);
    expect(frame).toEqual(Uint8Array.of(...new Uint8Array(10), ...frameOf(1)));
  });

  it('counts runts, frames beyond the MTU or a slot, and headers that it cannot honour', async () => {
    const path = fifo('counts');
    await using port = await openMacvtapPort({ name: 'p', path, mtu: 1000 });
    const raw = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    const seat = sitAt(port, { frameBytes: 512 });
    const put = async (header: string, frame: Uint8Array): Promise<void> => {
      const before = port.counters.rxDrops.reduce((sum, count) => sum + count);
      writeSync(raw, Buffer.concat([Buffer.from(header, 'hex'), frame]));
      await until(() => (seat.take(), port.counters.rxDrops.reduce((sum, count) => sum + count) > before));
    };
    const none = '00'.repeat(10);
    await put(none, frameOf(1, 13));
    await put('', new Uint8Array(3));
    await put(none, frameOf(1, 1015));
    await put(none, frameOf(1, 1000));
    // UDP fragments (3), and a checksum to be stored behind the end.
    await put('0003000064002200 0600'.replace(' ', ''), frameOf(1));
    await put('01000000000022001f00', frameOf(1));
    seat.send([frameOf(1, 1015)]);
    expect(reasonCounts(port.counters.rxDrops)).toEqual({
      runt: 2,
      'mtu-exceeded': 1,
      'frame-too-long': 1,
      'bad-offload': 2,
    });
    expect(reasonCounts(port.counters.txDrops)).toEqual({ 'mtu-exceeded': 1 });
  });

  it('leaves frames where they are while the pool is empty', async () => {
    const path = fifo('empty');
    await using port = await openMacvtapPort({ name: 'p', path });
    const seat = sitAt(port, { slots: 64 });
    seat.send([frameOf(1)]);
    const held = Array.from({ length: 64 }, () => seat.pool.allocate());
    expect(seat.take()).toEqual([]);
    held.forEach((handle) => seat.pool.release(handle));
    expect((await seat.receive(1))[0].frame).toEqual(frameOf(1));
    expect(reasonCounts(port.counters.rxDrops)).toEqual({});
  });

  it('drops what a full device does not take, and what comes after it was closed', async () => {
    const path = fifo('full');
    const port = await openMacvtapPort({ name: 'p', path, pollMs: 1000 });
    const seat = sitAt(port);
    // A pipe holds 65,536 bytes.
    seat.send(Array.from({ length: 100 }, (_, number) => frameOf(number, 1014)));
    expect(port.counters.txPackets + reasonCounts(port.counters.txDrops)['queue-full']).toBe(100);
    await port.close();
    seat.send([frameOf(1)]);
    expect(reasonCounts(port.counters.txDrops)['port-closed']).toBe(1);
    expect(seat.take()).toEqual([]);
  });

  it('takes an inherited descriptor that does not block, and no other', async () => {
    const path = fifo('inherited');
    const descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    await using port = await openMacvtapPort({ name: 'tap0', descriptor });
    const seat = sitAt(port);
    seat.send([frameOf(1)]);
    expect((await seat.receive(1))[0].frame).toEqual(frameOf(1));
    const blocking = openSync(path, constants.O_RDWR);
    await expect(openMacvtapPort({ name: 'tap0', descriptor: blocking })).rejects.toMatchObject({
      code: 'bad-option',
      allowed: expect.stringContaining('O_NONBLOCK'),
    });
    await expect(openMacvtapPort({ name: 'tap0', descriptor: 987_654 })).rejects.toMatchObject({ code: 'bad-option' });
  });

  it('says how to make what is missing', async () => {
    await expect(openMacvtapPort({ name: 'p', path: join(folder, 'none') })).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('type macvtap mode passthru'),
    });
    const directory = join(folder, 'file', 'none');
    writeFileSync(join(folder, 'file'), '');
    await expect(openMacvtapPort({ name: 'p', path: directory })).rejects.toMatchObject({ code: 'not-found' });
    await expect(openMacvtapPort({ name: 'p' })).rejects.toMatchObject({ code: 'bad-option' });
    await expect(openMacvtapPort({ name: 'p', path: 'a', descriptor: 3 })).rejects.toMatchObject({
      code: 'bad-option',
    });
    await expect(openMacvtapPort({ name: 'p', path: 'a', virtioHeader: 11 as never })).rejects.toMatchObject({
      code: 'bad-option',
    });
    await expect(openMacvtapPort({ name: 'p', path: 'a', pollMs: 0 })).rejects.toMatchObject({ code: 'out-of-range' });
  });

  it('ends with the device', async () => {
    // /dev/null is at its end at once.
    const port = await openMacvtapPort({ name: 'p', path: '/dev/null' });
    const seat = sitAt(port);
    expect(seat.take()).toEqual([]);
    const gone = { code: 'io-failed', message: expect.stringContaining('the device is gone') };
    expect(await port.closed).toMatchObject(gone);
    // The file of a macvtap device is removed with it, and a read of it goes on to say that there are no frames.
    const path = fifo('removed');
    const other = await openMacvtapPort({ name: 'p', path });
    sitAt(other);
    const asking = setInterval(() => other.receive(new Int32Array(1), 1), 1);
    rmSync(path);
    expect(await other.closed).toMatchObject(gone);
    clearInterval(asking);
  });

  it('keeps a process neither from ending, nor from waiting for frames', async () => {
    const path = fifo('ending');
    const source = fileURLToPath(new URL('../../src/node/macvtap-port.ts', import.meta.url));
    const { build } = await import('esbuild');
    const outfile = join(folder, 'port.mjs');
    await build({ entryPoints: [source], outfile, bundle: true, format: 'esm', platform: 'node', logLevel: 'error' });
    const open = `const { openMacvtapPort } = await import(${JSON.stringify(outfile)});
      const port = await openMacvtapPort({ name: 'p', path: ${JSON.stringify(path)} });
      port.attach({ pool: { fits: () => false }, wake: () => port.receive(new Int32Array(32), 32) });
`;
    const run = (rest: string) =>
      spawn(process.execPath, ['--input-type=module', '-e', `${open}${rest} console.log('open');`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    // It would go on for ever: only the port keeps it alive, until it is asked to end.
    const waiting = run('process.on("SIGTERM", () => process.exit(7));');
    await once(waiting.stdout, 'data');
    waiting.kill('SIGTERM');
    expect(await once(waiting, 'exit')).toEqual([7, null]);
    const closing = run('setTimeout(() => port.close(), 20);');
    expect(await once(closing, 'exit')).toEqual([0, null]);
  });
});
