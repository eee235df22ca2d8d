/**
 * The command `ofproto/trace`: its arguments, in all the forms that Open vSwitch 3.1 takes, and what it says of those that it does not.
 * `--ct-next` is refused: there is no connection tracking. As there, and unlike the function `trace`, it has effects.
 */
import { getField, type FlowWords } from '../flow/fields.js';
import type { VSwitch } from '../switch/vswitch.js';
import { MegaflowError } from '../util/errors.js';
import { DATAPATH_TYPE, fail, type Commands } from './command.js';
import {
  extractFrame,
  formatTrace,
  originOf,
  parseDatapathFlow,
  parseOpenFlowFlow,
  runTrace,
  type TraceInput,
} from './trace.js';

/** Least bytes of a packet. */
const ETHERNET_BYTES = 14;
const MOST_L7_BYTES = 64000;

interface Arguments {
  /** `[DP] FLOW` or `BRIDGE FLOW`. */
  readonly words: readonly string[];
  readonly frame: Uint8Array | undefined;
  readonly isGenerated: boolean;
  readonly names: boolean;
}

/** Bytes in hexadecimal, with blanks in between; undefined: something else stands in the text. */
function readHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) return undefined;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function takeArguments(words: readonly string[]): Arguments {
  const plain: string[] = [];
  let isGenerated = false;
  let names = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    const value = (): string => {
      if (index + 1 >= words.length) fail(`Missing argument for option ${word}`, word, 'a value behind it');
      return words[++index];
    };
    if (word === '-generate' || word === '--generate') isGenerated = true;
    else if (word === '--names') names = true;
    else if (word === '--no-names') names = false;
    else if (word === '--l7') {
      const text = value();
      if (!readHex(text)) fail('Trailing garbage in packet data', text, 'bytes in hexadecimal');
    } else if (word === '--l7-len') {
      const text = value();
      if (parseInt(text, 10) > MOST_L7_BYTES) fail(`${text}: too much L7 data`, text, `at most ${MOST_L7_BYTES}`);
    } else if (word === '--ct-next') fail('--ct-next: there is no connection tracking', word, 'a trace without it');
    else if (word.startsWith('-')) fail(`${word}: unknown option`, word, '-generate, --l7, --l7-len');
    else if (plain.length >= 3) fail('too many arguments', words, '[DP] FLOW [PACKET] or BRIDGE FLOW [PACKET]');
    else plain.push(word);
  }
  let frame: Uint8Array | undefined;
  if (!isGenerated && plain.length > 1) {
    const last = plain[plain.length - 1];
    const bytes = readHex(last);
    if (bytes && bytes.length >= ETHERNET_BYTES) {
      frame = bytes;
      plain.pop();
    } else if (plain.length > 2) {
      fail(
        bytes ? 'Packet data too short for Ethernet' : 'Trailing garbage in packet data',
        last,
        'a frame in hexadecimal',
      );
    }
  }
  if (plain.length !== 1 && plain.length !== 2)
    fail('Syntax error', words, '[DP] FLOW [PACKET] or BRIDGE FLOW [PACKET]');
  return { words: plain, frame, isGenerated, names };
}

/** The flow in the datapath's syntax, or what is wrong with it. */
function tryDatapathFlow(vswitch: VSwitch, text: string): FlowWords | MegaflowError {
  try {
    return parseDatapathFlow(vswitch, text);
  } catch (error) {
    if (error instanceof MegaflowError) return error;
    throw error;
  }
}

function readInput(vswitch: VSwitch, words: readonly string[]): Omit<TraceInput, 'hasPacket'> {
  const text = words[words.length - 1];
  const flow = tryDatapathFlow(vswitch, text);
  if (!(flow instanceof MegaflowError)) {
    if (words.length === 2 && words[0].replace(/^ovs-/, '') !== DATAPATH_TYPE)
      fail('Cannot find the datapath', words[0], DATAPATH_TYPE);
    return { origin: originOf(vswitch, flow), flow };
  }
  // A text that is of the datapath's language, but makes no flow.
  if (!flow.message.startsWith('syntax error')) return fail(flow.message, text, 'a flow');
  if (words.length !== 2)
    return fail(`${flow.message} (or the bridge name was omitted)`, text, 'a flow in the syntax of dpctl/dump-flows');
  const bridge = vswitch.bridges().find(({ name }) => name === words[0]);
  if (!bridge) return fail(`${words[0]}: unknown bridge`, words[0], 'the name of a bridge');
  try {
    const parsed = parseOpenFlowFlow(bridge, text);
    return { origin: { bridge, ofPort: getField(parsed, 'ofInPort') }, flow: parsed };
  } catch (error) {
    if (error instanceof MegaflowError)
      return fail(`Bad openflow flow syntax: ${error.message}`, text, String(error.allowed));
    throw error;
  }
}

function traceCommand(vswitch: VSwitch, words: readonly string[]): string {
  const { words: plain, frame, isGenerated, names } = takeArguments(words);
  const { origin, flow } = readInput(vswitch, plain);
  const packet = frame ? extractFrame(vswitch, flow, frame) : flow;
  return formatTrace(
    runTrace(
      vswitch,
      { origin, flow: packet, hasPacket: frame !== undefined || isGenerated },
      { names, forReal: true },
    ),
  );
}

export const traceCommands: Commands = {
  'ofproto/trace': {
    usage: '{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]',
    least: 1,
    most: Infinity,
    run: traceCommand,
  },
};
