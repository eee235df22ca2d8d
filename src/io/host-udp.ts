/**
 * UDP of an `IpHost`: who listens on which port, datagrams in and out with what their IP headers say. Datagrams longer
 * than the MTU are not fragmented but dropped.
 */
import { formatIp } from '../util/address.js';
import { MegaflowError } from '../util/errors.js';
import { Reason } from '../util/reason.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as udp from '../wire/udp.js';
import { toAddress, type Address, type AddressBook } from './host-address.js';
import type { ReceivedPacket } from './host-input.js';
import type { HostOutput } from './host-output.js';
import { checkOption, raiseLater } from './queue.js';

/** A datagram to be sent. */
export interface Datagram {
  /** As text, or as 4 or 16 bytes. */
  destination: string | Address;
  /** 1 to 65,535. */
  destinationPort: number;
  /** 0 to 65,535. */
  sourcePort: number;
  /** The payload; several pieces are sent one behind the other. */
  payload: Uint8Array | readonly Uint8Array[];
  /** One of the host's addresses. Default: the one on the way to the destination. */
  source?: string | Address;
  /** TOS or traffic class, 0 to 255. Default 0. */
  tos?: number;
  /** TTL or hop limit, 0 to 255. Default 64. */
  ttl?: number;
  /** IPv4 only. Default true. */
  dontFragment?: boolean;
  /** Whether there is a UDP checksum. Default true. Over IPv6 only tunnels go without (RFC 6935). */
  checksum?: boolean;
}

/** A datagram that was received. It is lent for the length of the call: copy the payload if you keep it. */
export class ReceivedDatagram {
  readonly payload: Uint8Array;
  /** 4 or 16 bytes each; these are copies. */
  readonly sourceAddress: Address;
  readonly destinationAddress: Address;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** TOS or traffic class. */
  readonly tos: number;
  /** TTL or hop limit. */
  readonly ttl: number;
  /** Whether there was a UDP checksum; it was right then. */
  readonly hasChecksum: boolean;

  constructor({ bytes, start, source, destination, tos, ttl }: ReceivedPacket) {
    this.payload = bytes.subarray(start + udp.HEADER_LENGTH, udp.payloadEnd(bytes, start));
    this.sourceAddress = source;
    this.destinationAddress = destination;
    this.sourcePort = udp.sourcePort(bytes, start);
    this.destinationPort = udp.destinationPort(bytes, start);
    this.tos = tos;
    this.ttl = ttl;
    this.hasChecksum = udp.checksum(bytes, start) !== 0;
  }

  /** Source address as text. */
  get source(): string {
    return formatIp(this.sourceAddress);
  }

  /** Destination address as text. */
  get destination(): string {
    return formatIp(this.destinationAddress);
  }
}

/**
 * Takes a datagram. It may be called while a datapath works: it may send, but must not change a switch. What it throws
 * is thrown once more outside, as an uncaught error.
 */
export type UdpHandler = (datagram: ReceivedDatagram) => void;

export interface UdpListenerOptions {
  /** Accept datagrams without a checksum over IPv6 too, as tunnels do (RFC 6935). Default false. */
  zeroChecksum?: boolean;
}

export interface UdpSocket {
  readonly port: number;
  /** Sends from this port; see `IpHost.sendUdp`. Throws `closed` after `close`. */
  send(datagram: Omit<Datagram, 'sourcePort'>): Reason;
  close(): void;
}

export interface UdpTable {
  bind(port: number, handler: UdpHandler, options: UdpListenerOptions): UdpSocket;
  lookup(port: number): 'none' | 'checked' | 'zero';
  accept(packet: ReceivedPacket): void;
  send(datagram: Datagram): Reason;
  clear(): void;
}

/** The ports that are given out for 0 (RFC 6335). */
const FIRST_FREE_PORT = 49152;

