// Packets for tests of actions: in a pool, at any alignment, and the tunnelled frames that recordings hold.
import { readFileSync } from 'node:fs';
import { createExtractor } from '../../src/flow/extract.js';
import { createKeyRows, createKnownKeys } from '../../src/flow/key-rows.js';
import { parseActions } from '../../src/action/text-parse.js';
import type { Action, TunnelHeader } from '../../src/action/types.js';
import type { PacketPool } from '../../src/packet/pool.js';
import { fromHex, toHex } from '../../src/util/bytes.js';

/** A copy of a frame that begins `shift` bytes behind where it would (frames begin at 2 modulo 4), its hash computed. */
export function hold(pool: PacketPool, frame: Uint8Array, shift = 0): number {
  const packet = pool.allocate();
  pool.offset[packet] += shift;
  pool.bytes.set(frame, pool.offset[packet]);
  pool.length[packet] = frame.length;
  createExtractor(pool, createKeyRows(), createKnownKeys(1)).extract(Int32Array.of(packet), 1, 0);
  return packet;
}

export const frameText = (pool: PacketPool, packet: number): string => toHex(pool.frame(packet));

/** The first action of a text. */
export function action<Type extends Action['type']>(text: string, type: Type): Action & { type: Type } {
  const [parsed] = parseActions(text);
  if (parsed.type !== type) throw new Error(`${text} is no ${type}`);
  return parsed as Action & { type: Type };
}

export interface Recorded {
  /** Scenario and step. */
  origin: string;
  inner: Uint8Array;
  outer: Uint8Array;
}

/** Each frame that left `ens8` or `ens9` of a recorded scenario with the frame that had come in at its end. */
export function recordedTunnelFrames(name: string): Recorded[] {
  const { steps } = JSON.parse(readFileSync(new URL(`../scenarios/${name}.json`, import.meta.url), 'utf8'));
  const found: Recorded[] = [];
  for (const [index, { receive, expect }] of steps.entries()) {
    if (!receive) continue;
    for (const outer of [...(expect.ens8 ?? []), ...(expect.ens9 ?? [])] as string[]) {
      if (outer.length > receive.frame.length && outer.endsWith(receive.frame)) {
        found.push({ origin: `${name}, step ${index}`, inner: fromHex(receive.frame), outer: fromHex(outer) });
      }
    }
  }
  return found;
}

/** The template of a recorded outer frame: what the push fills in is as a translation leaves it. */
export function templateOf({ inner, outer }: Recorded): TunnelHeader {
  const bytes = outer.slice(0, outer.length - inner.length);
  const isIpv4 = bytes[12] === 0x08;
  const udp = bytes.length - 16;
  if (isIpv4) for (const at of [16, 17, 24, 25]) bytes[at] = 0;
  else bytes[18] = bytes[19] = 0;
  for (const at of [0, 1, 4, 5]) bytes[udp + at] = 0;
  if (bytes[udp + 6] !== 0 || bytes[udp + 7] !== 0) bytes[udp + 6] = bytes[udp + 7] = 0xff;
  return { type: 4, bytes };
}
