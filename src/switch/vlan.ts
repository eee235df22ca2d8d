/**
 * VLAN rules of ports (ovs-vswitchd.conf.db(5), "VLAN Configuration"): which frames a port takes, in which VLAN they then are, and
 * how they look when they leave. The names follow the `vlan_mode` column.
 */
import { VLAN_PRESENT, fields, getField, setField, type FlowWords } from '../flow/fields.js';
import { MegaflowError } from '../util/errors.js';

export type VlanMode = 'access' | 'trunk' | 'native-tagged' | 'native-untagged' | 'dot1q-tunnel';

/** The columns of a port that concern VLANs, as they are configured. */
export interface VlanColumns {
  tag?: number | null;
  trunks?: readonly number[];
  cvlans?: readonly number[];
  vlanMode?: VlanMode;
  otherConfig?: Readonly<Record<string, string>>;
}

export interface VlanRules {
  readonly mode: VlanMode;
  /** The port's own VLAN; -1 for a trunk. */
  readonly vlan: number;
  /** VLANs carried; undefined: all. */
  readonly trunks: ReadonlySet<number> | undefined;
  /** Customer VLANs of a dot1q-tunnel port; undefined: all. */
  readonly cvlans: ReadonlySet<number> | undefined;
  /** TPID that a dot1q-tunnel port pushes. */
  readonly serviceTpid: number;
  readonly priorityTags: 'never' | 'if-nonzero' | 'always';
}

/** The tags of a packet, the outer first. A VID of 0 means that there is none, or a priority tag. */
export interface Tags {
  readonly tpid: number;
  readonly vid: number;
  /** Priority as it lies in the TCI: PCP × 0x2000. */
  readonly priority: number;
  readonly innerTpid: number;
  readonly innerVid: number;
  readonly innerPriority: number;
}

/** Words of the outer tag and its TPID, of which each has the upper half, and of the inner tag. */
const TAG_WORD = fields.vlanTci.at >> 2;
const TPID_WORD = fields.vlanTpid.at >> 2;
const INNER_TAG_WORD = fields.innerVlanTci.at >> 2;

const NO_TAGS: Tags = { tpid: 0, vid: 0, priority: 0, innerTpid: 0, innerVid: 0, innerPriority: 0 };

const MODES: readonly VlanMode[] = ['access', 'trunk', 'native-tagged', 'native-untagged', 'dot1q-tunnel'];
const DOT1Q = 0x8100;
const DOT1AD = 0x88a8;
const VID = 0x0fff;
const PRIORITY = 0xe000;

/** The rules that configured columns amount to. Throws `bad-config`. */
export function vlanRules(name: string, columns: VlanColumns): VlanRules {
  const tag = columns.tag ?? -1;
  const check = (value: number): number => {
    if (!Number.isInteger(value) || value < 0 || value > 4095) {
      throw new MegaflowError('bad-config', `port ${name}: VLAN ${value}`, value, 'a whole number from 0 to 4095');
    }
    return value;
  };
  if (tag !== -1) check(tag);
  const set = (list: readonly number[] | undefined): Set<number> | undefined =>
    list?.length ? new Set(list.map(check)) : undefined;
  const trunks = set(columns.trunks);
  const mode = columns.vlanMode ?? (tag >= 0 ? 'access' : 'trunk');
  if (!MODES.includes(mode))
    throw new MegaflowError('bad-config', `port ${name}: vlan_mode ${mode}`, mode, MODES.join(', '));
  const vlan = mode === 'trunk' ? -1 : Math.max(0, tag);
  let carried = mode === 'access' || mode === 'dot1q-tunnel' ? undefined : trunks;
  if (
    (mode === 'native-tagged' || mode === 'native-untagged') &&
    vlan !== 0 &&
    (!trunks || !trunks.has(vlan) || trunks.has(0))
  ) {
    // A native port carries its own VLAN, and VLAN 0 is that VLAN.
    carried = trunks ?? new Set(Array.from({ length: 4096 }, (_, vid) => vid));
    carried = new Set(carried).add(vlan);
    (carried as Set<number>).delete(0);
  }
  const tags = columns.otherConfig?.['priority-tags'];
  return {
    mode,
    vlan,
    trunks: carried,
    cvlans: set(columns.cvlans),
    serviceTpid: columns.otherConfig?.['qinq-ethtype'] === '802.1q' ? DOT1Q : DOT1AD,
    priorityTags: tags === 'always' ? 'always' : tags === 'if-nonzero' || tags === 'true' ? 'if-nonzero' : 'never',
  };
}

