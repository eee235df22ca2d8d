/**
 * The options of a VXLAN tunnel port: the `options` column of the Interface table (ovs-vswitchd.conf.db(5), "Tunnel Options"),
 * read as Open vSwitch 3.1 reads them.
 */
import { formatIp, parseIp } from '../util/address.js';
import { MegaflowError } from '../util/errors.js';

/** An address (4 or 16 bytes), or `flow`: taken from the flow's tunnel metadata. */
export type TunnelAddress = Uint8Array | 'flow';

export interface TunnelConfig {
  readonly remoteIp: TunnelAddress;
  /** Absent: the route chooses the source, and any destination is received. */
  readonly localIp: TunnelAddress | undefined;
  /** What received packets must carry: absent `in_key` is 0. */
  readonly inKey: number | 'flow';
  /** What is sent. */
  readonly outKey: number | 'flow';
  /** Whether `out_key` was given: then the KEY flag is set on what is sent. */
  readonly outKeyPresent: boolean;
  readonly destinationPort: number;
  readonly ttl: number | 'inherit';
  /** The TOS byte; its ECN bits are zero. */
  readonly tos: number | 'inherit';
  /** UDP checksums over IPv4. Over IPv6 they are always computed (3.1). */
  readonly checksum: boolean;
  readonly dontFragment: boolean;
  /** `skb_mark` of the packets that leave. */
  readonly egressMark: number | undefined;
  readonly extensions: readonly ('gbp' | 'gpe')[];
  /** The options as they were given, for those who print them. */
  readonly options: Readonly<Record<string, string>>;
}

/** VXLAN's own port (RFC 7348 section 8). */
export const VXLAN_PORT = 4789;
/** TTL where none is configured (Open vSwitch's DEFAULT_TTL). */
export const DEFAULT_TTL = 64;

/**
 * Reads the options of the VXLAN port `name`. Throws `bad-option` in the words of Open vSwitch where it has any. Options that it
 * does not know are refused too: Open vSwitch only logs a warning, where nobody looks.
 */
export function parseTunnelOptions(name: string, options: Readonly<Record<string, string>>): TunnelConfig {
  const refuse = (message: string, value: unknown, allowed: string): never => {
    throw new MegaflowError('bad-option', `${name}: ${message}`, value, allowed);
  };
  for (const option of Object.keys(options)) {
    if (!KNOWN.has(option)) refuse(`unknown vxlan argument '${option}'`, option, [...KNOWN].join(', '));
  }
  const address = (option: 'remote_ip' | 'local_ip'): TunnelAddress | undefined => {
    const text = options[option];
    if (text === undefined || text === 'flow') return text;
    let bytes: Uint8Array;
    try {
      bytes = parseIp(text);
    } catch {
      return refuse(`bad vxlan '${option}'`, text, 'an IPv4 or IPv6 address, or flow');
    }
    const multicast = bytes.length === 4 ? bytes[0] >>> 4 === 14 : bytes[0] === 0xff;
    if (option === 'remote_ip' && multicast)
      refuse(`multicast remote_ip=${text} not allowed`, text, 'a unicast address');
    return bytes;
  };
  const integer = (option: string, text: string, most: number): number => {
    const value = /^(0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : NaN;
    if (!(value <= most)) refuse(`bad value for ${option}: ${text}`, text, `a whole number from 0 to ${most}`);
    return value;
  };
  const boolean = (option: string, fallback: boolean): boolean => {
    const text = options[option];
    if (text !== undefined && text !== 'true' && text !== 'false')
      refuse(`bad value for ${option}: ${text}`, text, 'true or false');
    return text === undefined ? fallback : text === 'true';
  };
  const key = (text: string | undefined): number | 'flow' | undefined =>
    text === undefined || text === 'flow' ? text : integer('key', text, Number.MAX_SAFE_INTEGER);

  const remoteIp =
    address('remote_ip') ?? refuse(`vxlan type requires valid 'remote_ip' argument`, undefined, 'an address, or flow');
  const localIp = address('local_ip');
  if (localIp === 'flow' && remoteIp !== 'flow')
    refuse(`vxlan type requires 'remote_ip=flow' with 'local_ip=flow'`, 'flow', 'remote_ip=flow');
  if (localIp instanceof Uint8Array && remoteIp instanceof Uint8Array && localIp.length !== remoteIp.length) {
    refuse(
      'remote_ip and local_ip are of different families',
      options.local_ip,
      `an address of the family of ${formatIp(remoteIp)}`,
    );
  }
  const outKey = key(options.out_key ?? options.key);
  const tos = options.tos === undefined || options.tos === 'inherit' ? options.tos : integer('tos', options.tos, 255);
  if (typeof tos === 'number' && (tos & 3) !== 0)
    refuse(`invalid TOS ${options.tos}`, options.tos, 'inherit, or a TOS byte whose ECN bits are zero');
  const extensions = (options.exts ?? '').split(',').filter((text) => text !== '');
  for (const extension of extensions) {
    if (extension !== 'gbp' && extension !== 'gpe') refuse(`unknown extension '${extension}'`, extension, 'gbp, gpe');
  }
  const destinationPort = options.dst_port === undefined ? VXLAN_PORT : integer('dst_port', options.dst_port, 65535);
  if (destinationPort === 0) refuse('bad value for dst_port: 0', options.dst_port, 'a port from 1 to 65535');
  const ttl =
    options.ttl === 'inherit'
      ? 'inherit'
      : options.ttl === undefined
        ? DEFAULT_TTL
        : integer('ttl', options.ttl, 255) || DEFAULT_TTL;

  return {
    remoteIp,
    localIp,
    inKey: key(options.in_key ?? options.key) ?? 0,
    outKey: outKey ?? 0,
    outKeyPresent: outKey !== undefined,
    destinationPort,
    ttl,
    tos: tos ?? 0,
    checksum: boolean('csum', false),
    dontFragment: boolean('df_default', true),
    egressMark:
      options.egress_pkt_mark === undefined
        ? undefined
        : integer('egress_pkt_mark', options.egress_pkt_mark, 0xffffffff),
    extensions: extensions as ('gbp' | 'gpe')[],
    options: { ...options },
  };
}

const KNOWN = new Set([
  'remote_ip',
  'local_ip',
  'key',
  'in_key',
  'out_key',
  'dst_port',
  'ttl',
  'tos',
  'csum',
  'df_default',
  'exts',
  'egress_pkt_mark',
]);
