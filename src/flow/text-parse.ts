/**
 * A match read from text: the language of `dpctl/dump-flows` and of `dpctl/add-flow`, attributes in any order. First
 * the text is taken apart into attributes (`lib/odp-util.c` of Open vSwitch: `odp_flow_from_string`), then it is
 * decided what they say together (`odp_flow_key_to_flow` there): a later attribute must fit what an earlier one says of
 * the packet, and what is missing is either not matched or, for a VLAN tag and the recirculation id, matched to be
 * absent.
 *
 * Whatever 3.1 prints is read. With `strict`, what 3.1 refuses is refused, and what it reads is read as it reads it.
 */
import { MegaflowError } from '../util/errors.js';
import { attributes, innerVlan, type AttributeName, type AttributeText, type TextRules } from './attribute-text.js';
import {
  ETH_TYPE_NONE,
  FRAG_LATER,
  VLAN_PRESENT,
  anyBit,
  fields,
  getField,
  isExact,
  sealKey,
  setBytes,
  setExact,
  setField,
  type FlowWords,
} from './fields.js';
import { createMatch, type FlowMatch, type GeneveOption } from './match.js';
import {
  NO_PORT,
  coversNeighbourDiscovery,
  isNeighbourDiscovery,
  isVlanType,
  networkOf,
  transportOf,
} from './presence.js';
import { skipDelimiters, take, takePattern, type Cursor } from './scan.js';
import { TUNNEL_FIELDS, hasTunnel, keepPlace } from './tunnel-text.js';

export interface FlowParseOptions {
  /** Number of a datapath port, for `in_port(NAME)`; numbers are read in any case. */
  readonly portNumber?: (name: string) => number | undefined;
  /** Reads what 3.1 reads, as it reads it, and refuses the rest (also what it prints itself). */
  readonly strict?: boolean;
}

/** What the attributes of one level say: level 0, and what each `encap(...)` holds. */
interface Level {
  readonly seen: Set<AttributeName>;
  ethType: number;
  ethTypeMask: number;
}

interface Reading {
  readonly text: string;
  readonly match: { key: FlowWords; mask: FlowWords; geneve?: readonly GeneveOption[] };
  readonly levels: Level[];
  readonly rules: TextRules;
  readonly strict: boolean;
  /** What is wrong with attributes that are sound by themselves: it is said when the text has been read to its end. */
  problem: readonly [message: string, allowed: string] | undefined;
  /** Whether `tunnel(...)`, if there is one, has a time to live. */
  hasTtl: boolean;
}

/** Levels of `encap(...)` that a key can hold. */
const MOST_TAGS = 2;
const TAGS = [
  { tci: 'vlanTci', tpid: 'vlanTpid', text: attributes.vlan },
  { tci: 'innerVlanTci', tpid: 'innerVlanTpid', text: innerVlan },
] as const;

const TUNNEL_ENDS = ['tunSrc', 'tunDst', 'tunIpv6Src', 'tunIpv6Dst'] as const;
const NETWORK = ['ipv4', 'ipv6', 'arp', 'mpls', 'nsh'] as const;
const TRANSPORT = ['tcp', 'udp', 'sctp', 'icmp', 'icmpv6'] as const;
const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmpv6: 58 } as const satisfies Record<
  (typeof TRANSPORT)[number],
  number
>;
const ETH_TYPES = { ipv4: 0x0800, ipv6: 0x86dd, arp: 0x0806, mpls: 0x8847, nsh: 0x894f } as const satisfies Record<
  (typeof NETWORK)[number],
  number
>;
const HEADERS: ReadonlySet<AttributeName> = new Set([
  ...NETWORK,
  ...TRANSPORT,
  'tcp_flags',
  'nd',
  'nd_ext',
  'eth_type',
  'vlan',
] as const);

/**
 * Reads a match. The mask is exact where nothing else is said of a value, and 0 for what is not mentioned, but:
 * `recirc_id` is then exactly 0, and without `vlan(...)` there is no tag. Throws `bad-flow-text`: `value` is the text,
 * the message is Open vSwitch's (`syntax error at REST`), and `allowed` says what was expected and where. Allocates.
 */
