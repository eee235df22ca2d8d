/**
 * What is wrong with a switch file, told with the key that it is about: first its shape, then names that refer to others,
 * then what each part says, by making the switch once without devices. Nothing is opened here.
 */
import { parseTunnelOptions } from '../tunnel/options.js';
import { VSwitch } from '../switch/vswitch.js';
import { parseIp, parseMac, parsePrefix } from '../util/address.js';
import { ManualClock } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import type { NicConfig, SwitchFile } from './switch-file.js';
import { checkShape, switchShape, type Shape } from './switch-shape.js';

/** Throws `bad-config`. */
export function refuse(key: string, problem: string, value: unknown, allowed: string, cause?: unknown): never {
  throw new MegaflowError('bad-config', `${key}: ${problem}`, value, allowed, { cause });
}

/** Adds the key to what its parts refuse. */
export function attempt<T>(key: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof MegaflowError)) throw error;
    return refuse(key, error.message, error.value, error.allowed, error);
  }
}

/** Checks what a file holds, as far as that can be without opening anything. Throws `bad-config`. */
export function checkSwitchFile(value: unknown): SwitchFile {
  checkShape(value, switchShape as Shape, '');
  const file = value as SwitchFile;
  const ports = checkNames(file);
  for (const [name, nic] of Object.entries(file.nics ?? {})) checkNic(`nics.${name}`, name, nic, ports);
  checkTexts(file, ports);
  if (file.vxlan !== undefined) {
    const allowed = 'nativeTunnels false, and a port of type vxlan';
    if (file.nativeTunnels !== false) refuse('vxlan', 'native tunnels use no sockets', file.vxlan, allowed);
    if (![...ports.values()].includes('vxlan')) refuse('vxlan', 'there is no tunnel', file.vxlan, allowed);
    file.vxlan.addresses?.forEach((address, at) => attempt(`vxlan.addresses[${at}]`, () => parseIp(address)));
    if (file.vxlan.addresses?.length === 0) refuse('vxlan.addresses', 'is empty', [], 'addresses, or no such key');
  }
  rehearse(file);
  return file;
}

/** The kind of each port, by its name: `bridge` for LOCAL ports. */
type Ports = ReadonlyMap<string, string>;

function checkNames(file: SwitchFile): Ports {
  const ports = new Map<string, string>();
  const add = (key: string, name: string, kind: string): void => {
    if (name === '') refuse(key, 'is empty', name, 'a name');
    if (ports.has(name)) refuse(key, `there is another ${name}`, name, 'a name of its own');
    ports.set(name, kind);
  };
  file.bridges.forEach((bridge, at) => {
    add(`bridges[${at}].name`, bridge.name, 'bridge');
    bridge.ports?.forEach(({ name, interface: { type = 'system' } = {} }, index) =>
      add(`bridges[${at}].ports[${index}].name`, name, type),
    );
  });
  return ports;
}

function checkNic(key: string, name: string, nic: NicConfig, ports: Ports): void {
  const kind = ports.get(name);
  if (kind === undefined) refuse(key, `there is no port or bridge ${name}`, name, [...ports.keys()].join(', '));
  if (kind === 'vxlan' || kind === 'patch')
    refuse(key, `a ${kind} port has no device`, name, 'a bridge, or a port of type system');
  if (nic.type === 'host' && kind !== 'bridge') {
    const bridges = [...ports].filter(([, other]) => other === 'bridge').map(([bridge]) => bridge);
    refuse(key, 'a host stands behind a bridge', name, bridges.join(', '));
  }
  const one = nic.type === 'qemu' ? ['listen', 'connect'] : nic.type === 'macvtap' ? ['path', 'descriptor'] : [];
  const given = one.filter((option) => option in nic);
  if (one.length > 0 && given.length !== 1)
    refuse(key, `${given.length === 0 ? 'neither' : 'both'} of ${one.join(', ')}`, nic, 'one of them');
  if (nic.type === 'pcap') {
    const { read, write, pace, rotateBytes, files } = nic;
    if (read === undefined && write === undefined) refuse(key, 'neither of read, write', nic, 'one or both');
    if (read === undefined && pace !== undefined) refuse(`${key}.pace`, 'nothing is read', pace, 'read');
    if (typeof pace === 'number' && !(pace > 0)) refuse(`${key}.pace`, `cannot be ${pace}`, pace, 'a number above 0');
    if (write === undefined && rotateBytes !== undefined)
      refuse(`${key}.rotateBytes`, 'nothing is written', rotateBytes, 'write');
    if (rotateBytes === undefined && files !== undefined)
      refuse(`${key}.files`, 'only one is written', files, 'rotateBytes');
  }
}

