// What all ports of Node have in common: how they open, how they end, and that nothing of them is left.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createLink } from '../../src/io/link.js';
import { openControlSocket } from '../../src/node/control-socket.js';
import { createCaptureFile } from '../../src/node/capture-file.js';
import { openMacvtapPort } from '../../src/node/macvtap-port.js';
import type { NodePort } from '../../src/node/node-port.js';
import { openPcapPort } from '../../src/node/pcap-port.js';
import { openQemuPort } from '../../src/node/qemu-port.js';
import { openRecorder, recordPort } from '../../src/node/recorder.js';
import { checkSwitchFile } from '../../src/node/switch-check.js';
import { openSwitch } from '../../src/node/switch-file.js';
import { openUdpPort } from '../../src/node/udp-port.js';
import { openVxlanSocket } from '../../src/node/vxlan-socket.js';
import { VSwitch } from '../../src/switch/vswitch.js';
import { reasonCounts } from '../../src/util/reason.js';
import { frameOf, sitAt, until } from './ports.js';

const folder = mkdtempSync(join(tmpdir(), 'megaflow-every-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const device = join(folder, 'device');
execFileSync('mkfifo', [device]);
const recording = join(folder, 'in.pcap');
{
  using file = createCaptureFile(recording);
  for (const seconds of [0, 86_400]) file.sink({ frame: frameOf(seconds), seconds, nanoseconds: 0 });
}

const name = 'p';
type Opener<T> = (signal?: AbortSignal) => Promise<T>;
const ports: Record<string, Opener<NodePort>> = {
  macvtap: (signal) => openMacvtapPort({ name, signal, path: device }),
  'VXLAN socket': (signal) =>
    openVxlanSocket({ name, signal, addresses: ['127.0.0.1', '::1'], port: 0, remotes: ['127.0.0.1'] }),
  'QEMU server': (signal) => openQemuPort({ name, signal, listen: join(folder, 'qemu') }),
  'QEMU client': (signal) => openQemuPort({ name, signal, connect: join(folder, 'nobody'), reconnectMs: 60_000 }),
  'UDP frames': (signal) => openUdpPort({ name, signal, bind: '127.0.0.1:0', to: '127.0.0.1:9' }),
  'pcap replay': (signal) => openPcapPort({ name, signal, read: recording }),
  'pcap recording': (signal) => openPcapPort({ name, signal, write: join(folder, 'out.pcap') }),
};

const others: Record<string, Opener<{ close(): Promise<void>; [Symbol.asyncDispose](): Promise<void> }>> = {
  recorder: (signal) => openRecorder({ path: join(folder, 'record.pcap'), signal }),
  'recorded port': async (signal) => {
    const [end] = createLink({ names: ['a', 'b'] });
    return (await recordPort(end, { path: join(folder, 'port.pcap'), signal })).recorder;
  },
  'control socket': (signal) => openControlSocket({ vswitch: new VSwitch(), path: join(folder, 'control'), signal }),
  switch: (signal) =>
    openSwitch(
      checkSwitchFile({
        bridges: [{ name: 'br0', mac: '02:00:00:00:00:01', ports: [{ name: 'p' }] }],
        nics: { br0: { type: 'host' }, p: { type: 'udp', bind: '127.0.0.1:0' } },
        control: join(folder, 'switch'),
      }),
      { signal },
    ),
};

/** Handles that keep a process alive, without those of the test runner. */
const kinds = ['FSReqPromise', 'PipeServerWrap', 'PipeWrap', 'TCPServerWrap', 'UDPWrap', 'FSReqCallback'];
const left = (): string[] =>
  process
    .getActiveResourcesInfo()
    .filter((kind) => kinds.includes(kind))
    .sort();

describe.each(Object.entries({ ...ports, ...others }))('%s', (_, open) => {
  it('is closed by its signal, by close and at the end of its block, and leaves nothing behind', async () => {
    const before = left();
    const control = new AbortController();
    const { signal } = control;
    const opened = await open(signal);
    control.abort(new Error('enough'));
    await opened.close();
    if ('closed' in opened) expect(await opened.closed).toBeUndefined();
    await expect(open(signal)).rejects.toBe(signal.reason);
    // Aborted on the way, it either gives up or is open first, and closed then.
    for (let turns = 0; turns < 4; turns++) {
      const soon = new AbortController();
      const opening = open(soon.signal).then(
        (port) => port.close(),
        (error: unknown) => expect(error).toBe(soon.signal.reason),
      );
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      soon.abort();
      await opening;
    }
    {
      await using again = await open();
      await again.close();
      await again.close();
    }
    await open().then((port) => port[Symbol.asyncDispose]());
    await until(() => left().join() === before.join());
  });
});

describe.each(Object.entries(ports))('%s', (_, open) => {
  it('counts both ways, and drops what comes once it is closed', async () => {
    const port = await open();
    const zero = { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0 };
    expect(port).toMatchObject({ name, counters: zero });
    expect([reasonCounts(port.counters.rxDrops), reasonCounts(port.counters.txDrops)]).toEqual([{}, {}]);
    const seat = sitAt(port);
    await port.close();
    seat.send([frameOf(1), frameOf(2)]);
    expect(reasonCounts(port.counters.txDrops)).toEqual({ 'port-closed': 2 });
    expect(seat.take()).toEqual([]);
    expect(port.counters).toMatchObject(zero);
    port.detach();
  });
});
