/**
 * What would become of a packet, step by step: each table and the rule that matched, each action and what it led to, what the megaflow
 * would match and do. Nothing is changed by it: nothing is learned, sent, counted or installed. `formatTrace` is the text of
 * `ofproto/trace` of Open vSwitch 3.1; the arguments of that command are taken apart in `trace-command.ts`.
 *
 * A trace ends where a packet goes round (`recirc`) or goes up to a tunnel (`tnl_pop`): what comes out there is another packet, to be
 * traced by a flow of its own. What the packet would teach the tables its own later steps do not see.
 */
import { formatActions } from '../action/text-format.js';
import { FLOW_WORDS, VLAN_PRESENT, getField, sealKey, setExact, setField, type FlowWords } from '../flow/fields.js';
import { parseFlow } from '../flow/text-parse.js';
import { formatFlow, formatMatch } from '../openflow/match-format.js';
import { parseExactFlow } from '../openflow/parse.js';
import { OpenFlowPort, type PortNames } from '../openflow/ports.js';
import type { Reporter, StepGroup, StepKind } from '../switch/context.js';
import { findPort, type Bridge, type SwitchPort } from '../switch/model.js';
import { hasTunnel } from '../switch/native-tunnel.js';
import type { FinalFlow, Origin, Translation } from '../switch/translate.js';
import type { VSwitch } from '../switch/vswitch.js';
import { MegaflowError } from '../util/errors.js';
import { fail } from './command.js';

export interface TraceFormat {
  /** Shows ports by name rather than by number. */
  readonly names?: boolean;
}

export interface TraceRequest extends TraceFormat {
  /** With a bridge, `flow` is in OpenFlow syntax (`in_port=1,dl_dst=...`); without one, in the datapath's (`in_port(1),eth(...)`). */
  readonly bridge?: string;
  /** The port that the packet came in on, by name, in place of what the flow says of it. */
  readonly inPort?: string;
  /** Default: nothing but `inPort`. */
  readonly flow?: string;
  /** The packet itself, from its Ethernet header on; of the flow only metadata then count. Reports also what tables would learn of it. */
  readonly frame?: Uint8Array;
}

/** One step and what is within it. */
export interface TraceStep {
  /** `bridge`, `table`, `bucket`, `thaw` hold steps; `action` is an action, the others say what came of it. */
  readonly kind: StepKind | StepGroup;
  readonly text: string;
  readonly steps: readonly TraceStep[];
}

export interface Trace {
  /** The flow that was traced, in OpenFlow syntax, as all of these. */
  readonly flow: string;
  readonly steps: readonly TraceStep[];
  /** The flow at the end; undefined: unchanged. */
  readonly finalFlow: string | undefined;
  readonly megaflow: string;
  /** Datapath actions as text. */
  readonly actions: string;
  /** Why nothing but a drop came of it. */
  readonly error: string | undefined;
  /** All of it as data. */
  readonly translation: Translation & FinalFlow;
}

/** A flow to be traced, and where it came in. */
export interface TraceInput {
  readonly origin: Origin;
  /** `FLOW_WORDS` words. */
  readonly flow: FlowWords;
  /** Whether there is a packet rather than only its flow. */
  readonly hasPacket: boolean;
}

/** Traces a packet. Throws `not-found` (bridge, port), `bad-flow-text`, `command-failed` (no port takes such a packet). */
export function trace(vswitch: VSwitch, request: TraceRequest): Trace {
  const { bridge: bridgeName, inPort, flow: text, frame } = request;
  const port = inPort === undefined ? undefined : portOf(vswitch, inPort);
  let flow: FlowWords;
  let origin: Origin;
  if (bridgeName === undefined && text !== undefined) {
    flow = parseDatapathFlow(vswitch, text);
    if (port) setField(flow, 'inPort', port.datapathPort);
    origin = originOf(vswitch, flow);
  } else {
    const bridge = bridgeName === undefined ? port?.bridge : vswitch.bridge(bridgeName);
    if (!bridge)
      throw new MegaflowError(
        'bad-argument',
        'a trace wants a bridge, a port or a flow',
        request,
        'bridge, inPort or flow',
      );
    flow = parseOpenFlowFlow(bridge, text ?? '');
    if (port) setField(flow, 'ofInPort', port.ofPort);
    origin = { bridge, ofPort: getField(flow, 'ofInPort') };
  }
  if (frame) flow = extractFrame(vswitch, flow, frame);
  return runTrace(vswitch, { origin, flow, hasPacket: frame !== undefined }, request);
}

function portOf(vswitch: VSwitch, name: string): SwitchPort {
  return vswitch.findPort(name) ?? fail(`there is no port ${name}`, name, 'the name of a port');
}

/** Traces a flow; `forReal` as for `VSwitch.trace`. */
export function runTrace(
  vswitch: VSwitch,
  { origin, flow, hasPacket }: TraceInput,
  { names = false, forReal = false }: TraceFormat & { forReal?: boolean } = {},
): Trace {
  setField(flow, 'ofInPort', origin.ofPort);
  sealKey(flow);
  const ports: PortNames = names ? { portName: (number) => origin.bridge.byOfPort.get(number)?.name } : {};
  const { steps, reporter } = collectSteps(ports);
  const translation = vswitch.trace(origin, flow, { traceOf: hasPacket ? 'packet' : 'flow', reporter, forReal });
  const mask = translation.wildcards.slice();
  setField(mask, 'inPort', 0);
  setExact(mask, 'ofInPort');
  const portName = names ? (number: number): string | undefined => vswitch.datapath.port(number)?.name : undefined;
  const isUnchanged = translation.flow.every((word, index) => word === flow[index]);
  return {
    flow: formatFlow(flow, ports),
    steps,
    finalFlow: isUnchanged ? undefined : formatFlow(translation.flow, ports),
    megaflow: formatMatch({ key: flow, mask }, ports),
    actions: formatActions(translation.actions, { portName }),
    error: translation.error,
    translation,
  };
}

