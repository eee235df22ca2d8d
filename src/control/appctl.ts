/**
 * The commands of `ovs-appctl`, as functions over a switch: what they print, in the very form (ovs-vswitchd(8), "RUNTIME MANAGEMENT
 * COMMANDS"). Refusals are thrown as `command-failed` with the text that `ovs-appctl` would print.
 */
import { formatFlowInfo } from '../datapath/dump.js';
import type { DatapathPort } from '../datapath/ports.js';
import type { Bridge } from '../switch/model.js';
import type { VSwitch } from '../switch/vswitch.js';
import { LOCAL } from '../switch/model.js';
import { formatIp, formatMac, parseIp, parseMac } from '../util/address.js';
import { MegaflowError } from '../util/errors.js';

/** What the datapath is called; `dpctl/show` begins with it. */
export const DATAPATH_NAME = 'netdev@ovs-netdev';

function fail(text: string, value: unknown, allowed: string): never {
  throw new MegaflowError('command-failed', text, value, allowed);
}

function findBridge(vswitch: VSwitch, name: string): Bridge {
  return vswitch.bridges().find((bridge) => bridge.name === name) ?? fail('no such bridge', name, 'the name of a bridge');
}

/** `dpctl/dump-flows`: one line a flow, behind a header when there are any. */
export function dumpFlows(vswitch: VSwitch, options: { names?: boolean; verbose?: boolean } = {}): string {
  const { datapath, clock } = vswitch;
  const names = options.names ?? options.verbose ?? false;
  const portName = names ? (port: number): string | undefined => datapath.port(port)?.name : undefined;
  const nowMs = clock.now();
  const lines = datapath
    .flowNumbers()
    .map((flow) => formatFlowInfo(datapath.flow(flow), nowMs, { verbose: options.verbose, portName }));
  return lines.length === 0 ? '' : ['flow-dump from the main thread:', ...lines, ''].join('\n');
}

/** `dpctl/show`: look-ups, flows, ports. */
export function showDatapath(vswitch: VSwitch): string {
  const { hit, missed, lost, flows } = vswitch.datapath.statistics();
  const lines = [`${DATAPATH_NAME}:`, `  lookups: hit:${hit} missed:${missed} lost:${lost}`, `  flows: ${flows}`, '  port 0: ovs-netdev (tap)'];
  for (const port of vswitch.datapath.ports()) lines.push(`  port ${port.number}: ${port.name}${describeType(port)}`);
  return lines.join('\n') + '\n';
}

function describeType({ type, options }: DatapathPort): string {
  const described = Object.entries(options)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
  if (type === 'system') return '';
  return described === '' ? ` (${type})` : ` (${type}: ${described})`;
}

/** `fdb/show BRIDGE`: the MAC table, least recently used first. */
export function showFdb(vswitch: VSwitch, bridgeName: string): string {
  const { macTable } = findBridge(vswitch, bridgeName);
  const lines = [' port  VLAN  MAC                Age'];
  for (const entry of macTable) {
    const port = entry.port.ofPort === LOCAL ? 'LOCAL' : String(entry.port.ofPort);
    const age = entry.expiresSecond === Infinity ? ' static' : String(macTable.ageSeconds(entry)).padStart(4);
    lines.push(`${port.padStart(5)}  ${String(entry.vlan).padStart(4)}  ${formatMac(entry.mac)} ${age}`);
  }
  return lines.join('\n') + '\n';
}

/** `fdb/flush [BRIDGE]`: forgets what was learned. */
export function flushFdb(vswitch: VSwitch, bridgeName?: string): string {
  const bridges = bridgeName === undefined ? vswitch.bridges() : [findBridge(vswitch, bridgeName)];
  for (const bridge of bridges) bridge.macTable.flush();
  vswitch.run();
  return 'table successfully flushed\n';
}

/** `tnl/neigh/show`: the neighbours that tunnels use. */
export function showNeighbours(vswitch: VSwitch): string {
  const lines = ['IP                                            MAC                 Bridge', '='.repeat(74)];
  for (const { ip, mac, bridge } of vswitch.neighbours) lines.push(`${formatIp(ip).padEnd(46)}${formatMac(mac)}   ${bridge}`);
  return lines.join('\n') + '\n';
}

/** `tnl/neigh/set BRIDGE IP MAC`. */
export function setNeighbour(vswitch: VSwitch, bridge: string, ip: string, mac: string): string {
  const parse = <T>(read: (text: string) => T, text: string, message: string): T => {
    try {
      return read(text);
    } catch {
      return fail(message, text, 'an address');
    }
  };
  vswitch.neighbours.set(bridge, parse(parseIp, ip, 'bad IP address'), parse(parseMac, mac, 'bad MAC address'));
  vswitch.run();
  return 'OK\n';
}

/** `ovs/route/show`: the routes that tunnels take, in the order in which they are tried. */
export function showRoutes(vswitch: VSwitch): string {
  const lines = ['Route Table:'];
  for (const route of vswitch.router.routes()) {
    const mark = route.mark === 0 ? '' : ` MARK ${route.mark}`;
    const gateway = route.gateway ? ` GW ${formatIp(route.gateway)}` : '';
    const kind = route.kind === 'user' ? 'User' : 'Cached';
    lines.push(
      `${kind}: ${formatIp(route.prefix)}/${route.prefixLength}${mark} dev ${route.device}${gateway} SRC ${formatIp(route.source)}` +
        (route.local ? ' local' : ''),
    );
  }
  return lines.join('\n') + '\n';
}

interface Command {
  /** As `list-commands` prints it. */
  readonly usage: string;
  readonly least: number;
  readonly most: number;
  readonly run: (vswitch: VSwitch, words: readonly string[]) => string;
}

const commands: Readonly<Record<string, Command>> = {
  'dpctl/dump-flows': {
    usage: '[-m] [--names | --no-names] [DP]',
    least: 0,
    most: 4,
    run: (vswitch, words) => {
      const verbose = words.includes('-m') || words.includes('--more');
      const names = words.includes('--names') || (verbose && !words.includes('--no-names'));
      return dumpFlows(vswitch, { verbose, names });
    },
  },
  'dpctl/show': { usage: '[DP]', least: 0, most: 1, run: (vswitch) => showDatapath(vswitch) },
  'fdb/show': { usage: 'bridge', least: 1, most: 1, run: (vswitch, [bridge]) => showFdb(vswitch, bridge) },
  'fdb/flush': { usage: '[bridge]', least: 0, most: 1, run: (vswitch, [bridge]) => flushFdb(vswitch, bridge) },
  'tnl/neigh/show': { usage: '', least: 0, most: 0, run: (vswitch) => showNeighbours(vswitch) },
  'tnl/neigh/set': { usage: 'BRIDGE IP MAC', least: 3, most: 3, run: (vswitch, [bridge, ip, mac]) => setNeighbour(vswitch, bridge, ip, mac) },
  'ovs/route/show': { usage: '', least: 0, most: 0, run: (vswitch) => showRoutes(vswitch) },
};

/** Runs a command and answers what `ovs-appctl` would print. Throws `command-failed` with the text of the refusal. */
export function appctl(vswitch: VSwitch, name: string, ...words: string[]): string {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    return fail(`"${name}" is not a valid command (use "list-commands" to see a list of valid commands)`, name, Object.keys(commands).join(', '));
  }
  if (words.length < command.least) {
    fail(`"${name}" command requires at least ${command.least} arguments`, words, command.usage);
  }
  if (words.length > command.most) fail(`"${name}" command takes at most ${command.most} arguments`, words, command.usage);
  return command.run(vswitch, words);
}
