// Proof 7: what goes wrong in networks, and that traffic goes on afterwards, with counters that say what was lost.
//
//     A: a megaflow process, native or flow-based ════ ens8 ════ B: the kernel's vxlan device, or a megaflow process
//                                                        ║
//                                                        C: a third host, on the same wire
import { afterEach, describe, expect, it } from 'vitest';
import { createLab, ping, whyNot, type Lab } from './lab.js';
import { overlayMac, PORT, startKernel, startMegaflow } from './reference.js';

const skip = whyNot('faults (proof 7)', ['ip', 'ethtool', 'ping', 'ovs-appctl']) !== undefined;

let lab: Lab | undefined;
afterEach(async () => {
  await lab?.close();
  lab = undefined;
});

/** Three machines on one wire: a bridge of the kernel's, in a namespace of its own, which knows no faults. */
function makeThree(lab: Lab): [string, string, string, string] {
  const wire = lab.namespace('w');
  lab.sh(wire, 'ip link add wire type bridge && ip link set wire up');
  const machines = ['a', 'b', 'c'].map((name, index) => {
    const machine = lab.namespace(name);
    lab.cable([
      [machine, 'ens8'],
      [wire, `w${index}`],
    ]);
    lab.sh(wire, `ip link set w${index} master wire`);
    return machine;
  });
  return [machines[0], machines[1], machines[2], wire];
}

/** How many frames a device says at the end that it received or sent. */
const framesOf = (text: string, device: string, side: 'rx' | 'tx'): number =>
  Number(new RegExp(`^${device}: .*${side} (\\d+) frames`, 'm').exec(text)?.[1]);

/** One of the kernel's counters of UDP in a namespace (udp(7)). */
function udpCounter(lab: Lab, namespace: string, name: 'InErrors' | 'RcvbufErrors'): number {
  const [names, values] = lab.sh(namespace, "grep '^Udp:' /proc/net/snmp").split('\n');
  return Number(values.split(' ')[names.split(' ').indexOf(name)]);
}

