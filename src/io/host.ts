/**
 * A small IP host: addresses, ARP and neighbour discovery, echo both ways, UDP. It is a `Port`, to stand behind a
 * bridge's LOCAL port as the kernel's stack stands behind a real one, or it takes the far end of a link with `connect`.
 *
 *     a datapath sends ─▶ host-input  ─▶ echo replies, neighbours, pings, UDP listeners
 *     it receives      ◀─ host-output ◀─ `ping`, `sendUdp`, answers     (host-neighbours: MACs, and who waits for one)
 *
 * It has no TCP, no fragments, no routing but its prefixes and a gateway, no group memberships but those that IPv6
 * needs itself, no autoconfiguration and no detection of duplicate addresses. A link-local address is one that it was
 * given.
 *
 * Its counters are those of a port, seen from the datapath: `tx` is what came to the host, `rx` what it sent. What the
 * host itself made of frames is in `refused` and `unsent`.
 */
import { formatIp, formatMac, parseMac } from '../util/address.js';
import { put16 } from '../util/bytes.js';
import type { Clock, Timer } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { Reason, REASON_COUNT } from '../util/reason.js';
import { BURST } from '../packet/pool.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import { createAddressBook, isMulticast, toAddress } from './host-address.js';
import { createHostInput, writeIcmpChecksum } from './host-input.js';
import { WAITING_LIMIT } from './host-neighbours.js';
import { createHostOutput } from './host-output.js';
import { createPinger, type PingOptions, type PingResult } from './host-ping.js';
import { createUdpTable, type Datagram, type UdpHandler, type UdpListenerOptions, type UdpSocket } from './host-udp.js';
import { PortCounters, type Port, type PortHost } from './port.js';
import { checkMtu, checkOption, ETHERNET_HEADER, fitsMtu, FrameQueue, VLAN_TAG } from './queue.js';

export interface IpHostOptions {
  name: string;
  /** `'aa:55:aa:55:00:01'`; not a group address. */
  mac: string;
  /** With prefix lengths: `'10.10.10.1/24'`, `'fd00::1/64'`. Default none. */
  addresses?: readonly string[];
  /** At most one a family, within a prefix of the host. Default none. */
  gateways?: readonly string[];
  /** 68 to 65,517 bytes. Default 1500. */
  mtu?: number;
  clock: Clock;
  /** The most frames that wait for the datapath, 1 to 65,536. Default 256. */
  queue?: number;
  /** How long an answer about a neighbour is good. 1 to 86,400,000 ms, default 60,000. */
  neighbourAgeMs?: number;
}

/** A neighbour, for people; `mac` is `undefined` while it is being asked for. */
export interface HostNeighbour {
  readonly address: string;
  readonly mac: string | undefined;
}

export interface IpHost extends Port {
  /** `'aa:55:aa:55:00:01'` */
  readonly mac: string;
  /** The host's addresses as text, without prefix lengths, in the order given. */
  readonly addresses: readonly string[];
  /** Frames that came in and were not accepted, by `Reason`. */
  readonly refused: Float64Array;
  /** Packets that the host did not send, by `Reason`. */
  readonly unsent: Float64Array;
  readonly neighbours: readonly HostNeighbour[];
  /**
   * Sits down at a port instead of behind one: the host attaches itself to it as a datapath would, with a small pool of
   * its own. Throws `already-exists` when the host is attached or connected already, `closed` after `close`.
   */
  connect(port: Port): void;
  /**
   * Sends echo requests, and answers when the replies are in or have been waited for. Rejects with `bad-address`,
   * `out-of-range`, `not-found` (no route), `bad-argument` (an address of its own, or a group), `closed`.
   */
  ping(address: string, options?: PingOptions): Promise<PingResult>;
  /**
   * Listens on a UDP port: 1 to 65,535, or 0 for one that is free. Throws `out-of-range`, `already-exists`, `closed`,
   * and `not-found` when no port is free.
   */
  bind(port: number, handler: UdpHandler, options?: UdpListenerOptions): UdpSocket;
  /**
   * Sends a UDP datagram; answers 0 when it left or waits for a neighbour, or the `Reason` why it did not, which is
   * counted in `unsent`. Throws for misuse: `bad-address`, `bad-argument` (a source that is not the host's),
   * `out-of-range`.
   */
  sendUdp(datagram: Datagram): Reason;
  /**
   * Ends pings with what they have, forgets neighbours and listeners, leaves the port it is connected to. No timer is
   * left.
   */
  close(): void;
  [Symbol.dispose](): void;
}

