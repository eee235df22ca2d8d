// @ts-check
// OpenFlow tables at random, in `ovs-ofctl` syntax: matches with their prerequisites, actions that 3.1 accepts, jumps
// only to higher tables so that nothing loops. Ports 1 to 3 are expected to exist, and a tunnel as port 10.

/** @typedef {import('./random.mjs').Random} Random */

/** @param {Random} random */
function randomMatch(random) {
  const parts = [];
  if (random.chance(0.35)) parts.push(`in_port=${random.between(1, 3)}`);
  if (random.chance(0.15))
    parts.push(
      random.pick([
        'dl_dst=ff:ff:ff:ff:ff:ff',
        'dl_dst=01:00:00:00:00:00/01:00:00:00:00:00',
        'dl_dst=02:00:00:00:00:10',
        'dl_dst=02:00:00:00:00:01/ff:ff:ff:ff:ff:f1',
      ]),
    );
  if (random.chance(0.1)) parts.push(`dl_src=02:00:00:00:00:${random.between(16, 39).toString(16)}`);
  if (random.chance(0.15))
    parts.push(random.pick(['dl_vlan=10', 'vlan_tci=0', 'vlan_tci=0x1000/0x1000', 'dl_vlan=20', 'dl_vlan_pcp=0']));
  const net = () =>
    random.pick(['172.16.1.0/24', '172.16.0.0/23', '172.16.2.0/24', '172.16.3.128/25', '172.16.0.0/255.255.1.0']);
  switch (
    random.weigh([
      [3, 'any'],
      [2, 'arp'],
      [4, 'ip'],
      [3, 'tcp'],
      [4, 'udp'],
      [2, 'icmp'],
      [2, 'ipv6'],
      [1, 'udp6'],
      [1, 'icmp6'],
    ])
  ) {
    case 'arp':
      parts.push('arp');
      if (random.chance(0.5)) parts.push(random.pick(['arp_op=1', 'arp_op=2', `arp_tpa=${net()}`, `arp_spa=${net()}`]));
      break;
    case 'ip':
      parts.push('ip');
      if (random.chance(0.6)) parts.push(`${random.pick(['nw_dst', 'nw_src'])}=${net()}`);
      if (random.chance(0.3))
        parts.push(
          random.pick([
            'nw_tos=184',
            'nw_ecn=1',
            'nw_ttl=1',
            'ip_frag=first',
            'ip_frag=later',
            'ip_frag=no',
            'ip_frag=yes',
            'nw_proto=132',
          ]),
        );
      break;
    case 'tcp':
      parts.push('tcp');
      if (random.chance(0.7))
        parts.push(
          random.pick([
            'tp_dst=80',
            'tp_dst=443',
            'tp_src=0x8000/0x8000',
            'tcp_flags=+syn-ack',
            'tcp_flags=+ack',
            'tp_dst=0x50/0xfff0',
          ]),
        );
      break;
    case 'udp':
      parts.push('udp');
      if (random.chance(0.7))
        parts.push(random.pick(['tp_dst=53', 'tp_dst=80', `nw_dst=${net()}`, 'tp_src=0x4000/0xc000']));
      break;
    case 'icmp':
      parts.push('icmp');
      if (random.chance(0.5)) parts.push(random.pick(['icmp_type=8', 'icmp_type=0', 'icmp_type=3,icmp_code=1']));
      break;
    case 'ipv6':
      parts.push('ipv6');
      if (random.chance(0.6))
        parts.push(
          random.pick(['ipv6_dst=2001:db8::2:0/112', 'ipv6_src=2001:db8::/109', 'ipv6_label=0', 'nw_tos=184']),
        );
      break;
    case 'udp6':
      parts.push('udp6', random.pick(['tp_dst=53', 'tp_dst=80', 'ipv6_dst=2001:db8::4:0/110']));
      break;
    case 'icmp6':
      parts.push('icmp6', random.pick(['icmp_type=128', 'icmp_type=135', 'icmp_type=136']));
      break;
    default:
      break;
  }
  return parts;
}

/** @param {Random} random @param {number} table @param {readonly string[]} match */
function randomActions(random, table, match) {
  const has = (/** @type {string[]} */ ...names) => names.some((name) => match.includes(name));
  const actions = [];
  const ip = has('ip', 'tcp', 'udp', 'icmp');
  const count = random.between(1, 3);
  for (let i = 0; i < count; i++) {
    const choices = [
      'mod_dl_src:02:11:11:11:11:11',
      'mod_dl_dst:02:00:00:00:00:12',
      'mod_vlan_vid:7',
      'strip_vlan',
      'mod_vlan_vid:20,mod_vlan_pcp:3',
      'set_field:0x65->tun_id',
      'load:0x5->NXM_NX_REG0[]',
      'move:NXM_NX_REG0[0..15]->NXM_NX_REG1[16..31]',
      'output:2',
      'output:3',
      'set_field:0x7->reg2',
      'load:0x1->NXM_OF_VLAN_TCI[13..15]',
      'note:01.02.03',
      'clone(mod_vlan_vid:9,output:3)',
      'output:LOCAL',
      'set_field:02:22:22:22:22:22->eth_src',
      'in_port',
    ];
    if (ip)
      choices.push(
        'mod_nw_tos:16',
        'mod_nw_src:172.16.9.9',
        'mod_nw_dst:172.16.1.77',
        'dec_ttl',
        'mod_nw_ecn:2',
        'mod_nw_ttl:33',
        'load:9->NXM_NX_IP_TTL[]',
      );
    if (has('ipv6', 'udp6', 'icmp6'))
      choices.push('dec_ttl', 'set_field:2001:db8::9->ipv6_dst', 'mod_nw_tos:32', 'set_field:0x123->ipv6_label');
    if (has('tcp', 'udp', 'udp6')) choices.push('mod_tp_dst:8080', 'mod_tp_src:4444');
    if (has('arp'))
      choices.push('set_field:2->arp_op', 'set_field:172.16.9.1->arp_spa', 'move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]');
    actions.push(random.pick(choices));
  }
  const higher = table < 3 ? `resubmit(,${random.between(table + 1, 3)})` : 'NORMAL';
  actions.push(
    random.weigh([
      [4, 'NORMAL'],
      [3, `output:${random.between(1, 3)}`],
      [3, 'output:10'],
      [4, higher],
      [1, 'FLOOD'],
      [1, 'ALL'],
      [1, 'output:10,output:2'],
      [1, 'drop'],
    ]),
  );
  if (actions[actions.length - 1] === 'drop') return 'drop';
  return actions.join(',');
}

/** @param {Random} random @returns {string[]} */
export function randomFlows(random) {
  const flows = [];
  for (let table = 0; table <= 3; table++) {
    const count = table === 0 ? random.between(4, 9) : random.between(1, 4);
    const priorities = random.shuffle(Array.from({ length: 20 }, (_, i) => 10 * (i + 1))).slice(0, count);
    for (const priority of priorities) {
      const match = randomMatch(random);
      flows.push(
        [`table=${table}`, `priority=${priority}`, ...match, `actions=${randomActions(random, table, match)}`].join(
          ',',
        ),
      );
    }
    if (table === 0 || random.chance(0.7)) flows.push(`table=${table},priority=0,actions=NORMAL`);
  }
  return flows;
}
