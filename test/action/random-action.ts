// Random lists of actions of every kind, for round trips through text. What 3.1 drops when it reads (a mask of zero,
// options of a translation without addresses) is not made.
import { formatActions } from '../../src/action/text-format.js';
import { parseActions } from '../../src/action/text-parse.js';
import type { Action, ConntrackAction, NatRange } from '../../src/action/types.js';
import type { Dice } from '../flow/random-flow.js';

const mac = (dice: Dice): string => Array.from(dice.bytes(6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
const ip = (dice: Dice): string => Array.from(dice.bytes(4)).join('.');
const hex = (value: number): string => `0x${value.toString(16)}`;

/** Text of a `set` as 3.1 prints it: some of the attribute's parts, in order. */
function randomSet(dice: Dice): string {
  const optional = (parts: string[]): string => parts.filter(() => dice.chance(0.6)).join(',');
  const port = (): string => `${dice.below(0x1_0000)}${dice.chance(0.2) ? '/0xff00' : ''}`;
  const number = (): string => `${dice.below(256)}${dice.chance(0.2) ? '/0xf' : ''}`;
  switch (dice.below(12)) {
    case 0:
      return `eth(${optional([`src=${mac(dice)}`, `dst=${mac(dice)}${dice.chance(0.3) ? '/ff:ff:ff:00:00:00' : ''}`])})`;
    case 1:
      return `ipv4(${optional([`src=${ip(dice)}`, `dst=${ip(dice)}/255.255.0.0`, `proto=${number()}`, `tos=${hex(1 + dice.below(255))}/0x3`, `ttl=${number()}`, 'frag=no'])})`;
    case 2:
      return `ipv6(${optional(['src=fd00::1', 'dst=fd00::2/ffff::', `label=${hex(1 + dice.below(0xfffff))}`, `proto=${number()}`, `tclass=${hex(1 + dice.below(255))}/0x3`, `hlimit=${number()}`])})`;
    case 3:
      return `${dice.pick(['tcp', 'udp', 'sctp'])}(${optional([`src=${port()}`, `dst=${port()}`])})`;
    case 4:
      return `${dice.pick(['icmp', 'icmpv6'])}(${optional([`type=${number()}`, `code=${number()}`])})`;
    case 5:
      return `arp(${optional([`sip=${ip(dice)}`, `tip=${ip(dice)}`, `op=${number()}`, `sha=${mac(dice)}`, `tha=${mac(dice)}`])})`;
    case 6:
      return `nd(${optional(['target=fe80::1', `sll=${mac(dice)}`, `tll=${mac(dice)}`])})`;
    case 7:
      return `nd_ext(nd_reserved=${hex(dice.below(0xffff))},nd_options_type=${dice.below(256)})`;
    case 8:
      return `mpls(label=${dice.below(0xfffff)},tc=${dice.below(8)},ttl=${dice.below(256)},bos=${dice.below(2)})`;
    case 9:
      return `nsh(${optional([`flags=${dice.below(256)}`, `ttl=${dice.below(64)}`, `spi=${hex(dice.below(0xffffff))}`, `si=${dice.below(256)}`, `c1=${hex(dice.below(0xffff))}`])})`;
    case 10:
      return `${dice.pick(['skb_priority', 'skb_mark'])}(${hex(1 + dice.below(0xffff))}${dice.chance(0.3) ? '/0xff' : ''})`;
    default: {
      const where = dice.chance(0.7) ? `dst=${ip(dice)}` : `ipv6_dst=fd00::${hex(1 + dice.below(0xffff)).slice(2)}`;
      const extra = dice.pick([
        '',
        ',vxlan(gbp(id=10,flags=0xb))',
        ',erspan(ver=1,idx=0x7)',
        ',gtpu(flags=0x30,msgtype=255)',
        ',geneve({class=0xffff,type=0x80,len=4,0xa})',
      ]);
      return `tunnel(tun_id=${hex(dice.below(0xffffff))},${where},ttl=${dice.below(256)},tp_dst=${1 + dice.below(0xffff)}${extra},flags(${dice.pick(['key', 'df|key', 'csum|key', 'oam|df|csum|key'])}))`;
    }
  }
}

function randomHeader(dice: Dice): string {
  const isIpv4 = dice.chance(0.6);
  const ethernet = `eth(dst=${mac(dice)},src=${mac(dice)},dl_type=${isIpv4 ? '0x0800' : '0x86dd'})`;
  const [type, protocol, text, length] = dice.pick<readonly [number, number, string, number]>([
    [
      4,
      17,
      `udp(src=0,dst=${dice.below(0x1_0000)},csum=${dice.pick(['0x0', '0xffff'])}),vxlan(flags=0x8000000,vni=${hex(dice.below(0x100_0000))})`,
      16,
    ],
    [4, 17, `udp(src=0,dst=4790,csum=0x0),vxlan(flags=0xc000003,vni=${hex(dice.below(0x100_0000))})`, 16],
    [
      5,
      17,
      `udp(src=0,dst=6081,csum=0x0),geneve(${dice.pick(['', 'oam,', 'crit,', 'oam,crit,'])}vni=${hex(dice.below(0x100_0000))})`,
      16,
    ],
    [
      5,
      17,
      'udp(src=0,dst=6081,csum=0x0),geneve(crit,vni=0x1c7,options({class=0xffff,type=0x80,len=4,0xa}{class=0,type=0x1,len=0}))',
      28,
    ],
    [110, 17, `udp(src=0,dst=2152,csum=0x0),gtpu(flags=0x30,msgtype=255,teid=${hex(dice.below(0xffff_ffff))})`, 16],
    [isIpv4 ? 3 : 109, 47, `gre((flags=0x2000,proto=0x6558),key=${hex(dice.below(0xffff_ffff))})`, 8],
    [isIpv4 ? 3 : 109, 47, `gre((flags=0xb000,proto=0x6558),csum=0x0,key=0x1e241,seq=${hex(dice.below(0xffff))})`, 16],
    [isIpv4 ? 107 : 108, 47, `erspan(ver=1,sid=${hex(dice.below(0x400))},idx=${hex(dice.below(0xfffff))})`, 16],
    [
      isIpv4 ? 107 : 108,
      47,
      `erspan(ver=2,sid=${hex(dice.below(0x400))},dir=${dice.below(2)},hwid=${hex(dice.below(64))})`,
      20,
    ],
    ...(isIpv4 ? [] : ([[112, 43, 'srv6(segments_left=1,segs(fd00::90,fd00::91))', 40]] as const)),
  ]);
  const tos = dice.below(256);
  const network = isIpv4
    ? `ipv4(src=${ip(dice)},dst=${ip(dice)},proto=${protocol},tos=${tos === 0 ? '0' : hex(tos)},ttl=${dice.below(256)},frag=${dice.pick(['0x0', '0x4000'])})`
    : `ipv6(src=fd00::1,dst=fd00::2,label=${dice.below(0x10_0000)},proto=${protocol},tclass=${hex(tos)},hlimit=${dice.below(256)})`;
  return `header(size=${14 + (isIpv4 ? 20 : 40) + length},type=${type},${ethernet},${network},${text})`;
}

function randomConntrack(dice: Dice): ConntrackAction {
  const nat = (): NatRange => {
    if (dice.chance(0.3)) return {};
    const length = dice.pick([4, 16]);
    const address = (first: number): Uint8Array =>
      Uint8Array.from({ length }, (_, index) => (index === 0 ? first : dice.below(256)));
    const minPort = dice.chance(0.5) ? 1 + dice.below(1000) : undefined;
    return {
      direction: dice.pick(['src', 'dst']),
      minAddress: address(10),
      ...(dice.chance(0.5) && { maxAddress: address(11) }),
      ...(minPort && { minPort }),
      ...(minPort && dice.chance(0.5) && { maxPort: 1001 + dice.below(1000) }),
      ...(dice.chance(0.3) && { persistent: true }),
      ...(dice.chance(0.3) && { hash: true }),
    };
  };
  return {
    commit: dice.chance(0.5),
    force: false,
    ...(dice.chance(0.5) && { zone: 1 + dice.below(0xffff) }),
    ...(dice.chance(0.3) && { mark: { value: dice.below(0xffff_ffff), mask: 1 + dice.below(0xffff) } }),
    ...(dice.chance(0.3) && {
      label: { value: dice.bytes(16), mask: dice.pick([new Uint8Array(16).fill(255), dice.bytes(16).fill(1, 0, 1)]) },
    }),
    ...(dice.chance(0.3) && { helper: 'ftp' }),
    ...(dice.chance(0.3) && { timeout: 'slow' }),
    ...(dice.chance(0.5) && { nat: nat() }),
  };
}

function randomUserspace(dice: Dice): string {
  const cookie = dice.pick([
    '',
    `,sFlow(vid=${dice.below(4096)},pcp=${dice.below(8)},output=${dice.below(0xffff_ffff)})`,
    `,slow_path(${dice.pick(['0', 'cfm', 'bfd,match', 'lacp,stp,lldp,action'])})`,
    `,flow_sample(probability=${dice.below(0x1_0000)},collector_set_id=1,obs_domain_id=2,obs_point_id=3,output_port=${dice.below(100)}${dice.pick(['', ',ingress', ',egress'])})`,
    `,ipfix(output_port=${dice.below(100)})`,
    `,controller(reason=1,dont_send=${dice.below(2)},continuation=1,recirc_id=${dice.below(5000)},rule_cookie=${hex(1 + dice.below(0xffff))},controller_id=0,max_len=65535)`,
    `,userdata(${Array.from(dice.bytes(dice.below(60)), (byte) => byte.toString(16).padStart(2, '0')).join('')})`,
  ]);
  return `userspace(pid=${dice.below(0xffff_ffff)}${cookie}${dice.pick(['', ',actions'])}${dice.pick(['', `,tunnel_out_port=${dice.below(100)}`])})`;
}

/**
 * One action. Those that are easier said in text are read from it; their text is checked by the lists that were
 * observed.
 */
function randomAction(dice: Dice, depth: number): Action {
  const nested = (): Action[] => (depth > 3 ? [] : randomActions(dice, depth + 1, 3));
  const read = (text: string): Action => {
    const [action] = parseActions(text);
    if (formatActions([action]) !== text && !text.startsWith('set('))
      throw new Error(`${text} is not canonical: ${formatActions([action])}`);
    return action;
  };
  const u32 = (): number => dice.pick([dice.below(100), dice.below(0xffff_ffff)]);
  switch (dice.below(24)) {
    case 0:
      return { type: 'clone', actions: nested() };
    case 1:
      return read(`tnl_push(tnl_port(${u32()}),${randomHeader(dice)},out_port(${u32()}))`);
    case 2:
      return { type: 'tnl_pop', port: u32() };
    case 3:
    case 4:
    case 5:
      return read(`set(${randomSet(dice)})`);
    case 6:
      return { type: 'push_vlan', tpid: dice.pick([0x8100, 0x88a8, 0x9100]), tci: dice.below(0x1_0000) };
    case 7:
      return { type: dice.pick(['pop_vlan', 'pop_eth', 'pop_nsh', 'ct_clear', 'drop'] as const) };
    case 8:
      return { type: 'recirc', id: u32() };
    case 9:
      return { type: 'hash', algorithm: dice.pick(['l4', 'sym_l4']), basis: u32() };
    case 10:
      return { type: 'trunc', maxLength: u32() };
    case 11:
      // As text rounds it to a tenth of a percent.
      return {
        type: 'sample',
        probability: Math.floor((0xffff_ffff * dice.below(1001)) / 1000 + 0.5),
        actions: nested(),
      };
    case 12:
    case 13:
      return read(randomUserspace(dice));
    case 14:
      return { type: 'check_pkt_len', size: dice.below(0x1_0000), greater: nested(), lessEqual: nested() };
    case 15:
      return { type: 'meter', id: u32() };
    case 16:
      return { type: 'lb_output', bond: u32() };
    case 17:
      return { type: 'push_eth', src: dice.below(0xffff_ffff_ffff), dst: dice.below(0xffff_ffff_ffff) };
    case 18:
      return { type: dice.pick(['push_mpls', 'add_mpls'] as const), lse: u32(), ethType: dice.pick([0x8847, 0x8848]) };
    case 19:
      return { type: 'pop_mpls', ethType: dice.below(0x1_0000) };
    case 20: {
      const isFixed = dice.chance(0.5);
      const context = isFixed
        ? [u32(), u32(), u32(), u32()]
        : Uint8Array.from(dice.bytes(4 * dice.below(5)), (byte, index) => (index === 0 ? byte | 0x10 : byte));
      return {
        type: 'push_nsh',
        header: {
          flags: dice.below(4),
          ttl: dice.below(64),
          mdtype: isFixed ? 1 : 2,
          np: dice.below(256),
          spi: dice.below(0x100_0000),
          si: dice.below(256),
          context,
        },
      };
    }
    case 21:
      return { type: 'ct', ct: randomConntrack(dice) };
    case 22:
      return { type: 'dec_ttl', actions: nested() };
    default:
      return { type: 'output', port: u32() };
  }
}

/** At most `most` actions. */
export function randomActions(dice: Dice, depth = 0, most = 6): Action[] {
  const actions = Array.from({ length: dice.below(most + 1) }, () => randomAction(dice, depth));
  // A list that says only `drop` is an empty one, but for the outermost.
  return depth > 0 && actions.length === 1 && actions[0].type === 'drop' ? [] : actions;
}
