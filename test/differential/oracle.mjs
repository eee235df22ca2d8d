// @ts-check
// Open vSwitch as a witness: replays a scenario through a real `ovs-vswitchd --enable-dummy` whose clock stands still,
// and writes down each frame it sends and each table it prints. Needs Debian's openvswitch-switch, not root.
// Several can run side by side; each has its own directory, database and sockets.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, readSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** @typedef {import('./scenario.js').Scenario} Scenario */
/** @typedef {import('./scenario.js').ScenarioConfig} ScenarioConfig */
/** @typedef {import('./scenario.js').Step} Step */
/** @typedef {import('./scenario.js').PortConfig} PortConfig */
/** @typedef {import('./scenario.js').MirrorConfig} MirrorConfig */
/** @typedef {import('./scenario.js').ConfigChange} ConfigChange */
/** @typedef {import('./scenario.js').SentFrames} SentFrames */

const programs = ['ovsdb-tool', 'ovsdb-server', 'ovs-vsctl', 'ovs-ofctl', 'ovs-vswitchd'];
const schema = '/usr/share/openvswitch/vswitch.ovsschema';
/** How long one command may take; a scenario waits for hundreds, each of them answers within milliseconds. */
const patienceMs = 60_000;

/** Why Open vSwitch cannot be asked on this machine, or null. @returns {string | null} */
export function missing() {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`.split(':');
  const absent = programs.filter((program) => !path.some((folder) => existsSync(join(folder, program))));
  if (absent.length > 0) return `not installed: ${absent.join(', ')} (Debian: openvswitch-switch)`;
  return existsSync(schema) ? null : `no ${schema}`;
}

/** A command that the daemon refused. */
class Refusal extends Error {}

/**
 * One request over the daemon's control socket: JSON-RPC, one object each way.
 * @param {string} path @param {string} method @param {readonly (string | number)[]} params
 * @returns {Promise<string>}
 */
function ask(path, method, params) {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let text = '';
    const timer = setTimeout(() => socket.destroy(new Error(`${method}: no answer in ${patienceMs} ms`)), patienceMs);
    socket.setEncoding('utf8');
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      reject(new Error(`${method}: the connection closed after ${JSON.stringify(text)}`));
    });
    socket.on('data', (chunk) => {
      text += chunk;
      let answer;
      try {
        answer = JSON.parse(text);
      } catch {
        return;
      }
      clearTimeout(timer);
      socket.destroy();
      if (answer.error) reject(new Refusal(String(answer.error)));
      else resolve(answer.result ?? '');
    });
    socket.write(JSON.stringify({ method, params: params.map(String), id: 0 }));
  });
}

/**
 * @param {string} program @param {string[]} parameters @param {string} [input]
 * @returns {Promise<string>}
 */
function run(program, parameters, input) {
  return new Promise((resolve, reject) => {
    const child = execFile(program, parameters, { timeout: patienceMs }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${program} ${parameters.join(' ')}: ${stderr.trim() || error.message}`));
      else resolve(stdout);
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input ?? '');
  });
}

/** Frames that were appended to a pcap since the last look. @param {string} path */
function createTail(path) {
  let offset = 24;
  return () => {
    /** @type {string[]} */
    const frames = [];
    let file;
    try {
      file = openSync(path, 'r');
    } catch {
      return frames;
    }
    try {
      const header = Buffer.alloc(16);
      while (readSync(file, header, 0, 16, offset) === 16) {
        const length = header.readUInt32LE(8);
        const data = Buffer.alloc(length);
        if (readSync(file, data, 0, length, offset + 16) < length) break;
        offset += 16 + length;
        frames.push(data.toString('hex'));
      }
    } finally {
      closeSync(file);
    }
    return frames;
  };
}

/** The states of a process's threads, a letter each: R runs or waits for a processor. @param {number | undefined} process */
function threadStates(process) {
  const folder = `/proc/${process}/task`;
  try {
    return readdirSync(folder).map((thread) => /\) (\w)/.exec(readFileSync(`${folder}/${thread}/stat`, 'latin1'))?.[1]);
  } catch {
    return [];
  }
}

/** A value of a database column in the syntax of ovs-vsctl. @param {unknown} value */
const columnText = (value) => (Array.isArray(value) ? value.join(',') : String(value));

/** @param {Record<string, string>} options */
function optionColumns(options) {
  return Object.entries(options).map(([key, value]) => {
    const text = String(value);
    return `options:${key}=${/[:, ]/.test(text) ? JSON.stringify(text) : text}`;
  });
}

