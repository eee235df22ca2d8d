/**
 * A VXLAN device for the flow-based way, as the kernel's `vxlan` device in its external mode: a port that encapsulates
 * a frame as its tunnel metadata say, and sends it over the UDP of an `IpHost`, which routes and resolves; what comes
 * in on its UDP port is checked and decapsulated, and carries metadata that tell where it came from. No group policy,
 * no GPE.
 *
 * The outer source port is Open vSwitch's: `pool.hash` of the frame, scaled to the range that its native tunnels use.
 */
import { TUNNEL_WORDS, Extras, type PacketHandle, type PacketPool } from '../packet/pool.js';
import { hasTunnel, TunnelFlag, TunnelWord } from '../packet/tunnel.js';
import { parseIp } from '../util/address.js';
import { swap16 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import * as vxlan from '../wire/vxlan.js';
import { keyOf, type Address, type AddressKey } from './host-address.js';
import type { ReceivedDatagram } from './host-udp.js';
import type { IpHost } from './host.js';
import { PortCounters, type Port, type PortHost } from './port.js';
import { checkMtu, checkOption, ETHERNET_HEADER, fitsMtu, FrameQueue } from './queue.js';

/** Open vSwitch's range of outer source ports; the upper end is not in it. */
const FIRST_SOURCE_PORT = 32768;
const SOURCE_PORT_END = 61000;

export interface VxlanDeviceOptions {
  /** In Open vSwitch `vxlan_sys_` and the port. */
  name: string;
  /** The host whose UDP it uses; it is not closed with the device. */
  host: IpHost;
  /** UDP port that it listens on, and sends to unless the metadata say otherwise; 1 to 65,535. Default 4789. */
  port?: number;
  /**
   * 68 to 65,517 bytes. Default 65,485, as Linux has it; what the host cannot send in one packet is dropped and
   * counted.
   */
  mtu?: number;
  /** The most frames that wait for the datapath, 1 to 65,536. Default 256. */
  queue?: number;
}

export interface VxlanDevice extends Port {
  /** Gives the UDP port back. */
  close(): void;
  [Symbol.dispose](): void;
}

/** Outer UDP source port for a frame with that 5-tuple hash (its 32 bits taken as unsigned). */
export function tunnelSourcePort(hash: number): number {
  return FIRST_SOURCE_PORT + Math.floor(((hash >>> 0) * (SOURCE_PORT_END - FIRST_SOURCE_PORT)) / 0x1_0000_0000);
}

/**
 * Makes the device and binds its port. Throws `already-exists` when the host's port is bound, `closed`, `out-of-range`.
 */
export function createVxlanDevice(options: VxlanDeviceOptions): VxlanDevice {
  const { host, name } = options;
  const mtu = checkMtu(options.mtu ?? 65_485);
  const port = checkOption('port', options.port ?? vxlan.PORT, 1, 65535);
  // What the host receives in one datagram is no longer than its MTU.
  const queue = new FrameQueue(options.queue ?? 256, host.mtu);
  const counters = new PortCounters();
  const own = new Set<AddressKey>(host.addresses.map((address) => keyOf(parseIp(address))));
  const header = new Uint8Array(vxlan.HEADER_LENGTH);
  const ipv4Source = new Uint8Array(4);
  const ipv4Destination = new Uint8Array(4);
  const ipv6Source = new Uint8Array(16);
  const ipv6Destination = new Uint8Array(16);
  let datapath: PortHost | undefined;

  const sendOne = (pool: PacketPool, handle: PacketHandle): Reason => {
    if (!fitsMtu(pool.bytes, pool.offset[handle], pool.length[handle], mtu)) return Reason.mtuExceeded;
    if (!hasTunnel(pool, handle)) return Reason.noTunnelMetadata;
    const words = pool.tunnel;
    const first = handle * TUNNEL_WORDS;
    const isWide = (pool.extras[handle] & Extras.tunnelWide) !== 0;
    const isIpv4 = getWords(words, first + TunnelWord.ipv4Destination, ipv4Destination);
    if (!isIpv4 && !(isWide && getWords(words, first + TunnelWord.ipv6Destination, ipv6Destination)))
      return Reason.noTunnelMetadata;
    const source = isIpv4 ? ipv4Source : ipv6Source;
    const hasSource = getWords(words, first + (isIpv4 ? TunnelWord.ipv4Source : TunnelWord.ipv6Source), source);
    // A packet cannot leave from an address that nobody here has.
    if (hasSource && !own.has(keyOf(source))) return Reason.noRoute;
    const bits = words[first + TunnelWord.flagsTosTtl];
    vxlan.write(header, 0, { type: 'vxlan', vni: words[first + TunnelWord.idLow] & 0xff_ffff });
    return host.sendUdp({
      source: hasSource ? source : undefined,
      destination: isIpv4 ? ipv4Destination : ipv6Destination,
      sourcePort: tunnelSourcePort(pool.hash[handle]),
      destinationPort: (isWide && swap16(words[first + TunnelWord.ports] >>> 16)) || port,
      tos: (bits >>> 16) & 0xff,
      ttl: bits >>> 24,
      dontFragment: (bits & TunnelFlag.dontFragment) !== 0,
      checksum: (bits & TunnelFlag.checksum) !== 0,
      payload: [header, pool.frame(handle)],
    });
  };

  const accept = (datagram: ReceivedDatagram): Reason => {
    if (datapath === undefined) return Reason.portClosed;
    const { payload } = datagram;
    const reason = vxlan.check(payload);
    if (reason !== Reason.sound) return reason;
    // The wire's own check lets GPE pass, as native tunnels do.
    if (vxlan.flags(payload, 0) !== VNI_VALID) return Reason.badFlags;
    const length = payload.length - vxlan.HEADER_LENGTH;
    if (length < ETHERNET_HEADER) return Reason.runt;
    const handle = queue.reserve(length);
    if (handle < 0) return -handle as Reason;
    const { pool } = queue;
    pool.bytes.set(payload.subarray(vxlan.HEADER_LENGTH), pool.offset[handle]);
    const words = pool.tunnel;
    const first = handle * TUNNEL_WORDS;
    const isIpv4 = datagram.sourceAddress.length === 4;
    words.fill(0, first, first + TUNNEL_WORDS);
    putWords(words, first + (isIpv4 ? TunnelWord.ipv4Source : TunnelWord.ipv6Source), datagram.sourceAddress);
    putWords(
      words,
      first + (isIpv4 ? TunnelWord.ipv4Destination : TunnelWord.ipv6Destination),
      datagram.destinationAddress,
    );
    words[first + TunnelWord.idLow] = vxlan.vni(payload, 0);
    const flags = TunnelFlag.key | (datagram.hasChecksum ? TunnelFlag.checksum : 0);
    words[first + TunnelWord.flagsTosTtl] = flags | (datagram.tos << 16) | (datagram.ttl << 24);
    words[first + TunnelWord.ports] = swap16(datagram.sourcePort) | (swap16(datagram.destinationPort) << 16);
    pool.extras[handle] = Extras.tunnel | Extras.tunnelWide;
    queue.append(handle);
    datapath.wake();
    return Reason.sound;
  };

  const socket = host.bind(
    port,
    (datagram) => {
      const reason = accept(datagram);
      if (reason !== Reason.sound) counters.rxDrops[reason]++;
    },
    { zeroChecksum: true },
  );

  const close = (): void => {
    socket.close();
    queue.clear();
  };

  return {
    name,
    mtu,
    counters,
    attach(to) {
      datapath = to;
    },
    detach() {
      datapath = undefined;
      queue.clear();
    },
    receive(burst, room) {
      return datapath === undefined ? 0 : queue.pull(datapath.pool, burst, room, counters);
    },
    send(burst, count) {
      if (datapath === undefined) return;
      const { pool } = datapath;
      for (let index = 0; index < count; index++) {
        const reason = sendOne(pool, burst[index]);
        if (reason === Reason.sound) {
          counters.txPackets++;
          counters.txBytes += pool.length[burst[index]];
        } else {
          counters.txDrops[reason]++;
        }
      }
    },
    close,
    [Symbol.dispose]: close,
  };
}

const VNI_VALID = 0x08;

/** Reads an address from words in the order of the wire; answers whether it is not all zero. */
function getWords(words: Int32Array, first: number, address: Address): boolean {
  let any = 0;
  for (let at = 0; at < address.length; at++) {
    const byte = (words[first + (at >> 2)] >>> ((at & 3) << 3)) & 0xff;
    address[at] = byte;
    any |= byte;
  }
  return any !== 0;
}

function putWords(words: Int32Array, first: number, address: Address): void {
  for (let at = 0; at < address.length; at++) words[first + (at >> 2)] |= address[at] << ((at & 3) << 3);
}
