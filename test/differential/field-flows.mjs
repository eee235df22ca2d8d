// @ts-check
// OpenFlow rules at random over all fields that a key has, with masks, and all ways to write them. Jumps go to higher
// tables only, so that nothing loops. Ports 1 to 3 are expected to exist, and a tunnel as port 10.
import { hostMac } from './packets.mjs';

/** @typedef {import('./random.mjs').Random} Random */

/** What a match must say before a field of its kind can be matched or written. @type {Record<string, string[]>} */
const PREREQUISITES = {
  ip: ['ip'],
  tcp: ['tcp'],
  udp: ['udp'],
  sctp: ['sctp'],
  icmp: ['icmp'],
  arp: ['arp'],
  rarp: ['rarp'],
  ipv6: ['ipv6'],
  tcp6: ['tcp6'],
  udp6: ['udp6'],
  icmp6: ['icmp6'],
  solicitation: ['icmp6', 'icmpv6_type=135', 'icmpv6_code=0'],
  advertisement: ['icmp6', 'icmpv6_type=136', 'icmpv6_code=0'],
  other: ['dl_type=0x88b5'],
  any: [],
};

/** @param {Random} random */
const mac = (random) => hostMac(random.between(1, 39));
/** @param {Random} random */
const maskedMac = (random) =>
  random.pick([
    mac(random),
    'ff:ff:ff:ff:ff:ff',
    '01:00:00:00:00:00/01:00:00:00:00:00',
    `${mac(random)}/ff:ff:ff:ff:ff:f0`,
    '02:00:00:00:00:01/00:00:00:00:00:01',
  ]);
/** @param {Random} random */
const net = (random) =>
  random.pick([
    '172.16.1.0/24',
    '172.16.0.0/23',
    '172.16.3.128/25',
    '172.16.0.1/255.255.0.1',
    `172.16.${random.below(4)}.${random.between(1, 250)}`,
  ]);
/** @param {Random} random */
const net6 = (random) =>
  random.pick([
    '2001:db8::2:0/112',
    '2001:db8::/109',
    '2001:db8::1/::1',
    'fe80::/10',
    `2001:db8::${random.between(1, 8)}:1`,
  ]);
/** @param {Random} random */
const port = (random) => random.pick(['53', '80', '443', '0x8000/0x8000', '0x50/0xfff0', '0x1/0x1', '1/0xff']);

/** Fields by the protocol that has them. @type {Record<string, Array<(random: Random) => string>>} */
const MATCHES = {
  any: [
    (random) => `in_port=${random.pick(['1', '2', '3', '10', 'LOCAL', 'p1'])}`,
    (random) => `dl_src=${maskedMac(random)}`,
    (random) => `dl_dst=${maskedMac(random)}`,
    (random) => random.pick(['dl_vlan=10', 'dl_vlan=0xffff', 'vlan_tci=0', 'vlan_tci=0x1000/0x1000', 'dl_vlan_pcp=5']),
    (random) =>
      random.pick(['vlan_vid=0x1000/0x1001', 'vlan_tci=0x100a/0x1fff', 'vlan_pcp=0', 'dl_vlan=20,dl_vlan_pcp=0']),
    (random) => `tun_id=${random.pick(['0', '5', '0x65', '0x1/0x1', '0xff0000/0xff0000'])}`,
    (random) => `tun_src=${random.pick(['10.10.10.2', '0.0.0.0', '10.10.0.0/16'])}`,
    (random) => `tun_dst=${random.pick(['10.10.10.1', '0.0.0.0'])}`,
    (random) => `reg${random.below(4)}=${random.pick(['0', '5', '0x1/0x1', '0x7/0xf'])}`,
    (random) => random.pick(['metadata=0', 'metadata=5', 'xreg0=0', 'pkt_mark=0', 'pkt_mark=0x1/0x1']),
  ],
  ip: [
    (random) => `nw_src=${net(random)}`,
    (random) => `nw_dst=${net(random)}`,
    (random) => random.pick(['nw_tos=184', 'ip_dscp=46', 'nw_ecn=1', 'nw_ecn=3', 'nw_ttl=1', 'nw_ttl=64']),
    (random) => `ip_frag=${random.pick(['no', 'yes', 'first', 'later', 'not_later'])}`,
  ],
  ip4: [(random) => `nw_proto=${random.pick(['2', '17', '47', '132'])}`],
  ipv6: [
    (random) => `ipv6_src=${net6(random)}`,
    (random) => `ipv6_dst=${net6(random)}`,
    (random) =>
      random.pick(['ipv6_label=0', 'ipv6_label=0x1/0x1', 'nw_tos=184', 'nw_ecn=2', 'nw_ttl=64', 'ip_frag=no']),
  ],
  ports: [(random) => `tp_src=${port(random)}`, (random) => `tp_dst=${port(random)}`],
  tcp: [(random) => `tcp_flags=${random.pick(['+syn-ack', '+ack', '0x10', 'syn', '-rst', '0x2/0x2', '+psh+ack'])}`],
  icmp: [
    (random) => `icmp_type=${random.pick(['0', '3', '8', '11'])}`,
    (random) => `icmp_code=${random.pick(['0', '1'])}`,
  ],
  icmp6: [(random) => `icmpv6_type=${random.pick(['128', '129', '135', '136'])}`],
  arp: [
    (random) => `arp_op=${random.pick(['1', '2'])}`,
    (random) => `arp_spa=${net(random)}`,
    (random) => `arp_tpa=${net(random)}`,
    (random) => `arp_sha=${maskedMac(random)}`,
    (random) => `arp_tha=${random.pick(['00:00:00:00:00:00', maskedMac(random)])}`,
  ],
  nd: [(random) => `nd_target=${net6(random)}`],
  solicitation: [(random) => `nd_sll=${maskedMac(random)}`],
  advertisement: [(random) => `nd_tll=${maskedMac(random)}`],
};