export function parseFlow(text: string, options: FlowParseOptions = {}): FlowMatch {
  const { portNumber, strict = false } = options;
  const reading: Reading = {
    text,
    match: createMatch(),
    levels: [],
    rules: { portNumber, strict },
    strict,
    problem: undefined,
    hasTtl: true,
  };
  const cursor: Cursor = { text, at: 0 };
  setField(reading.match.key, 'inPort', NO_PORT);
  setField(reading.match.mask, 'recircId', 0xffff_ffff);
  readLevel(reading, cursor, undefined);
  if (reading.problem) refuse(reading, ...reading.problem);
  const [outer] = reading.levels;
  if (strict && !reading.hasTtl) refuse(reading, 'tunnel options missing TTL', 'tunnel(...) with ttl=');
  readTags(reading);
  readPacketType(reading, outer);
  readHeaders(reading, reading.levels[reading.levels.length - 1]);
  markPresence(reading, outer);
  sealKey(reading.match.key);
  return reading.match;
}

function refuse(reading: Reading, message: string, allowed: string): never {
  throw new MegaflowError('bad-flow-text', message, reading.text, allowed);
}

const UFID = /ufid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}/y;

/**
 * Reads attributes up to the end of the text, or (within `encap(...)`, which began at `from`) to behind the closing
 * parenthesis.
 */
