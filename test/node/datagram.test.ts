import type { Socket } from 'node:dgram';
import { describe, expect, it } from 'vitest';
import { DatagramSender } from '../../src/node/datagram.js';
import { Reason } from '../../src/util/reason.js';

/** A socket whose system takes nothing until it is told to: loopback itself always takes everything. */
function slowSocket() {
  const queue: { bytes: Uint8Array; copy: Uint8Array; done: (error: Error | null, length: number) => void }[] = [];
  const socket = {
    getSendQueueSize: () => queue.reduce((sum, { bytes }) => sum + bytes.length, 0),
    send(
      ring: Uint8Array,
      at: number,
      length: number,
      _port: number,
      _address: string,
      done: (typeof queue)[0]['done'],
    ) {
      const bytes = ring.subarray(at, at + length);
      queue.push({ bytes, copy: bytes.slice(), done });
    },
  };
  return { socket: socket as unknown as Socket, queue };
}

describe('a sender of datagrams', () => {
  it('drops what finds its memory full, and never touches what waits there', () => {
    const { socket, queue } = slowSocket();
    const results: [Reason, number][] = [];
    const sender = new DatagramSender(socket, 1 << 18, (reason, length) => results.push([reason, length]));
    const [prefix, frame] = [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), new Uint8Array(1500)];
    let number = 0;
    const send = (): Reason => {
      frame.fill(number++);
      return sender.send(prefix, frame, 0, frame.length, 9, '127.0.0.1');
    };
    // Several times around the memory, with a different number of datagrams waiting each time.
    for (let round = 0; round < 50; round++) {
      let sent = 0;
      while (send() === Reason.sound) sent++;
      expect(queue.length * 1508).toBeLessThanOrEqual(1 << 18);
      if (round === 0) expect(sent).toBe(Math.floor((262_144 - 131_072) / 1508));
      for (const { bytes, copy } of queue) expect(Buffer.compare(bytes, copy)).toBe(0);
      for (const { bytes, done } of queue.splice(0, 1 + ((round * 7) % queue.length))) done(null, bytes.length);
    }
    expect(send()).not.toBe(Reason.queueFull);
    expect(results.every(([reason, length]) => reason === Reason.sound && length === 1508)).toBe(true);
  });

  it('tells why the system refused', () => {
    const { socket, queue } = slowSocket();
    const results: Reason[] = [];
    const sender = new DatagramSender(socket, 0, (reason) => results.push(reason));
    expect(sender.send(undefined, new Uint8Array(65_508), 0, 65_508, 9, '127.0.0.1')).toBe(Reason.frameTooLong);
    const codes = {
      ENOBUFS: 'queueFull',
      EMSGSIZE: 'mtuExceeded',
      ENETUNREACH: 'noRoute',
      ECANCELED: 'portClosed',
      EPERM: 'sendFailed',
    } as const;
    for (const code of Object.keys(codes)) {
      expect(sender.send(undefined, new Uint8Array(64), 0, 64, 9, '127.0.0.1')).toBe(Reason.sound);
      queue.pop()?.done(Object.assign(new Error(code), { code }), 0);
    }
    expect(results).toEqual(Object.values(codes).map((name) => Reason[name]));
  });
});