/** Which of the lists above a protocol has. @type {Record<string, string[]>} */
const LISTS = {
  ip: ['ip', 'ip4'],
  tcp: ['ip', 'ports', 'tcp'],
  udp: ['ip', 'ports'],
  sctp: ['ip', 'ports'],
  icmp: ['ip', 'icmp'],
  arp: ['arp'],
  rarp: ['arp'],
  ipv6: ['ipv6'],
  tcp6: ['ipv6', 'ports', 'tcp'],
  udp6: ['ipv6', 'ports'],
  icmp6: ['ipv6', 'icmp6'],
  solicitation: ['ipv6', 'nd', 'solicitation'],
  advertisement: ['ipv6', 'nd', 'advertisement'],
  other: [],
  any: [],
};

/** Actions that write fields, by the lists above. @type {Record<string, Array<(random: Random) => string>>} */
const WRITES = {
  any: [
    (random) => `mod_dl_src:${mac(random)}`,
    (random) => `set_field:${mac(random)}->eth_dst`,
    () => 'set_field:00:00:00:00:00:30/00:00:00:00:00:f0->eth_src',
    (random) => `mod_vlan_vid:${random.pick([7, 10, 20])}`,
    (random) => `mod_vlan_pcp:${random.below(8)}`,
    () => 'load:0x1->NXM_OF_VLAN_TCI[13..15]',
    (random) => `set_field:${random.pick(['0x65', '5', '0x1/0x1'])}->tun_id`,
    (random) => `load:${random.below(8)}->NXM_NX_REG${random.below(4)}[0..${random.between(2, 31)}]`,
    (random) => `move:NXM_OF_ETH_SRC[0..15]->NXM_NX_REG${random.below(4)}[16..31]`,
    (random) => `move:NXM_NX_REG${random.below(4)}[0..7]->NXM_OF_ETH_DST[0..7]`,
    () => 'move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]',
    () => 'move:NXM_OF_IN_PORT[]->NXM_NX_REG2[0..15]',
    () => 'set_field:0x5->metadata',
    () => 'set_field:0x3/0x3->pkt_mark',
    () => 'load:0x7->OXM_OF_METADATA[0..3]',
    () => 'set_field:0x1234->reg1',
    () => 'set_field:0x99->xreg1',
  ],
  ip: [
    (random) => `mod_nw_tos:${random.pick([0, 16, 184])}`,
    () => 'mod_nw_src:172.16.9.9',
    () => 'set_field:172.16.1.77->ip_dst',
    () => 'set_field:0.0.0.7/0.0.0.255->ip_src',
    () => 'dec_ttl',
    (random) => `mod_nw_ecn:${random.below(4)}`,
    (random) => `mod_nw_ttl:${random.pick([1, 33, 255])}`,
    () => 'load:9->NXM_NX_IP_TTL[]',
    () => 'move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]',
    () => 'move:NXM_OF_IP_DST[0..7]->NXM_NX_REG0[0..7]',
    () => 'set_field:46->ip_dscp',
  ],
  ipv6: [
    () => 'dec_ttl',
    () => 'set_field:2001:db8::9->ipv6_dst',
    () => 'set_field:::7/::ffff->ipv6_src',
    () => 'mod_nw_tos:32',
    () => 'set_field:0x123->ipv6_label',
    () => 'load:0x5->NXM_NX_IPV6_LABEL[0..7]',
    () => 'mod_nw_ttl:9',
    () => 'move:NXM_NX_IPV6_SRC[0..15]->NXM_NX_REG1[0..15]',
  ],
  ports: [(random) => `mod_tp_dst:${random.pick([8080, 53, 1])}`, (random) => `mod_tp_src:${random.between(1, 65535)}`],
  tcp: [],
  icmp: [() => 'set_field:3->icmp_type', () => 'set_field:1->icmp_code'],
  icmp6: [() => 'set_field:129->icmpv6_type'],
  arp: [
    () => 'set_field:2->arp_op',
    () => 'set_field:172.16.9.1->arp_spa',
    () => 'load:0xac100505->NXM_OF_ARP_TPA[]',
    () => 'move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]',
    () => 'set_field:02:00:00:00:00:44->arp_sha',
    () => 'move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]',
  ],
  nd: [() => 'set_field:2001:db8::5->nd_target'],
  solicitation: [() => 'set_field:02:00:00:00:00:55->nd_sll'],
  advertisement: [() => 'set_field:02:00:00:00:00:56->nd_tll'],
  ip4: [],
};