export function createUdpTable({ book, output }: { book: AddressBook; output: HostOutput }): UdpTable {
  const listeners = new Map<number, { handler: UdpHandler; zeroChecksum: boolean }>();

  let nextFree = FIRST_FREE_PORT;
  const findPort = (): number => {
    for (let tries = FIRST_FREE_PORT; tries <= 65535; tries++) {
      const port = nextFree;
      nextFree = port === 65535 ? FIRST_FREE_PORT : port + 1;
      if (!listeners.has(port)) return port;
    }
    throw new MegaflowError(
      'not-found',
      'no UDP port is free',
      0,
      `a port from ${FIRST_FREE_PORT} to 65535 that is not bound`,
    );
  };

  const sourceOf = (datagram: Datagram, destination: Address): Address | undefined => {
    if (datagram.source === undefined) return undefined;
    const source = toAddress(datagram.source);
    if (!book.has(source) || source.length !== destination.length) {
      const text = formatIp(source);
      throw new MegaflowError(
        'bad-argument',
        `cannot send from ${text}`,
        text,
        `an address of the host, of the family of ${formatIp(destination)}`,
      );
    }
    return source;
  };

  const send = (datagram: Datagram): Reason => {
    const destination = toAddress(datagram.destination);
    const destinationPort = checkOption('destinationPort', datagram.destinationPort, 1, 65535);
    const sourcePort = checkOption('sourcePort', datagram.sourcePort, 0, 65535);
    const tos = checkOption('tos', datagram.tos ?? 0, 0, 255);
    const ttl = checkOption('ttl', datagram.ttl ?? 64, 0, 255);
    const given = sourceOf(datagram, destination);
    const route = book.route(destination);
    if (route === undefined) return output.refuse(Reason.noRoute);
    const pieces = datagram.payload instanceof Uint8Array ? [datagram.payload] : datagram.payload;
    let length: number = udp.HEADER_LENGTH;
    for (const piece of pieces) length += piece.length;
    const source = given ?? route.source;
    const protocol = ipv4.Protocol.udp;
    const handle = output.begin(
      { source, destination, protocol, tos, ttl, dontFragment: datagram.dontFragment ?? true },
      length,
    );
    if (handle < 0) return -handle as Reason;
    const { bytes } = output;
    const start = output.payloadOf(handle);
    udp.setSourcePort(bytes, start, sourcePort);
    udp.setDestinationPort(bytes, start, destinationPort);
    udp.setLength(bytes, start, length);
    udp.setChecksum(bytes, start, 0);
    let at = start + udp.HEADER_LENGTH;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    if (datagram.checksum ?? true) {
      const isIpv4 = destination.length === 4;
      const ip = start - (isIpv4 ? ipv4.HEADER_LENGTH : ipv6.HEADER_LENGTH);
      udp.writeChecksum(bytes, start, at, (isIpv4 ? ipv4 : ipv6).pseudoSum(bytes, ip, protocol, length));
    }
    return output.finish(handle, route.nextHop);
  };

  return {
    bind(wanted, handler, options) {
      const port = checkOption('port', wanted, 0, 65535) || findPort();
      if (listeners.has(port)) {
        throw new MegaflowError(
          'already-exists',
          `UDP port ${port} is bound already`,
          port,
          'a port that is not bound',
        );
      }
      const listener = { handler, zeroChecksum: options.zeroChecksum ?? false };
      listeners.set(port, listener);
      return {
        port,
        send(datagram) {
          if (listeners.get(port) !== listener) {
            throw new MegaflowError(
              'closed',
              `the socket of UDP port ${port} is closed`,
              port,
              'a socket that is open',
            );
          }
          return send({ ...datagram, sourcePort: port });
        },
        close() {
          if (listeners.get(port) === listener) listeners.delete(port);
        },
      };
    },
    lookup(port) {
      const listener = listeners.get(port);
      if (listener === undefined) return 'none';
      return listener.zeroChecksum ? 'zero' : 'checked';
    },
    accept(packet) {
      const datagram = new ReceivedDatagram(packet);
      try {
        listeners.get(datagram.destinationPort)?.handler(datagram);
      } catch (error) {
        raiseLater(error);
      }
    },
    send,
    clear() {
      listeners.clear();
    },
  };
}
