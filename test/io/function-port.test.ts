import { describe, expect, it, vi } from 'vitest';
import { createFunctionPort } from '../../src/io/function-port.js';
import type { TunnelMetadata } from '../../src/packet/tunnel.js';
import { Reason } from '../../src/util/reason.js';
import { attachBench, numbered } from './bench.js';

function collect(): {
  sent: { frame: Uint8Array; tunnel?: TunnelMetadata }[];
  send(frame: Uint8Array, tunnel?: TunnelMetadata): void;
} {
  const sent: { frame: Uint8Array; tunnel?: TunnelMetadata }[] = [];
  return { sent, send: (frame, tunnel) => void sent.push({ frame: frame.slice(), tunnel }) };
}

describe('a port made of functions', () => {
  it('hands over what the datapath sends, with its tunnel metadata', () => {
    const { sent, send } = collect();
    const { port } = createFunctionPort({ name: 'tap0', send });
    const bench = attachBench(port);
    bench.send(numbered(1), numbered(2));
    bench.sendWithTunnel(numbered(3), { destination: '10.0.0.1', id: 5, key: true });
    expect(sent).toEqual([
      { frame: numbered(1), tunnel: undefined },
      { frame: numbered(2), tunnel: undefined },
      { frame: numbered(3), tunnel: { destination: '10.0.0.1', id: 5, key: true } },
    ]);
    expect(port.counters).toMatchObject({ txPackets: 3, txBytes: 180 });
  });

  it('queues a copy of what is handed in, and wakes the datapath', () => {
    const { port, receive } = createFunctionPort({ name: 'tap0', send: () => {} });
    const bench = attachBench(port);
    const frame = numbered(1);
    expect(receive(frame)).toBe(Reason.sound);
    frame.fill(0);
    expect(receive(numbered(2), { source: '::1', destination: '::2', id: 7 })).toBe(Reason.sound);
    expect(bench.wakes).toBe(2);
    expect(bench.receiveWithTunnel()).toEqual([
      { frame: numbered(1), tunnel: null },
      { frame: numbered(2), tunnel: { source: '::1', destination: '::2', id: 7 } },
    ]);
    expect(port.counters).toMatchObject({ rxPackets: 2, rxBytes: 120 });
  });

  it('counts what it cannot take', () => {
    const { sent, send } = collect();
    const { port, receive } = createFunctionPort({ name: 'tap0', mtu: 100, queue: 2, send });
    expect(receive(numbered(1))).toBe(Reason.portClosed);
    const bench = attachBench(port);
    expect(receive(numbered(1, 115))).toBe(Reason.mtuExceeded);
    expect([receive(numbered(1)), receive(numbered(2)), receive(numbered(3))]).toEqual([0, 0, Reason.queueFull]);
    expect(port.counters.rxDrops[Reason.queueFull]).toBe(1);
    expect(port.counters.rxDrops[Reason.mtuExceeded]).toBe(1);
    expect(port.counters.rxDrops[Reason.portClosed]).toBe(1);
    bench.send(numbered(4, 115), numbered(5));
    expect(port.counters.txDrops[Reason.mtuExceeded]).toBe(1);
    expect(sent.length).toBe(1);
    port.detach();
    expect(receive(numbered(1))).toBe(Reason.portClosed);
    port.send(new Int32Array(1), 1);
    expect(port.receive(new Int32Array(1), 1)).toBe(0);
    expect(sent.length).toBe(1);
  });

  it('refuses what is no frame and no metadata, and keeps its slots', () => {
    const { port, receive } = createFunctionPort({ name: 'tap0', queue: 1, send: () => {} });
    const bench = attachBench(port);
    expect(() => receive([1, 2] as unknown as Uint8Array)).toThrow(expect.objectContaining({ code: 'bad-argument' }));
    for (let round = 0; round < 100; round++) {
      expect(() => receive(numbered(1), { destination: 'nowhere' })).toThrow(
        expect.objectContaining({ code: 'bad-address' }),
      );
    }
    expect(receive(numbered(1))).toBe(Reason.sound);
    expect(bench.receive()).toEqual([numbered(1)]);
  });

  it('throws what the function throws later, and sends the rest of the burst', () => {
    const later: (() => void)[] = [];
    const spy = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((callback) => void later.push(callback));
    try {
      let calls = 0;
      const { port } = createFunctionPort({
        name: 'tap0',
        send: () => {
          if (++calls === 1) throw new Error('from the application');
        },
      });
      attachBench(port).send(numbered(1), numbered(2));
      expect(calls).toBe(2);
      expect(later.length).toBe(1);
      expect(later[0]).toThrow('from the application');
    } finally {
      spy.mockRestore();
    }
  });
});
