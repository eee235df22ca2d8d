// The public names of megaflow: everything that runs without an operating system. A list of named exports and nothing
// else; what needs Node is in `megaflow/node`.

// util: addresses, hex, time, errors, reasons
export { formatIp, formatIpv4, formatIpv6, formatMac } from './util/address.js';
export { parseIp, parseIpv4, parseIpv6, parseMac, parsePrefix } from './util/address.js';
export type { IpPrefix } from './util/address.js';
export { fromHex, toHex } from './util/bytes.js';
export { ManualClock, systemClock } from './util/clock.js';
export type { Clock, Timer } from './util/clock.js';
export { MegaflowError } from './util/errors.js';
export type { ErrorCode } from './util/errors.js';
export { Reason, reasonCounts, reasonName } from './util/reason.js';

// packet: where frames live
export { BURST, PacketPool } from './packet/pool.js';
export type { PacketHandle, PoolOptions } from './packet/pool.js';

// io: ports
export { PortCounters } from './io/port.js';
export type { Port, PortHost } from './io/port.js';