/** A drop counter of a device, as `describe` prints them at the end. */
function drops(text: string, device: string, side: 'rx' | 'tx', reason: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${device}: rx `)) ?? '';
  const part = line.split('; tx ')[side === 'rx' ? 0 : 1] ?? '';
  return Number(new RegExp(`${reason} (\\d+)`).exec(part)?.[1] ?? 0);
}

/** Node's own datagrams, sent from a namespace: hostile ones of all kinds, VXLAN and not, from 64 ports. */
const hostile = (count: number, address: string): string => `
  const { createSocket } = require('node:dgram');
  let seed = 12345;
  const random = (most) => { seed = (Math.imul(seed, 1103515245) + 12345) >>> 0; return Math.floor(seed / 2 ** 32 * most); };
  const sockets = Array.from({ length: 64 }, () => createSocket({ type: 'udp4', lookup: (host, options, callback) => callback(null, host, 4) }));
  let sent = 0;
  const turn = () => {
    for (let index = 0; index < 100 && sent < ${count}; index++, sent++) {
      const bytes = Buffer.alloc(random(200));
      for (let at = 0; at < bytes.length; at++) bytes[at] = random(256);
      // Every other one looks like VXLAN: a good header, and anything behind it.
      if (random(2) && bytes.length > 8) bytes.write('0800000000000' + random(8) + '00', 'hex');
      sockets[random(64)].send(bytes, ${PORT}, '${address}');
    }
    if (sent < ${count}) setTimeout(turn, 1);
    else setTimeout(() => process.exit(0), 200);
  };
  Promise.all(sockets.map((socket) => new Promise((resolve) => socket.bind(0, resolve)))).then(turn);
`;

describe.skipIf(skip)('faults', () => {
  it('of the native way are got over: peer, NIC, MAC of the underlay', async () => {
    lab = createLab();
    const [a, b, , wire] = makeThree(lab);
    startKernel(lab, b, 2);
    const ours = await startMegaflow(lab, a, 1, 'native');
    await ping(lab, a, '1.1.1.2');

    // The peer is gone for a while, and another one in its place.
    lab.sh(b, 'ip link del br0');
    expect(await lab.run(a, 'ping -n -c 3 -i 0.1 -W 1 1.1.1.2 || true')).toContain(' 0 received');
    lab.sh(b, 'ip address flush dev ens8');
    startKernel(lab, b, 2);
    await ping(lab, a, '1.1.1.2');

    // The NIC's other end goes down, then the NIC itself. macvtap takes what is sent meanwhile, and the kernel counts that.
    lab.sh(wire, 'ip link set w0 down');
    await lab.run(a, 'ping -n -c 2 -i 0.1 -W 1 1.1.1.2 || true');
    lab.sh(wire, 'ip link set w0 up');
    await ping(lab, a, '1.1.1.2');
    const dropped = (): number =>
      Number(
        lab?.sh(
          a,
          "cat /sys/class/net/$(ip -o link show type macvtap | grep -o 'mt[0-9]*@ens8' | cut -d@ -f1)/statistics/tx_dropped",
        ),
      );
    const before = dropped();
    lab.sh(a, 'ip link set ens8 down');
    await lab.run(a, 'ping -n -c 5 -i 0.1 -W 1 1.1.1.2 || true');
    expect(dropped() - before).toBeGreaterThanOrEqual(5);
    lab.sh(a, 'ip link set ens8 up');
    await ping(lab, a, '1.1.1.2');

    // Another MAC at the same address. As Open vSwitch, the switch learns it from a gratuitous ARP (which Linux sends when
    // it is told to), or from what comes through the tunnel; an ordinary ARP request tells it nothing.
    const change = (mac: string): string => lab?.sh(b, `ip link set ens8 address ${mac}`) ?? '';
    lab.sh(b, 'echo 1 > /proc/sys/net/ipv4/conf/ens8/arp_notify');
    change('aa:55:00:00:07:07');
    await ping(lab, a, '1.1.1.2');
    expect(ours.appctl('tnl/neigh/show')).toContain('aa:55:00:00:07:07');
    lab.sh(b, 'echo 0 > /proc/sys/net/ipv4/conf/ens8/arp_notify');
    change('aa:55:00:00:08:08');
    await ping(lab, b, '1.1.1.1');
    await ping(lab, a, '1.1.1.2');
    expect(ours.appctl('tnl/neigh/show')).toContain('aa:55:00:00:08:08');

    // The NIC is taken away altogether: the port says so and closes, and the switch goes on without it.
    lab.sh(a, "ip link del $(ip -o link show type macvtap | grep -o 'mt[0-9]*@ens8' | cut -d@ -f1)");
    expect(await lab.run(a, 'ping -n -c 15 -i 0.1 -W 1 1.1.1.2 || true')).toContain(' 0 received');
    expect(ours.appctl('dpctl/show')).toContain('ens8');
    expect(await ours.stop()).toBe(0);
    expect(drops(ours.text(), 'ens8', 'tx', 'port-closed')).toBeGreaterThan(0);
  });

  it('of the flow-based way are got over: a peer that is killed, hostile datagrams', async () => {
    lab = createLab();
    const [a, b, c] = makeThree(lab);
    lab.sh(c, 'ip address add 10.10.10.3/24 dev ens8');
    const ours = await startMegaflow(lab, a, 1, 'flow-based');
    const theirs = await startMegaflow(lab, b, 2, 'flow-based');
    await ping(lab, a, '1.1.1.2');

    // 100,000 datagrams of a third host: none of them reaches the switch, and those that the socket took are counted.
    const memory = ours.memory();
    await lab.run(c, `node -e "${hostile(100_000, '10.10.10.1').replace(/"/g, '\\"').replace(/\$/g, '\\$')}"`);
    const lost = udpCounter(lab, a, 'RcvbufErrors');
    await ping(lab, a, '1.1.1.2');
    expect(ours.memory() - memory).toBeLessThan(64e6);

    // A peer that is killed, and comes again with what the first left behind.
    await theirs.stop('SIGKILL');
    expect(await lab.run(a, 'ping -n -c 3 -i 0.1 -W 1 1.1.1.2 || true')).toContain(' 0 received');
    lab.sh(b, 'ip link del l0; ip address flush dev ens8');
    const again = await startMegaflow(lab, b, 2, 'flow-based');
    await ping(lab, a, '1.1.1.2');

    expect(await ours.stop()).toBe(0);
    expect(await again.stop()).toBe(0);
    const counted = drops(ours.text(), 'vxlan_sys_8472', 'rx', 'unknown-remote');
    // Those that the socket's buffer had no room for, the kernel counts.
    expect(counted + lost).toBeGreaterThanOrEqual(100_000);
    expect(counted).toBeLessThanOrEqual(100_000);
  });

  it('are counted to the last frame, where a socket’s buffer is full', async () => {
    lab = createLab();
    const [a, b] = makeThree(lab);
    const ours = await startMegaflow(lab, a, 1, 'flow-based');
    const theirs = await startMegaflow(lab, b, 2, 'flow-based');
    await ping(lab, a, '1.1.1.2');
    // The peer stands still: its socket takes what its buffer holds, and no more.
    theirs.process.kill('SIGSTOP');
    lab.sh(a, `ip neigh replace 1.1.1.2 lladdr ${overlayMac(2)} dev l0 nud permanent`);
    const send = `
      const socket = require('node:dgram').createSocket('udp4');
      let sent = 0;
      const turn = () => {
        for (let index = 0; index < 50; index++, sent++) socket.send(Buffer.alloc(1300), 9, '1.1.1.2');
        if (sent < 9000) setTimeout(turn, 1);
        else setTimeout(() => socket.close(), 200);
      };
      turn();`;
    await lab.run(a, `node -e "${send}"`);
    theirs.process.kill('SIGCONT');
    await ping(lab, a, '1.1.1.2');
    await ping(lab, b, '1.1.1.1');
    for (const { stop } of [ours, theirs]) expect(await stop()).toBe(0);
    const lost = udpCounter(lab, b, 'RcvbufErrors');
    expect(lost).toBeGreaterThan(1000);
    const device = `vxlan_sys_${PORT}`;
    expect(framesOf(theirs.text(), device, 'rx') + lost).toBe(framesOf(ours.text(), device, 'tx'));
    expect(framesOf(theirs.text(), device, 'tx')).toBe(framesOf(ours.text(), device, 'rx'));
    const clean = new RegExp(`^${device}: rx .*drops: none; tx .*drops: none$`, 'm');
    for (const { text } of [ours, theirs]) expect(text()).toMatch(clean);
  });

  it.each(['native', 'flow-based'] as const)(
    'do not make memory grow, over what is five minutes’ worth of packets at 1000 a second: %s',
    async (way) => {
      lab = createLab();
      const [a, b] = makeThree(lab);
      startKernel(lab, b, 2);
      const ours = await startMegaflow(lab, a, 1, way);
      await ping(lab, a, '1.1.1.2');
      // 300,000 packets, out and back: echoes of a flood ping that keeps 100 on their way.
      const sizes: number[] = [];
      for (let round = 0; round < 10; round++) {
        const text = await lab.run(a, 'ping -n -q -f -l 100 -c 15000 1.1.1.2');
        expect(Number(/(\d+) received/.exec(text)?.[1])).toBeGreaterThan(14_000);
        sizes.push(ours.memory());
      }
      console.info(`resident memory in MB: ${sizes.map((size) => Math.round(size / 1e6)).join(', ')}`);
      // The first third warms up; after it there is no growth beyond what a garbage collector leaves to chance.
      const early = Math.max(...sizes.slice(2, 5));
      expect(Math.min(...sizes.slice(7))).toBeLessThan(early + 16e6);
      expect(await ours.stop()).toBe(0);
      const device = way === 'native' ? 'ens8' : `vxlan_sys_${PORT}`;
      for (const side of ['rx', 'tx'] as const) expect(framesOf(ours.text(), device, side)).toBeGreaterThan(140_000);
    },
  );
});
