import { describe, expect, it } from 'vitest';
import { buildFrame, type Layer } from '../../src/packet/build.js';
import { flowHash } from '../../src/packet/flow-hash.js';
import { embed, randomFrom, seed } from '../wire/contract.js';

const eth = { type: 'ethernet', source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' } as const;
const ip4 = { type: 'ipv4', source: '1.1.1.1', destination: '1.1.1.2' } as const;
const ip6 = { type: 'ipv6', source: 'fe80::1', destination: 'fe80::2' } as const;
const udp = { type: 'udp', sourcePort: 1111, destinationPort: 53 } as const;
const payload = (...bytes: number[]): Layer => ({ type: 'payload', bytes: Uint8Array.from(bytes) });
const hashOf = (...layers: Layer[]): number => flowHash(buildFrame(layers));

describe('flowHash', () => {
  it('is one for a conversation, whatever else differs', () => {
    const hash = hashOf(eth, ip4, udp);
    expect(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32).toBe(true);
    expect(hashOf(eth, ip4, udp, payload(1, 2, 3))).toBe(hash);
    expect(hashOf({ ...eth, source: '02:00:00:00:00:09' }, { ...ip4, ttl: 3, tos: 8 }, udp)).toBe(hash);
    expect(hashOf(eth, { type: 'vlan', vid: 7 }, ip4, udp)).toBe(hash);
    expect(hashOf(eth, { type: 'vlan', vid: 7 }, { type: 'vlan', vid: 8 }, ip4, udp)).toBe(hash);
    expect(hashOf(eth, { ...ip4, options: Uint8Array.of(1, 1, 1, 1) }, udp)).toBe(hash);
  });

  it('differs with each address, the protocol and the ports', () => {
    const hashes = [
      hashOf(eth, ip4, udp),
      hashOf(eth, { ...ip4, source: '1.1.1.3' }, udp),
      hashOf(eth, { ...ip4, destination: '1.1.1.3' }, udp),
      hashOf(eth, ip4, { ...udp, sourcePort: 1112 }),
      hashOf(eth, ip4, { ...udp, destinationPort: 54 }),
      hashOf(eth, ip4, { type: 'tcp', sourcePort: 1111, destinationPort: 53 }),
      hashOf(eth, ip6, udp),
      hashOf(eth, { ...ip6, source: 'fe80::3' }, udp),
      hashOf(eth, { ...ip6, destination: '2001:db8::2' }, udp),
      hashOf(eth, ip6, { ...udp, sourcePort: 1112 }),
      hashOf({ ...eth, etherType: 0x88b5 }, payload(1)),
      hashOf({ ...eth, etherType: 0x88b6 }, payload(1)),
      hashOf({ ...eth, source: '02:00:00:00:00:09', etherType: 0x88b5 }, payload(1)),
      hashOf({ ...eth, destination: '02:00:00:00:00:09', etherType: 0x88b5 }, payload(1)),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('is one for all fragments of a packet', () => {
    const first = hashOf(eth, { ...ip4, protocol: 17, moreFragments: true }, udp);
    expect(hashOf(eth, { ...ip4, protocol: 17, fragmentOffset: 1480 }, payload(9, 9, 9, 9, 9, 9, 9, 9))).toBe(first);
  });

  it('spreads conversations evenly', () => {
    const counts = [0, 0, 0, 0];
    for (let port = 0; port < 4000; port++) counts[hashOf(eth, ip4, { ...udp, sourcePort: port }) % 4]++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('reads nothing outside the frame, whatever is in it', () => {
    const random = randomFrom(seed);
    const whole = [buildFrame([eth, ip4, udp]), buildFrame([eth, { type: 'vlan', vid: 1 }, ip6, udp])];
    for (const frame of whole) {
      for (let length = 0; length <= frame.length; length++) {
        const cut = frame.slice(0, length);
        for (let count = 0; count < 20; count++) {
          if (count !== 0 && length !== 0) cut[random(length)] = random(256);
          const [a, b] = [0x00, 0xff].map((filling) => {
            return flowHash(embed(cut, filling, 5), 5, 5 + length);
          });
          expect(a, `seed ${seed}`).toBe(b);
        }
      }
    }
  });
});
