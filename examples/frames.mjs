// Frames without a switch: a port of megaflow/node as something to loop over.
//
//     npm run --silent example -- frames
//
// @ts-check
import { buildFrame, printFrame } from 'megaflow';
import { openFrames, openUdpPort } from 'megaflow/node';

// Each frame is a datagram: `socat TUN,tun-type=tap,iff-no-pi,up UDP:127.0.0.1:PORT` would make a TAP device of it.
const here = await openUdpPort({ name: 'here', bind: '127.0.0.1:0' });
const there = await openUdpPort({ name: 'there', bind: '127.0.0.1:0', to: here.address });

const [received, sent] = [openFrames(here), openFrames(there)];
for (const sequence of [1, 2, 3]) {
  const ends = { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' };
  const ping = /** @type {const} */ ({ type: 'icmp', icmpType: 8, identifier: 1, sequence });
  sent.send(
    buildFrame([{ type: 'ethernet', ...ends }, { type: 'ipv4', source: '1.1.1.1', destination: '1.1.1.2' }, ping]),
  );
}
let left = 3;
for await (const { frame } of received) {
  console.log(printFrame(frame));
  if (--left === 0) break;
}
await Promise.all([here.close(), there.close()]);
