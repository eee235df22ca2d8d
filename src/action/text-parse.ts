/**
 * Actions read from text: the language of `dpctl/add-flow` and of `actions:` in a flow dump (`lib/odp-util.c` of Open
 * vSwitch: `odp_actions_from_string`). Whatever 3.1 prints is read. With `strict`, what 3.1 refuses is refused, also
 * what it prints itself (`recirc(0x1)`, `hash(...)`, `clone(drop)`, `push_mpls(...)`, names of ports within
 * parentheses).
 */
import {
  atDelimiter,
  skipDelimiters,
  take,
  takeHexPairs,
  takeInteger,
  takeInteger64,
  takeMac,
  takePattern,
  type Cursor,
} from '../flow/scan.js';
import { MegaflowError } from '../util/errors.js';
import { takeConntrack } from './ct-text.js';
import { takeHeader } from './header-text.js';
import { MOST_ACTION_BYTES, netlinkLength } from './netlink-length.js';
import { takeSet } from './set-text.js';
import type { Action, NshHeader } from './types.js';
import { takeUserspace } from './userspace-text.js';

export interface ActionParseOptions {
  /** Number of a datapath port; numbers are read in any case. */
  readonly portNumber?: (name: string) => number | undefined;
  /** Reads what 3.1 reads, as it reads it, and refuses the rest. */
  readonly strict?: boolean;
}

/** Actions within actions, each within one more pair of parentheses: 3.1 refuses the 32nd. */
const MOST_NESTED = 32;

/**
 * Reads one action from behind its opening parenthesis to behind the closing one; `undefined` where the text does not
 * fit.
 */
type Reader = (reading: Reading, cursor: Cursor) => Action | undefined;

interface Reading {
  readonly strict: boolean;
  readonly portNumber: (name: string) => number | undefined;
  depth: number;
}

/**
 * Reads a list of actions, separated by commas and blanks. An empty text is an empty list, `drop` alone the action of
 * that name. Throws `bad-action-text`: `value` is the text, the message is in Open vSwitch's manner (`syntax error at
 * REST`), and `allowed` says what was expected and where. Allocates.
 */
export function parseActions(text: string, options: ActionParseOptions = {}): Action[] {
  const { strict = false, portNumber = () => undefined } = options;
  if (text.toLowerCase() === 'drop') return [{ type: 'drop' }];
  const reading: Reading = { strict, portNumber, depth: 0 };
  const cursor: Cursor = { text, at: 0 };
  const actions: Action[] = [];
  for (;;) {
    skipDelimiters(cursor);
    const start = cursor.at;
    if (start === text.length) break;
    const action = takeAction(reading, cursor);
    if (!action || !atDelimiter(cursor)) {
      const allowed = `${action ? 'a comma' : 'an action as Open vSwitch writes it'}, at character ${cursor.at}`;
      throw new MegaflowError('bad-action-text', `syntax error at ${text.slice(start)}`, text, allowed);
    }
    actions.push(action);
  }
  const length = netlinkLength(actions);
  if (length > MOST_ACTION_BYTES) {
    throw new MegaflowError(
      'bad-action-text',
      `actions are too big (${length} bytes)`,
      text,
      `at most ${MOST_ACTION_BYTES} bytes as netlink attributes`,
    );
  }
  return actions;
}

function takeAction(reading: Reading, cursor: Cursor): Action | undefined {
  if (reading.depth + 1 === MOST_NESTED) return undefined;
  reading.depth++;
  const action = takeOutput(reading, cursor) ?? takeKeyword(reading, cursor);
  reading.depth--;
  return action;
}

function takeOutput({ strict, portNumber }: Reading, cursor: Cursor): Action | undefined {
  const number = takeInteger(cursor, 0, 32);
  if (number !== undefined) return { type: 'output', port: number };
  const start = cursor.at;
  // 3.1 takes the parenthesis that follows for a part of the name.
  const name = takePattern(cursor, strict ? /[^, \t\r\n]+/y : /[^, \t\r\n)]+/y);
  const port = name === undefined ? undefined : portNumber(name);
  if (port !== undefined) return { type: 'output', port };
  cursor.at = start;
  return undefined;
}

