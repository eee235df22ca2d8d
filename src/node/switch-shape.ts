/**
 * The shape of a switch file: which keys there are, and what stands behind them. It finds what is misspelt or of the wrong
 * type; what words and numbers mean is checked by those who use them.
 */
import { MegaflowError } from '../util/errors.js';

/** `map` has names of the file's own for keys; a `?` behind a key says that it may be left out. */
export type Shape =
  | 'string'
  | 'number'
  | 'boolean'
  /** A whole number, with the least and the most. */
  | { readonly whole: readonly [number, number] }
  | { readonly oneOf: readonly unknown[] }
  | { readonly list: Shape }
  | { readonly map: Shape }
  | { readonly object: Readonly<Record<string, Shape>> }
  | { readonly byType: Readonly<Record<string, Shape>> }
  | { readonly either: readonly Shape[] };

const strings: Shape = { map: 'string' };
const texts: Shape = { list: 'string' };
const vlan: Shape = { whole: [0, 4095] };
const vlans: Shape = { list: vlan };

const port: Shape = {
  object: {
    name: 'string',
    'tag?': { either: [vlan, { oneOf: [null] }] },
    'trunks?': vlans,
    'cvlans?': vlans,
    'vlanMode?': { oneOf: ['trunk', 'access', 'native-tagged', 'native-untagged', 'dot1q-tunnel'] },
    'protected?': 'boolean',
    'otherConfig?': strings,
    'mac?': 'string',
    'interface?': {
      object: {
        'type?': { oneOf: ['system', 'internal', 'vxlan', 'patch'] },
        'ofport?': { whole: [1, 65_279] },
        'options?': strings,
      },
    },
  },
};

const mirror: Shape = {
  object: {
    name: 'string',
    'selectAll?': 'boolean',
    'selectSrcPort?': texts,
    'selectDstPort?': texts,
    'selectVlan?': vlans,
    'outputPort?': 'string',
    'outputVlan?': vlan,
  },
};

const nic = (keys: Readonly<Record<string, Shape>>): Shape => ({
  object: { type: 'string', 'mtu?': { whole: [68, 65_517] }, ...keys },
});

export const switchShape = {
  object: {
    bridges: {
      list: {
        object: {
          name: 'string',
          mac: 'string',
          'ports?': { list: port },
          'openflow?': texts,
          'groups?': texts,
          'otherConfig?': strings,
          'floodVlans?': vlans,
          'mirrors?': { list: mirror },
        },
      },
    },
    'addresses?': { list: { object: { dev: 'string', ip: 'string' } } },
    'routes?': { list: { object: { prefix: 'string', dev: 'string', 'gateway?': 'string' } } },
    'neighbors?': { list: { object: { bridge: 'string', ip: 'string', mac: 'string' } } },
    'nativeTunnels?': 'boolean',
    'nics?': {
      map: {
        byType: {
          macvtap: nic({
            'path?': 'string',
            'descriptor?': { whole: [0, 0x7fff_ffff] },
            'virtioHeader?': { oneOf: [0, 10, 12] },
          }),
          host: nic({}),
          qemu: nic({ 'listen?': 'string', 'connect?': 'string' }),
          udp: nic({ bind: 'string', 'to?': 'string' }),
          pcap: nic({
            'read?': 'string',
            'pace?': { either: ['number', { oneOf: ['at once'] }] },
            'write?': 'string',
            'rotateBytes?': { whole: [1024, Number.MAX_SAFE_INTEGER] },
            'files?': { whole: [1, 10_000] },
          }),
        },
      },
    },
    'vxlan?': { object: { 'addresses?': texts, 'sourcePorts?': { whole: [1, 64] } } },
    'control?': 'string',
  },
} satisfies Shape;

/** Throws `bad-config`, naming the key, when `value` does not have the shape. `key` is the place so far. */
export function checkShape(value: unknown, shape: Shape, key: string): void {
  const refuse = (problem: string, allowed: string): never => {
    throw new MegaflowError('bad-config', `${key === '' ? 'the file' : key}: ${problem}`, value, allowed);
  };
  if (typeof shape === 'string') {
    if (typeof value !== shape) refuse(`a ${shape} is needed, and not ${describe(value)}`, `a ${shape}`);
  } else if ('whole' in shape) {
    const [least, most] = shape.whole;
    const allowed = `a whole number from ${least} to ${most}`;
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
      refuse(`${allowed} is needed, and not ${describe(value)}`, allowed);
  } else if ('oneOf' in shape) {
    const allowed = shape.oneOf.join(', ');
    if (!shape.oneOf.includes(value)) refuse(`cannot be ${describe(value)}: one of ${allowed}`, allowed);
  } else if ('either' in shape) {
    const refusals = shape.either.map((choice) => refusal(value, choice, key));
    if (!refusals.includes(undefined)) throw refusals[0];
  } else if ('list' in shape) {
    if (!Array.isArray(value)) return refuse(`a list is needed, and not ${describe(value)}`, 'a list');
    value.forEach((item, at) => checkShape(item, shape.list, `${key}[${at}]`));
  } else if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    refuse(`an object is needed, and not ${describe(value)}`, 'an object');
  } else if ('map' in shape) {
    for (const [name, item] of Object.entries(value)) checkShape(item, shape.map, join(key, name));
  } else if ('byType' in shape) {
    const { type } = value as { type?: unknown };
    const types = Object.keys(shape.byType);
    checkShape(type, { oneOf: types }, join(key, 'type'));
    checkShape(value, shape.byType[type as string], key);
  } else {
    checkKeys(value, shape.object, key);
  }
}

function checkKeys(value: object, shape: Readonly<Record<string, Shape>>, key: string): void {
  const names = Object.keys(shape).map((name) => name.replace('?', ''));
  for (const name of Object.keys(value)) {
    if (names.includes(name)) continue;
    throw new MegaflowError('bad-config', `${join(key, name)}: there is no such key`, name, names.join(', '));
  }
  for (const [name, inner] of Object.entries(shape)) {
    const item = (value as Record<string, unknown>)[name.replace('?', '')];
    if (item === undefined && name.endsWith('?')) continue;
    const place = join(key, name.replace('?', ''));
    if (item === undefined) throw new MegaflowError('bad-config', `${place} is missing`, undefined, 'this key');
    checkShape(item, inner, place);
  }
}

function refusal(value: unknown, shape: Shape, key: string): unknown {
  try {
    checkShape(value, shape, key);
    return undefined;
  } catch (error) {
    return error;
  }
}

const join = (key: string, name: string): string => (key === '' ? name : `${key}.${name}`);

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
