/**
 * Groups of OpenFlow: buckets of actions, of which all are executed, or one that is selected or the first that is
 * alive. Here they are kept, read and printed in the syntax of `ovs-ofctl`; which bucket a packet meets is the switch's
 * business.
 */
import { MegaflowError } from '../util/errors.js';
import { formatOpenFlowActions } from './action-format.js';
import { parseActionList, parseGroupId } from './action-parse.js';
import { fieldOfName } from './field-names.js';
import { findPort, formatPort, OpenFlowPort, type PortNames } from './ports.js';
import { storedActions } from './stored.js';
import { parsePairs, parseUnsigned, parseUnsigned64, refuse, type Pair } from './text.js';
import type { OpenFlowAction } from './types.js';

/** `ff`: fast failover. */
export type GroupType = 'all' | 'select' | 'indirect' | 'ff';

export interface GroupBucket {
  readonly id: number;
  /** Of `select`: its share, 1 if nothing is said; 0 elsewhere. */
  readonly weight: number;
  /** Of `ff`: the port and the group whose life is its life. */
  readonly watchPort?: number;
  readonly watchGroup?: number;
  readonly actions: readonly OpenFlowAction[];
}

export interface OpenFlowGroup {
  readonly id: number;
  readonly type: GroupType;
  readonly buckets: readonly GroupBucket[];
  /** Of `select`: how a bucket is selected; absent: Open vSwitch's choice, which is `dp_hash`. */
  readonly selectionMethod?: string;
  readonly selectionMethodParam?: bigint;
  /** Of `select` by `hash`: names of the fields that are hashed. */
  readonly fields?: readonly string[];
}

const types: Readonly<Record<string, GroupType>> = {
  all: 'all',
  select: 'select',
  indirect: 'indirect',
  ff: 'ff',
  fast_failover: 'ff',
};

/** A pair as it was written. */
function unparse({ key, value, delimiter }: Pair): string {
  if (delimiter !== '(') return key + delimiter + value;
  return value.includes(')->') ? `${key}(${value}` : `${key}(${value})`;
}

function parseBucket(
  text: string,
  type: GroupType,
  ports: PortNames,
): { bucket: Omit<GroupBucket, 'id'>; id: number | undefined } {
  const actions: string[] = [];
  let weight: number | undefined;
  let id: number | undefined;
  const watch: { watchPort?: number; watchGroup?: number } = {};
  for (const pair of parsePairs(text)) {
    const { key, value } = pair;
    switch (key.toLowerCase()) {
      case 'weight':
        weight = parseUnsigned(value, 'weight', 16);
        break;
      case 'watch_port': {
        const port = findPort(value, ports) ?? refuse(`${value}: invalid watch_port`, value, 'a port');
        if (port !== OpenFlowPort.none) watch.watchPort = port;
        break;
      }
      case 'watch_group':
        watch.watchGroup = parseGroupId(value);
        break;
      case 'bucket_id':
        id = parseUnsigned(value, 'bucket_id', 32);
        if (id > 0xffffff00) refuse(`invalid bucket_id id ${id}`, value, 'at most 0xffffff00');
        break;
      case 'action':
      case 'actions':
        actions.push(value);
        break;
      default:
        actions.push(unparse(pair));
    }
  }
  if (actions.length === 0 || actions.every((action) => action === ''))
    refuse('bucket must specify actions', text, 'actions=ACTION[,ACTION...]');
  if (weight !== undefined && type !== 'select')
    refuse('Only select groups can have bucket weights.', text, 'no weight');
  if (type === 'ff' && watch.watchPort === undefined && watch.watchGroup === undefined) {
    refuse('fast failover bucket requires watch_port or watch_group', text, 'watch_port=PORT or watch_group=GROUP');
  }
  const bucket = {
    weight: weight ?? (type === 'select' ? 1 : 0),
    ...watch,
    actions: storedActions(parseActionList(actions.join(','), ports, false)),
  };
  return { bucket, id };
}

/** Gives the buckets that have none the lowest numbers that are free, in turn. */
function numberBuckets(parsed: readonly ReturnType<typeof parseBucket>[], text: string): GroupBucket[] {
  const taken = new Set<number>();
  for (const { id } of parsed) {
    if (id === undefined) continue;
    if (taken.has(id)) refuse(`Duplicate bucket id ${id}`, text, 'each number once');
    taken.add(id);
  }
  let next = 0;
  return parsed.map(({ bucket, id }) => {
    if (id !== undefined) return { id, ...bucket };
    while (taken.has(next)) next++;
    taken.add(next);
    return { id: next, ...bucket };
  });
}

function parseHashFields(value: string): string[] {
  return parsePairs(value).map(({ key }) => {
    const field = fieldOfName(key);
    if (field === undefined) refuse(`unknown field ${key}`, value, 'names of fields');
    return field.name;
  });
}