/** Actions without parentheses. The word may be followed by anything within a list in parentheses, as in 3.1. */
const WORDS = ['pop_vlan', 'ct_clear'] as const;
/** Printed by 3.1, but not read. */
const PRINTED_WORDS = ['pop_eth', 'drop'] as const;

function takeKeyword(reading: Reading, cursor: Cursor): Action | undefined {
  for (const type of reading.strict ? WORDS : [...WORDS, ...PRINTED_WORDS]) if (take(cursor, type)) return { type };
  const name = takePattern(cursor, /[a-z_]+(?=\()/y);
  if (name !== undefined && name !== 'ct') {
    const reader = readers[name as keyof typeof readers] as Reader | undefined;
    return Object.hasOwn(readers, name) && reader && take(cursor, '(') ? reader(reading, cursor) : undefined;
  }
  if (name !== 'ct' && !take(cursor, 'ct')) return undefined;
  const ct = takeConntrack(cursor);
  return ct && { type: 'ct', ct };
}

/**
 * Reads a list up to behind the closing parenthesis. In a list of its own, the word `drop` is what is printed for
 * nothing.
 */
function takeList(reading: Reading, cursor: Cursor): Action[] | undefined {
  if (!reading.strict && take(cursor, 'drop)')) return [];
  const actions: Action[] = [];
  for (;;) {
    skipDelimiters(cursor);
    if (take(cursor, ')')) return actions;
    const action = takeAction(reading, cursor);
    if (!action) return undefined;
    actions.push(action);
  }
}

function takePort({ strict, portNumber }: Reading, cursor: Cursor): number | undefined {
  const number = takeInteger(cursor, 0, 32);
  if (number !== undefined || strict) return number;
  const start = cursor.at;
  const name = takePattern(cursor, /[^, \t\r\n)]+/y);
  const port = name === undefined ? undefined : portNumber(name);
  if (port === undefined) cursor.at = start;
  return port;
}

/** `NUMBER)`, with what is made of it. */
const number =
  (base: 0 | 10, bits: number, make: (value: number) => Action): Reader =>
  (_reading, cursor) => {
    const value = takeInteger(cursor, base, bits);
    return value !== undefined && take(cursor, ')') ? make(value) : undefined;
  };

/** Only without `strict`. */
const printed =
  (reader: Reader): Reader =>
  (reading, cursor) =>
    reading.strict ? undefined : reader(reading, cursor);

/** Actions with parentheses, by name. */
const readers = {
  trunc: number(0, 32, (maxLength) => ({ type: 'trunc', maxLength })),
  meter(_reading, cursor) {
    const id = takeInteger64(cursor, 0);
    return id !== undefined && take(cursor, ')') ? { type: 'meter', id: Number(BigInt.asUintN(32, id)) } : undefined;
  },
  lb_output: number(10, 32, (bond) => ({ type: 'lb_output', bond })),
  recirc(reading, cursor) {
    // Decimal in 3.1, which prints it in hexadecimal; so 010 is ten, and with 0x it is the printed form.
    const isHex = !reading.strict && /[xX]/.test(cursor.text[cursor.at + 1] ?? '');
    return number(isHex ? 0 : 10, 32, (id) => ({ type: 'recirc', id }))(reading, cursor);
  },
  tnl_pop(reading, cursor) {
    const port = takePort(reading, cursor);
    return port !== undefined && take(cursor, ')') ? { type: 'tnl_pop', port } : undefined;
  },
  tnl_push(reading, cursor) {
    const tunnelPort = take(cursor, 'tnl_port(') ? takePort(reading, cursor) : undefined;
    const header = tunnelPort !== undefined && take(cursor, '),') ? takeHeader(cursor, reading.strict) : undefined;
    const outPort = header && take(cursor, ',out_port(') ? takePort(reading, cursor) : undefined;
    if (tunnelPort === undefined || !header || outPort === undefined || !take(cursor, '))')) return undefined;
    return { type: 'tnl_push', tunnelPort, outPort, header };
  },
  hash: printed((_reading, cursor) => {
    const algorithm = take(cursor, 'l4(') ? 'l4' : take(cursor, 'sym_l4(') ? 'sym_l4' : undefined;
    const basis = algorithm && takeInteger(cursor, 0, 32);
    return algorithm && basis !== undefined && take(cursor, '))') ? { type: 'hash', algorithm, basis } : undefined;
  }),
  set: ({ strict }, cursor) => takeSet(cursor, strict),
  push_vlan: takePushVlan,
  push_eth: printed((_reading, cursor) => {
    const src = take(cursor, 'src=') ? takeMac(cursor) : undefined;
    const dst = take(cursor, ',dst=') ? takeMac(cursor) : undefined;
    return src !== undefined && dst !== undefined && take(cursor, ')') ? { type: 'push_eth', src, dst } : undefined;
  }),
  push_mpls: printed((_reading, cursor) => takeLabel(cursor, 'push_mpls')),
  add_mpls: (_reading, cursor) => takeLabel(cursor, 'add_mpls'),
  pop_mpls: printed((_reading, cursor) => {
    const ethType = take(cursor, 'eth_type=0x') ? takeInteger(cursor, 16, 16) : undefined;
    return ethType !== undefined && take(cursor, ')') ? { type: 'pop_mpls', ethType } : undefined;
  }),
  clone(reading, cursor) {
    const actions = takeList(reading, cursor);
    return actions && { type: 'clone', actions };
  },
  sample: takeSample,
  check_pkt_len: takeCheckLength,
  dec_ttl: printed((reading, cursor) => {
    const actions = take(cursor, 'le_1(') ? takeList(reading, cursor) : undefined;
    return actions && take(cursor, ')') ? { type: 'dec_ttl', actions } : undefined;
  }),
  userspace: (reading, cursor) => takeUserspace(cursor, (at) => takePort(reading, at), reading.strict),
  push_nsh: takePushNsh,
  pop_nsh: (_reading, cursor) => (take(cursor, ')') ? { type: 'pop_nsh' } : undefined),
} as const satisfies Partial<Record<Action['type'], Reader>>;