/** @param {PortConfig} port */
function portColumns(port) {
  const columns = [];
  /** @type {Array<['tag' | 'vlanMode' | 'trunks' | 'cvlans' | 'protected', string]>} */
  const names = [
    ['tag', 'tag'],
    ['vlanMode', 'vlan-mode'],
    ['trunks', 'trunks'],
    ['cvlans', 'cvlans'],
    ['protected', 'protected'],
  ];
  for (const [key, column] of names) {
    const value = port[key];
    if (value !== undefined) columns.push(`${column}=${value === null ? '[]' : columnText(value)}`);
  }
  for (const [key, value] of Object.entries(port.otherConfig ?? {})) columns.push(`other-config:${key}=${value}`);
  return columns;
}

/** Directories and processes to be cleared away if this process ends before their owner does. */
/** @type {Set<() => void>} */
const leftovers = new Set();
let watching = false;

/**
 * Start an Open vSwitch with a stopped clock. Its revalidators sweep over the flows when something changed, each 500 ms
 * of the stopped clock, but also each 500 ms of real time; only a sweep tells the MAC table of packets that hit a flow.
 * @param {{ eager?: boolean }} [options] eager: sweep after every frame as well. Where that changes an answer, the
 * answer depends on real time.
 * @returns {Promise<Oracle>}
 */