/** Makes a host. Throws `bad-address`, `bad-config`, `out-of-range`. */
export function createIpHost(options: IpHostOptions): IpHost {
  const { clock, name } = options;
  const mtu = checkMtu(options.mtu ?? 1500);
  const mac = parseMac(options.mac);
  if (mac === 0 || (Math.floor(mac / 2 ** 40) & 1) !== 0) {
    throw new MegaflowError(
      'bad-config',
      `a host cannot have the MAC ${options.mac}`,
      options.mac,
      'an address that is no group, and not zero',
    );
  }
  const neighbourAgeMs = checkOption('neighbourAgeMs', options.neighbourAgeMs ?? 60_000, 1, 86_400_000);
  const book = createAddressBook(options.addresses ?? [], options.gateways ?? []);
  // Beside the queue: what waits for neighbours, and a burst that is being received.
  const queue = new FrameQueue(options.queue ?? 256, mtu + ETHERNET_HEADER + VLAN_TAG, WAITING_LIMIT + BURST);
  const { pool } = queue;
  const counters = new PortCounters();
  const refused = new Float64Array(REASON_COUNT);
  const unsent = new Float64Array(REASON_COUNT);
  let host: PortHost | undefined;
  let far: Port | undefined;
  let draining: Timer | undefined;
  let isClosed = false;

  const emit = (handle: number): Reason => {
    let reason: Reason = Reason.sound;
    if (far !== undefined) {
      counters.rxPackets++;
      counters.rxBytes += pool.length[handle];
      far.send(Int32Array.of(handle), 1);
    } else if (host === undefined) {
      reason = Reason.portClosed;
    } else if (queue.count === queue.limit) {
      reason = Reason.queueFull;
    } else {
      queue.append(handle);
      host.wake();
      return Reason.sound;
    }
    pool.release(handle);
    return reason;
  };

  const reserve = (length: number): number => queue.reserve(length);
  const output = createHostOutput({ mac, mtu, book, clock, neighbourAgeMs, pool, reserve, emit }, unsent);
  const sockets = createUdpTable({ book, output });

  const pinger = createPinger({
    clock,
    send(destination, route, { identifier, sequence, payloadBytes, ttl }) {
      const isIpv4 = destination.length === 4;
      const protocol = isIpv4 ? ipv4.Protocol.icmp : ipv4.Protocol.icmpv6;
      const length = icmp.HEADER_LENGTH + payloadBytes;
      const handle = output.begin(
        { source: route.source, destination, protocol, tos: 0, ttl, dontFragment: true },
        length,
      );
      if (handle < 0) return;
      const { bytes } = output;
      const at = output.payloadOf(handle);
      bytes[at] = isIpv4 ? icmp.Type.echoRequest : icmpv6.Type.echoRequest;
      bytes[at + 1] = 0;
      put16(bytes, at + 4, identifier);
      put16(bytes, at + 6, sequence);
      for (let index = 0; index < payloadBytes; index++) bytes[at + icmp.HEADER_LENGTH + index] = index;
      writeIcmpChecksum(bytes, at, at + length, isIpv4);
      output.finish(handle, route.nextHop);
    },
  });

  const accept = createHostInput({
    mac,
    book,
    output,
    acceptEcho: (packet, identifier, sequence) =>
      pinger.accept(packet.source, identifier, sequence, packet.ttl, packet.end - packet.start),
    lookupListener: sockets.lookup,
    acceptUdp: sockets.accept,
  });

  /** Takes frames of any pool: counts them as a port, and as a host. */
  const take = (from: PortHost['pool'], burst: Int32Array, count: number): void => {
    for (let index = 0; index < count; index++) {
      const handle = burst[index];
      const length = from.length[handle];
      if (!fitsMtu(from.bytes, from.offset[handle], length, mtu)) {
        counters.txDrops[Reason.mtuExceeded]++;
        continue;
      }
      counters.txPackets++;
      counters.txBytes += length;
      const reason = accept(from.bytes, from.offset[handle], length);
      if (reason !== Reason.sound) refused[reason]++;
    }
  };

  const drain = (): void => {
    draining = undefined;
    const burst = new Int32Array(BURST);
    for (let count = BURST; count === BURST && far !== undefined; ) {
      count = far.receive(burst, BURST);
      take(pool, burst, count);
      pool.releaseBurst(burst, count);
    }
  };

  const checkOpen = (): void => {
    if (isClosed) throw new MegaflowError('closed', `the host ${name} is closed`, name, 'a host that is open');
  };

  const self: IpHost = {
    name,
    mtu,
    counters,
    mac: formatMac(mac),
    addresses: book.addresses.map((address) => formatIp(address)),
    refused,
    unsent,
    get neighbours() {
      return output.neighbours.entries().map(({ address, mac: known }) => ({
        address: formatIp(address),
        mac: known < 0 ? undefined : formatMac(known),
      }));
    },

    attach(to) {
      if (far !== undefined) {
        throw new MegaflowError(
          'already-exists',
          `the host ${name} is connected to ${far.name}`,
          name,
          'a host that is not connected',
        );
      }
      host = to;
    },
    detach() {
      host = undefined;
      queue.clear();
    },
    receive(burst, room) {
      return host === undefined ? 0 : queue.pull(host.pool, burst, room, counters);
    },
    send(burst, count) {
      if (isClosed) counters.txDrops[Reason.portClosed] += count;
      else if (host !== undefined) take(host.pool, burst, count);
    },

    connect(port) {
      checkOpen();
      if (far !== undefined || host !== undefined) {
        throw new MegaflowError(
          'already-exists',
          `the host ${name} has its place already`,
          name,
          'a host that is not connected',
        );
      }
      far = port;
      port.attach({
        pool,
        wake() {
          draining ??= clock.soon(drain);
        },
      });
    },

    async ping(address, pingOptions = {}) {
      checkOpen();
      const destination = toAddress(address);
      const route = book.route(destination);
      if (book.has(destination) || isMulticast(destination) || book.isBroadcast(destination)) {
        throw new MegaflowError('bad-argument', `cannot ping ${address}`, address, 'the address of one other host');
      }
      if (route === undefined) {
        throw new MegaflowError(
          'not-found',
          `no route to ${address}`,
          address,
          `an address that ${name} has a route to`,
        );
      }
      return pinger.ping(destination, route, pingOptions);
    },

    bind(port, handler, listenerOptions = {}) {
      checkOpen();
      return sockets.bind(port, handler, listenerOptions);
    },
    sendUdp(datagram) {
      return isClosed ? output.refuse(Reason.portClosed) : sockets.send(datagram);
    },

    close() {
      if (isClosed) return;
      isClosed = true;
      pinger.close();
      sockets.clear();
      output.neighbours.clear();
      draining?.cancel();
      draining = undefined;
      far?.detach();
      far = undefined;
      queue.clear();
    },
    [Symbol.dispose]() {
      self.close();
    },
  };
  return self;
}
