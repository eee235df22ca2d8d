// TAP both ways that Node has to it: a descriptor that a helper opened and handed over (examples/tap.py), and a bridge of
// socat's that makes a datagram of each frame. Beside the proofs of the ports; proof 6 for them.
//
//     A: tap0 ─ descriptor 10 ─ megaflow ─ UDP ═══ ens8 ═══ socat ─ tap1 :B

import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { createLab, dissect, ping, sendMegabyte, until, whyNot, type Lab } from './lab.js';

const programs = ['ip', 'ethtool', 'ping', 'socat', 'ss', 'tcpdump', 'tshark', 'python3'];
const skip = whyNot('TAP devices', programs) !== undefined;
const helper = fileURLToPath(new URL('../../examples/tap.py', import.meta.url));

let lab: Lab | undefined;
afterEach(async () => {
  await lab?.close();
  lab = undefined;
});

describe.skipIf(skip)('TAP', () => {
  it('is inherited from a helper, or bridged by socat, and carries what others send', async () => {
    lab = createLab();
    const [a, b] = [lab.namespace('a'), lab.namespace('b')];
    lab.cable(
      [
        [a, 'ens8'],
        [b, 'ens8'],
      ],
      { addresses: ['10.0.0.1/24', '10.0.0.2/24'] },
    );
    const ours = await lab.megaflow(
      a,
      {
        bridges: [{ name: 'br0', mac: '02:00:00:00:00:01', ports: [{ name: 'p1' }, { name: 'p2' }] }],
        addresses: [{ dev: 'br0', ip: '1.1.1.9/24' }],
        nics: {
          br0: { type: 'host' },
          p1: { type: 'macvtap', descriptor: 10 },
          p2: { type: 'udp', bind: '10.0.0.1:7000', to: '10.0.0.2:7000' },
        },
      },
      ['python3', helper, 'tap0'],
    );
    lab.sh(a, 'ip link set tap0 up && ip address add 1.1.1.1/24 dev tap0');
    const bridge = ['socat', 'TUN:1.1.1.2/24,tun-type=tap,tun-name=tap1,iff-no-pi,up', 'UDP:10.0.0.1:7000,bind=:7000'];
    lab.start(b, bridge);
    await until('socat has made its device', () => lab?.sh(b, 'ip -br link').includes('tap1') === true);
    // The datagram of a full frame would not fit the cable.
    for (const [namespace, device] of [
      [a, 'tap0'],
      [b, 'tap1'],
    ])
      lab.sh(namespace, `ip link set ${device} mtu 1450`);
    const endCapture = await lab.capture(b, 'tap1');

    await ping(lab, a, '1.1.1.9');
    await ping(lab, a, '1.1.1.2', '-s 1400');
    await ping(lab, b, '1.1.1.1', '-s 4000');
    await ping(lab, b, '1.1.1.9');
    expect(await sendMegabyte(lab, a, b, '1.1.1.2')).toBe(true);
    expect(await sendMegabyte(lab, b, a, '1.1.1.1')).toBe(true);
    const { frames, bad } = dissect(await endCapture());
    expect(bad).toEqual([]);
    expect(frames).toBeGreaterThan(1000);

    // Down and up again; then it is gone, and the port says so.
    lab.sh(a, 'ip link set tap0 down');
    await lab.run(a, 'ping -n -c 2 -i 0.1 -W 1 1.1.1.2 || true');
    lab.sh(a, 'ip link set tap0 up');
    await ping(lab, a, '1.1.1.2');
    lab.sh(a, 'ip link del tap0');
    await ours.until('p1: cannot read descriptor 10: the device is gone');
    await ping(lab, b, '1.1.1.9');
    expect(await ours.stop()).toBe(0);
    expect(ours.text()).toMatch(/p1: rx \d{3,} frames, \d+ bytes, drops: [^;]*; tx \d{3,} frames/);
  });
});
