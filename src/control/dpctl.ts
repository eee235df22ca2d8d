/**
 * `dpctl/*`: the datapath itself, its ports and megaflows. Flows put by hand live until the next sweep finds that
 * translation says otherwise, as in Open vSwitch. Files are not read here.
 */
import { formatActions } from '../action/text-format.js';
import { parseActions } from '../action/text-parse.js';
import type { Action } from '../action/types.js';
import { formatStatistics } from '../datapath/dump.js';
import type { FlowInfo } from '../datapath/datapath.js';
import type { DatapathPort } from '../datapath/ports.js';
import { KEY_WORDS, anyBit, getField, isExact, setExact, setField } from '../flow/fields.js';
import type { FlowMatch } from '../flow/match.js';
import { NO_PORT } from '../flow/presence.js';
import { parseFlow } from '../flow/text-parse.js';
import { parseExactMatch } from '../openflow/parse.js';
import type { VSwitch } from '../switch/vswitch.js';
import { MegaflowError } from '../util/errors.js';
import { DATAPATH_NAME, fail, type Command, type Commands } from './command.js';
import {
  flowIdentifier,
  flowName,
  forgetFlowName,
  formatDatapathFlow,
  nameFlow,
  type FlowLineOptions,
} from './flow-lines.js';

const PREFIX = 'ovs-vswitchd: ';

export interface DumpFlowsOptions extends FlowLineOptions {
  /** Only the flows that packets of this OpenFlow match may hit (`filter=`), with datapath ports for `in_port`. */
  filter?: string;
}

/**
 * `dpctl/dump-flows`: one line a flow, behind a header when there are any. Throws `bad-flow-text` for a filter that is
 * none.
 */
export function dumpFlows(vswitch: VSwitch, options: DumpFlowsOptions = {}): string {
  const lines = flowLines(vswitch, options);
  return lines.length === 0 ? '' : ['flow-dump from the main thread:', ...lines, ''].join('\n');
}

function flowLines(vswitch: VSwitch, options: DumpFlowsOptions): string[] {
  const { datapath } = vswitch;
  const filter = options.filter === undefined ? undefined : parseFilter(vswitch, options.filter);
  return datapath
    .flowNumbers()
    .map((flow) => datapath.flow(flow))
    .filter((info) => !filter || passes(info, filter))
    .map((info) => formatDatapathFlow(datapath, info, options));
}

/** The key that the filter describes, and which of its bits it is about. */
function parseFilter({ datapath }: VSwitch, text: string): FlowMatch {
  const portNumber = (name: string): number | undefined =>
    name === 'ovs-netdev' ? 0 : datapath.findPort(name)?.number;
  const { key, mask } = parseExactMatch(text, { portNumber });
  if (anyBit(mask, 'ofInPort')) {
    setField(key, 'inPort', getField(key, 'ofInPort'));
    setExact(mask, 'inPort');
  }
  return { key, mask };
}

/** Whether a flow is about none of the filter's fields or agrees with it there. */
function passes(info: FlowInfo, { key, mask }: FlowMatch): boolean {
  for (let word = 0; word < KEY_WORDS; word++) {
    if (((info.key[word] ^ key[word]) & info.mask[word] & mask[word]) !== 0) return false;
  }
  return true;
}

/** `dpctl/show`: look-ups, flows, ports; with what each port has counted where `statistics` is set. */
export function showDatapath(vswitch: VSwitch, options: { statistics?: boolean } = {}): string {
  const { hit, missed, lost, flows } = vswitch.datapath.statistics();
  const lines = [
    `${DATAPATH_NAME}:`,
    `  lookups: hit:${hit} missed:${missed} lost:${lost}`,
    `  flows: ${flows}`,
    '  port 0: ovs-netdev (tap)',
  ];
  if (options.statistics) lines.push(...describeCounters(undefined));
  for (const port of vswitch.datapath.ports()) {
    lines.push(`  port ${port.number}: ${port.name}${describeType(port)}`);
    if (options.statistics) lines.push(...describeCounters(port));
  }
  return lines.join('\n') + '\n';
}

function describeType({ type, options }: DatapathPort): string {
  const described = Object.entries(options)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
  if (type === 'system') return '';
  return described === '' ? ` (${type})` : ` (${type}: ${described})`;
}

