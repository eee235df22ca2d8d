/**
 * What flows do beside forwarding: what they teach tables, and what counts their packets (Open vSwitch's xlate cache). A translation finds it,
 * and it is done again with the flow's statistics. Most flows of a switch do what many others do, save that they learn another MAC; so
 * that is left out of an effect where it is the flow's own, and flows share their lists.
 */
import type { FlowWords } from '../flow/fields.js';
import type { FlowTables, OpenFlowRule } from '../openflow/table.js';
import type { LearnAction } from '../openflow/types.js';
import type { NeighbourTable } from '../tunnel/neighbours.js';
import { hashAdd } from '../util/hash.js';
import type { Bridge, SwitchPort } from './model.js';

export type Effect =
  | {
      readonly type: 'learn';
      readonly bridge: Bridge;
      readonly port: SwitchPort;
      /** Undefined: the Ethernet source of the flow's key. */
      readonly mac: number | undefined;
      readonly vlan: number;
      readonly gratuitousArp: boolean;
    }
  | { readonly type: 'neighbour'; readonly bridge: string; readonly ip: Uint8Array }
  | { readonly type: 'rule'; readonly tables: FlowTables; readonly rule: OpenFlowRule }
  | { readonly type: 'learn-rule'; readonly tables: FlowTables; readonly action: LearnAction; readonly flow: FlowWords }
  | { readonly type: 'received'; readonly port: SwitchPort }
  | { readonly type: 'sent'; readonly port: SwitchPort }
  /** For the effects that follow packets are so much longer; negative: they are not any more. */
  | { readonly type: 'tunnel-header'; readonly bytes: number };

/** Packets for which effects are done. */
export interface Batch {
  packets: number;
  bytes: number;
  /** Ethernet source of their key. */
  source: number;
  /** Time on the switch's clock. */
  nowMs: number;
}

/** Does for some packets what their flow does beside forwarding. */
export function applyEffects(neighbours: NeighbourTable, effects: readonly Effect[], batch: Batch): void {
  const { packets } = batch;
  let { bytes } = batch;
  for (const effect of effects) {
    switch (effect.type) {
      case 'learn':
        // The port may have left since.
        if (effect.bridge.byOfPort.get(effect.port.ofPort) === effect.port) {
          effect.bridge.macTable.learn(effect.mac ?? batch.source, effect.vlan, effect.port, effect.gratuitousArp);
        }
        break;
      case 'neighbour':
        neighbours.lookup(effect.bridge, effect.ip);
        break;
      case 'rule':
        if (effect.rule.isInstalled) effect.tables.credit(effect.rule, packets, bytes, batch.nowMs);
        break;
      case 'learn-rule':
        effect.tables.learn(effect.action, effect.flow, batch.nowMs);
        break;
      case 'tunnel-header':
        bytes += effect.bytes * packets;
        break;
      case 'received':
        effect.port.counters.rxPackets += packets;
        effect.port.counters.rxBytes += bytes;
        break;
      case 'sent':
        effect.port.counters.txPackets += packets;
        effect.port.counters.txBytes += bytes;
        break;
    }
  }
}

/** A list that flows share, for as long as one refers to it. */
export interface EffectList {
  readonly effects: readonly Effect[];
  readonly hash: number;
  references: number;
}

export class EffectLists {
  readonly #byHash = new Map<number, EffectList[]>();

  /** The shared form of a list; counts as a reference. */
  acquire(effects: readonly Effect[]): EffectList {
    let hash = effects.length;
    for (const effect of effects) hash = hashEffect(hash, effect);
    const bucket = this.#byHash.get(hash);
    if (bucket) {
      for (const list of bucket) {
        if (!sameEffects(list.effects, effects)) continue;
        list.references++;
        return list;
      }
    }
    const list = { effects, hash, references: 1 };
    if (bucket) bucket.push(list);
    else this.#byHash.set(hash, [list]);
    return list;
  }

  /** Gives a reference back. */
  release(list: EffectList): void {
    if (--list.references > 0) return;
    const bucket = this.#byHash.get(list.hash)!;
    if (bucket.length === 1) this.#byHash.delete(list.hash);
    else bucket.splice(bucket.indexOf(list), 1);
  }
}

function hashEffect(hash: number, effect: Effect): number {
  switch (effect.type) {
    case 'learn':
      return hashAdd(hash, (effect.port.ofPort << 12) ^ effect.vlan ^ ((effect.mac ?? 0) | 0));
    case 'rule':
      return hashAdd(hash, (effect.rule.table << 16) ^ effect.rule.priority ^ effect.rule.createdMs);
    case 'learn-rule':
      return hashAdd(hash, effect.flow[2] ^ effect.flow[4]);
    case 'tunnel-header':
      return hashAdd(hash, effect.bytes);
    case 'neighbour':
      return hashAdd(hash, effect.ip[effect.ip.length - 1]);
    case 'received':
      return hashAdd(hash, ~effect.port.ofPort);
    case 'sent':
      return hashAdd(hash, effect.port.ofPort);
  }
}

function sameEffects(one: readonly Effect[], other: readonly Effect[]): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (!isSame(one[index], other[index])) return false;
  return true;
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}

function isSame(one: Effect, other: Effect): boolean {
  if (one === other) return true;
  switch (one.type) {
    case 'learn':
      return (
        other.type === 'learn' &&
        one.port === other.port &&
        one.bridge === other.bridge &&
        one.vlan === other.vlan &&
        one.mac === other.mac &&
        one.gratuitousArp === other.gratuitousArp
      );
    case 'neighbour':
      return other.type === 'neighbour' && one.bridge === other.bridge && sameBytes(one.ip, other.ip);
    case 'rule':
      return other.type === 'rule' && one.rule === other.rule && one.tables === other.tables;
    case 'learn-rule':
      // Each has a flow of its own.
      return false;
    case 'tunnel-header':
      return other.type === 'tunnel-header' && one.bytes === other.bytes;
    case 'received':
    case 'sent':
      return one.type === other.type && one.port === other.port;
  }
}
