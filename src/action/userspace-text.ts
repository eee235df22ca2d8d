/**
 * `userspace(...)` as text, both ways. Its user data is what Open vSwitch's own daemon understands: a structure of 48
 * bytes (`struct user_action_cookie` of 3.1 on a little-endian machine) when it has that length and a known type,
 * otherwise plain bytes.
 *
 *     byte  0  type (16 bits): 1 to 5, in the order below
 *           4  OpenFlow port, 0xffff for none
 *           8  UUID of the bridge
 *     then, by type,
 *     sFlow        24 TCI (network order, 16), 28 output
 *     slow_path    28 reasons
 *     flow_sample  24 probability (16), 28 collector set, 32 domain, 36 point, 40 port, 44 direction
 *     ipfix        24 port
 *     controller   24 dont_send (8), 25 continuation (8), 26 reason (16), 28 recirculation, 32 cookie (network order,
 *                  64), 40 controller (16), 42 max_len (16)
 */
import { formatFlags, takeFlags, type FlagNames } from '../flow/flag-text.js';
import { take, takeHexPairs, takeInteger, takeInteger64, takePattern, type Cursor } from '../flow/scan.js';
import { toHex } from '../util/bytes.js';
import type { Action } from './types.js';

type UserspaceAction = Extract<Action, { type: 'userspace' }>;

export const COOKIE_LENGTH = 48;
const NO_PORT = 0xffff_ffff;
const SFLOW = 1;
const SLOW_PATH = 2;
const FLOW_SAMPLE = 3;
const IPFIX = 4;
const CONTROLLER = 5;
const SLOW_PATH_REASONS: FlagNames = ['cfm', 'bfd', 'lacp', 'stp', 'lldp', 'action', 'match'];
const DIRECTIONS = ['', ',ingress', ',egress'] as const;

/** What Open vSwitch installs for packets that its slow path must see one by one, since the datapath cannot do their actions. */
export function slowPathAction(ofPort: number): UserspaceAction {
  const userdata = new Uint8Array(COOKIE_LENGTH);
  const view = new DataView(userdata.buffer);
  view.setUint16(0, SLOW_PATH, true);
  view.setUint32(4, ofPort, true);
  view.setUint32(28, 1 << SLOW_PATH_REASONS.indexOf('action'), true);
  return { type: 'userspace', pid: 0, userdata };
}

/** Whether an action is for the slow path rather than for whoever else takes packets. */
export function isSlowPath({ userdata }: UserspaceAction): boolean {
  return userdata?.length === COOKIE_LENGTH && userdata[0] === SLOW_PATH && userdata[1] === 0;
}

export function formatUserspace(action: UserspaceAction, formatPort: (port: number) => string): string {
  let text = `userspace(pid=${action.pid >>> 0}`;
  if (action.userdata) text += `,${formatCookie(action.userdata, formatPort) ?? `userdata(${toHex(action.userdata)})`}`;
  if (action.actions) text += ',actions';
  if (action.tunnelOutPort !== undefined) text += `,tunnel_out_port=${formatPort(action.tunnelOutPort)}`;
  return `${text})`;
}

function formatCookie(data: Uint8Array, formatPort: (port: number) => string): string | undefined {
  if (data.length !== COOKIE_LENGTH) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const get = (offset: number): number => view.getUint32(offset, true);
  switch (view.getUint16(0, true)) {
    case SFLOW: {
      const tci = view.getUint16(24);
      return `sFlow(vid=${tci & 0xfff},pcp=${tci >>> 13},output=${get(28)})`;
    }
    case SLOW_PATH:
      return `slow_path(${formatFlags(get(28), SLOW_PATH_REASONS, ',')})`;
    case FLOW_SAMPLE: {
      const ids = `collector_set_id=${get(28)},obs_domain_id=${get(32)},obs_point_id=${get(36)}`;
      const port = `output_port=${formatPort(get(40))}${DIRECTIONS[get(44)] ?? ''}`;
      return `flow_sample(probability=${view.getUint16(24, true)},${ids},${port})`;
    }
    case IPFIX:
      return `ipfix(output_port=${formatPort(get(24))})`;
    case CONTROLLER: {
      const cookie = view.getBigUint64(32);
      const what = `reason=${view.getUint16(26, true)},dont_send=${data[24] ? 1 : 0},continuation=${data[25] ? 1 : 0}`;
      const rule = `recirc_id=${get(28)},rule_cookie=${cookie === 0n ? '0' : `0x${cookie.toString(16)}`}`;
      const limit = `controller_id=${view.getUint16(40, true)},max_len=${view.getUint16(42, true)}`;
      return `controller(${what},${rule},${limit})`;
    }
    default:
      return undefined;
  }
}

/**
 * Reads behind `userspace(`; `undefined` where the text does not fit. `takePort` reads a port, by name where that is
 * allowed.
 */
