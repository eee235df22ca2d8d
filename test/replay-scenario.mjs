// @ts-check
// Replays a recorded scenario (the format stands in test/scenarios/FORMAT.md) through a switch and answers it with each
// step's `expect` replaced by what the switch did.
import {
  ManualClock,
  MegaflowError,
  appctl,
  createFunctionPort,
  createSwitch,
  fromHex,
  parseIp,
  toHex,
} from 'megaflow';

/** Milliseconds that pass after each kind of step, and at most in one leap. */
const AFTER_CONFIG_MS = 100;
const AFTER_RECEIVE_MS = 10;
const AFTER_CHANGE_MS = 100;
const LEAP_MS = 1000;

/** Bytes that the recorder's devices send at most, as their MTU is. */
const MTU = 1500;
/** A datapath takes in frames of any length; that many slots are enough for one frame at a time. */
const POOL = { slots: 256, frameBytes: 65_535 };

/**
 * @param {any} scenario
 * @param {import('megaflow').VSwitchOptions} [options] of the switch, beside what the scenario says
 * @returns {any} the scenario with what happened in `expect`
 */
export function replayScenario(scenario, options = {}) {
  const clock = new ManualClock();
  const { config } = scenario;
  /** @type {Map<string, {port: import('megaflow').FunctionPort, mac: Uint8Array}>} */
  const devices = new Map();
  const addresses = new Map(
    (config.addresses ?? [])
      .filter((/** @type {any} */ a) => !a.ip.includes(':'))
      .map((/** @type {any} */ a) => [a.dev, parseIp(a.ip.split('/')[0])]),
  );
  const macs = new Map(config.bridges.map((/** @type {any} */ bridge) => [bridge.name, bridge.mac]));
  /** @param {string} name */
  const device = (name) => {
    const created = createFunctionPort({ name, mtu: MTU, send: (frame) => answerArp(name, frame) });
    devices.set(name, { port: created, mac: fromHex((macs.get(name) ?? '00:00:00:00:00:00').replaceAll(':', '')) });
    return created.port;
  };
  /**
   * The recorder's devices answer ARP requests for their address, behind a tag too: to where the frame came from, whatever it says.
   * @param {string} name
   * @param {Uint8Array} frame
   */
  const answerArp = (name, frame) => {
    const ip = addresses.get(name);
    const arp = ['8100', '88a8'].includes(toHex(frame, 12, 14)) ? 18 : 14;
    if (!ip || frame.length < arp + 28 || toHex(frame, arp - 2, arp + 8) !== '08060001080006040001') return;
    if (toHex(frame, arp + 24, arp + 28) !== toHex(ip)) return;
    const { mac, port } = /** @type {any} */ (devices.get(name));
    const asker = frame.subarray(6, 12);
    port.receive(
      Uint8Array.of(
        ...asker,
        ...mac,
        ...fromHex('08060001080006040002'),
        ...mac,
        ...ip,
        ...asker,
        ...frame.subarray(arp + 14, arp + 18),
      ),
    );
  };

  const vswitch = createSwitch(config, {
    lookupOrder: 'open-vswitch',
    poolOptions: POOL,
    ...options,
    clock,
    systemRoutes: false,
    datapathPort: recorderPort,
    port: (name) => (isTunnelOrPatch(config, name) ? undefined : device(name)),
  });

  /** @param {number} ms */
  const leap = (ms) => {
    for (let left = ms; left > 0; left -= LEAP_MS) {
      clock.leap(Math.min(left, LEAP_MS));
      // time/warp wakes the recorder's revalidators, however little time has passed.
      vswitch.revalidate();
    }
  };
  /** Frames that a command sent: the recorder finds them in the next step that looks for frames. @type {Record<string, string[]>} */
  let early = {};
  /** @param {() => void} action */
  const collect = (action) => {
    const frames = early;
    early = {};
    for (const [port, list] of Object.entries(vswitch.collect(action)))
      (frames[port] ??= []).push(...list.map((frame) => toHex(frame)));
    return frames;
  };

  leap(AFTER_CONFIG_MS);
  const steps = scenario.steps.map((/** @type {any} */ step) => {
    if (step.receive) {
      const frame = fromHex(step.receive.frame);
      return {
        ...step,
        expect: collect(() => {
          vswitch.receive(step.receive.port, frame);
          vswitch.datapath.poll();
          // The recorder waits here: its revalidators do in peace what has become due, before the clock moves.
          vswitch.settle();
          leap(AFTER_RECEIVE_MS);
        }),
      };
    }
    if (step.advance !== undefined) {
      const advance = () => {
        leap(step.advance);
        vswitch.settle();
      };
      return { ...step, expect: collect(advance) };
    }
    if (step.change) {
      return {
        ...step,
        expect: collect(() => {
          applyChange(vswitch, step.change, device);
          vswitch.settle();
          leap(AFTER_CHANGE_MS);
        }),
      };
    }
    const [command, ...words] = step.appctl;
    vswitch.datapath.onSend = ({ name }, frame) => (early[name] ??= []).push(toHex(frame));
    const text = answer(vswitch, command, words);
    vswitch.datapath.onSend = undefined;
    return { ...step, expect: text };
  });
  vswitch.close();
  return { ...scenario, steps };
}

