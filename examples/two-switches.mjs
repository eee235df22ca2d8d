// Two switches joined by a VXLAN tunnel, in one process and in real time: hosts behind them ping each other.
//
//     npm run --silent example -- two-switches
//
// @ts-check
import { VSwitch, createIpHost, createLink, dumpFlows, systemClock as clock } from 'megaflow';

// A cable between the two machines: what one end sends, the other receives.
const [end1, end2] = createLink({ names: ['ens8', 'ens8'] });

/** @type {(number: number, peer: number, ens8: import('megaflow').Port) => { vswitch: VSwitch, host: import('megaflow').IpHost }} */
function createMachine(number, peer, ens8) {
  // What an operating system would be: a host behind br0, and one that owns the underlay's address behind br1.
  const overlay = `1.1.1.${number}/24`;
  const underlay = `10.10.10.${number}/24`;
  const host = createIpHost({ clock, name: 'br0', mac: `02:00:00:00:00:0${number}`, addresses: [overlay], mtu: 1450 });
  const router = createIpHost({ clock, name: 'br1', mac: `02:00:00:00:01:0${number}`, addresses: [underlay] });

  const vswitch = new VSwitch({ clock });
  const options = { remote_ip: `10.10.10.${peer}`, key: '42' };
  vswitch.addBridge({
    name: 'br0',
    mac: host.mac,
    local: host,
    ports: [{ name: 'vxlan1', interface: { type: 'vxlan', options } }],
  });
  vswitch.addBridge({ name: 'br1', mac: router.mac, local: router, ports: [{ name: 'ens8', port: ens8 }] });
  vswitch.addAddress('br1', underlay);
  return { vswitch, host };
}

const left = createMachine(1, 2, end1);
const right = createMachine(2, 1, end2);

// The first round trip takes a second: as in Open vSwitch, a tunnel drops what it is given until the next hop's MAC is
// known, and the host asks again after a second.
const { lines } = await left.host.ping('1.1.1.2', { count: 3 });
console.log(lines.join('\n'));
console.log(`\n${dumpFlows(left.vswitch, { names: true })}`);

left.vswitch.close();
right.vswitch.close();