/** Drops are counted where there is a host's port; other errors are not known. */
function describeCounters(port: DatapathPort | undefined): string[] {
  const { rxPackets, txPackets, rxBytes, txBytes } = port ?? { rxPackets: 0, txPackets: 0, rxBytes: 0, txBytes: 0 };
  const dropped = (counts: Float64Array | undefined): number | '?' =>
    port?.port && counts ? counts.reduce((sum, count) => sum + count, 0) : '?';
  return [
    `    RX packets:${rxPackets} errors:? dropped:${dropped(port?.rxDrops)} overruns:? frame:?`,
    `    TX packets:${txPackets} errors:? dropped:${dropped(port?.txDrops)} aborted:? carrier:?`,
    '    collisions:?',
    `    RX bytes:${rxBytes}${humanSize(rxBytes)}  TX bytes:${txBytes}${humanSize(txBytes)}`,
  ];
}

/** ` (12.2 KiB)`, nothing below 1024. */
function humanSize(bytes: number): string {
  const units = ['', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let size = bytes;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return unit === 0 ? '' : ` (${size.toFixed(1)} ${units[unit]})`;
}

/** `dpctl/add-flow`: installs a flow; refused where a packet with its key hits a flow already. */
export function addFlow(
  vswitch: VSwitch,
  flow: string,
  actions: string,
  options: { statistics?: boolean } = {},
): string {
  return putFlow(vswitch, flow, actions, { ...options, create: true });
}

/**
 * `dpctl/mod-flow`: changes what the flow does that a packet with this key hits; with `mayCreate` there need not be
 * one. Counters cannot be cleared: with `clear` the change is made and then refused, as in Open vSwitch.
 */
export function modifyFlow(
  vswitch: VSwitch,
  flow: string,
  actions: string,
  options: { statistics?: boolean; mayCreate?: boolean; clear?: boolean } = {},
): string {
  return putFlow(vswitch, flow, actions, { ...options, create: options.mayCreate, modify: true });
}

interface PutOptions {
  create?: boolean;
  modify?: boolean;
  clear?: boolean;
  statistics?: boolean;
}

function putFlow(vswitch: VSwitch, flowText: string, actionText: string, options: PutOptions): string {
  const { datapath } = vswitch;
  const refuse = (why: string): never =>
    fail(`${PREFIX}updating flow table (${why})`, flowText, 'a flow that can be put');
  const match = readFlow(
    vswitch,
    flowText,
    (reason) => `parsing flow key (${reason})`,
    () => undefined,
  );
  const actions = readActions(actionText, 'parsing actions');
  // No packet here has Geneve's options: a flow that asks for some is refused rather than asking for less.
  if (!match || !hasPort(match) || match.geneve !== undefined) return refuse('Invalid argument');
  let flow = datapath.lookupFlow(match.key);
  try {
    if (flow < 0) {
      if (!options.create) refuse('No such file or directory');
      flow = datapath.putFlow(match.key, match.mask, actions);
      const name = UFID.exec(flowText)?.[0];
      if (name !== undefined) nameFlow(datapath, match.key, name.toLowerCase());
    } else {
      if (!options.modify) refuse('File exists');
      datapath.modifyFlow(flow, actions);
      if (options.clear) refuse('Operation not supported');
    }
  } catch (error) {
    if (error instanceof MegaflowError && error.code === 'flow-limit') refuse('No space left on device');
    if (error instanceof MegaflowError && error.code === 'unsupported-action') refuse('Invalid argument');
    throw error;
  }
  return options.statistics ? `${formatStatistics(datapath.flow(flow), datapath.clock.now())}\n` : '';
}

/** Whether a flow is for one port, as those of a datapath must be. */
function hasPort({ key, mask }: FlowMatch): boolean {
  return getField(key, 'inPort') !== NO_PORT && isExact(mask, 'inPort');
}

/**
 * Reads a flow as Open vSwitch reads it. Refuses text that is none with what `syntax` says of it; what makes no sense
 * is for `senseless` to refuse.
 */
function readFlow<T>(
  { datapath }: VSwitch,
  text: string,
  syntax: (reason: string) => string,
  senseless: () => T,
): FlowMatch | T {
  try {
    return parseFlow(text, {
      strict: true,
      portNumber: (name) => (name === 'ovs-netdev' ? 0 : datapath.findPort(name)?.number),
    });
  } catch (error) {
    if (error instanceof MegaflowError && !error.message.startsWith('syntax error')) return senseless();
    return refuseText(error, `${syntax((error as Error).message)} (Invalid argument)`, text);
  }
}

/** Reads actions as Open vSwitch reads them. Refuses with what could not be done, and why. */
function readActions(text: string, what: string): Action[] {
  try {
    return parseActions(text, { strict: true });
  } catch (error) {
    const isLong = error instanceof MegaflowError && error.message.startsWith('actions are too big');
    return refuseText(error, `${what} (${isLong ? 'Argument list too long' : 'Invalid argument'})`, text);
  }
}

function refuseText(error: unknown, text: string, value: string): never {
  if (error instanceof MegaflowError) return fail(PREFIX + text, value, error.allowed);
  throw error;
}

/**
 * `dpctl/del-flow`: removes the flow that was installed with this very key (values that its mask leaves out count too),
 * or that is so named.
 */
export function deleteFlow(vswitch: VSwitch, text: string, options: { statistics?: boolean } = {}): string {
  const { datapath } = vswitch;
  const named = findNamed(vswitch, UFID.exec(text)?.[0]);
  const flow = named ?? findInstalled(vswitch, text);
  if (flow === undefined) {
    return fail(
      `${PREFIX}deleting flow (No such file or directory)\nPerhaps you need to specify a UFID?`,
      text,
      'the key of an installed flow',
    );
  }
  const info = datapath.flow(flow);
  vswitch.deleteFlow(flow);
  forgetFlowName(datapath, info.key);
  return options.statistics ? `${formatStatistics(info, datapath.clock.now())}\n` : '';
}

/** `dpctl/del-flows`: removes all flows. They come back with the next packets. */
export function deleteFlows(vswitch: VSwitch): string {
  const { datapath } = vswitch;
  for (const flow of datapath.flowNumbers()) {
    forgetFlowName(datapath, datapath.flow(flow).key);
    vswitch.deleteFlow(flow);
  }
  return '';
}

/** `dpctl/get-flow UFID`: the line of one flow. */
export function getFlow(vswitch: VSwitch, text: string, options: FlowLineOptions = {}): string {
  if (!text.startsWith('ufid:')) return `${PREFIX}parsing flow ufid\n`;
  if (UFID.exec(text)?.index !== 0) return `${PREFIX}parsing flow ufid (Invalid argument)\n`;
  const flow =
    findNamed(vswitch, UFID.exec(text)![0]) ??
    fail(`${PREFIX}getting flow (No such file or directory)`, text, 'the ufid of an installed flow');
  return `${formatDatapathFlow(vswitch.datapath, vswitch.datapath.flow(flow), options)}\n`;
}

const UFID = /ufid:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}/;