function readLevel(reading: Reading, cursor: Cursor, from: number | undefined): void {
  const level: Level = { seen: new Set(), ethType: 0, ethTypeMask: 0 };
  reading.levels.push(level);
  for (;;) {
    skipDelimiters(cursor);
    if (from !== undefined && take(cursor, ')')) return;
    const start = from ?? cursor.at;
    const fail = (allowed: string): never =>
      refuse(reading, `syntax error at ${reading.text.slice(start)}`, `${allowed}, at character ${cursor.at}`);
    if (cursor.at === reading.text.length) {
      if (from === undefined) return;
      fail('a closing parenthesis');
    }
    if (from === undefined && takePattern(cursor, UFID) !== undefined) continue;
    const name = takePattern(cursor, /[a-z_0-9]+(?=\()/y);
    if (name !== undefined) take(cursor, '(');
    if (name === 'encap') {
      if (reading.levels.length > MOST_TAGS) fail(`at most ${MOST_TAGS} VLAN tags`);
      if (reading.levels[reading.levels.length - 1] !== level)
        reading.problem ??= ['duplicate encap attribute in flow key', 'one encap(...)'];
      readLevel(reading, cursor, start);
      continue;
    }
    if (name === undefined || !Object.hasOwn(attributes, name))
      return fail(`one of ${Object.keys(attributes).join('(, ')}(, encap(`);
    readAttribute(reading, cursor, level, name as AttributeName, fail);
  }
}

function readAttribute(
  reading: Reading,
  cursor: Cursor,
  level: Level,
  name: AttributeName,
  fail: (allowed: string) => never,
): void {
  const depth = reading.levels.indexOf(level);
  const { match, rules } = reading;
  if (level.seen.has(name)) reading.problem ??= [`duplicate ${name} attribute in flow key`, 'each attribute once'];
  if (depth > 0 && !HEADERS.has(name))
    reading.problem ??= [`unexpected ${name} attribute within encap`, 'attributes of the headers behind the tag'];
  level.seen.add(name);
  const start = cursor.at;
  let text: AttributeText = attributes[name];
  if (name === 'vlan') {
    if (depth >= MOST_TAGS) fail(`at most ${MOST_TAGS} VLAN tags`);
    text = TAGS[depth].text;
  }
  if (!text.scan(cursor, match, rules)) fail(`${name}(...) as Open vSwitch writes it`);
  if (name === 'tunnel') reading.hasTtl = /(^|,)ttl=/.test(reading.text.slice(start, cursor.at));
  if (name === 'eth_type') {
    level.ethType = getField(match.key, 'ethType');
    level.ethTypeMask = getField(match.mask, 'ethType');
    setField(match.key, 'ethType', 0);
    setField(match.mask, 'ethType', 0);
  }
}

/** Decides which VLAN tags there are, and the Ethernet type behind them. */
function readTags(reading: Reading): void {
  const { levels, strict } = reading;
  const { key, mask } = reading.match;
  const last = levels.length - 1;
  for (let depth = 0; depth < last; depth++) {
    const { tci, tpid } = TAGS[depth];
    const { seen, ethType, ethTypeMask } = levels[depth];
    if (!seen.has('eth_type') || !isVlanType(ethType) || ethTypeMask !== 0xffff) {
      refuse(reading, 'encap without the type of a VLAN tag', 'eth_type(0x8100) or eth_type(0x88a8) before encap');
    }
    for (const name of seen) {
      if (name !== 'eth_type' && name !== 'vlan' && HEADERS.has(name))
        refuse(reading, `unexpected ${name} attribute beside encap`, `${name}(...) within encap`);
    }
    setField(key, tpid, ethType);
    setExact(mask, tpid);
    if (!seen.has('vlan')) {
      if (strict) refuse(reading, 'encap without vlan', 'vlan(...) before encap');
      setField(key, tci, VLAN_PRESENT);
      continue;
    }
    const value = getField(key, tci);
    if ((value & VLAN_PRESENT) !== 0) continue;
    if (value !== 0)
      refuse(
        reading,
        `vlan attribute 0x${value.toString(16).padStart(4, '0')} is nonzero but CFI bit is not set`,
        'vlan(...) without cfi=0',
      );
    // The frame ends within its tag, whose TPID is all that is known of the payload.
    const { seen: behind } = levels[depth + 1];
    if (strict || depth + 1 < last || behind.size > 0)
      refuse(reading, 'attributes behind a truncated VLAN tag', 'encap() behind vlan(vid=0,cfi=0)');
    levels[last].ethType = ethType;
    levels[last].ethTypeMask = 0xffff;
    behind.add('eth_type');
    // Extraction leaves no TPID for it. A second one says, uncovered by the mask, that it was looked for.
    setField(key, tpid, depth === 0 ? 0 : ethType);
    setField(mask, tpid, 0);
  }
  const inner = levels[last];
  if (inner.seen.has('vlan')) refuse(reading, 'vlan without encap', 'encap(...) with the attributes behind the tag');
  if (last === 0) setExact(mask, 'vlanTci');
  readEthType(reading, inner, last > 0);
}

function readEthType(reading: Reading, level: Level, isTagged: boolean): void {
  const { key, mask } = reading.match;
  if (!level.seen.has('eth_type')) {
    const network =
      NETWORK.find((name) => level.seen.has(name)) ??
      (TRANSPORT.some((name) => level.seen.has(name)) ? guessNetwork(level) : undefined);
    if (!network && reading.strict && !isPacketTyped(reading))
      refuse(reading, 'mask expected for non-Ethernet II frame', 'eth_type(...)');
    setField(key, 'ethType', network ? ETH_TYPES[network] : ETH_TYPE_NONE);
    // Behind a tag, no type at all is a frame with an LLC header, which is matched as such.
    if (!network && isTagged) setExact(mask, 'ethType');
    return;
  }
  // `eth_type(0/0xffff)`: no Ethernet type, but an LLC header.
  const isNone = level.ethType === 0 && level.ethTypeMask === 0xffff && !reading.strict && !isTagged;
  if (level.ethType < 0x0600 && !isNone)
    refuse(reading, `invalid Ethertype ${level.ethType} in flow key`, 'an Ethernet type from 0x0600 on');
  setField(key, 'ethType', isNone ? ETH_TYPE_NONE : level.ethType);
  setField(mask, 'ethType', level.ethTypeMask);
}

const guessNetwork = (level: Level): 'ipv4' | 'ipv6' => (level.seen.has('icmpv6') ? 'ipv6' : 'ipv4');

const isPacketTyped = ({ levels, match }: Reading): boolean =>
  levels[0].seen.has('packet_type') && getField(match.key, 'packetType') >>> 16 === 1;

/** Decides whether the packet is a frame: it is one where `eth(...)` stands, or where nothing else is known. */
function readPacketType(reading: Reading, outer: Level): void {
  const { key, mask } = reading.match;
  const isFrame = outer.seen.has('eth') || (!reading.strict && reading.levels.length > 1);
  if (isFrame) setField(key, 'packetType', 0);
  else if (outer.seen.has('eth_type') && getField(key, 'ethType') !== ETH_TYPE_NONE) {
    // 3.1 leaves `eth()` out when the packet type says it, and then does not understand its own text.
    if (reading.strict || !outer.seen.has('packet_type') || getField(key, 'packetType') !== 0) {
      setField(key, 'packetType', 0x1_0000 + getField(key, 'ethType'));
    }
  } else if (isPacketTyped(reading)) {
    setField(key, 'ethType', getField(key, 'packetType') & 0xffff);
    setExact(mask, 'ethType');
  }
  if (reading.strict && reading.levels.length > 1 && getField(key, 'packetType') !== 0)
    refuse(reading, 'VLAN tag of a packet that is no frame', 'eth(...)');
}

/** Checks that the attributes behind the Ethernet type fit it and each other. */
function readHeaders(reading: Reading, level: Level): void {
  const { strict } = reading;
  const { key, mask } = reading.match;
  const ethType = getField(key, 'ethType');
  const network = networkOf(ethType);
  const typed = `eth_type(0x${ethType.toString(16).padStart(4, '0')})`;
  for (const name of NETWORK) {
    if (level.seen.has(name) && name !== network)
      refuse(
        reading,
        `unexpected ${name} attribute with ${typed}`,
        network ? `${network}(...)` : 'no network attribute',
      );
  }
  if (strict && network && !level.seen.has(network))
    refuse(reading, `expected ${network} attribute with ${typed}`, `${network}(...)`);
  if (strict && network && !attributes[network].isWild(mask) && !isExact(mask, 'ethType') && network !== 'mpls') {
    refuse(reading, 'unexpected L3 matching with masked Ethertype', `${typed} without a mask`);
  }
  if (network === 'mpls') readLabels(reading, level);
  readTransport(reading, level);
}

function readLabels(reading: Reading, level: Level): void {
  const { key } = reading.match;
  if (!level.seen.has('mpls')) return;
  const labels = (['mpls0', 'mpls1', 'mpls2'] as const).map((field) => getField(key, field));
  const bottom = labels.findIndex((label) => (label & 0x100) !== 0);
  if (bottom >= 0 && labels.slice(bottom + 1).some((label) => label !== 0)) {
    refuse(reading, 'MPLS BOS set in non-innermost label', 'bos=1 in the last label only');
  }
  if (reading.strict && bottom < 0 && labels[2] === 0)
    refuse(reading, 'MPLS BOS not set in innermost label', 'bos=1 in the last label');
}

function readTransport(reading: Reading, level: Level): void {
  const { strict } = reading;
  const { key, mask } = reading.match;
  const ethType = getField(key, 'ethType');
  const given = TRANSPORT.find((name) => level.seen.has(name)) ?? (level.seen.has('tcp_flags') ? 'tcp' : undefined);
  const isIp = ethType === 0x0800 || ethType === 0x86dd;
  // Where the protocol is not printed, its attribute tells it.
  if (given && isIp && !strict && !anyBit(key, 'ipProto') && !anyBit(mask, 'ipProto'))
    setField(key, 'ipProto', PROTOCOLS[given]);
  const isLater = (getField(key, 'ipFrag') & FRAG_LATER) !== 0;
  const transport = isLater ? undefined : transportOf(ethType, getField(key, 'ipProto'));
  for (const name of TRANSPORT) {
    if (level.seen.has(name) && name !== transport) {
      refuse(reading, `unexpected ${name} attribute`, transport ? `${transport}(...)` : 'no transport attribute');
    }
  }
  if (level.seen.has('tcp_flags') && transport !== 'tcp')
    refuse(reading, 'unexpected tcp_flags attribute', 'tcp_flags(...) with proto=6');
  if (strict && transport && !level.seen.has(transport))
    refuse(reading, `expected ${transport} attribute`, `${transport}(...)`);
  if (strict && transport && !attributes[transport].isWild(mask) && !isExact(mask, 'ipProto')) {
    refuse(reading, 'flow matches on L4 ports but does not define an L4 protocol', 'proto without a mask');
  }
  const isNd = transport === 'icmpv6' && level.seen.has('icmpv6') && isNeighbourDiscovery(key);
  if (strict && isNd && !level.seen.has('nd')) refuse(reading, 'expected nd attribute', 'nd(...)');
  for (const name of ['nd', 'nd_ext'] as const) {
    if (!level.seen.has(name)) continue;
    if (!isNd)
      refuse(
        reading,
        `unexpected ${name} attribute`,
        `${name}(...) with icmpv6(type=135,code=0) or icmpv6(type=136,code=0)`,
      );
    if (!attributes[name].isWild(mask) && !coversNeighbourDiscovery(mask)) {
      refuse(reading, 'ICMP (src,dst) masks should be (0xff,0xff)', 'type and code of icmpv6(...) without masks');
    }
  }
}

/**
 * An attribute is printed when the key has something of it. Where text mentions one but no value that would show it,
 * 3.1 forgets it, and so does `strict`. Otherwise the key is given a value, which the mask does not cover, so that it
 * stays.
 */
function markPresence(reading: Reading, outer: Level): void {
  const { match, strict } = reading;
  const { key, mask } = match;
  if (!strict) {
    if (outer.seen.has('ct_tuple4') || outer.seen.has('ct_tuple6')) keepPlace(key, mask, [['ctProto', 6]]);
    if (outer.seen.has('tunnel') && !hasTunnel(key))
      keepPlace(key, mask, [
        ['tunTtl', 64],
        ['tunDst', 1],
      ]);
    return;
  }
  if (TUNNEL_ENDS.some((field) => anyBit(key, field))) return;
  for (const field of TUNNEL_FIELDS) {
    const nothing = new Uint8Array(fields[field].length);
    setBytes(key, field, nothing);
    setBytes(mask, field, nothing);
  }
  delete match.geneve;
}
