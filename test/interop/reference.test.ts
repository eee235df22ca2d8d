// Proofs 2, 3 and 4: the reference topology, with megaflow on one side or on both. Proof 6 for them.
import { afterEach, describe, expect, it } from 'vitest';
import { createLab, dissect, ping, sendMegabyte, until, whyNot, type Lab } from './lab.js';
import { exchanged, flowsOf, makeMachines, PORT, startKernel, startMegaflow, startOpenVSwitch } from './reference.js';

const programs = ['ip', 'ethtool', 'ping', 'socat', 'ss', 'tcpdump', 'tshark'];
const skip = whyNot('the reference topology (proofs 3 and 4)', programs) !== undefined;
const skipOpenVSwitch =
  whyNot('against Open vSwitch (proof 2)', [...programs, 'ovs-vswitchd', 'ovsdb-server', 'ovs-appctl']) !== undefined;

let lab: Lab | undefined;
afterEach(async () => {
  await lab?.close();
  lab = undefined;
});

/** Each side pings the other, and sends it a megabyte; what passed the wire is sound. */
async function prove(lab: Lab, machines: readonly [string, string], endCapture: () => Promise<string>): Promise<void> {
  await ping(lab, machines[0], '1.1.1.2');
  await ping(lab, machines[1], '1.1.1.1', '-s 1400');
  expect(await sendMegabyte(lab, machines[0], machines[1], '1.1.1.2')).toBe(true);
  expect(await sendMegabyte(lab, machines[1], machines[0], '1.1.1.1')).toBe(true);
  const { frames, bad } = dissect(await endCapture(), PORT);
  expect(bad).toEqual([]);
  expect(frames).toBeGreaterThan(1000);
}

describe.skipIf(skipOpenVSwitch)('native tunnels and Open vSwitch', () => {
  it('reach each other, and their flows agree, addresses exchanged', async () => {
    lab = createLab();
    const machines = makeMachines(lab);
    const endCapture = await lab.capture(machines[0], 'ens8');
    const theirs = await startOpenVSwitch(lab, machines[0], 1);
    const ours = await startMegaflow(lab, machines[1], 2, 'native');
    await ping(lab, machines[0], '1.1.1.2');
    await ping(lab, machines[1], '1.1.1.1');

    // Each knows the other's underlay address by ARP.
    expect(theirs.appctl('tnl/neigh/show')).toMatch(/10\.10\.10\.2 +aa:55:00:00:01:02 +br1/);
    expect(ours.appctl('tnl/neigh/show')).toMatch(/10\.10\.10\.1 +aa:55:00:00:01:01 +br1/);

    // Flows of the beginning are gone after ten seconds without use; then both sides see the same, and nothing else.
    await until(
      'flows are gone',
      () => flowsOf(ours.appctl('dpctl/dump-flows')).length + flowsOf(theirs.appctl('dpctl/dump-flows')).length === 0,
      40_000,
    );
    for (const [from, to] of [
      [machines[0], '1.1.1.2'],
      [machines[1], '1.1.1.1'],
    ]) {
      await lab.run(from, `ip neigh flush all && ping -n -c 5 -i 0.1 ${to}`);
    }
    const [left, right] = [theirs, ours].map(({ appctl }) => flowsOf(appctl('dpctl/dump-flows')));
    console.info(`${left.length} flows on Open vSwitch's side, ${right.length} on ours`);
    expect(exchanged(right)).toEqual(left);
    // IPv4 both ways, in three passes: out, in to the tunnel, out of the tunnel.
    expect(left.filter((line) => line.includes('eth_type(0x0800)')).length).toBeGreaterThanOrEqual(3);

    await prove(lab, machines, endCapture);
    expect(await ours.stop()).toBe(0);
  });
});

describe.skipIf(skip)('native tunnels', () => {
  it('reach the kernel’s vxlan device', async () => {
    lab = createLab();
    const machines = makeMachines(lab);
    const endCapture = await lab.capture(machines[0], 'ens8');
    startKernel(lab, machines[0], 1);
    const ours = await startMegaflow(lab, machines[1], 2, 'native');
    await prove(lab, machines, endCapture);
    expect(await ours.stop()).toBe(0);
  });

  it('reach a flow-based switch', async () => {
    lab = createLab();
    const machines = makeMachines(lab);
    const endCapture = await lab.capture(machines[0], 'ens8');
    const left = await startMegaflow(lab, machines[0], 1, 'flow-based');
    const right = await startMegaflow(lab, machines[1], 2, 'native');
    await prove(lab, machines, endCapture);
    for (const { stop } of [left, right]) expect(await stop('SIGINT')).toBe(0);
    expect(left.text()).toMatch(/vxlan_sys_8472: rx \d{3,} frames/);
    expect(right.text()).toMatch(/ens8: rx \d{3,} frames/);
  });
});