export function takeUserspace(
  cursor: Cursor,
  takePort: (cursor: Cursor) => number | undefined,
  strict: boolean,
): UserspaceAction | undefined {
  const pid = take(cursor, 'pid=') ? takeInteger(cursor, 0, 32) : undefined;
  if (pid === undefined) return undefined;
  let userdata = takeCookie(cursor, takePort, strict);
  if (userdata === false) return undefined;
  if (strict) {
    // 3.1 puts an empty cookie where there is none, and makes user data 8 bytes long at least.
    userdata ??= new Uint8Array(COOKIE_LENGTH);
    if (userdata.length < 8)
      userdata = Uint8Array.from({ length: 8 }, (_, index) => (userdata as Uint8Array)[index] ?? 0);
  }
  const actions = take(cursor, ',actions');
  let tunnelOutPort: number | undefined;
  if (take(cursor, ',tunnel_out_port=')) {
    tunnelOutPort = takePort(cursor);
    if (tunnelOutPort === undefined) return undefined;
  }
  if (!take(cursor, ')')) return undefined;
  return {
    type: 'userspace',
    pid,
    ...(userdata && { userdata }),
    ...(actions && { actions }),
    ...(tunnelOutPort !== undefined && tunnelOutPort !== NO_PORT && { tunnelOutPort }),
  };
}

/** The user data; `undefined` where there is none, false where the text does not fit. */
function takeCookie(
  cursor: Cursor,
  takePort: (cursor: Cursor) => number | undefined,
  strict: boolean,
): Uint8Array | undefined | false {
  const data = new Uint8Array(COOKIE_LENGTH);
  const view = new DataView(data.buffer);
  const begin = (type: number): void => {
    view.setUint16(0, type, true);
    view.setUint32(4, 0xffff, true);
  };
  /** Takes `name=NUMBER` into the cookie; false where it does not fit. */
  const number = (name: string, bits: 16 | 32, offset: number, base: 0 | 10 = 0): boolean => {
    const value = take(cursor, name) ? takeInteger(cursor, base, bits) : undefined;
    if (value === undefined) return false;
    if (bits === 16) view.setUint16(offset, value, true);
    else view.setUint32(offset, value, true);
    return true;
  };
  const port = (name: string, offset: number): boolean => {
    const value = take(cursor, name) ? takePort(cursor) : undefined;
    view.setUint32(offset, value ?? 0, true);
    return value !== undefined;
  };
  const flag = (name: string, offset: number): boolean => {
    const value = take(cursor, name) ? takeInteger(cursor, 10, 8) : undefined;
    data[offset] = value ? 1 : 0;
    return value !== undefined;
  };

  if (take(cursor, ',sFlow(')) {
    begin(SFLOW);
    const vid = take(cursor, 'vid=') ? takeInteger(cursor, 0, 32) : undefined;
    const pcp = take(cursor, ',pcp=') ? takeInteger(cursor, 0, 32) : undefined;
    if (vid === undefined || pcp === undefined || !number(',output=', 32, 28)) return false;
    const tci = (vid | (pcp << 13)) & 0xffff;
    view.setUint16(24, tci === 0 ? 0 : tci | 0x1000);
  } else if (take(cursor, ',slow_path(')) {
    begin(SLOW_PATH);
    const reasons = takeReasons(cursor, strict);
    if (reasons === undefined) return false;
    view.setUint32(28, reasons, true);
  } else if (take(cursor, ',flow_sample(')) {
    begin(FLOW_SAMPLE);
    const isWhole =
      number('probability=', 16, 24) &&
      number(',collector_set_id=', 32, 28) &&
      number(',obs_domain_id=', 32, 32) &&
      number(',obs_point_id=', 32, 36);
    if (!isWhole || !port(',output_port=', 40)) return false;
    view.setUint32(44, take(cursor, ',ingress') ? 1 : take(cursor, ',egress') ? 2 : 0, true);
  } else if (take(cursor, ',ipfix(')) {
    begin(IPFIX);
    if (!port('output_port=', 24)) return false;
  } else if (take(cursor, ',controller(')) {
    begin(CONTROLLER);
    if (
      !number('reason=', 16, 26, 10) ||
      !flag(',dont_send=', 24) ||
      !flag(',continuation=', 25) ||
      !number(',recirc_id=', 32, 28, 10)
    )
      return false;
    const cookie = take(cursor, ',rule_cookie=') ? takeInteger64(cursor, 16) : undefined;
    if (cookie === undefined || !number(',controller_id=', 16, 40, 10) || !number(',max_len=', 16, 42, 10))
      return false;
    view.setBigUint64(32, cookie);
  } else if (take(cursor, ',userdata(')) {
    const bytes = takeHexPairs(cursor);
    return take(cursor, ')') && bytes;
  } else return undefined;
  return take(cursor, ')') && data;
}

/**
 * 3.1 prints reasons with commas between them, and those that it does not know as a number, but reads bars and no such
 * number.
 */
function takeReasons(cursor: Cursor, strict: boolean): number | undefined {
  const found = takeFlags(cursor, SLOW_PATH_REASONS, false);
  if (found || strict) return found?.flags;
  const reasons = takePattern(cursor, /(0x[0-9a-f]{1,8}|[a-z]+)(,(0x[0-9a-f]{1,8}|[a-z]+))*(?=\))/y)?.split(',') ?? [];
  const bits = reasons.map((reason) =>
    reason.startsWith('0x') ? parseInt(reason, 16) : 2 ** SLOW_PATH_REASONS.indexOf(reason),
  );
  // An unknown name is a bit below the lowest.
  if (bits.length === 0 || bits.includes(0.5)) return undefined;
  return bits.reduce((sum, bit) => (sum | bit) >>> 0, 0);
}