/** Addresses, and the options of tunnels. */
function checkTexts(file: SwitchFile, ports: Ports): void {
  file.bridges.forEach((bridge, at) => {
    attempt(`bridges[${at}].mac`, () => parseMac(bridge.mac));
    bridge.ports?.forEach(({ name, mac, interface: { type, options } = {} }, index) => {
      const key = `bridges[${at}].ports[${index}]`;
      if (mac !== undefined) attempt(`${key}.mac`, () => parseMac(mac));
      if (type === 'vxlan') attempt(`${key}.interface.options`, () => parseTunnelOptions(name, options ?? {}));
    });
  });
  const device = (key: string, dev: string): void => {
    if (!ports.has(dev)) refuse(`${key}.dev`, `there is no port ${dev}`, dev, [...ports.keys()].join(', '));
  };
  file.addresses?.forEach(({ dev, ip }, at) => {
    device(`addresses[${at}]`, dev);
    attempt(`addresses[${at}].ip`, () => parsePrefix(ip));
  });
  file.routes?.forEach(({ dev, prefix, gateway }, at) => {
    device(`routes[${at}]`, dev);
    attempt(`routes[${at}].prefix`, () => parsePrefix(prefix));
    if (gateway !== undefined) attempt(`routes[${at}].gateway`, () => parseIp(gateway));
  });
  file.neighbors?.forEach(({ bridge, ip, mac }, at) => {
    const key = `neighbors[${at}]`;
    if (ports.get(bridge) !== 'bridge') refuse(`${key}.bridge`, `there is no bridge ${bridge}`, bridge, 'a bridge');
    attempt(`${key}.ip`, () => parseIp(ip));
    attempt(`${key}.mac`, () => parseMac(mac));
  });
}

/** Makes the switch without its devices, part by part, so that what one of them is refused for has its key. */
function rehearse(file: SwitchFile): void {
  const create = (): VSwitch =>
    new VSwitch({ nativeTunnels: file.nativeTunnels, clock: new ManualClock(), poolOptions: { slots: 64 } });
  using vswitch = create();
  file.bridges.forEach((bridge, at) => {
    const key = `bridges[${at}]`;
    const { name, mac, otherConfig, floodVlans, ports = [], mirrors = [], groups = [], openflow = [] } = bridge;
    const bare = { name, mac, floodVlans, openflow: [] };
    attempt(`${key}.otherConfig`, () => vswitch.addBridge({ ...bare, otherConfig }));
    // What is about one column of a port has been checked; what is left is about others: a number or a tunnel twice.
    ports.forEach((port, index) => attempt(`${key}.ports[${index}].interface`, () => vswitch.addPort(name, port)));
    mirrors.forEach((_, index) =>
      attempt(`${key}.mirrors[${index}]`, () => vswitch.setBridge(name, { mirrors: mirrors.slice(0, index + 1) })),
    );
    groups.forEach((_, index) => {
      using other = create();
      const first = { ...bare, ports, groups: groups.slice(0, index + 1) };
      attempt(`${key}.groups[${index}]`, () => other.addBridge(first));
    });
    openflow.forEach((flow, index) => attempt(`${key}.openflow[${index}]`, () => vswitch.addFlow(name, flow)));
  });
  file.addresses?.forEach(({ dev, ip }, at) => attempt(`addresses[${at}]`, () => vswitch.addAddress(dev, ip)));
  file.routes?.forEach(({ prefix, dev, gateway }, at) =>
    attempt(`routes[${at}]`, () => vswitch.addRoute(prefix, dev, gateway)),
  );
  file.neighbors?.forEach(({ bridge, ip, mac }, at) =>
    attempt(`neighbors[${at}]`, () => vswitch.setNeighbour(bridge, ip, mac)),
  );
}