/** What is read and makes no sense is the key of no flow. */
function findInstalled(vswitch: VSwitch, text: string): number | undefined {
  const { datapath } = vswitch;
  const key = readFlow(
    vswitch,
    text,
    (reason) => reason,
    () => undefined,
  )?.key;
  return key && datapath.flowNumbers().find((flow) => flowIdentifier(datapath.flow(flow).key) === flowIdentifier(key));
}

function findNamed({ datapath }: VSwitch, name: string | undefined): number | undefined {
  if (name === undefined) return undefined;
  return datapath.flowNumbers().find((flow) => flowName(datapath, datapath.flow(flow).key) === name.toLowerCase());
}

// ---- the words of a command ---------------------------------------------------------------------------------------

interface Words {
  readonly verbose: boolean;
  readonly names: boolean;
  readonly statistics: boolean;
  readonly clear: boolean;
  readonly mayCreate: boolean;
  readonly rest: readonly string[];
}

/** Takes the options off, which stand before everything else. */
function takeOptions(words: readonly string[]): Words {
  const options = { verbose: false, statistics: false, clear: false, mayCreate: false };
  const flags: Readonly<Record<string, keyof typeof options>> = {
    '--more': 'verbose',
    m: 'verbose',
    '--statistics': 'statistics',
    s: 'statistics',
    '--clear': 'clear',
    '--may-create': 'mayCreate',
  };
  let names: boolean | undefined;
  let at = 0;
  for (; at < words.length && /^-./.test(words[at]); at++) {
    const word = words[at];
    if (word === '--names' || word === '--no-names') {
      names = word === '--names';
      continue;
    }
    const isLong = word.startsWith('--');
    for (const flag of isLong ? [word] : word.slice(1)) {
      if (!Object.hasOwn(flags, flag))
        fail(
          `Unrecognized option ${isLong ? '' : '-'}${flag}`,
          word,
          '-m, -s, --names, --no-names, --clear, --may-create',
        );
      options[flags[flag]] = true;
    }
  }
  return { ...options, names: names ?? options.verbose, rest: words.slice(at) };
}

/** The words without the datapath's name, which may stand first; `most` words with it are too many without. */
function takeDatapath(rest: readonly string[], most: number): readonly string[] {
  if (rest[0] === DATAPATH_NAME) return rest.slice(1);
  if (rest.length === most) fail(`${PREFIX}datapath not found (Invalid argument)`, rest[0], DATAPATH_NAME);
  return rest;
}