function collectSteps(ports: PortNames): { steps: TraceStep[]; reporter: Reporter } {
  const steps: TraceStep[] = [];
  const open: TraceStep[][] = [steps];
  const put = (kind: TraceStep['kind'], text: string): TraceStep[] => {
    const within: TraceStep[] = [];
    open[open.length - 1].push({ kind, text, steps: within });
    return within;
  };
  const reporter: Reporter = {
    report: (text, kind = 'detail') => void put(kind, text),
    enter: (group, title) => void open.push(put(group, title)),
    leave: () => void open.pop(),
    ports,
  };
  return { steps, reporter };
}

/** A flow in OpenFlow syntax that came in on a port of a bridge. Throws `bad-flow-text`. */
export function parseOpenFlowFlow(bridge: Bridge, text: string): FlowWords {
  const ports: PortNames = { portNumber: (name) => findPort(bridge, name)?.ofPort };
  const flow = parseExactFlow(text, ports);
  if (getField(flow, 'ofInPort') === 0) setField(flow, 'ofInPort', OpenFlowPort.none);
  if ((getField(flow, 'vlanTci') & VLAN_PRESENT) !== 0 && getField(flow, 'vlanTpid') === 0)
    setField(flow, 'vlanTpid', 0x8100);
  return flow;
}

/** A flow in the datapath's syntax; what is masked in it counts as it stands. Throws `bad-flow-text`. */
export function parseDatapathFlow(vswitch: VSwitch, text: string): FlowWords {
  const portNumber = (name: string): number | undefined =>
    vswitch.datapath.ports().find((port) => port.name === name)?.number;
  const flow = new Int32Array(FLOW_WORDS);
  flow.set(parseFlow(text, { portNumber }).key);
  return flow;
}

/** Where a flow in the datapath's syntax came in. Throws `command-failed`. */
export function originOf(vswitch: VSwitch, flow: FlowWords): Origin {
  const origin = vswitch.originOf(flow);
  if (origin) return origin;
  const recirculation = getField(flow, 'recircId');
  if (recirculation !== 0)
    return fail(
      `no recirculation data for recirc_id 0x${recirculation.toString(16)}`,
      recirculation,
      'the number in a recirc()',
    );
  if (hasTunnel(flow)) {
    return fail('no OpenFlow tunnel port for this packet', flow, 'a tunnel that some port takes');
  }
  const number = getField(flow, 'inPort');
  return fail(`no OpenFlow port for datapath port ${number}`, number, 'in_port(), the number of a datapath port');
}

/** Words of metadata that a packet brings beside its bytes: [first, end). */
const METADATA: readonly (readonly [number, number])[] = [
  [0, 2],
  [12, 30],
  [59, 81],
  [102, 103],
];

/** The flow of a frame with the metadata of another flow. */
export function extractFrame(vswitch: VSwitch, metadata: FlowWords, frame: Uint8Array): FlowWords {
  const flow = new Int32Array(FLOW_WORDS);
  const key = vswitch.datapath.keyOf(frame);
  if (!key) return fail('no room for the frame', frame.length, 'a frame that fits into a slot of the pool');
  flow.set(key);
  for (const [first, end] of METADATA) flow.set(metadata.subarray(first, end), first);
  return flow;
}

/** A trace as `ofproto/trace` of Open vSwitch 3.1 prints it, the final newline included. */
export function formatTrace(trace: Trace): string {
  const lines = [`Flow: ${trace.flow}`];
  formatSteps(trace.steps, 0, lines);
  lines.push(
    '',
    `Final flow: ${trace.finalFlow ?? 'unchanged'}`,
    `Megaflow: ${trace.megaflow}`,
    `Datapath actions: ${trace.actions}`,
  );
  if (trace.translation.isSlow) {
    lines.push(
      'This flow is handled by the userspace slow path because it:',
      '  - Uses action(s) not supported by datapath.',
    );
  }
  if (trace.error !== undefined) lines.push(`Translation failed (${trace.error}), packet is dropped.`);
  return `${lines.join('\n')}\n`;
}

const HOLDERS: ReadonlySet<TraceStep['kind']> = new Set<StepGroup>(['bridge', 'table', 'thaw']);

/** The last of several is not indented, unless it is one that cannot hold others. */
function formatSteps(steps: readonly TraceStep[], level: number, lines: string[]): void {
  steps.forEach(({ kind, text, steps: within }, index) => {
    const indent = index < steps.length - 1 || !HOLDERS.has(kind) ? 1 : 0;
    const margin = ' '.repeat((level + indent) * 4);
    switch (kind) {
      case 'bridge':
        lines.push('', margin + text, margin + '-'.repeat(text.length));
        break;
      case 'detail':
        lines.push(`${margin} -> ${text}`);
        break;
      case 'warning':
        lines.push(`${margin} >> ${text}`);
        break;
      case 'error':
        lines.push(`${margin} >>>> ${text} <<<<`);
        break;
      default:
        lines.push(margin + text);
    }
    formatSteps(within, level + 2 * indent, lines);
  });
}