export function sameVlanRules(a: VlanRules, b: VlanRules): boolean {
  const sameSet = (x: ReadonlySet<number> | undefined, y: ReadonlySet<number> | undefined): boolean =>
    x === y || (x !== undefined && y !== undefined && x.size === y.size && [...x].every((vid) => y.has(vid)));
  return (
    a.mode === b.mode &&
    a.vlan === b.vlan &&
    a.serviceTpid === b.serviceTpid &&
    a.priorityTags === b.priorityTags &&
    sameSet(a.trunks, b.trunks) &&
    sameSet(a.cvlans, b.cvlans)
  );
}

/** The tags of a flow. */
export function readTags(flow: FlowWords): Tags {
  const outer = getField(flow, 'vlanTci');
  if ((outer & VLAN_PRESENT) === 0) return NO_TAGS;
  const inner = getField(flow, 'innerVlanTci');
  const hasInner = (inner & VLAN_PRESENT) !== 0;
  return {
    tpid: getField(flow, 'vlanTpid'),
    vid: outer & VID,
    priority: outer & PRIORITY,
    innerTpid: hasInner ? getField(flow, 'innerVlanTpid') : 0,
    innerVid: hasInner ? inner & VID : 0,
    innerPriority: hasInner ? inner & PRIORITY : 0,
  };
}

/** Writes tags into a flow. VID and priority 0 mean no tag, unless priority tags are always sent and there was one. */
export function writeTags(flow: FlowWords, tags: Tags, priorityTags: VlanRules['priorityTags']): void {
  if (tags === NO_TAGS) {
    flow[TAG_WORD] &= 0xffff;
    flow[TPID_WORD] &= 0xffff;
    flow[INNER_TAG_WORD] = 0;
    return;
  }
  const present = (tpid: number, tci: number): boolean => tci !== 0 || (priorityTags === 'always' && tpid !== 0);
  const outer = tags.vid | tags.priority;
  const outerPresent = present(tags.tpid, outer);
  setField(flow, 'vlanTci', outerPresent ? outer | VLAN_PRESENT : 0);
  setField(flow, 'vlanTpid', outerPresent ? tags.tpid || DOT1Q : 0);
  const inner = tags.innerVid | tags.innerPriority;
  const innerPresent = present(tags.innerTpid, inner);
  setField(flow, 'innerVlanTci', innerPresent ? inner | VLAN_PRESENT : 0);
  setField(flow, 'innerVlanTpid', innerPresent ? tags.innerTpid || DOT1Q : 0);
}

function carries(set: ReadonlySet<number> | undefined, vid: number): boolean {
  return set === undefined || set.has(vid);
}

/** Whether a port takes frames whose outer tag has `vid` (0: none). */
export function acceptsVid({ mode, trunks, cvlans }: VlanRules, vid: number): boolean {
  if (mode === 'access') return vid === 0;
  if (mode === 'dot1q-tunnel') return carries(cvlans, vid);
  return (vid === 0 && mode !== 'trunk') || carries(trunks, vid);
}

/** The tags of a frame inside the switch, from those with which it came in. */
export function translateInput(rules: VlanRules, tags: Tags): Tags {
  switch (rules.mode) {
    case 'trunk':
      return tags;
    case 'access':
      return {
        tpid: tags.tpid || DOT1Q,
        vid: rules.vlan,
        priority: tags.priority,
        innerTpid: 0,
        innerVid: 0,
        innerPriority: 0,
      };
    case 'native-tagged':
    case 'native-untagged':
      return tags.vid !== 0 ? tags : { ...tags, tpid: tags.tpid || DOT1Q, vid: rules.vlan };
    case 'dot1q-tunnel':
      return {
        tpid: rules.serviceTpid,
        vid: rules.vlan,
        priority: 0,
        innerTpid: tags.tpid,
        innerVid: tags.vid,
        innerPriority: tags.priority,
      };
  }
}

/** The tags with which a frame leaves through a port, from those it has inside the switch. */
export function translateOutput(rules: VlanRules, tags: Tags): Tags {
  switch (rules.mode) {
    case 'access':
      return NO_TAGS;
    case 'trunk':
    case 'native-tagged':
      return tags;
    case 'native-untagged':
      return tags.vid === rules.vlan ? popOuter(tags) : tags;
    case 'dot1q-tunnel':
      return popOuter(tags);
  }
}

function popOuter(tags: Tags): Tags {
  return {
    tpid: tags.innerTpid,
    vid: tags.innerVid,
    priority: tags.innerPriority,
    innerTpid: 0,
    innerVid: 0,
    innerPriority: 0,
  };
}

/** Whether a port carries frames that have these tags inside the switch. */
export function includesVlan(rules: VlanRules, tags: Tags): boolean {
  if (rules.mode === 'access') return tags.vid === rules.vlan && tags.innerVid === 0;
  if (rules.mode === 'dot1q-tunnel') return tags.vid === rules.vlan && carries(rules.cvlans, tags.innerVid);
  return carries(rules.trunks, tags.vid);
}