/** `[tpid=N,]vid=N,pcp=N[,cfi=N])`, in this order. */
function takePushVlan(_reading: Reading, cursor: Cursor): Action | undefined {
  const tpid = take(cursor, 'tpid=')
    ? ([takeInteger(cursor, 0, 32), take(cursor, ',')] as const)
    : ([0x8100, true] as const);
  const vid = tpid[1] && take(cursor, 'vid=') ? takeInteger(cursor, 0, 32) : undefined;
  const pcp = take(cursor, ',pcp=') ? takeInteger(cursor, 0, 32) : undefined;
  const cfi = take(cursor, ',cfi=') ? takeInteger(cursor, 0, 32) : 1;
  if (tpid[0] === undefined || vid === undefined || pcp === undefined || cfi === undefined || vid > 0xfff || pcp > 7)
    return undefined;
  return take(cursor, ')')
    ? { type: 'push_vlan', tpid: tpid[0] & 0xffff, tci: (pcp << 13) | (cfi ? 0x1000 : 0) | vid }
    : undefined;
}

/** `label=N,tc=N,ttl=N,bos=N,eth_type=0xH)`; numbers beyond a part lose their upper bits. */
function takeLabel(cursor: Cursor, type: 'push_mpls' | 'add_mpls'): Action | undefined {
  const label = take(cursor, 'label=') ? takeInteger(cursor, 0, 20) : undefined;
  const tc = take(cursor, ',tc=') ? takeInteger(cursor, 0, 3) : undefined;
  const ttl = take(cursor, ',ttl=') ? takeInteger(cursor, 0, 8) : undefined;
  const bos = take(cursor, ',bos=') ? takeInteger(cursor, 0, 1) : undefined;
  const ethType = take(cursor, ',eth_type=0x') ? takeInteger(cursor, 16, 16) : undefined;
  if (
    label === undefined ||
    tc === undefined ||
    ttl === undefined ||
    bos === undefined ||
    ethType === undefined ||
    !take(cursor, ')')
  )
    return undefined;
  return { type, lse: ((label << 12) | (tc << 9) | (bos << 8) | ttl) >>> 0, ethType };
}

const PERCENTAGE = /[ \t\n\v\f\r]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?/y;