/** Tags popped in the way of OpenFlow 1.0, or pushed in that of later versions: the two do not mix. */
const TAG_WRITES = {
  early: [() => 'strip_vlan'],
  late: [(/** @type {Random} */ random) => `push_vlan:0x8100,set_field:${0x1000 + random.pick([7, 10])}->vlan_vid`],
};

/** @param {Random} random @param {string} protocol */
function match(random, protocol) {
  const parts = [...PREREQUISITES[protocol]];
  const pools = LISTS[protocol].map((list) => MATCHES[list]);
  if (random.chance(0.5)) parts.push(random.pick(MATCHES.any)(random));
  if (random.chance(0.15)) parts.push(random.pick(MATCHES.any)(random));
  for (const pool of pools) if (random.chance(0.45)) parts.push(random.pick(pool)(random));
  // A field may stand once, and a protocol that is said twice is refused.
  const names = new Set();
  const isLater = parts.includes('ip_frag=later');
  return parts.filter((part) => {
    // Refused, but for ICMP.
    if (isLater && /^(tp_|tcp_flags)/.test(part)) return false;
    const fields = part.split(',').map((field) => FAMILY[field.split('=')[0]] ?? field.split('=')[0]);
    if (fields.some((field) => names.has(field))) return false;
    fields.forEach((field) => names.add(field));
    return true;
  });
}

/** Names of one and the same field, or of fields that may not stand together. @type {Record<string, string>} */
const FAMILY = {
  dl_vlan: 'vlan',
  vlan_tci: 'vlan',
  dl_vlan_pcp: 'vlan',
  vlan_vid: 'vlan',
  vlan_pcp: 'vlan',
  nw_tos: 'tos',
  ip_dscp: 'tos',
  reg0: 'reg0',
  xreg0: 'reg0',
  reg1: 'reg0',
  icmpv6_type: 'icmp_type',
};

/**
 * @param {Random} random @param {number} table @param {string} protocol
 * @param {{ withGroups: boolean, version: keyof typeof TAG_WRITES }} options
 */
