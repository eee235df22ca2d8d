/**
 * A port over UDP: one frame a datagram, nothing around it. It is what `socat` makes of a TAP device
 * (`socat TUN,tun-type=tap,iff-no-pi,up UDP:HOST:PORT`), what QEMU's `-netdev dgram` speaks (and its older
 * `-netdev socket,udp=`), and the plainest way between two processes. No encryption, no order, no repetition; names are
 * looked up once, when the port is opened.
 */
import { Reason } from '../util/reason.js';
import { PortCounters } from '../io/port.js';
import { checkMtu, ETHERNET_HEADER, fitsMtu, VLAN_TAG } from '../io/queue.js';
import { bindSocket, closeSocket, DatagramSender } from './datagram.js';
import { formatEndpoint, parseInternetEndpoint, resolveEndpoint } from './endpoint.js';
import { createIntake } from './intake.js';
import { createLifecycle, type NodePort, type NodePortOptions } from './node-port.js';

export interface UdpPortOptions extends NodePortOptions {
  /** `HOST:PORT` of this machine to receive on; port 0 lets the system choose, an empty host is any IPv4 address. */
  bind: string;
  /**
   * `HOST:PORT` to send to, and to accept datagrams from; others are dropped and counted (`unknown-remote`). Left out:
   * whoever sent the last datagram, which suits peers whose port is not known before, on networks where nobody lies.
   */
  to?: string;
  /** The most frames that wait for the datapath, 1 to 65,536. Default 1024. */
  queue?: number;
  /** Bytes of datagrams that wait for the system, from 262,144 on. Default 1,048,576. */
  sendBytes?: number;
  /** Bytes that the system is asked to hold of what it received (SO_RCVBUF); Linux gives less where it allows less
   * (net.core.rmem_max). Default 4 MiB on Linux, elsewhere the system's. */
  receiveBufferBytes?: number;
}

export interface UdpPort extends NodePort {
  /** Where it receives, with the port that it got: `'127.0.0.1:40000'`. */
  readonly address: string;
  /** Where it sends to; undefined until somebody sent a datagram, where `to` was left out. */
  readonly peer: string | undefined;
}

/**
 * Opens the port. Rejects with `bad-address`, `out-of-range`, `not-found` (no such address or name), `already-exists`
 * (the port is taken), `io-failed`, or the reason of the signal.
 */
export async function openUdpPort(options: UdpPortOptions): Promise<UdpPort> {
  const { name, signal } = options;
  signal?.throwIfAborted();
  const mtu = checkMtu(options.mtu ?? 1500);
  const counters = new PortCounters();
  const intake = createIntake(options.queue ?? 1024, mtu + ETHERNET_HEADER + VLAN_TAG, counters);
  const to = options.to === undefined ? undefined : await resolveEndpoint(parseInternetEndpoint(options.to));
  const local = await resolveEndpoint(parseInternetEndpoint(options.bind, 0), to?.family);
  const socket = await bindSocket(local, options.receiveBufferBytes);

  const sender = new DatagramSender(socket, options.sendBytes ?? 1 << 20, (reason, length) => {
    if (reason === Reason.sound) {
      counters.txPackets++;
      counters.txBytes += length;
    } else counters.txDrops[reason]++;
  });
  let peerHost = to?.host;
  let peerPort = to?.port ?? 0;

  const lifecycle = createLifecycle(signal, () => closeSocket(socket));
  const { close, closed } = lifecycle;

  socket.on('message', (datagram, { address, port }) => {
    if (!lifecycle.isOpen) return;
    if (to === undefined) {
      peerHost = address;
      peerPort = port;
    } else if (port !== to.port || address !== to.host) {
      counters.rxDrops[Reason.unknownRemote]++;
      return;
    }
    if (!fitsMtu(datagram, 0, datagram.length, mtu)) counters.rxDrops[Reason.mtuExceeded]++;
    else intake.accept(datagram, 0, datagram.length);
  });
  // What the system says of a datagram that was sent before; the socket goes on.
  socket.on('error', () => counters.txDrops[Reason.sendFailed]++);

  const bound = socket.address();
  return {
    name,
    mtu,
    counters,
    address: formatEndpoint({ host: bound.address, port: bound.port }),
    get peer() {
      return peerHost === undefined ? undefined : formatEndpoint({ host: peerHost, port: peerPort });
    },
    attach: intake.attach,
    detach: intake.detach,
    receive: intake.receive,
    send(burst, count) {
      const { pool } = intake;
      if (pool === undefined) return;
      for (let index = 0; index < count; index++) {
        const handle = burst[index];
        const length = pool.length[handle];
        const start = pool.offset[handle];
        let reason: Reason;
        if (!lifecycle.isOpen || peerHost === undefined) reason = Reason.portClosed;
        else if (!fitsMtu(pool.bytes, start, length, mtu)) reason = Reason.mtuExceeded;
        else reason = sender.send(undefined, pool.bytes, start, length, peerPort, peerHost);
        if (reason !== Reason.sound) counters.txDrops[reason]++;
      }
    },
    closed,
    close: () => close(),
    [Symbol.asyncDispose]: () => close(),
  };
}