/** Parses `group_id=1,type=select,bucket=weight:5,output:1,bucket=...`. Throws `bad-flow-text`. */
export function parseGroup(text: string, ports: PortNames = {}): OpenFlowGroup {
  const [head, ...bucketTexts] = text.split(/(?<![^\s,])bucket=/);
  let id: number | undefined;
  let type: GroupType | undefined;
  const select: { selectionMethod?: string; selectionMethodParam?: bigint; fields?: string[] } = {};
  for (const { key, value } of parsePairs(head)) {
    switch (key) {
      case 'group_id':
        id = parseGroupId(value);
        if (id > 0xffffff00) refuse(`invalid group id ${id}`, value, 'at most 0xffffff00');
        break;
      case 'type':
        if (!Object.hasOwn(types, value)) refuse(`invalid group type ${value}`, value, Object.keys(types).join(', '));
        type = types[value];
        break;
      case 'selection_method':
        if (value.length < 1 || value.length > 15)
          refuse(`selection_method is longer than 15 characters or empty: ${value}`, value, '1 to 15 characters');
        select.selectionMethod = value;
        break;
      case 'selection_method_param':
        select.selectionMethodParam = parseUnsigned64(value);
        break;
      case 'fields':
        select.fields = parseHashFields(value);
        break;
      default:
        refuse(
          `unknown keyword ${key}`,
          key,
          'group_id, type, selection_method, selection_method_param, fields, bucket',
        );
    }
  }
  if (id === undefined) return refuse('must specify a group_id', text, 'group_id=NUMBER');
  if (type === undefined) return refuse('must specify a type', text, 'type=all, select, indirect or ff');
  if (type !== 'select' && Object.keys(select).length > 0)
    refuse('selection method is only for select groups', text, 'type=select');
  if (select.selectionMethod === undefined && (select.fields ?? select.selectionMethodParam) !== undefined) {
    refuse('fields and selection_method_param need a selection_method', text, 'selection_method=hash or dp_hash');
  }
  const kind = type;
  const parsed = bucketTexts.map((bucket) => parseBucket(bucket, kind, ports));
  if (type === 'indirect' && parsed.length > 1)
    refuse('Indirect groups can have at most one bucket.', text, 'one bucket');
  return { id, type, buckets: numberBuckets(parsed, text), ...select };
}

/** A group as `ovs-ofctl dump-groups` prints it, without the blank in front. */
export function formatGroup(group: OpenFlowGroup, ports: PortNames = {}): string {
  const items = [`group_id=${group.id}`, `type=${group.type}`];
  if (group.selectionMethod !== undefined) {
    items.push(`selection_method=${group.selectionMethod}`);
    if (group.selectionMethodParam !== undefined && group.selectionMethodParam !== 0n) {
      items.push(`selection_method_param=${group.selectionMethodParam}`);
    }
    const names = group.fields ?? [];
    if (names.length === 1) items.push(`fields=${names[0]}`);
    else if (names.length > 1) items.push(`fields(${names.join(',')})`);
  }
  for (const bucket of group.buckets) {
    const parts = [`bucket_id:${bucket.id}`];
    if (bucket.weight !== (group.type === 'select' ? 1 : 0)) parts.push(`weight:${bucket.weight}`);
    if (bucket.watchPort !== undefined) parts.push(`watch_port:${formatPort(bucket.watchPort, ports)}`);
    if (bucket.watchGroup !== undefined) parts.push(`watch_group:${bucket.watchGroup}`);
    items.push(`bucket=${parts.join(',')},actions=${formatOpenFlowActions(bucket.actions, ports)}`);
  }
  return items.join(',');
}

export interface GroupTable {
  /** Throws `already-exists`. */
  add(group: OpenFlowGroup): void;
  /** Puts a group in the place of one with its number; throws `not-found`. */
  modify(group: OpenFlowGroup): void;
  /** False if there was none. */
  remove(id: number): boolean;
  get(id: number): OpenFlowGroup | undefined;
  [Symbol.iterator](): IterableIterator<OpenFlowGroup>;
  /** Grows with each change. */
  readonly sequence: number;
}

/** The groups of a bridge, none yet. */
export function createGroupTable(): GroupTable {
  const groups = new Map<number, OpenFlowGroup>();
  let sequence = 0;
  return {
    add(group) {
      if (groups.has(group.id))
        throw new MegaflowError('already-exists', `there is a group ${group.id}`, group.id, 'a number that is free');
      groups.set(group.id, group);
      sequence++;
    },
    modify(group) {
      if (!groups.has(group.id))
        throw new MegaflowError('not-found', `there is no group ${group.id}`, group.id, 'the number of a group');
      groups.set(group.id, group);
      sequence++;
    },
    remove(id) {
      const wasThere = groups.delete(id);
      if (wasThere) sequence++;
      return wasThere;
    },
    get: (id) => groups.get(id),
    [Symbol.iterator]: () => groups.values(),
    get sequence() {
      return sequence;
    },
  };
}
