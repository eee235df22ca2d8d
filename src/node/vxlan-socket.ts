/**
 * VXLAN (RFC 7348) over UDP sockets of the operating system: the tunnel device of a flow-based switch, as the kernel's
 * `vxlan` device in its external mode is for Open vSwitch's kernel datapath. The system routes and resolves.
 *
 *     vswitch ── set(tunnel(...)), output ─▶ send ─▶ one of a few sockets, by the hash of the flow ─▶ remote:4789
 *             ◀─ tunnel(tun_id, src, dst) ── receive ◀─ a socket for each local address, port 4789
 *
 * It sends from sockets of its own, so that the outer source port tells flows apart to the network's hashes: with
 * `sourcePorts` of them a flow has one of so many ports, where Open vSwitch has 28,232.
 *
 * What `node:dgram` cannot carry, and what happens instead; `uncarried` counts the frames that asked for it:
 *
 *     TOS                 sent as 0; received as 0
 *     don't fragment      Linux sets DF on what fits the path's MTU, and fragments what does not
 *     no UDP checksum     Linux computes one; on reception it is not known whether there was one, nor what the TTL was
 *
 * A metadata's TTL is honoured (a system call whenever it differs from the one before). Frames are accepted from
 * configured remotes only, unless there are none to choose by. No group policy, no GPE, no multicast.
 */
