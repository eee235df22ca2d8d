// `ofproto/trace`, line by line as Open vSwitch 3.1.0 answered (`recorded-traces.json`, made by `record-traces.mjs`), and that the
// function `trace` leaves no trace. What the command leaves, as there, is in test/regressions/trace-effects.json.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  ManualClock,
  MegaflowError,
  appctl,
  createSwitch,
  formatActions,
  formatTrace,
  fromHex,
  parseActions,
  trace,
  type SwitchConfig,
  type VSwitch,
} from '../../src/index.js';
import { cases } from './trace-cases.mjs';

interface Recorded {
  recordedFrom: string;
  /** Names of the datapath's ports there, by number. */
  ports: Record<string, string>;
  answers: string[];
}

const recorded: Record<string, Recorded> = JSON.parse(
  readFileSync(new URL('./recorded-traces.json', import.meta.url), 'utf8'),
);

function build(config: SwitchConfig, receive: [string, string][] = []): VSwitch {
  const vswitch = createSwitch(config, { systemRoutes: false, lookupOrder: 'open-vswitch', clock: new ManualClock() });
  for (const [port, frame] of receive) vswitch.deliver(port, fromHex(frame));
  return vswitch;
}

function ask(vswitch: VSwitch, words: readonly string[]): string {
  const numbers = new Map(vswitch.datapath.ports().map(({ name, number }) => [name, number]));
  const given = words.map((word) => word.replace(/@(\w+)/g, (_, name: string) => String(numbers.get(name) ?? 9999)));
  try {
    return appctl(vswitch, 'ofproto/trace', ...given);
  } catch (error) {
    if (error instanceof MegaflowError) return `error: ${error.message}`;
    throw error;
  }
}

/** Datapath ports by name, and recirculation numbers without their value: both are the implementation's choice. */
function comparable(text: string, portName: (port: number) => string | undefined, names: boolean): string {
  return text
    .replace(/^Datapath actions: (.*)$/m, (line, actions: string) =>
      names ? line : `Datapath actions: ${formatActions(parseActions(actions), { portName })}`,
    )
    .replace(/recirc\(0x[0-9a-f]+\)/g, 'recirc(N)')
    .replace(/recirc_id=[1-9]\d*/g, 'recirc_id=N')
    .trimEnd();
}

describe.each(cases)('traces like Open vSwitch: $name', ({ name, config, receive, commands }) => {
  const { recordedFrom, ports, answers } = recorded[name];
  const vswitch = build(config, receive);

  it('has an answer to each question', () => {
    expect(recordedFrom).toBe('Open vSwitch 3.1.0');
    expect(answers).toHaveLength(commands.length);
  });

  it.each(commands.map((words, index) => ({ words, index })))('$words', ({ words, index }) => {
    const names = words.includes('--names');
    const given = comparable(ask(vswitch, words), (port) => vswitch.datapath.port(port)?.name, names);
    expect(given).toBe(comparable(answers[index], (port) => ports[port], names));
  });
});

/** What the command with these words traces, by the function; undefined where that refuses. */
function traceLike(vswitch: VSwitch, words: readonly string[]): unknown {
  const plain = words.filter((word) => !word.startsWith('-'));
  const packet = plain.length > 1 && /^[0-9a-f]{28,}$/.test(plain[plain.length - 1]) ? plain.pop() : undefined;
  const [bridge, flow] = plain.length > 1 ? plain : [undefined, plain[0]];
  try {
    return trace(vswitch, { bridge, flow, frame: packet === undefined ? undefined : fromHex(packet) });
  } catch (error) {
    if (error instanceof MegaflowError) return undefined;
    throw error;
  }
}

/** All that can be seen of a switch. */
function look(vswitch: VSwitch): unknown {
  const { datapath } = vswitch;
  return [
    datapath.flowNumbers().length,
    vswitch.counters(),
    appctl(vswitch, 'tnl/neigh/show'),
    ...vswitch
      .bridges()
      .map((bridge) => [
        [...bridge.macTable].map(({ mac, vlan, port, expiresSecond }) => [mac, vlan, port.name, expiresSecond]),
        [...bridge.tables.rules()].map(({ packets, bytes, usedMs }) => [packets, bytes, usedMs]),
        bridge.tables.size,
        bridge.ports.map(({ counters }) => ({ ...counters })),
      ]),
  ];
}