function runShow(vswitch: VSwitch, words: readonly string[]): string {
  const { statistics, rest } = takeOptions(words);
  for (const name of rest) {
    if (name === DATAPATH_NAME) continue;
    const why = /^(netdev|dummy)@/.test(name) ? 'No such device' : 'Address family not supported by protocol';
    fail(`${PREFIX}opening datapath ${name} failed (${why})`, name, DATAPATH_NAME);
  }
  return showDatapath(vswitch, { statistics }).repeat(Math.max(1, rest.length));
}

/** Kinds of flows that `type=` knows, and whether ours are of them. */
const FLOW_TYPES: Readonly<Record<string, boolean>> = {
  all: true,
  ovs: true,
  'non-offloaded': true,
  tc: false,
  dpdk: false,
  offloaded: false,
  'partially-offloaded': false,
};
/** Number of the thread that is no PMD: all of our flows are its. */
const MAIN_THREAD = -1;

function runDumpFlows(vswitch: VSwitch, words: readonly string[]): string {
  const { verbose, names, rest } = takeOptions(words);
  let end = rest.length;
  const given: Record<string, string> = {};
  for (; end > 0; end--) {
    const match = /^(filter|type|pmd)=(.*)$/s.exec(rest[end - 1]);
    if (!match || given[match[1]] !== undefined) break;
    given[match[1]] = match[2];
  }
  takeDatapath(rest.slice(0, end), 1);
  const { filter, type, pmd } = given;
  const types = type?.split(',').filter((word) => word !== '');
  for (const word of types ?? []) {
    if (!Object.hasOwn(FLOW_TYPES, word))
      fail(`${PREFIX}Failed to parse type (${word}) (Invalid argument)`, type, Object.keys(FLOW_TYPES).join(', '));
  }
  const options = { verbose, names, filter };
  let lines: string[];
  try {
    lines = flowLines(vswitch, options);
  } catch (error) {
    if (!(error instanceof MegaflowError)) throw error;
    return fail(`${PREFIX}Failed to parse filter (${error.message})`, filter, error.allowed);
  }
  if (types && !types.some((word) => FLOW_TYPES[word])) lines = [];
  if (pmd !== undefined && Number.parseInt(pmd, 10) !== MAIN_THREAD) lines = [];
  if (lines.length === 0) return '';
  return [...(pmd === undefined ? ['flow-dump from the main thread:'] : []), ...lines, ''].join('\n');
}

function runDeleteFlows(vswitch: VSwitch, words: readonly string[]): string {
  const { rest } = takeOptions(words);
  const file = rest[0] === DATAPATH_NAME ? rest[1] : rest[0];
  if (file !== undefined)
    return fail(`${PREFIX}Opening file "${file}" failed (Operation not supported)`, file, 'no file');
  return deleteFlows(vswitch);
}

const put =
  (run: (vswitch: VSwitch, flow: string, actions: string, options: Words) => string): Command['run'] =>
  (vswitch, words) => {
    const options = takeOptions(words);
    const [flow, actions] = takeDatapath(options.rest, 3);
    if (actions === undefined)
      fail('a flow and its actions are missing', words, 'a flow and its actions, behind the options');
    return run(vswitch, flow, actions, options);
  };

export const dpctlCommands: Commands = {
  'dpctl/add-flow': { usage: '[dp] flow actions', least: 2, most: 3, run: put(addFlow) },
  'dpctl/del-flow': {
    usage: '[dp] flow',
    least: 1,
    most: 2,
    run: (vswitch, words) => {
      const options = takeOptions(words);
      return deleteFlow(vswitch, takeDatapath(options.rest, 2)[0], options);
    },
  },
  'dpctl/del-flows': { usage: '[dp] [file]', least: 0, most: 2, run: runDeleteFlows },
  'dpctl/dump-dps': { usage: '', least: 0, most: 0, run: () => `${DATAPATH_NAME}\n` },
  'dpctl/dump-flows': {
    usage: '[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]',
    least: 0,
    most: 6,
    run: runDumpFlows,
  },
  'dpctl/get-flow': {
    usage: '[dp] ufid',
    least: 1,
    most: 2,
    run: (vswitch, words) => {
      const options = takeOptions(words);
      return getFlow(vswitch, takeDatapath(options.rest, 2)[0], options);
    },
  },
  'dpctl/mod-flow': { usage: '[dp] flow actions', least: 2, most: 3, run: put(modifyFlow) },
  'dpctl/parse-actions': {
    usage: 'actions',
    least: 1,
    most: Infinity,
    run: (_, words) =>
      takeOptions(words)
        .rest.map((text) => `${formatActions(readActions(text, 'odp_actions_from_string'))}\n`)
        .join(''),
  },
  'dpctl/show': { usage: '[-s] [dp...]', least: 0, most: Infinity, run: runShow },
};
