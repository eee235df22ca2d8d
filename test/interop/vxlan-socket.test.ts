// Proof 1: the kernel's `vxlan` devices and the VXLAN socket of a flow-based switch, over IPv4 and IPv6. Proof 6 for it.
//
//     H: h1..h4, h6 ══ macvtap ─ megaflow (M) ─ UDP ─ u0 ════ u0 ─ vx1..vx4, vx6 (K)
//
// VNI 4 has the underlay's own MTU, so that full frames travel in outer fragments.
//
// H's devices keep their offloads on: what comes through macvtap has partial checksums and frames of many segments.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLab, dissect, ping, sendMegabyte, whyNot, type Lab } from './lab.js';

const programs = ['ip', 'ethtool', 'ping', 'socat', 'ss', 'tcpdump', 'tshark'];
const skip = whyNot('the VXLAN socket against the kernel (proof 1)', programs) !== undefined;

describe.skipIf(skip)('a VXLAN socket and the kernel', () => {
  let lab: Lab;
  let [hosts, machine, kernel] = ['', '', ''];
  let endCapture: () => Promise<string>;
  let running: Awaited<ReturnType<Lab['megaflow']>>;
  const tunnels = [1, 2, 3, 4, 6];

  beforeAll(async () => {
    lab = createLab();
    [hosts, machine, kernel] = ['h', 'm', 'k'].map((name) => lab.namespace(name, { ipv6: true }));
    lab.cable(
      [
        [machine, 'u0'],
        [kernel, 'u0'],
      ],
      { addresses: ['10.10.10.1/24', '10.10.10.2/24'] },
    );
    lab.sh(machine, 'ip address add fd00::1/64 dev u0 nodad');
    lab.sh(kernel, 'ip address add fd00::2/64 dev u0 nodad');
    const nics: Record<string, unknown> = {};
    const bridges = tunnels.map((vni) => {
      lab.cable(
        [
          [hosts, `h${vni}`],
          [machine, `l${vni}`],
        ],
        { offloads: true, addresses: [`1.1.${vni}.1/24`] },
      );
      nics[`p${vni}`] = { type: 'macvtap', path: lab.macvtap(machine, `l${vni}`) };
      const [local, remote] = vni === 6 ? ['fd00::1', 'fd00::2'] : ['10.10.10.1', '10.10.10.2'];
      lab.sh(kernel, `ip link add vx${vni} type vxlan id ${vni} local ${remote} remote ${local} dstport 4789`);
      // What fits the underlay (1500 less 50 or 70 bytes). Left at 1500, the kernel's device over IPv6 drops the first
      // packet that does not fit, and learns the path's MTU from it (tx_errors, and `mtu 1430` in `ip route get`).
      lab.sh(kernel, `ip link set vx${vni} mtu ${{ 4: 1500, 6: 1430 }[vni] ?? 1450}`);
      lab.sh(kernel, `ip link set vx${vni} up && ip address add 1.1.${vni}.2/24 dev vx${vni}`);
      const options = { remote_ip: remote, key: String(vni) };
      return {
        name: `br${vni}`,
        mac: `aa:55:00:00:0${vni}:00`,
        ports: [{ name: `p${vni}` }, { name: `vxlan${vni}`, interface: { type: 'vxlan', options } }],
      };
    });
    running = await lab.megaflow(machine, { nativeTunnels: false, bridges, nics });
    endCapture = await lab.capture(kernel, 'u0');
  });
  afterAll(() => lab?.close());

  it('ping one another in three VNIs at once and over IPv6, with payloads of 1400 bytes and with fragments', async () => {
    await Promise.all(tunnels.map((vni) => ping(lab, hosts, `1.1.${vni}.2`)));
    for (const size of [1400, 4000]) {
      await Promise.all(tunnels.map((vni) => ping(lab, hosts, `1.1.${vni}.2`, `-s ${size}`)));
      await Promise.all(tunnels.map((vni) => ping(lab, kernel, `1.1.${vni}.1`, `-s ${size}`)));
    }
  });

  it('send in fragments what does not fit the underlay, and put them together', async () => {
    const fragments = (namespace: string, which: 'FragCreates' | 'ReasmOKs'): number => {
      const [names, values] = lab.sh(namespace, "grep '^Ip:' /proc/net/snmp").split('\n');
      return Number(values.split(' ')[names.split(' ').indexOf(which)]);
    };
    const count = () =>
      [machine, kernel].map((namespace) => [fragments(namespace, 'FragCreates'), fragments(namespace, 'ReasmOKs')]);
    const before = count();
    // Otherwise the kernel's device tells the kernel's stack to send less.
    lab.sh(kernel, 'ip route change 1.1.4.0/24 dev vx4 src 1.1.4.2 mtu lock 1500');
    await ping(lab, hosts, '1.1.4.2', '-s 1472 -M do');
    await ping(lab, kernel, '1.1.4.1', '-s 1472 -M do');
    // Two fragments and one frame of them for each of ten echoes, on either side: requests here, replies there.
    expect(count().flatMap((counts, at) => counts.map((value, which) => value - before[at][which]))).toEqual([
      20, 10, 20, 10,
    ]);
  });

  it('carry a megabyte over TCP both ways', async () => {
    for (const vni of [1, 6]) {
      expect(await sendMegabyte(lab, hosts, kernel, `1.1.${vni}.2`)).toBe(true);
      expect(await sendMegabyte(lab, kernel, hosts, `1.1.${vni}.1`)).toBe(true);
    }
  });

  it('put sound frames on the wire (proof 6), and the counters tell what passed', async () => {
    const { frames, bad } = dissect(await endCapture());
    expect(bad).toEqual([]);
    expect(frames).toBeGreaterThan(2000);
    expect(await running.stop()).toBe(0);
    const counters = running.text();
    expect(counters).toMatch(
      /vxlan_sys_4789: rx \d{3,} frames, \d+ bytes, drops: none; tx \d{3,} frames, \d+ bytes, drops: none/,
    );
    // What sockets cannot carry is counted: a flow-based tunnel asks for DF, and over IPv4 for no checksum.
    expect(counters).toMatch(/vxlan_sys_4789: sent without their TOS 0, DF \d{3,}, with a UDP checksum \d{3,}$/m);
  });
});
