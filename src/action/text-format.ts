/**
 * Actions as text: what stands behind `actions:` in `ovs-appctl dpctl/dump-flows`, exactly as Open vSwitch 3.1 prints
 * it (`lib/odp-util.c` there: `format_odp_actions`). The longer ones have files of their own: headers of tunnels, `ct`,
 * `userspace`.
 */
import { formatVlan } from '../flow/attribute-text.js';
import { formatHash } from '../flow/flag-text.js';
import { formatBytes } from '../flow/value-text.js';
import { formatMac } from '../util/address.js';
import { formatConntrack } from './ct-text.js';
import { formatHeader } from './header-text.js';
import { formatSet } from './set-text.js';
import type { Action, NshHeader } from './types.js';
import { formatUserspace } from './userspace-text.js';

export interface ActionFormatOptions {
  /** Name of a datapath port (`--names`); without one its number is printed. */
  readonly portName?: (port: number) => string | undefined;
}

/** A list of actions, joined by commas; `drop` for an empty one. */
export function formatActions(actions: readonly Action[], options: ActionFormatOptions = {}): string {
  const { portName } = options;
  const port = (number: number): string => portName?.(number >>> 0) ?? String(number >>> 0);
  const list = (nested: readonly Action[]): string => (nested.length === 0 ? 'drop' : nested.map(one).join(','));
  const formatPush = ({ tunnelPort, outPort, header }: Extract<Action, { type: 'tnl_push' }>): string =>
    `tnl_port(${port(tunnelPort)}),${formatHeader(header)},out_port(${port(outPort)})`;
  const one = (action: Action): string => {
    switch (action.type) {
      case 'output':
        return port(action.port);
      case 'drop':
      case 'pop_vlan':
      case 'pop_eth':
      case 'ct_clear':
        return action.type;
      case 'clone':
        return `clone(${list(action.actions)})`;
      case 'tnl_push':
        return `tnl_push(${formatPush(action)})`;
      case 'tnl_pop':
        return `tnl_pop(${port(action.port)})`;
      case 'set':
        return formatSet(action);
      case 'push_vlan':
        return `push_vlan(${formatTpid(action.tpid)}${formatVlan(action.tci, 0xffff, false)})`;
      case 'recirc':
        return `recirc(${formatHash(action.id >>> 0)})`;
      case 'hash':
        return `hash(${action.algorithm}(${action.basis >>> 0}))`;
      case 'trunc':
        return `trunc(${action.maxLength >>> 0})`;
      case 'sample':
        return `sample(sample=${formatPercentage(action.probability)}%,actions(${list(action.actions)}))`;
      case 'userspace':
        return formatUserspace(action, port);
      case 'check_pkt_len':
        return `check_pkt_len(size=${action.size},gt(${list(action.greater)}),le(${list(action.lessEqual)}))`;
      case 'meter':
        return `meter(${action.id >>> 0})`;
      case 'lb_output':
        return `lb_output(${action.bond >>> 0})`;
      case 'push_eth':
        return `push_eth(src=${formatMac(action.src)},dst=${formatMac(action.dst)})`;
      case 'push_mpls':
      case 'add_mpls':
        return `${action.type}(${formatLabel(action.lse)},eth_type=0x${action.ethType.toString(16)})`;
      case 'pop_mpls':
        return `pop_mpls(eth_type=0x${action.ethType.toString(16)})`;
      case 'push_nsh':
        return `push_nsh(${formatNsh(action.header)})`;
      case 'pop_nsh':
        return 'pop_nsh()';
      case 'ct':
        return formatConntrack(action.ct);
      case 'dec_ttl':
        return `dec_ttl(le_1(${list(action.actions)}))`;
    }
  };
  return list(actions);
}

/** Nothing for an 802.1Q tag. */
const formatTpid = (tpid: number): string => (tpid === 0x8100 ? '' : `tpid=0x${tpid.toString(16).padStart(4, '0')},`);

/** A part of 2^32 - 1 in hundredths, with one decimal. */
const formatPercentage = (probability: number): string => ((100 * probability) / 0xffff_ffff).toFixed(1);

function formatLabel(lse: number): string {
  return `label=${lse >>> 12},tc=${(lse >>> 9) & 7},ttl=${lse & 0xff},bos=${(lse >>> 8) & 1}`;
}

function formatNsh(header: NshHeader): string {
  const { flags, ttl, mdtype, np, spi, si, context } = header;
  const base = `flags=${flags},ttl=${ttl},mdtype=${mdtype},np=${np},spi=0x${spi.toString(16)},si=${si}`;
  if (mdtype === 2) return `${base},md2=${formatBytes(Uint8Array.from(context))}`;
  return base + [0, 1, 2, 3].map((index) => `,c${index + 1}=0x${(context[index] >>> 0).toString(16)}`).join('');
}