function takeSample(reading: Reading, cursor: Cursor): Action | undefined {
  const text = take(cursor, 'sample=') ? takePattern(cursor, PERCENTAGE) : undefined;
  const percentage = Number(text);
  if (text === undefined || !(percentage >= 0 && percentage <= 100) || !take(cursor, '%,actions(')) return undefined;
  const actions = takeList(reading, cursor);
  const probability = Math.min(Math.floor(0xffff_ffff * (percentage / 100) + 0.5), 0xffff_ffff);
  return actions && take(cursor, ')') ? { type: 'sample', probability, actions } : undefined;
}

/** `size=N,gt(LIST),le(LIST))`, where `drop` (in either case of letters) stands for an empty list. */
function takeCheckLength(reading: Reading, cursor: Cursor): Action | undefined {
  const branch = (name: string): Action[] | undefined => {
    if (!take(cursor, name)) return undefined;
    return takePattern(cursor, /drop\)/iy) !== undefined ? [] : takeList(reading, cursor);
  };
  const size = take(cursor, 'size=') ? takeInteger(cursor, 0, 16) : undefined;
  const greater = size === undefined ? undefined : branch(',gt(');
  const lessEqual = greater && branch(',le(');
  return size !== undefined && greater && lessEqual && take(cursor, ')')
    ? { type: 'check_pkt_len', size, greater, lessEqual }
    : undefined;
}

/** Most bytes of metadata behind the base header of NSH. */
const MOST_METADATA = 244;

/** Parts of `push_nsh(...)` in any order; each has a value if it is not mentioned. */
function takePushNsh(reading: Reading, cursor: Cursor): Action | undefined {
  const part = { flags: 0, ttl: 63, mdtype: 1, np: 3, spi: 0, si: 255 };
  const context = [0, 0, 0, 0];
  let metadata = new Uint8Array(0);
  const decimals = { 'flags=': 'flags', 'ttl=': 'ttl', 'mdtype=': 'mdtype', 'np=': 'np', 'si=': 'si' } as const;
  for (;;) {
    skipDelimiters(cursor);
    if (take(cursor, ')')) break;
    const name = (Object.keys(decimals) as (keyof typeof decimals)[]).find((prefix) => take(cursor, prefix));
    let value: number | undefined;
    if (name) {
      value = takeInteger(cursor, 0, 8);
      part[decimals[name]] = value ?? 0;
      if (part.mdtype !== 1 && part.mdtype !== 2) return undefined;
    } else if (take(cursor, 'spi=0x')) {
      value = takeInteger(cursor, 16, 32);
      part.spi = (value ?? 0) & 0xff_ffff;
    } else if (part.mdtype === 1) {
      const index = ['c1=0x', 'c2=0x', 'c3=0x', 'c4=0x'].findIndex((prefix) => take(cursor, prefix));
      value = index < 0 ? undefined : takeInteger(cursor, 16, 32);
      if (value !== undefined) context[index] = value;
    } else {
      const bytes = take(cursor, 'md2=') ? takeMetadata(reading, cursor) : undefined;
      value = bytes?.length;
      if (bytes) metadata = bytes;
    }
    if (value === undefined) return undefined;
  }
  const header: NshHeader = {
    ...part,
    flags: part.flags & 3,
    ttl: part.ttl & 0x3f,
    context: part.mdtype === 2 ? metadata : context,
  };
  return { type: 'push_nsh', header };
}

/**
 * Metadata of type 2 is printed as one number, without the zeros before it; so are digits read here that make no whole
 * words. 3.1 reads them from the left: it fills up with zeros behind, and drops an odd digit.
 */
function takeMetadata(reading: Reading, cursor: Cursor): Uint8Array<ArrayBuffer> | undefined {
  if (!reading.strict && cursor.text[cursor.at] === '0' && !/[xX]/.test(cursor.text[cursor.at + 1] ?? '')) {
    cursor.at++;
    return new Uint8Array(0);
  }
  const digits = take(cursor, '0x') ? takePattern(cursor, /[0-9a-fA-F]{1,511}/y) : undefined;
  if (digits === undefined) return undefined;
  const even = reading.strict
    ? digits.slice(0, digits.length & ~1)
    : digits.padStart(Math.ceil(digits.length / 8) * 8, '0');
  const bytes = takeHexPairs({ text: even, at: 0 });
  const padded = new Uint8Array((bytes.length + 3) & ~3);
  padded.set(bytes);
  return padded.length <= MOST_METADATA ? padded : undefined;
}
