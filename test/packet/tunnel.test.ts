import { describe, expect, it } from 'vitest';
import { fields, getBytes, getField, TunnelFlags } from '../../src/flow/fields.js';
import { Extras, PacketPool, TUNNEL_WORDS } from '../../src/packet/pool.js';
import {
  clearTunnel,
  copyTunnel,
  hasTunnel,
  parseTunnel,
  TunnelFlag,
  writeTunnel,
  type TunnelMetadata,
} from '../../src/packet/tunnel.js';

const ipv4: TunnelMetadata = {
  source: '10.10.10.1',
  destination: '10.10.10.2',
  id: 0x1234,
  tos: 0x28,
  ttl: 64,
  key: true,
  dontFragment: true,
};
const everything: TunnelMetadata = {
  source: 'fd00::1',
  destination: 'fd00::2',
  id: 2 ** 53 - 1,
  tos: 255,
  ttl: 255,
  dontFragment: true,
  checksum: true,
  key: true,
  oam: true,
  sourcePort: 40001,
  destinationPort: 4789,
  gbpId: 0x8001,
  gbpFlags: 0x48,
};

function keyOf(pool: PacketPool, handle: number): Int32Array {
  const key = new Int32Array(84);
  key.set(pool.tunnel.subarray(handle * TUNNEL_WORDS, (handle + 1) * TUNNEL_WORDS), 12);
  return key;
}

describe('tunnel metadata of a packet', () => {
  it('survives being written and parsed', () => {
    const pool = new PacketPool({ slots: 64 });
    for (const metadata of [{}, { destination: '1.2.3.4' }, { id: 0xffff_ffff }, { id: 2 ** 32 }, ipv4, everything]) {
      const handle = pool.allocate();
      writeTunnel(pool, handle, metadata);
      expect(parseTunnel(pool, handle)).toEqual(metadata);
    }
  });

  it('lies as the words 12 to 29 of a flow key do', () => {
    const pool = new PacketPool({ slots: 64 });
    const handle = pool.allocate();
    writeTunnel(pool, handle, ipv4);
    let key = keyOf(pool, handle);
    expect(getField(key, 'tunSrc')).toBe(0x0a0a0a01);
    expect(getField(key, 'tunDst')).toBe(0x0a0a0a02);
    writeTunnel(pool, handle, everything);
    key = keyOf(pool, handle);
    expect(fields.tunSrc.at).toBe(12 * 4);
    expect(getField(key, 'tunId')).toBe(0xffff_ffff);
    expect(getField(key, 'tunIdHigh')).toBe(0x001f_ffff);
    expect(getField(key, 'tunTos')).toBe(255);
    expect(getField(key, 'tunTtl')).toBe(255);
    expect(getField(key, 'tunFlags')).toBe(15);
    expect(getField(key, 'tunTpSrc')).toBe(40001);
    expect(getField(key, 'tunTpDst')).toBe(4789);
    expect(getField(key, 'tunGbpId')).toBe(0x8001);
    expect(getField(key, 'tunGbpFlags')).toBe(0x48);
    expect([...getBytes(key, 'tunIpv6Src')]).toEqual([0xfd, ...new Array(14).fill(0), 1]);
    expect([...getBytes(key, 'tunIpv6Dst')]).toEqual([0xfd, ...new Array(14).fill(0), 2]);
    expect(TunnelFlag).toEqual(TunnelFlags);
  });

  it('takes the narrow form only when four words say it all', () => {
    const pool = new PacketPool({ slots: 64 });
    const handle = pool.allocate();
    const bits = (metadata: TunnelMetadata): number => {
      writeTunnel(pool, handle, metadata);
      return pool.extras[handle];
    };
    expect(bits(ipv4)).toBe(Extras.tunnel);
    expect(bits({ ...ipv4, id: 2 ** 32 })).toBe(Extras.tunnel | Extras.tunnelWide);
    expect(bits({ ...ipv4, destinationPort: 8472 })).toBe(Extras.tunnel | Extras.tunnelWide);
    expect(bits({ destination: '::1' })).toBe(Extras.tunnel | Extras.tunnelWide);
  });

  it('does not show what a slot held before', () => {
    const pool = new PacketPool({ slots: 64 });
    const handle = pool.allocate();
    writeTunnel(pool, handle, everything);
    clearTunnel(pool, handle);
    expect(hasTunnel(pool, handle)).toBe(false);
    expect(parseTunnel(pool, handle)).toBeNull();
    // An action writes the four narrow words only.
    pool.extras[handle] = Extras.tunnel;
    pool.tunnel.fill(0, handle * TUNNEL_WORDS, handle * TUNNEL_WORDS + 4);
    expect(parseTunnel(pool, handle)).toEqual({});
  });

  it('is copied to another pool, and keeps other metadata', () => {
    const from = new PacketPool({ slots: 64 });
    const to = new PacketPool({ slots: 64 });
    const source = from.allocate();
    const target = to.allocate();
    to.extras[target] = Extras.metadata;
    for (const metadata of [everything, ipv4]) {
      writeTunnel(from, source, metadata);
      copyTunnel(from, source, to, target);
      expect(parseTunnel(to, target)).toEqual(metadata);
      expect(to.extras[target] & Extras.metadata).toBe(Extras.metadata);
    }
    clearTunnel(from, source);
    copyTunnel(from, source, to, target);
    expect(to.extras[target]).toBe(Extras.metadata);
  });

  it('refuses what does not fit, and leaves the packet as it was', () => {
    const pool = new PacketPool({ slots: 64 });
    const handle = pool.allocate();
    writeTunnel(pool, handle, ipv4);
    const cases: [TunnelMetadata, string][] = [
      [{ destination: '1.2.3' }, 'bad-address'],
      [{ source: '1.2.3.4', destination: '::1' }, 'bad-argument'],
      [{ id: -1 }, 'out-of-range'],
      [{ id: 2 ** 53 }, 'out-of-range'],
      [{ tos: 256 }, 'out-of-range'],
      [{ ttl: 1.5 }, 'out-of-range'],
      [{ sourcePort: 65536 }, 'out-of-range'],
      [{ destinationPort: NaN }, 'out-of-range'],
      [{ gbpId: 65536 }, 'out-of-range'],
      [{ gbpFlags: 256 }, 'out-of-range'],
    ];
    for (const [metadata, code] of cases) {
      expect(() => writeTunnel(pool, handle, metadata)).toThrow(expect.objectContaining({ code }));
      expect(parseTunnel(pool, handle)).toEqual(ipv4);
    }
  });
});