import type { Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { PortCounters } from '../io/port.js';
import { checkMtu, checkOption, ETHERNET_HEADER, fitsMtu, VLAN_TAG } from '../io/queue.js';
import { Extras, TUNNEL_WORDS, type PacketHandle, type PacketPool } from '../packet/pool.js';
import { hasTunnel, TunnelFlag, TunnelWord } from '../packet/tunnel.js';
import { formatIp, parseIp } from '../util/address.js';
import { put32, swap16 } from '../util/bytes.js';
import { MegaflowError } from '../util/errors.js';
import { Reason } from '../util/reason.js';
import * as vxlan from '../wire/vxlan.js';
import { bindSocket, closeSocket, DatagramSender } from './datagram.js';
import { createIntake } from './intake.js';
import { createLifecycle, type NodePort, type NodePortOptions } from './node-port.js';

/** A flow-based switch sets this TTL unless it is configured otherwise, and it is Linux's default too. */
const DEFAULT_TTL = 64;
const VNI_VALID = 0x08;
/** Addresses as text that are remembered in binary; hostile senders must not grow it. */
const REMEMBERED = 4096;

export interface VxlanSocketOptions extends NodePortOptions {
  /**
   * Local addresses, each of which gets a socket: `['10.10.10.1', 'fd00::1']`. They are the tunnel destination that
   * received frames carry. `0.0.0.0` and `::` receive for all addresses of the machine, and carry none.
   */
  addresses: readonly string[];
  /** UDP port to receive on, and to send to unless the metadata say otherwise, 0 to 65,535 (0: any). Default 4789. */
  port?: number;
  /** From whom to accept; `'flow'`: anybody, which is Open vSwitch's `remote_ip=flow`. */
  remotes: readonly string[] | 'flow';
  /** Outer source ports, and sockets, for each local address that is sent from, 1 to 64. Default 4. */
  sourcePorts?: number;
  /** 68 to 65,517 bytes. Default 65,485 as in Linux: what does not fit the underlay travels in fragments. */
  mtu?: number;
  /** The most frames that wait for the datapath, 1 to 65,536. Default 1024. */
  queue?: number;
  /** Bytes of datagrams that wait for the system, for each socket, from 262,144 on. Default 1,048,576. */
  sendBytes?: number;
  /** Bytes that the system is asked to hold of what a socket received (SO_RCVBUF). Default 4 MiB on Linux, elsewhere the system's. */
  receiveBufferBytes?: number;
}

export interface VxlanSocket extends NodePort {
  /** Port that it receives on. */
  readonly port: number;
  /** Outer source ports for frames that are sent from no address in particular, by family. */
  readonly sourcePorts: { readonly ipv4: readonly number[]; readonly ipv6: readonly number[] };
  /** Frames that were sent without something that their metadata asked for. */
  readonly uncarried: { tos: number; dontFragment: number; noChecksum: number };
  /** Chooses anew from whom to accept. Throws `bad-address`. */
  setRemotes(remotes: readonly string[] | 'flow'): void;
}

/** A socket that is sent from. */
interface Source {
  readonly socket: Socket;
  readonly sender: DatagramSender;
  ttl: number;
}

/**
 * Opens the sockets. Rejects with `bad-address`, `out-of-range`, `already-exists` (somebody has the port: the kernel's
 * own `vxlan` device, say), `not-found` (no address of this machine), `io-failed`, or the reason of the signal.
 */
export async function openVxlanSocket(options: VxlanSocketOptions): Promise<VxlanSocket> {
  const { name, signal } = options;
  signal?.throwIfAborted();
  const mtu = checkMtu(options.mtu ?? 65_485);
  const wantedPort = checkOption('port', options.port ?? vxlan.PORT, 0, 65_535);
  const sourceCount = checkOption('sourcePorts', options.sourcePorts ?? 4, 1, 64);
  const addresses = options.addresses.map((address) => formatIp(parseIp(address)));
  if (addresses.length === 0) {
    throw new MegaflowError(
      'bad-option',
      `${name}: no local addresses`,
      addresses,
      'at least one address of this machine',
    );
  }
  let accepted = acceptedFrom(options.remotes);

  const counters = new PortCounters();
  const uncarried = { tos: 0, dontFragment: 0, noChecksum: 0 };
  const intake = createIntake(options.queue ?? 1024, mtu + ETHERNET_HEADER + VLAN_TAG, counters);
  const sockets: Socket[] = [];
  const lifecycle = createLifecycle(signal, async () => {
    await Promise.all(sockets.map(closeSocket));
  });

  const onSent = (reason: Reason, length: number): void => {
    if (reason === Reason.sound) {
      counters.txPackets++;
      counters.txBytes += length - vxlan.HEADER_LENGTH;
    } else counters.txDrops[reason]++;
  };

  const open = async (host: string, port: number): Promise<Socket> => {
    const family = isIP(host) as 4 | 6;
    const socket = await bindSocket({ host, port, family }, options.receiveBufferBytes);
    // Aborted meanwhile: what is open is closed, and this must not stay.
    if (!lifecycle.isOpen) await closeSocket(socket);
    signal?.throwIfAborted();
    sockets.push(socket);
    socket.on('error', () => counters.txDrops[Reason.sendFailed]++);
    return socket;
  };

  const openSources = async (host: string): Promise<Source[]> => {
    const sources: Source[] = [];
    for (let index = 0; index < sourceCount; index++) {
      const socket = await open(host, 0);
      socket.on('message', () => counters.rxDrops[Reason.noListener]++);
      socket.setTTL(DEFAULT_TTL);
      sources.push({
        socket,
        sender: new DatagramSender(socket, options.sendBytes ?? 1 << 20, onSent),
        ttl: DEFAULT_TTL,
      });
    }
    return sources;
  };

  const remembered = new Map<string, Uint8Array>();
  /** The binary form of an address that the system told. */
  const toBytes = (text: string): Uint8Array => {
    let bytes = remembered.get(text);
    if (bytes === undefined) {
      if (remembered.size === REMEMBERED) remembered.clear();
      // A link-local address comes with the interface: fe80::1%eth0.
      bytes = parseIp(text.split('%', 1)[0]);
      remembered.set(text, bytes);
    }
    return bytes;
  };

  const listen = (socket: Socket, local: Uint8Array | undefined): void => {
    const localPort = socket.address().port;
    socket.on('message', (datagram, { address, port }) => {
      if (!lifecycle.isOpen) return;
      const refused = accepted !== undefined && !accepted.has(address) ? Reason.unknownRemote : checkHeader(datagram);
      if (refused !== Reason.sound) {
        counters.rxDrops[refused]++;
        return;
      }
      intake.accept(datagram, vxlan.HEADER_LENGTH, datagram.length, (pool, handle) => {
        const words = pool.tunnel;
        const first = handle * TUNNEL_WORDS;
        const remote = toBytes(address);
        const isIpv4 = remote.length === 4;
        words.fill(0, first, first + TUNNEL_WORDS);
        putWords(words, first + (isIpv4 ? TunnelWord.ipv4Source : TunnelWord.ipv6Source), remote);
        if (local !== undefined) {
          putWords(words, first + (isIpv4 ? TunnelWord.ipv4Destination : TunnelWord.ipv6Destination), local);
        }
        words[first + TunnelWord.idLow] = vxlan.vni(datagram, 0);
        words[first + TunnelWord.flagsTosTtl] = TunnelFlag.key;
        words[first + TunnelWord.ports] = swap16(port) | (swap16(localPort) << 16);
        pool.extras[handle] = Extras.tunnel | Extras.tunnelWide;
      });
    });
  };

  /** Sockets that are sent from, by the text of their address. */
  const sources = new Map<string, Source[]>();
  let port = wantedPort;
  try {
    for (const address of addresses) {
      const socket = await open(address, port);
      port = socket.address().port;
      const isAny = address === '0.0.0.0' || address === '::';
      listen(socket, isAny ? undefined : parseIp(address));
      const any = address.includes(':') ? '::' : '0.0.0.0';
      // Of what is sent from no address in particular the system chooses the source, by its routes.
      for (const host of [any, address]) if (!sources.has(host)) sources.set(host, await openSources(host));
    }
  } catch (error) {
    await lifecycle.close();
    throw error;
  }
  const { close, closed } = lifecycle;
  const portsOf = (host: string): number[] => (sources.get(host) ?? []).map(({ socket }) => socket.address().port);

  const header = new Uint8Array(vxlan.HEADER_LENGTH);
  put32(header, 0, VNI_VALID << 24);
  const addressText = createAddressText();

  const sendOne = (pool: PacketPool, handle: PacketHandle): Reason => {
    const start = pool.offset[handle];
    const length = pool.length[handle];
    if (!fitsMtu(pool.bytes, start, length, mtu)) return Reason.mtuExceeded;
    if (!hasTunnel(pool, handle)) return Reason.noTunnelMetadata;
    const words = pool.tunnel;
    const first = handle * TUNNEL_WORDS;
    const isWide = (pool.extras[handle] & Extras.tunnelWide) !== 0;
    const isIpv4 = words[first + TunnelWord.ipv4Destination] !== 0;
    const remote = isIpv4
      ? addressText(words, first + TunnelWord.ipv4Destination, 4)
      : isWide
        ? addressText(words, first + TunnelWord.ipv6Destination, 16)
        : undefined;
    if (remote === undefined) return Reason.noTunnelMetadata;
    const source = isIpv4
      ? addressText(words, first + TunnelWord.ipv4Source, 4)
      : addressText(words, first + TunnelWord.ipv6Source, 16);
    // A packet cannot leave from an address that has no socket here.
    const choice = sources.get(source ?? (isIpv4 ? '0.0.0.0' : '::'));
    if (choice === undefined) return Reason.noRoute;
    const chosen = choice[Math.floor(((pool.hash[handle] >>> 0) * choice.length) / 0x1_0000_0000)];

    const bits = words[first + TunnelWord.flagsTosTtl];
    const ttl = bits >>> 24 || DEFAULT_TTL;
    if (ttl !== chosen.ttl) {
      chosen.socket.setTTL(ttl);
      chosen.ttl = ttl;
    }
    put32(header, 4, words[first + TunnelWord.idLow] << 8);
    const destinationPort = (isWide && swap16(words[first + TunnelWord.ports] >>> 16)) || port;
    const reason = chosen.sender.send(header, pool.bytes, start, length, destinationPort, remote);
    if (reason === Reason.sound) {
      if ((bits & 0xff_0000) !== 0) uncarried.tos++;
      if ((bits & TunnelFlag.dontFragment) !== 0) uncarried.dontFragment++;
      if ((bits & TunnelFlag.checksum) === 0) uncarried.noChecksum++;
    }
    return reason;
  };

  return {
    name,
    mtu,
    counters,
    port,
    sourcePorts: { ipv4: portsOf('0.0.0.0'), ipv6: portsOf('::') },
    uncarried,
    setRemotes(remotes) {
      accepted = acceptedFrom(remotes);
    },
    attach: intake.attach,
    detach: intake.detach,
    receive: intake.receive,
    send(burst, count) {
      const { pool } = intake;
      if (pool === undefined) return;
      for (let index = 0; index < count; index++) {
        const reason = lifecycle.isOpen ? sendOne(pool, burst[index]) : Reason.portClosed;
        if (reason !== Reason.sound) counters.txDrops[reason]++;
      }
    },
    closed,
    close: () => close(),
    [Symbol.asyncDispose]: () => close(),
  };
}

/** As text, in the form in which the system tells addresses; undefined: anybody. */
function acceptedFrom(remotes: readonly string[] | 'flow'): ReadonlySet<string> | undefined {
  return remotes === 'flow' ? undefined : new Set(remotes.map((remote) => formatIp(parseIp(remote))));
}

/** Only what this port itself would send is accepted: the wire's own check lets GPE pass, as native tunnels do. */
function checkHeader(datagram: Uint8Array): Reason {
  const reason = vxlan.check(datagram);
  if (reason !== Reason.sound) return reason;
  return vxlan.flags(datagram, 0) === VNI_VALID ? Reason.sound : Reason.badFlags;
}

function putWords(words: Int32Array, first: number, address: Uint8Array): void {
  for (let at = 0; at < address.length; at++) words[first + (at >> 2)] |= address[at] << ((at & 3) << 3);
}

/**
 * Makes text of addresses in tunnel words: what a socket is told. The last ones are remembered, since frames come in
 * trains; undefined for an address that is all zero.
 */
function createAddressText(): (words: Int32Array, first: number, length: 4 | 16) => string | undefined {
  const texts = new Map<number, string>();
  return (words, first, length) => {
    const isIpv4 = length === 4;
    // IPv6 is as rare as it is long: it is written out each time.
    if (isIpv4) {
      if (words[first] === 0) return undefined;
      const known = texts.get(words[first]);
      if (known !== undefined) return known;
    }
    const bytes = new Uint8Array(length);
    let any = 0;
    for (let at = 0; at < length; at++) any |= bytes[at] = (words[first + (at >> 2)] >>> ((at & 3) << 3)) & 0xff;
    if (any === 0) return undefined;
    const text = formatIp(bytes);
    if (isIpv4) {
      if (texts.size === REMEMBERED) texts.clear();
      texts.set(words[first], text);
    }
    return text;
  };
}
