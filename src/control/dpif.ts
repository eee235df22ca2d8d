/**
 * `dpif/*` and `upcall/*`, `revalidator/*`: bridges and their ports as the datapath knows them, and how flows are
 * looked after.
 */
import { formatActions } from '../action/text-format.js';
import { formatStatistics } from '../datapath/dump.js';
import { formatFlow } from '../flow/text-format.js';
import type { SwitchPort } from '../switch/model.js';
import type { VSwitch } from '../switch/vswitch.js';
import { DATAPATH_NAME, DATAPATH_TYPE, byName, findBridge, readInteger, type Commands } from './command.js';
import { flowName, portNames, type FlowLineOptions } from './flow-lines.js';
import { tunnelOptions } from './tunnels.js';

/** `dpif/show`: the ports of all bridges, with OpenFlow and datapath numbers. */
export function showBridges(vswitch: VSwitch): string {
  const { hit, missed } = vswitch.datapath.statistics();
  const lines = [`${DATAPATH_NAME}: hit:${hit} missed:${missed}`];
  for (const { name, ports } of [...vswitch.bridges()].sort(byName)) {
    lines.push(`  ${name}:`);
    for (const port of [...ports].sort(byName)) {
      const number = port.datapathPort < 0 ? 'none' : port.datapathPort;
      lines.push(`    ${port.name} ${port.ofPort}/${number}: (${describe(port)})`);
    }
  }
  return lines.join('\n') + '\n';
}

function describe({ type, tunnelConfig, peer }: SwitchPort): string {
  const options: Record<string, string> = tunnelConfig
    ? tunnelOptions(tunnelConfig)
    : peer === undefined
      ? {}
      : { peer };
  const shown = Object.keys(options)
    .sort()
    .map((key) => `${key}=${options[key]}`);
  const name = type === 'internal' ? 'tap' : type;
  return shown.length === 0 ? name : `${name}: ${shown.join(', ')}`;
}

/** `dpif/dump-flows BRIDGE`: the flows that came in through a bridge. */
export function dumpBridgeFlows(vswitch: VSwitch, bridgeName: string, options: FlowLineOptions = {}): string {
  const bridge = findBridge(vswitch, bridgeName);
  const { datapath } = vswitch;
  const format = { verbose: options.verbose, portName: portNames(datapath, options) };
  let text = '';
  for (const flow of datapath.flowNumbers()) {
    const info = datapath.flow(flow);
    if (vswitch.portOf(info.key)?.bridge !== bridge) continue;
    if (options.verbose) text += `${flowName(datapath, info.key)} `;
    text += `${formatFlow(info, format)}, ${formatStatistics(info, datapath.clock.now())}`;
    text += `, actions:${formatActions(info.actions, format)}\n`;
  }
  return text;
}

/** `upcall/show`: how many flows there are and may be, and how long the last sweep took. */
export function showUpcalls(vswitch: VSwitch): string {
  const { flows, averageFlows, mostFlows, flowLimit, durationMs, tracked } = vswitch.revalidation();
  return [
    `${DATAPATH_NAME}:`,
    `  flows         : (current ${flows}) (avg ${averageFlows}) (max ${mostFlows}) (limit ${flowLimit})`,
    `  dump duration : ${durationMs}ms`,
    '  ufid enabled : true',
    '',
    `  1: (keys ${tracked})`,
    '',
  ].join('\n');
}

/** `upcall/set-flow-limit N`: until sweeps adjust it again. */
export function setFlowLimit(vswitch: VSwitch, limit: number): string {
  vswitch.datapath.flowLimit = limit >>> 0;
  return `set flow_limit to ${limit >>> 0}\n`;
}

export const dpifCommands: Commands = {
  'dpif/dump-dps': {
    usage: '',
    least: 0,
    most: 0,
    run: (vswitch) =>
      [...vswitch.bridges()]
        .sort(byName)
        .map(({ name }) => `${DATAPATH_TYPE}@${name}\n`)
        .join(''),
  },
  'dpif/dump-flows': {
    usage: '[-m] [--names | --no-names] bridge',
    least: 1,
    most: Infinity,
    run: (vswitch, words) => {
      const options = words.slice(0, -1);
      const verbose = options.includes('-m');
      const last = options.filter((word) => word === '--names' || word === '--no-names').pop();
      return dumpBridgeFlows(vswitch, words[words.length - 1], {
        verbose,
        names: last === undefined ? verbose : last === '--names',
      });
    },
  },
  'dpif/show': { usage: '', least: 0, most: 0, run: showBridges },
  'ofproto/list': {
    usage: '',
    least: 0,
    most: 0,
    run: (vswitch) =>
      [...vswitch.bridges()]
        .sort(byName)
        .map(({ name }) => `${name}\n`)
        .join(''),
  },
  'revalidator/purge': {
    usage: '',
    least: 0,
    most: 0,
    run: (vswitch) => {
      vswitch.purge();
      return '';
    },
  },
  'revalidator/wait': {
    usage: '',
    least: 0,
    most: 0,
    run: (vswitch) => {
      vswitch.revalidate();
      return '';
    },
  },
  'upcall/set-flow-limit': {
    usage: 'flow-limit-number',
    least: 1,
    most: 1,
    run: (vswitch, [limit]) => setFlowLimit(vswitch, readInteger(limit)),
  },
  'upcall/show': { usage: '', least: 0, most: 0, run: showUpcalls },
};
