// A datapath with a slow path of one's own: a hub of three ports that lets no Telnet pass. It shows what an upcall handler
// decides (mask and actions), the megaflows that come of it, and that the handler is asked once for each kind of packet.
//
//     npm run --silent example -- custom-upcall
//
// @ts-check
import {
  Datapath,
  buildFrame,
  createFunctionPort,
  createMatch,
  formatActions,
  formatFlow,
  formatFlowInfo,
  getField,
  setExact,
} from 'megaflow';

/** Ethernet types of IPv4 and IPv6. */
const IP = [0x0800, 0x86dd];
const TCP = 6;
const TELNET = 23;

/**
 * The slow path. What it looks at, it says in the mask: the megaflow then serves all packets that agree there.
 * @type {import('megaflow').UpcallHandler}
 */
function upcall(_packet, key) {
  const { mask } = createMatch();
  /** @type {import('megaflow').FieldName[]} */
  const looked = ['inPort', 'ethType', 'ipProto'];
  // `tpDst` means nothing unless this is TCP; other packets need not be told apart by it.
  const isTcp = IP.includes(getField(key, 'ethType')) && getField(key, 'ipProto') === TCP;
  if (isTcp) looked.push('tpDst');
  for (const field of looked) setExact(mask, field);

  /** @type {import('megaflow').Action[]} */
  const actions = [];
  if (!isTcp || getField(key, 'tpDst') !== TELNET) {
    for (const { number } of datapath.ports()) {
      if (number !== getField(key, 'inPort')) actions.push({ type: 'output', port: number });
    }
  }
  console.log(`upcall: ${formatFlow({ key, mask })}, actions:${formatActions(actions)}`);
  return { mask, actions };
}

const datapath = new Datapath({ upcall });
/** @type {Record<string, number>} */
const received = {};
const [p1] = ['p1', 'p2', 'p3'].map((name) => {
  const hosted = createFunctionPort({ name, send: () => (received[name] = (received[name] ?? 0) + 1) });
  datapath.addPort(hosted.port);
  return hosted;
});

/** @type {(protocol: 'tcp' | 'udp', destinationPort: number) => Uint8Array} */
const makeFrame = (protocol, destinationPort) =>
  buildFrame([
    { type: 'ethernet', source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' },
    { type: 'ipv4', source: '10.0.0.1', destination: '10.0.0.2' },
    { type: protocol, sourcePort: 40000, destinationPort },
  ]);

for (let round = 0; round < 3; round++) {
  p1.receive(makeFrame('tcp', 80));
  p1.receive(makeFrame('tcp', TELNET));
  p1.receive(makeFrame('udp', 53 + round));
}
// Ports only queue. The datapath takes its turn by itself, after this script's; `poll` has it done now.
datapath.poll();

console.log('\nframes that left:', received);
console.log('statistics:', datapath.statistics(), '\n');
for (const number of datapath.flowNumbers()) {
  console.log(formatFlowInfo(datapath.flow(number), datapath.clock.now()));
}
datapath.close();
