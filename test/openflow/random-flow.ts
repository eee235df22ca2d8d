// Flows invented from a seed: valid texts in the syntax of ovs-ofctl, and texts that are nearly so.
import type { Random } from '../classifier/random.js';

/** As hexadecimal, below a power of two. */
const hex = (random: Random, bits: number): string => `0x${(random.word() >>> (32 - bits)).toString(16)}`;
const mac = (random: Random): string =>
  Array.from({ length: 6 }, () => random.below(256).toString(16).padStart(2, '0')).join(':');
const ipv4 = (random: Random): string =>
  Array.from({ length: 4 }, () => random.pick([0, 1, 10, 127, 172, 255])).join('.');
const ipv6 = (random: Random): string =>
  random.pick(['::', '::1', 'fd00::1', 'fe80::5:1', 'ff02::1:ff00:5', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4']);
const masked = (random: Random, value: string, masks: readonly string[]): string =>
  random.below(3) === 0 ? `${value}/${random.pick(masks)}` : value;
const mac48 = (random: Random): string =>
  masked(random, mac(random), ['ff:ff:ff:00:00:00', '01:00:00:00:00:00', mac(random)]);
const address4 = (random: Random): string => masked(random, ipv4(random), ['24', '8', '31', '255.0.255.0', '0', '32']);
const address6 = (random: Random): string => masked(random, ipv6(random), ['64', '1', '127', 'ffff::ffff', '128']);
const number = (random: Random, bits: number): string =>
  masked(random, hex(random, bits), [hex(random, bits), '0x1', '0xff'].slice(0, bits < 9 ? 2 : 3));

type Item = (random: Random) => string;

const metadata: readonly Item[] = [
  (random) => `in_port=${random.pick(['1', '2', 'LOCAL', 'p3', '7'])}`,
  (random) => `reg${random.below(16)}=${number(random, 32)}`,
  (random) => `xreg${random.below(8)}=${number(random, 32)}`,
  (random) => `metadata=${number(random, 32)}`,
  (random) => `tun_id=${number(random, 32)}`,
  (random) => `tun_src=${address4(random)}`,
  (random) => `tun_dst=${address4(random)}`,
  (random) => `tun_ipv6_dst=${address6(random)}`,
  (random) => `pkt_mark=${number(random, 32)}`,
  (random) => `tun_gbp_id=${number(random, 16)}`,
  (random) => `ct_mark=${number(random, 32)}`,
  (random) => `ct_state=${random.pick(['+trk', '+trk-new', '+est+trk-rel', 'trk|new'])}`,
  (random) => `ct_zone=${hex(random, 16)}`,
  (random) => `dl_src=${mac48(random)}`,
  (random) => `dl_dst=${mac48(random)}`,
  (random) =>
    random.pick([
      'dl_vlan=10',
      'dl_vlan=0',
      'dl_vlan=4095,dl_vlan_pcp=7',
      'dl_vlan_pcp=2',
      'vlan_tci=0x1000/0x1000',
      'vlan_tci=0',
      'dl_vlan=0xffff',
    ]),
];

const ip: readonly Item[] = [
  (random) => `nw_tos=${random.below(64) * 4}`,
  (random) => `nw_ecn=${random.below(4)}`,
  (random) => `nw_ttl=${random.below(256)}`,
  (random) => `nw_frag=${random.pick(['no', 'yes', 'first', 'not_later'])}`,
];
const v4: readonly Item[] = [...ip, (random) => `nw_src=${address4(random)}`, (random) => `nw_dst=${address4(random)}`];
const v6: readonly Item[] = [
  ...ip,
  (random) => `ipv6_src=${address6(random)}`,
  (random) => `ipv6_dst=${address6(random)}`,
  (random) => `ipv6_label=${hex(random, 20)}`,
];
const ports: readonly Item[] = [(random) => `tp_src=${number(random, 16)}`, (random) => `tp_dst=${number(random, 16)}`];
const tcp: readonly Item[] = [
  ...ports,
  (random) => `tcp_flags=${random.pick(['+syn', '+syn-ack', 'syn|ack', '0x10', '-fin-rst+psh', '0/0xfff'])}`,
];
const icmp: readonly Item[] = [
  (random) => `icmp_type=${random.below(256)}`,
  (random) => `icmp_code=${random.below(256)}`,
];
const arp: readonly Item[] = [
  (random) => `arp_op=${random.below(3)}`,
  (random) => `arp_spa=${address4(random)}`,
  (random) => `arp_tpa=${address4(random)}`,
  (random) => `arp_sha=${mac48(random)}`,
  (random) => `arp_tha=${mac48(random)}`,
];
const neighbour: readonly Item[] = [(random) => `nd_target=${address6(random)}`];
const mpls: readonly Item[] = [
  (random) => `mpls_label=${hex(random, 20)}`,
  (random) => `mpls_tc=${random.below(8)}`,
  (random) => `mpls_bos=${random.below(2)}`,
];

const protocols: readonly (readonly [string, readonly Item[]])[] = [
  ['', []],
  ['ip', v4],
  ['tcp', [...v4, ...tcp]],
  ['udp', [...v4, ...ports]],
  ['sctp', [...v4, ...ports]],
  ['icmp', [...v4, ...icmp]],
  ['ip,nw_proto=47', v4],
  ['ipv6', v6],
  ['tcp6', [...v6, ...tcp]],
  ['udp6', [...v6, ...ports]],
  ['icmp6', [...v6, ...icmp]],
  ['icmp6,icmp_type=135,icmp_code=0', [...v6, ...neighbour, (random) => `nd_sll=${mac48(random)}`]],
  ['icmp6,icmp_type=136,icmp_code=0', [...v6, ...neighbour, (random) => `nd_tll=${mac48(random)}`]],
  ['arp', arp],
  ['rarp', arp],
  ['mpls', mpls],
  ['dl_type=0x88cc', []],
];

const actions: readonly Item[] = [
  (random) =>
    random.pick([
      'NORMAL',
      'FLOOD',
      'ALL',
      'LOCAL',
      'IN_PORT',
      'CONTROLLER',
      'controller:100',
      'output:2',
      '3',
      'output:p1',
      'exit',
    ]),
  (random) => `resubmit(,${random.below(255)})`,
  (random) => `resubmit(${random.pick(['1', 'LOCAL', 'p2'])},${random.below(254)})`,
  (random) => `mod_dl_src:${mac(random)}`,
  (random) => `mod_dl_dst:${mac(random)}`,
  (random) => `mod_vlan_vid:${random.below(4096)}`,
  (random) => `mod_vlan_pcp:${random.below(8)}`,
  () => 'strip_vlan',
  (random) => `mod_nw_src:${ipv4(random)}`,
  (random) => `mod_nw_tos:${random.below(64) * 4}`,
  (random) => `mod_tp_dst:${random.below(65536)}`,
  () => 'dec_ttl',
  (random) => `set_tunnel:${hex(random, 32)}`,
  (random) => `set_tunnel64:${hex(random, 32)}`,
  (random) => `load:${hex(random, 8)}->reg${random.below(16)}[${random.below(16)}..${23 + random.below(9)}]`,
  (random) => `load:${hex(random, 32)}->NXM_NX_TUN_ID[]`,
  (random) => `set_field:${number(random, 32)}->reg${random.below(16)}`,
  (random) => `set_field:${number(random, 32)}->metadata`,
  (random) => `set_field:${mac48(random)}->eth_src`,
  (random) => `set_field:${address4(random)}->tun_dst`,
  (random) => `move:reg${random.below(16)}[0..15]->reg${random.below(16)}[16..31]`,
  () => 'move:eth_src->eth_dst',
  (random) => `note:${mac(random).replaceAll(':', '.')}`,
  (random) => `output:reg${random.below(16)}[0..15]`,
  (random) => `output(port=${1 + random.below(3)},max_len=${14 + random.below(100)})`,
  (random) =>
    `learn(table=${random.below(254)},hard_timeout=${random.below(100)},vlan_tci[0..11],eth_dst=eth_src,load:in_port->reg0[0..15],output:in_port)`,
  (random) =>
    `learn(eth_type=0x800,ip_dst=${ipv4(random)},priority=${random.below(65536)},cookie=${hex(random, 32)},load:${hex(random, 16)}->reg1)`,
];

function pickSome(random: Random, items: readonly Item[], chance: number): string[] {
  return items.filter(() => random.below(chance) === 0).map((item) => item(random));
}

/** A list of actions without `actions=`. */
export function randomActions(random: Random): string {
  const list = Array.from({ length: random.below(4) }, () => random.pick(actions)(random));
  if (random.below(6) === 0)
    list.push(`clone(${Array.from({ length: 1 + random.below(2) }, () => random.pick(actions)(random)).join(',')})`);
  return list.join(',') || 'drop';
}

/** A flow that Open vSwitch accepts. */
export function randomFlowText(random: Random): string {
  const [protocol, items] = random.pick(protocols);
  const fields = [
    ...pickSome(random, metadata, 9),
    ...(protocol === '' ? [] : [protocol]),
    ...pickSome(random, items, 3),
  ];
  const options = [`priority=${random.below(65536)}`];
  if (random.below(4) === 0) options.push(`cookie=${hex(random, 32)}`);
  if (random.below(4) === 0) options.push(`table=${random.below(254)}`);
  if (random.below(8) === 0) options.push(`idle_timeout=${random.below(1000)}`);
  return [...options, ...fields, `actions=${randomActions(random)}`].join(',');
}

const pieces = [
  'actions=',
  'output',
  '(',
  ')',
  '[',
  ']',
  '..',
  '->',
  ':',
  '=',
  ',',
  ' ',
  '/',
  '0x',
  '-1',
  'reg0',
  'tcp',
  'ip',
  'nw_src',
  '1.2.3.4',
  'learn(',
  'clone(',
  'load:',
  'move:',
  'set_field:',
  'eth_dst',
  'resubmit',
  'priority=',
  '99999999999999999999',
  '"',
  '+',
  '|',
  'tcp_flags=',
  'ct_state=',
  'packet_type=',
  '*',
  '\n',
  'note:',
  'controller(',
  'bucket=',
  'group_id=',
  'type=select',
  'watch_port:',
  '__proto__',
  'constructor',
  'toString',
  '::',
  'ff:',
  'dl_vlan=',
  '\u0000',
  'é',
];

/** A text that is nearly a flow: a valid one with pieces changed, or pieces alone. */
export function randomNonsense(random: Random): string {
  let text = random.below(4) === 0 ? '' : randomFlowText(random);
  for (let change = 0; change < 1 + random.below(4); change++) {
    const at = random.below(text.length + 1);
    text = text.slice(0, at) + (random.below(4) === 0 ? '' : random.pick(pieces)) + text.slice(at + random.below(6));
  }
  return text;
}