function actions(random, table, protocol, { withGroups, version }) {
  const lists = ['any', 'any', ...LISTS[protocol], ...LISTS[protocol]];
  const pool = [...lists.flatMap((list) => WRITES[list]), ...TAG_WRITES[version]];
  /** @type {string[]} */
  const list = [];
  for (let count = random.below(4); count > 0; count--) {
    list.push(
      random.weigh([
        [12, () => random.pick(pool)(random)],
        [1, () => `output:${random.pick(['1', '2', '3', 'LOCAL', 'in_port'])}`],
        [1, () => `output(port=${random.between(1, 3)},max_len=${random.pick([60, 64, 100])})`],
        [1, () => `output:NXM_NX_REG${random.below(3)}[0..15]`],
        [1, () => `clone(${random.pick(pool)(random)},output:${random.between(1, 3)})`],
        [1, () => 'note:01.02.03'],
        [
          1,
          () =>
            `learn(table=${random.between(2, 3)},priority=${random.between(1, 99)},${random.pick(['', 'hard_timeout=20,', 'limit=2,'])}NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],${random.pick(['output:NXM_OF_IN_PORT[]', 'load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]'])})`,
        ],
      ])(),
    );
  }
  const higher = random.between(table + 1, 4);
  list.push(
    random.weigh([
      [4, () => 'NORMAL'],
      [3, () => `output:${random.pick(['1', '2', '3', 'LOCAL'])}`],
      [3, () => 'output:10'],
      [table < 4 ? 4 : 0, () => `resubmit(,${higher})`],
      [table < 4 ? 2 : 0, () => `goto_table:${higher}`],
      [table < 4 ? 1 : 0, () => `resubmit(${random.pick(['2', 'in_port'])},${higher}),output:3`],
      [1, () => random.pick(['FLOOD', 'ALL', 'output:10,output:2', 'all', 'in_port'])],
      [withGroups ? 3 : 0, () => `group:${random.between(1, 4)}`],
      [1, () => 'drop'],
    ])(),
  );
  return list[list.length - 1] === 'drop' ? 'drop' : list.join(',');
}

/** @param {Random} random @param {boolean} withGroups @returns {string[]} */
export function fieldFlows(random, withGroups) {
  const version = random.chance(0.7) ? 'early' : 'late';
  const flows = [];
  for (let table = 0; table <= 4; table++) {
    const count = table === 0 ? random.between(5, 10) : random.between(1, 5);
    const priorities = random.shuffle(Array.from({ length: 20 }, (_, i) => 10 * (i + 1))).slice(0, count);
    for (const priority of priorities) {
      const protocol = random.pick(Object.keys(PREREQUISITES));
      const head = [`table=${table}`, `priority=${priority}`, ...match(random, protocol)];
      if (random.chance(0.1)) head.push(random.pick(['idle_timeout=20', 'hard_timeout=15', 'cookie=0x77']));
      flows.push(`${head.join(',')},actions=${actions(random, table, protocol, { withGroups, version })}`);
    }
    if (table === 0 || random.chance(0.7)) flows.push(`table=${table},priority=0,actions=NORMAL`);
  }
  return flows;
}

/** Groups 1 to 4, one of each type. @param {Random} random @returns {string[]} */
export function fieldGroups(random) {
  const bucket = () =>
    `bucket=${random.pick(['', 'mod_dl_dst:02:00:00:00:00:70,', 'mod_vlan_vid:9,', 'set_field:0x5->tun_id,'])}output:${random.pick(['1', '2', '3', '10'])}`;
  const buckets = (/** @type {number} */ count) => Array.from({ length: count }, bucket).join(',');
  const weighed = () =>
    Array.from(
      { length: random.between(1, 3) },
      () => `bucket=weight:${random.between(1, 3)},output:${random.between(1, 3)}`,
    ).join(',');
  return [
    `group_id=1,type=all,${buckets(random.between(1, 3))}`,
    `group_id=2,type=indirect,${bucket()}`,
    `group_id=3,type=select,${weighed()}`,
    `group_id=4,type=ff,bucket=watch_port:${random.between(1, 3)},output:2,bucket=watch_port:2,output:3`,
  ];
}