export async function startOracle({ eager = false } = {}) {
  const reason = missing();
  if (reason) throw new Error(reason);
  const directory = mkdtempSync(join(tmpdir(), 'megaflow-oracle-'));
  const environment = {
    ...process.env,
    PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
    OVS_RUNDIR: directory,
    OVS_LOGDIR: directory,
    OVS_DBDIR: directory,
  };
  /** @type {import('node:child_process').ChildProcess[]} */
  const daemons = [];
  /** @type {Map<string, () => string[]>} */
  const tails = new Map();
  const clear = () => {
    for (const daemon of daemons) daemon.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  leftovers.add(clear);
  if (!watching) {
    watching = true;
    process.on('exit', () => leftovers.forEach((leftover) => leftover()));
  }

  const close = async () => {
    // The daemons keep nothing worth an orderly end: a kill cannot hang.
    const ended = daemons.map(
      (daemon) =>
        new Promise((resolve) => {
          if (daemon.exitCode !== null || daemon.signalCode !== null) resolve(undefined);
          else daemon.once('exit', resolve);
        }),
    );
    clear();
    await Promise.all(ended);
    rmSync(directory, { recursive: true, force: true });
    leftovers.delete(clear);
  };

  /** @param {string} path */
  const appears = async (path) => {
    for (let i = 0; i < 1500; i++) {
      if (existsSync(path)) return;
      const fallen = daemons.find((daemon) => daemon.exitCode !== null);
      if (fallen) throw new Error(`${fallen.spawnfile} ended with ${fallen.exitCode}`);
      await sleep(20);
    }
    throw new Error(`no ${path}`);
  };

  /** @param {string} program @param {string[]} parameters */
  const daemon = (program, parameters) => {
    const child = spawn(program, parameters, { env: environment, stdio: 'ignore' });
    child.on('error', () => undefined);
    daemons.push(child);
    return child;
  };

  /** @type {number | undefined} */
  let switchProcess;
  /**
   * Wait until no thread of Open vSwitch is at work. On a loaded machine its revalidators may not have had a processor
   * for longer than they are waited for, which would show as flows that are out of date.
   */
  const isIdle = async () => {
    for (let i = 0; i < 500; i++) {
      if (!threadStates(switchProcess).includes('R')) return;
      await sleep(2);
    }
  };

  const database = `--db=unix:${directory}/db.sock`;
  /** @param {string[]} parameters */
  const vsctl = (...parameters) => run('ovs-vsctl', [database, '--timeout=30', '--retry', ...parameters]);
  /** @param {string} command @param {(string | number)[]} parameters */
  const control = (command, ...parameters) => ask(`${directory}/v.ctl`, command, parameters);

  /** The first command: a socket's file is there a moment before anyone listens. @param {string} command */
  const answers = async (command) => {
    for (let i = 0; ; i++) {
      try {
        return await control(command);
      } catch (error) {
        if (i === 500 || !(error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED')) throw error;
        await sleep(10);
      }
    }
  };

  try {
    execFileSync('ovsdb-tool', ['create', `${directory}/conf.db`, schema], { env: environment, stdio: 'ignore' });
    daemon('ovsdb-server', [
      `${directory}/conf.db`,
      `--remote=punix:${directory}/db.sock`,
      `--unixctl=${directory}/o.ctl`,
    ]);
    await appears(`${directory}/db.sock`);
    await vsctl('--no-wait', 'init');
    switchProcess = daemon('ovs-vswitchd', [
      '--enable-dummy',
      '--disable-system',
      '--disable-system-route',
      `unix:${directory}/db.sock`,
      `--unixctl=${directory}/v.ctl`,
      `--log-file=${directory}/v.log`,
    ]).pid;
    await appears(`${directory}/v.ctl`);
    await answers('time/stop');
  } catch (error) {
    await close();
    throw error;
  }

  /** @param {string} bridge @param {PortConfig} port */
  const addPort = async (bridge, port) => {
    const { type = 'system', ofport, options = {} } = port.interface ?? {};
    const parameters = [
      'add-port',
      bridge,
      port.name,
      ...portColumns(port),
      '--',
      'set',
      'interface',
      port.name,
      `type=${type === 'system' ? 'dummy' : type}`,
    ];
    if (ofport !== undefined) parameters.push(`ofport_request=${ofport}`);
    parameters.push(...optionColumns(options));
    if (type === 'system' || type === 'internal') {
      parameters.push(`options:tx_pcap=${directory}/${port.name}.pcap`);
      tails.set(port.name, createTail(`${directory}/${port.name}.pcap`));
    }
    await vsctl(...parameters);
  };

  /** @param {string} bridge @param {MirrorConfig} mirror */
  const addMirror = async (bridge, mirror) => {
    const named = [
      ...new Set([
        ...(mirror.selectSrcPort ?? []),
        ...(mirror.selectDstPort ?? []),
        ...(mirror.outputPort ? [mirror.outputPort] : []),
      ]),
    ];
    /** @param {string} name */
    const id = (name) => `@x${named.indexOf(name)}`;
    const columns = [`name=${mirror.name}`];
    if (mirror.selectAll) columns.push('select-all=true');
    if (mirror.selectSrcPort?.length) columns.push(`select-src-port=${mirror.selectSrcPort.map(id).join(',')}`);
    if (mirror.selectDstPort?.length) columns.push(`select-dst-port=${mirror.selectDstPort.map(id).join(',')}`);
    if (mirror.selectVlan?.length) columns.push(`select-vlan=${columnText(mirror.selectVlan)}`);
    if (mirror.outputPort) columns.push(`output-port=${id(mirror.outputPort)}`);
    if (mirror.outputVlan) columns.push(`output-vlan=${mirror.outputVlan}`);
    await vsctl(
      ...named.flatMap((name) => ['--', `--id=${id(name)}`, 'get', 'port', name]),
      '--',
      '--id=@m',
      'create',
      'mirror',
      ...columns,
      '--',
      'add',
      'bridge',
      bridge,
      'mirrors',
      '@m',
    );
  };

  /** @param {ConfigChange} change */
  const apply = async (change) => {
    const { bridge } = change;
    if (change.addPort) await addPort(bridge, change.addPort);
    else if (change.removePort) {
      await vsctl('del-port', bridge, change.removePort);
      tails.delete(change.removePort);
    } else if (change.setPort) await vsctl('set', 'port', change.setPort.name, ...portColumns(change.setPort));
    else if (change.setInterface) {
      const { name, options } = change.setInterface;
      if (options)
        await vsctl('clear', 'interface', name, 'options', '--', 'set', 'interface', name, ...optionColumns(options));
    } else if (change.set) {
      const columns = Object.entries(change.set.otherConfig ?? {}).map(
        ([key, value]) => `other-config:${key}=${value}`,
      );
      await vsctl('set', 'bridge', bridge, ...columns);
    } else throw new Error(`no such change: ${JSON.stringify(change)}`);
  };

  const collect = () => {
    /** @type {SentFrames} */
    const sent = {};
    for (const [name, tail] of tails) {
      const frames = tail();
      if (frames.length > 0) sent[name] = frames;
    }
    return sent;
  };

  /** @param {ScenarioConfig} config */
  const configure = async (config) => {
    for (const bridge of config.bridges) {
      const parameters = [
        'add-br',
        bridge.name,
        '--',
        'set',
        'bridge',
        bridge.name,
        'datapath_type=dummy',
        `fail-mode=${bridge.openflow ? 'secure' : 'standalone'}`,
        `other-config:hwaddr=${bridge.mac}`,
        '--',
        'set',
        'interface',
        bridge.name,
        `options:tx_pcap=${directory}/${bridge.name}.pcap`,
      ];
      for (const [key, value] of Object.entries(bridge.otherConfig ?? {})) {
        parameters.push('--', 'set', 'bridge', bridge.name, `other-config:${key}=${value}`);
      }
      if (bridge.floodVlans?.length) {
        parameters.push('--', 'set', 'bridge', bridge.name, `flood-vlans=${columnText(bridge.floodVlans)}`);
      }
      await vsctl(...parameters);
      tails.set(bridge.name, createTail(`${directory}/${bridge.name}.pcap`));
      for (const port of bridge.ports) await addPort(bridge.name, port);
      for (const mirror of bridge.mirrors ?? []) await addMirror(bridge.name, mirror);
    }
    for (const { dev, ip } of config.addresses ?? []) {
      await control(ip.includes(':') ? 'netdev-dummy/ip6addr' : 'netdev-dummy/ip4addr', dev, ip);
    }
    for (const { prefix, dev, gateway } of config.routes ?? []) {
      await control('ovs/route/add', prefix, dev, ...(gateway ? [gateway] : []));
    }
    for (const bridge of config.bridges) {
      if (bridge.groups) {
        const target = `unix:${directory}/${bridge.name}.mgmt`;
        await run('ovs-ofctl', ['add-groups', target, '-'], bridge.groups.join('\n'));
      }
      if (bridge.openflow) {
        const parameters = ['add-flows', `unix:${directory}/${bridge.name}.mgmt`, '-'];
        const flows = bridge.openflow.join('\n');
        // Some actions, such as push_vlan, are of later versions of OpenFlow.
        await run('ovs-ofctl', parameters, flows).catch((error) => {
          if (!/usable flow formats/.test(error.message)) throw error;
          return run('ovs-ofctl', ['-O', 'OpenFlow10,OpenFlow13,OpenFlow15', ...parameters], flows);
        });
      }
    }
    if (config.nativeTunnels === false) {
      await control('dpif/set-dp-features', config.bridges[0].name, 'tnl_push_pop', 'false');
    }
    for (const { bridge, ip, mac } of config.neighbors ?? []) await control('tnl/neigh/set', bridge, ip, mac);
    await control('time/warp', 100);
    collect();
  };

  /** Make the revalidators go over all flows now: that is the first thing they do after a pause. */
  const sweep = async () => {
    await control('revalidator/pause');
    await control('revalidator/resume');
    for (let i = 0; i < 4; i++) {
      await control('version');
      await sleep(4);
    }
  };

  /**
   * @param {Step} step
   * @returns {Promise<SentFrames | string>}
   */
  const play = async (step) => {
    if (step.receive) {
      await control('netdev-dummy/receive', step.receive.port, step.receive.frame);
      // The main loop takes the frame between two commands; a revalidation that it causes is another thread's work and
      // begins up to 5 ms later: let both be done before the clock moves.
      for (let i = 0; i < 4; i++) {
        await control('version');
        await sleep(4);
      }
      await isIdle();
      if (eager) await sweep();
      await control('time/warp', 10);
      await control('version');
      return collect();
    }
    if (step.advance !== undefined) {
      await control('time/warp', step.advance, ...(step.advance > 1000 ? [1000] : []));
      await control('version');
      await sleep(20);
      await isIdle();
      return collect();
    }
    if (step.appctl) {
      const [command, ...parameters] = step.appctl;
      try {
        return await control(command, ...parameters);
      } catch (error) {
        if (error instanceof Refusal) return `error: ${error.message}`;
        throw error;
      }
    }
    if (step.change) {
      await apply(step.change);
      await control('version');
      await sleep(20);
      await isIdle();
      await control('time/warp', 100);
      await control('version');
      return collect();
    }
    throw new Error(`no such step: ${JSON.stringify(step)}`);
  };

  return { configure, play, close, log: () => readFileSync(`${directory}/v.log`, 'utf8') };
}

/**
 * @typedef {object} Oracle
 * @property {(config: ScenarioConfig) => Promise<void>} configure
 * @property {(step: Step) => Promise<SentFrames | string>} play
 * @property {() => Promise<void>} close
 * @property {() => string} log what ovs-vswitchd wrote to its log
 */

/**
 * What Open vSwitch does, given the scenario: the same scenario with `expect` on each step.
 * @param {Scenario} scenario @param {{ eager?: boolean }} [options] as of `startOracle`
 * @returns {Promise<Scenario>}
 */
export async function record(scenario, options) {
  const oracle = await startOracle(options);
  try {
    await oracle.configure(scenario.config);
    /** @type {Step[]} */
    const steps = [];
    for (const step of scenario.steps) {
      const { expect: _, ...bare } = step;
      steps.push({ ...bare, expect: await oracle.play(bare) });
    }
    const { steps: _, recordedFrom: __, ...head } = scenario;
    return { ...head, steps, recordedFrom: 'Open vSwitch 3.1.0' };
  } catch (error) {
    if (error instanceof Error) error.message = `${scenario.name}: ${error.message}\n${lastLines(oracle)}`;
    throw error;
  } finally {
    await oracle.close();
  }
}

/** @param {Oracle} oracle */
function lastLines(oracle) {
  try {
    return oracle
      .log()
      .split('\n')
      .filter((line) => /WARN|ERR|EMER/.test(line))
      .slice(-5)
      .join('\n');
  } catch {
    return '';
  }
}