describe('a trace', () => {
  it.each(cases)('changes nothing: $name', ({ config, receive, commands }) => {
    const vswitch = build(config, receive);
    const sent: string[] = [];
    vswitch.datapath.onSend = (port) => sent.push(port.name);
    const before = look(vswitch);
    const answers = commands.filter((words) => traceLike(vswitch, words) !== undefined);
    vswitch.datapath.poll();
    expect(answers.length).toBeGreaterThan(0);
    expect(look(vswitch)).toEqual(before);
    expect(sent).toEqual([]);
  });

  const config: SwitchConfig = {
    bridges: [
      {
        name: 'br0',
        mac: 'aa:55:aa:00:00:00',
        ports: [{ name: 'p1' }, { name: 'p2', tag: 5 }],
        openflow: [
          'table=0,cookie=0x7,in_port=1,actions=mod_dl_dst:02:00:00:00:00:09,resubmit(,1)',
          'table=1,actions=output:2,output:9',
        ],
      },
    ],
  };

  it('is data as well: steps within steps, the flow at the end, what the datapath would match and do', () => {
    const vswitch = build(config);
    const answer = trace(vswitch, { bridge: 'br0', flow: 'in_port=p1,dl_dst=50:54:00:00:00:02' });
    expect(answer.steps).toEqual([
      {
        kind: 'bridge',
        text: 'bridge("br0")',
        steps: [
          {
            kind: 'table',
            text: ' 0. in_port=1, priority 32768, cookie 0x7',
            steps: [
              { kind: 'action', text: 'mod_dl_dst:02:00:00:00:00:09', steps: [] },
              { kind: 'action', text: 'resubmit(,1)', steps: [] },
              {
                kind: 'table',
                text: ' 1. priority 32768',
                steps: [
                  { kind: 'action', text: 'output:2', steps: [] },
                  { kind: 'action', text: 'output:9', steps: [] },
                  { kind: 'warning', text: 'Nonexistent output port', steps: [] },
                ],
              },
            ],
          },
        ],
      },
    ]);
    expect(answer.finalFlow).toContain('dl_dst=02:00:00:00:00:09');
    expect(answer.megaflow).toBe('recirc_id=0,eth,in_port=1,dl_dst=50:54:00:00:00:02,dl_type=0x0000');
    expect(answer.actions).toBe('set(eth(dst=02:00:00:00:00:09)),3');
    expect(answer.error).toBeUndefined();
    expect(formatTrace(answer)).toBe(appctl(vswitch, 'ofproto/trace', 'br0', 'in_port=p1,dl_dst=50:54:00:00:00:02'));
  });

  it('takes a port by name, and a frame', () => {
    const vswitch = build(config);
    const frame = fromHex('505400000002' + '505400000001' + '88b5' + '00'.repeat(46));
    const answer = trace(vswitch, { inPort: 'p1', frame });
    expect(answer.flow).toBe(
      'in_port=1,vlan_tci=0x0000,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,dl_type=0x88b5',
    );
    const flow = 'in_port(2),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x88b5)';
    expect(trace(vswitch, { flow }).translation.actions).toEqual(answer.translation.actions);
    expect(trace(vswitch, { flow, inPort: 'p2', names: true }).flow).toMatch(/^in_port=p2,/);
  });

  it('refuses what leads nowhere', () => {
    const vswitch = build(config);
    const refusal = (action: () => unknown): MegaflowError => {
      try {
        action();
      } catch (error) {
        if (error instanceof MegaflowError) return error;
      }
      throw new Error('was not refused');
    };
    expect(refusal(() => trace(vswitch, {})).code).toBe('bad-argument');
    expect(refusal(() => trace(vswitch, { inPort: 'p7' })).message).toBe('there is no port p7');
    expect(refusal(() => trace(vswitch, { bridge: 'br7' })).code).toBe('not-found');
    expect(refusal(() => trace(vswitch, { bridge: 'br0', flow: 'frob=1' })).code).toBe('bad-flow-text');
    expect(
      refusal(() => appctl(vswitch, 'ofproto/trace', 'br0', 'in_port=1', '--ct-next', 'trk,new')).message,
    ).toContain('--ct-next');
  });
});
