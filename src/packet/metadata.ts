/**
 * What is known of a packet beside its bytes, as a plain object: for packets that leave their pool and come back, or go to another datapath.
 * Nothing here interprets any of it.
 */
import { TUNNEL_WORDS, type PacketHandle, type PacketPool } from './pool.js';

export interface PacketMetadata {
  /** Datapath port that it came in on. */
  readonly inPort: number;
  /** Open vSwitch's 5-tuple hash, 0 when it is not known. */
  readonly hash: number;
  readonly recircId: number;
  /** What a few packets have. */
  readonly more?: {
    /** `Extras` bits. */
    readonly extras: number;
    /** `TUNNEL_WORDS` words. */
    readonly tunnel: Int32Array;
    readonly skbPriority: number;
    readonly skbMark: number;
    readonly dpHash: number;
    readonly packetType: number;
  };
}

/** Allocates the answer. */
export function readMetadata(pool: PacketPool, packet: PacketHandle): PacketMetadata {
  const common = { inPort: pool.inPort[packet], hash: pool.hash[packet], recircId: pool.recircId[packet] };
  const extras = pool.extras[packet];
  if (extras === 0) return common;
  return {
    ...common,
    more: {
      extras,
      tunnel: pool.tunnel.slice(packet * TUNNEL_WORDS, (packet + 1) * TUNNEL_WORDS),
      skbPriority: pool.skbPriority[packet],
      skbMark: pool.skbMark[packet],
      dpHash: pool.dpHash[packet],
      packetType: pool.packetType[packet],
    },
  };
}

/** Gives a fresh slot what `readMetadata` answered. */
export function writeMetadata(pool: PacketPool, packet: PacketHandle, metadata: PacketMetadata): void {
  pool.inPort[packet] = metadata.inPort;
  pool.hash[packet] = metadata.hash;
  pool.recircId[packet] = metadata.recircId;
  const { more } = metadata;
  if (more === undefined) return;
  pool.extras[packet] = more.extras;
  pool.tunnel.set(more.tunnel, packet * TUNNEL_WORDS);
  pool.skbPriority[packet] = more.skbPriority;
  pool.skbMark[packet] = more.skbMark;
  pool.dpHash[packet] = more.dpHash;
  pool.packetType[packet] = more.packetType;
}