/**
 * The number that the recorder's datapath, which is one for tests, gives a port: the one in its name, behind 100 for
 * bridges. @param {string} name
 */
function recorderPort(name) {
  const number = Number(/\d+/.exec(name)?.[0] ?? 0) + (name.startsWith('br') ? 100 : 0);
  return /\d/.test(name) && number > 0 && number < 65_535 ? number : undefined;
}

/** What a command prints, with the names that the recorder's datapath, its devices and its thread have. @param {string} text */
function asRecorded(text) {
  return text
    .replaceAll('netdev@', 'dummy@')
    .replaceAll('ovs-netdev', 'ovs-dummy')
    .replaceAll(' (tap)', ' (dummy-internal)')
    .replaceAll(': (tap)', ': (dummy-internal)')
    .replaceAll(': (system)', ': (dummy)')
    .replace(/^ {2}1: \(keys/gm, '  5: (keys')
    .replace(/^( {2}port \d+: [^ \n]+)$/gm, '$1 (dummy)');
}

/**
 * @param {any} config
 * @param {string} name
 */
function isTunnelOrPatch(config, name) {
  return config.bridges.some((/** @type {any} */ bridge) =>
    (bridge.ports ?? []).some(
      (/** @type {any} */ port) => port.name === name && ['vxlan', 'patch'].includes(port.interface?.type),
    ),
  );
}

/**
 * @param {import('megaflow').VSwitch} vswitch
 * @param {string} command
 * @param {string[]} words
 */
function answer(vswitch, command, words) {
  try {
    const named = words.map((word) => word.replace('dummy@', 'netdev@').replace('ovs-dummy', 'ovs-netdev'));
    return asRecorded(appctl(vswitch, command, ...named));
  } catch (error) {
    if (error instanceof MegaflowError && error.code === 'command-failed') return `error: ${error.message}`;
    throw error;
  }
}

/**
 * @param {import('megaflow').VSwitch} vswitch
 * @param {any} change
 * @param {(name: string) => import('megaflow').Port} device
 */
function applyChange(vswitch, change, device) {
  const { bridge, addPort, removePort, setPort, setInterface, set } = change;
  if (addPort) {
    const isDevice = !['vxlan', 'patch'].includes(addPort.interface?.type);
    vswitch.addPort(bridge, { ...addPort, port: isDevice ? device(addPort.name) : undefined });
  } else if (removePort) vswitch.removePort(removePort);
  else if (setPort) {
    const { name, ...columns } = setPort;
    vswitch.setPort(name, columns);
  } else if (setInterface) vswitch.setInterface(setInterface.name, setInterface.options ?? {});
  else if (set) vswitch.setBridge(bridge, set);
}
