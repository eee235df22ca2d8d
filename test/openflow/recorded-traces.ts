// What `ofproto/trace` of Open vSwitch 3.1.0 (Debian's package) said about packets, given rules of table 0 that all drop: the
// rule that matched, as its line ` 0. …` has it, and the line `Megaflow: …`. Rules and packets were invented from seeds.

export interface RecordedTraces {
  readonly rules: readonly string[];
  readonly traces: readonly (readonly [flow: string, rule: string, megaflow: string])[];
}

export const recordedTraces: readonly RecordedTraces[] = [
  {
    rules: [
      'priority=0,in_port=1,dl_vlan=10,arp,arp_op=1,arp_tpa=10.0.0.2/32,arp_sha=02:00:00:00:00:01,actions=drop',
      'priority=0,dl_dst=02:00:00:00:00:02,icmp,nw_src=10.0.0.2/8,nw_dst=192.168.0.1/16,icmp_type=0,actions=drop',
      'priority=7,in_port=1,dl_src=ff:ff:ff:ff:ff:ff/ff:00:00:00:00:01,tcp,tp_dst=443/0xfff0,tcp_flags=+syn-ack,actions=drop',
      'priority=4,arp,actions=drop',
      'priority=7,in_port=2,dl_dst=02:00:00:00:00:02,udp6,ipv6_dst=fd00:1::1/128,tp_src=1000,tp_dst=53,actions=drop',
      'priority=0,arp,actions=drop',
      'priority=4,in_port=2,dl_src=02:00:00:00:00:02,arp,arp_tpa=11.0.0.1/24,arp_sha=02:00:00:00:00:01,actions=drop',
      'priority=1,udp6,actions=drop',
      'priority=3,tcp,nw_src=192.168.0.1/8,nw_dst=11.0.0.1/24,tp_src=80,tp_dst=1000,actions=drop',
      'priority=7,icmp,actions=drop',
      'priority=4,icmp,actions=drop',
      'priority=4,in_port=2,dl_vlan_pcp=3,udp,tp_src=80,tp_dst=8472,actions=drop',
      'priority=4,in_port=2,udp6,actions=drop',
      'priority=4,in_port=3,ip,nw_ttl=64,actions=drop',
      'priority=5,dl_dst=02:00:00:00:00:02,dl_src=02:00:00:00:00:01,udp6,ipv6_dst=fd00:1::1/64,actions=drop',
      'priority=4,dl_src=02:00:00:00:00:01/ff:00:00:00:00:01,udp6,ipv6_dst=fd00::2/16,actions=drop',
    ],
    traces: [
      [
        'in_port=1,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,icmp,nw_src=10.0.1.1,nw_dst=10.0.0.1,nw_tos=0,nw_ttl=64,icmp_type=8',
        'icmp, priority 7',
        'recirc_id=0,eth,icmp,in_port=1,dl_src=ff:00:00:00:00:01/ff:00:00:00:00:01,nw_frag=no',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:02,dl_type=0x88cc',
        'No match.',
        'recirc_id=0,eth,in_port=3,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:02,dl_type=0x88cc',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:02,dl_dst=ff:ff:ff:ff:ff:ff,icmp,nw_src=10.128.0.1,nw_dst=172.16.5.6,nw_tos=0,nw_ttl=64,icmp_type=8',
        'icmp, priority 7',
        'recirc_id=0,eth,icmp,in_port=2,dl_dst=ff:ff:ff:ff:ff:ff,nw_frag=no',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,dl_type=0x88cc',
        'No match.',
        'recirc_id=0,eth,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,dl_type=0x88cc',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,udp6,ipv6_src=fe80::1,ipv6_dst=fd00::1,udp_src=443,udp_dst=22',
        'udp6, priority 1',
        'recirc_id=0,eth,udp6,in_port=1,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,nw_frag=no',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,udp,nw_src=11.0.0.1,nw_dst=10.0.1.1,nw_tos=16,nw_ttl=64,udp_src=8472,udp_dst=53',
        'No match.',
        'recirc_id=0,eth,udp,in_port=2,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,nw_dst=10.0.1.0/24,nw_frag=no',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:02,dl_dst=ff:ff:ff:ff:ff:ff,udp,nw_src=172.16.5.6,nw_dst=10.0.0.2,nw_tos=16,nw_ttl=1,udp_src=80,udp_dst=1000',
        'No match.',
        'recirc_id=0,eth,udp,in_port=1,dl_src=02:00:00:00:00:02,dl_dst=ff:ff:ff:ff:ff:ff,nw_src=128.0.0.0/2,nw_frag=no',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:02,dl_dst=ff:ff:ff:ff:ff:ff,dl_vlan=10,dl_type=0x88cc',
        'No match.',
        'recirc_id=0,eth,in_port=3,dl_src=02:00:00:00:00:02,dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x88cc',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,tcp,nw_src=11.0.0.1,nw_dst=10.0.0.1,nw_tos=0,nw_ttl=1,nw_frag=first,tp_src=80,tp_dst=8472,tcp_flags=ack',
        'No match.',
        'recirc_id=0,eth,tcp,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,nw_src=11.0.0.0/8,nw_frag=first',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,icmp,nw_src=10.0.0.1,nw_dst=11.0.0.1,nw_tos=16,nw_ttl=64,icmp_type=8',
        'icmp, priority 7',
        'recirc_id=0,eth,icmp,in_port=1,dl_src=02:00:00:00:00:01/ff:00:00:00:00:01,nw_frag=no',
      ],
      [
        'in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:01,dl_type=0x88cc',
        'No match.',
        'recirc_id=0,eth,in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:01,dl_type=0x88cc',
      ],
      [
        'in_port=1,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,arp,arp_op=2,arp_spa=10.128.0.1,arp_tpa=10.0.0.2,arp_sha=ff:ff:ff:ff:ff:ff',
        'arp, priority 4',
        'recirc_id=0,eth,arp,in_port=1,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,tcp,nw_src=10.0.0.2,nw_dst=172.16.5.6,nw_tos=0,nw_ttl=64,tp_src=22,tp_dst=443,tcp_flags=syn|ack',
        'No match.',
        'recirc_id=0,eth,tcp,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,nw_dst=128.0.0.0/2,nw_frag=no',
      ],
      [
        'in_port=1,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,udp6,ipv6_src=fd00::1,ipv6_dst=fe80::1,udp_src=53,udp_dst=8472',
        'udp6, priority 1',
        'recirc_id=0,eth,udp6,in_port=1,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,nw_frag=no',
      ],
    ],
  },
  {
    rules: [
      'priority=1,udp,nw_tos=16,nw_ttl=64,tp_src=8472/0xff00,tp_dst=8472,actions=drop',
      'priority=9,actions=drop',
      'priority=4,tcp,actions=drop',
      'priority=1,in_port=2,dl_dst=ff:ff:ff:ff:ff:ff,icmp,nw_src=10.0.0.2/32,nw_dst=10.128.0.1/8,nw_frag=no,icmp_type=8,actions=drop',
      'priority=1,dl_src=02:00:00:00:00:02/ff:00:00:00:00:01,arp,arp_op=1,actions=drop',
      'priority=9,in_port=2,dl_dst=02:00:00:00:00:02,dl_src=02:00:00:00:00:01,arp,actions=drop',
      'priority=6,dl_vlan=20,udp6,tp_dst=443,actions=drop',
      'priority=9,dl_dst=02:00:00:00:00:01,udp,nw_src=192.168.0.1/23,nw_dst=10.0.0.1/16,nw_ttl=64,tp_dst=80,actions=drop',
      'priority=3,in_port=1,dl_vlan=20,udp,nw_dst=10.0.1.1/16,actions=drop',
      'priority=1,actions=drop',
      'priority=1,dl_dst=02:00:00:00:00:01,dl_vlan_pcp=3,udp,actions=drop',
      'priority=1,udp,tp_src=443,tp_dst=22/0xfff0,actions=drop',
      'priority=4,in_port=1,dl_vlan=20,tcp,nw_src=10.128.0.1/23,nw_dst=192.168.0.1/24,tp_dst=8472,actions=drop',
      'priority=0,dl_src=ff:ff:ff:ff:ff:ff/ff:00:00:00:00:01,actions=drop',
      'priority=6,dl_src=02:00:00:00:00:02,udp6,ipv6_dst=fd00::1/128,actions=drop',
      'priority=1,dl_src=02:00:00:00:00:01,vlan_tci=0x1000/0x1000,ip,nw_dst=11.0.0.1/32,nw_tos=16,actions=drop',
      'priority=6,in_port=1,dl_src=02:00:00:00:00:02/ff:00:00:00:00:01,udp6,ipv6_dst=fd00::2/128,actions=drop',
      'priority=3,in_port=3,udp6,ipv6_dst=fe80::1/64,tp_dst=443,actions=drop',
      'priority=6,in_port=2,udp6,ipv6_dst=fd00:1::1/128,tp_src=1000,tp_dst=22/0xfff0,actions=drop',
      'priority=8,dl_dst=02:00:00:00:00:01,icmp,nw_dst=10.0.1.1/32,actions=drop',
    ],
    traces: [
      [
        'in_port=3,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,icmp,nw_src=10.0.0.1,nw_dst=10.0.1.1,nw_tos=0,nw_ttl=1,nw_frag=first,icmp_type=0',
        'priority 9',
        'recirc_id=0,eth,ip,in_port=3,nw_frag=first',
      ],
      [
        'in_port=1,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:01,dl_vlan=10,dl_type=0x88cc',
        'priority 9',
        'recirc_id=0,eth,in_port=1,dl_type=0x88cc',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:02,udp,nw_src=192.168.0.1,nw_dst=192.168.0.1,nw_tos=16,nw_ttl=1,nw_frag=later',
        'priority 9',
        'recirc_id=0,eth,ip,in_port=3,nw_frag=later',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,udp,nw_src=10.0.1.1,nw_dst=172.16.5.6,nw_tos=0,nw_ttl=1,udp_src=22,udp_dst=22',
        'priority 9',
        'recirc_id=0,eth,ip,in_port=1,nw_frag=no',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,udp6,ipv6_src=fd00:1::1,ipv6_dst=fd00::2,udp_src=8472,udp_dst=8472',
        'priority 9',
        'recirc_id=0,eth,ipv6,in_port=2,nw_frag=no',
      ],
      [
        'in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02,udp6,ipv6_src=fd00:1::1,ipv6_dst=fd00::2,udp_src=1000,udp_dst=443',
        'priority 9',
        'recirc_id=0,eth,ipv6,in_port=2,nw_frag=no',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,arp,arp_op=2,arp_spa=10.0.0.2,arp_tpa=11.0.0.1,arp_sha=02:00:00:00:00:01',
        'priority 9',
        'recirc_id=0,eth,arp,in_port=1',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,udp6,ipv6_src=fd00::1,ipv6_dst=fe80::1,udp_src=22,udp_dst=8472',
        'priority 9',
        'recirc_id=0,eth,ipv6,in_port=2,nw_frag=no',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:02,dl_type=0x88cc',
        'priority 9',
        'recirc_id=0,eth,in_port=2,dl_type=0x88cc',
      ],
      [
        'in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:01,dl_type=0x88cc',
        'priority 9',
        'recirc_id=0,eth,in_port=2,dl_type=0x88cc',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,dl_type=0x88cc',
        'priority 9',
        'recirc_id=0,eth,in_port=3,dl_type=0x88cc',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:02,dl_dst=ff:ff:ff:ff:ff:ff,dl_vlan=20,dl_type=0x88cc',
        'priority 9',
        'recirc_id=0,eth,in_port=3,dl_type=0x88cc',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,dl_type=0x88cc',
        'priority 9',
        'recirc_id=0,eth,in_port=1,dl_type=0x88cc',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:02,dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x88cc',
        'priority 9',
        'recirc_id=0,eth,in_port=1,dl_type=0x88cc',
      ],
    ],
  },
  {
    rules: [
      'priority=2,vlan_tci=0,arp,arp_tpa=10.128.0.1/24,arp_sha=ff:ff:ff:ff:ff:ff,actions=drop',
      'priority=5,dl_dst=ff:ff:ff:ff:ff:ff,tcp,tcp_flags=+syn-ack,actions=drop',
      'priority=0,in_port=1,dl_src=ff:ff:ff:ff:ff:ff/ff:00:00:00:00:01,icmp,nw_dst=10.0.1.1/8,actions=drop',
      'priority=3,in_port=2,udp,nw_src=192.168.0.1/9,nw_dst=11.0.0.1/32,actions=drop',
      'priority=9,in_port=3,tcp,tp_src=443/0xff00,tp_dst=53,tcp_flags=+syn-ack,actions=drop',
      'priority=2,dl_src=02:00:00:00:00:01,actions=drop',
      'priority=2,arp,arp_op=1,actions=drop',
      'priority=8,in_port=1,dl_src=02:00:00:00:00:02/ff:00:00:00:00:01,actions=drop',
      'priority=6,dl_src=02:00:00:00:00:01,vlan_tci=0,udp6,ipv6_dst=fe80::1/16,actions=drop',
      'priority=5,in_port=1,dl_dst=ff:ff:ff:ff:ff:ff,arp,arp_tpa=172.16.5.6/32,actions=drop',
      'priority=8,udp6,tp_dst=1000,actions=drop',
      'priority=3,icmp,icmp_type=0,actions=drop',
      'priority=4,udp6,ipv6_dst=fd00::2/16,actions=drop',
      'priority=5,in_port=1,udp,nw_src=192.168.0.1/9,nw_dst=10.128.0.1/24,nw_ttl=64,tp_src=443,tp_dst=443/0xfff0,actions=drop',
      'priority=9,vlan_tci=0x1000/0x1000,arp,actions=drop',
      'priority=7,in_port=3,dl_dst=02:00:00:00:00:02,dl_src=ff:ff:ff:ff:ff:ff,dl_vlan=10,icmp,nw_dst=11.0.0.1/32,actions=drop',
    ],
    traces: [
      [
        'in_port=1,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,tcp,nw_src=10.0.0.2,nw_dst=192.168.0.1,nw_tos=16,nw_ttl=1,tp_src=1000,tp_dst=443,tcp_flags=syn|ack',
        'No match.',
        'recirc_id=0,eth,tcp,in_port=1,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,nw_dst=192.0.0.0/2,nw_frag=no,tcp_flags=+syn+ack',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp,arp_op=1,arp_spa=11.0.0.1,arp_tpa=172.16.5.6,arp_sha=02:00:00:00:00:02',
        'dl_src=02:00:00:00:00:01, priority 2',
        'recirc_id=0,eth,arp,in_port=2,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp_tpa=172.16.5.0/24',
      ],
      [
        'in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,udp6,ipv6_src=fd00::2,ipv6_dst=fd00::2,udp_src=80,udp_dst=80',
        'udp6,ipv6_dst=fd00::/16, priority 4',
        'recirc_id=0,eth,udp6,in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,ipv6_dst=fd00::/16,nw_frag=no,tp_dst=0x0/0xfe00',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,tcp,nw_src=11.0.0.1,nw_dst=172.16.5.6,nw_tos=16,nw_ttl=64,nw_frag=first,tp_src=80,tp_dst=22,tcp_flags=ack',
        'No match.',
        'recirc_id=0,eth,tcp,in_port=3,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,nw_frag=first,tp_src=0x0/0xff00,tcp_flags=-syn+ack',
      ],
      [
        'in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02,udp,nw_src=10.0.0.2,nw_dst=192.168.0.1,nw_tos=0,nw_ttl=1,udp_src=80,udp_dst=1000',
        'No match.',
        'recirc_id=0,eth,udp,in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02,nw_dst=192.0.0.0/2,nw_frag=no',
      ],
      [
        'in_port=1,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,dl_vlan=10,dl_vlan_pcp=3,dl_type=0x88cc',
        'No match.',
        'recirc_id=0,eth,in_port=1,dl_vlan=10,dl_vlan_pcp=3,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x88cc',
      ],
      [
        'in_port=1,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02,udp6,ipv6_src=fd00:1::1,ipv6_dst=fd00::2,udp_src=443,udp_dst=80',
        'udp6,ipv6_dst=fd00::/16, priority 4',
        'recirc_id=0,eth,udp6,in_port=1,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02,ipv6_dst=fd00::/16,nw_frag=no,tp_dst=0x0/0xfe00',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:02,udp,nw_src=11.0.0.1,nw_dst=10.0.0.1,nw_tos=0,nw_ttl=64,nw_frag=first,udp_src=443,udp_dst=22',
        'No match.',
        'recirc_id=0,eth,udp,in_port=3,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:02,nw_frag=first',
      ],
      [
        'in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:01,tcp,nw_src=10.128.0.1,nw_dst=10.0.1.1,nw_tos=0,nw_ttl=1,tp_src=80,tp_dst=53,tcp_flags=syn',
        'No match.',
        'recirc_id=0,eth,tcp,in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:01,nw_dst=10.0.0.0/9,nw_frag=no',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:02,dl_dst=ff:ff:ff:ff:ff:ff,udp6,ipv6_src=fd00::2,ipv6_dst=fd00::1,udp_src=1000,udp_dst=8472',
        'in_port=1,dl_src=02:00:00:00:00:00/ff:00:00:00:00:01, priority 8',
        'recirc_id=0,eth,ipv6,in_port=1,dl_src=02:00:00:00:00:00/ff:00:00:00:00:01,nw_frag=no',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,udp6,ipv6_src=fe80::1,ipv6_dst=fd00::2,udp_src=1000,udp_dst=80',
        'udp6,ipv6_dst=fd00::/16, priority 4',
        'recirc_id=0,eth,udp6,in_port=3,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,ipv6_dst=fd00::/16,nw_frag=no,tp_dst=0x0/0xfe00',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,tcp,nw_src=10.0.1.1,nw_dst=10.0.1.1,nw_tos=16,nw_ttl=64,nw_frag=later',
        'dl_src=02:00:00:00:00:01, priority 2',
        'recirc_id=0,eth,tcp,in_port=2,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_dst=10.0.0.0/9,nw_frag=later',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,arp,arp_op=2,arp_spa=10.128.0.1,arp_tpa=10.128.0.1,arp_sha=02:00:00:00:00:01',
        'dl_src=02:00:00:00:00:01, priority 2',
        'recirc_id=0,eth,arp,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,arp_tpa=10.128.0.0/24,arp_sha=02:00:00:00:00:01',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,tcp,nw_src=11.0.0.1,nw_dst=172.16.5.6,nw_tos=16,nw_ttl=64,nw_frag=later',
        'dl_src=02:00:00:00:00:01, priority 2',
        'recirc_id=0,eth,tcp,in_port=3,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,nw_frag=later,tcp_flags=-syn-ack',
      ],
    ],
  },
  {
    rules: [
      'priority=2,dl_dst=02:00:00:00:00:01,dl_src=ff:ff:ff:ff:ff:ff,arp,actions=drop',
      'priority=0,vlan_tci=0x1000/0x1000,udp,tp_dst=1000/0xfff0,actions=drop',
      'priority=8,icmp,nw_dst=10.0.0.1/255.0.0.255,nw_frag=first,icmp_type=0,actions=drop',
      'priority=0,actions=drop',
      'priority=3,in_port=1,dl_vlan_pcp=3,udp6,tp_src=443/0xff00,actions=drop',
      'priority=9,vlan_tci=0x1000/0x1000,actions=drop',
      'priority=6,dl_src=ff:ff:ff:ff:ff:ff,udp,nw_src=10.0.1.1/23,actions=drop',
      'priority=1,ip,nw_src=11.0.0.1/9,nw_dst=10.128.0.1/24,nw_frag=yes,actions=drop',
      'priority=3,in_port=3,dl_dst=ff:ff:ff:ff:ff:ff,tcp,nw_ttl=64,tp_src=22,actions=drop',
      'priority=4,udp,tp_src=443/0xff00,actions=drop',
      'priority=6,vlan_tci=0x1000/0x1000,tcp,nw_frag=no,nw_ttl=64,actions=drop',
      'priority=4,tcp,nw_src=10.128.0.1/24,tp_dst=1000,tcp_flags=+syn-ack,actions=drop',
      'priority=3,actions=drop',
      'priority=2,dl_dst=02:00:00:00:00:02,tcp,nw_dst=172.16.5.6/24,nw_frag=no,tp_dst=1000,actions=drop',
      'priority=3,dl_dst=ff:ff:ff:ff:ff:ff,dl_src=02:00:00:00:00:02/ff:00:00:00:00:01,vlan_tci=0,ip,actions=drop',
      'priority=2,dl_vlan=10,udp6,ipv6_dst=fd00::2/16,actions=drop',
    ],
    traces: [
      [
        'in_port=3,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02,arp,arp_op=1,arp_spa=172.16.5.6,arp_tpa=10.0.0.1,arp_sha=ff:ff:ff:ff:ff:ff',
        'priority 3',
        'recirc_id=0,eth,arp,in_port=3,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,dl_vlan=20,arp,arp_op=2,arp_spa=10.0.1.1,arp_tpa=10.128.0.1,arp_sha=ff:ff:ff:ff:ff:ff',
        'vlan_tci=0x1000/0x1000, priority 9',
        'recirc_id=0,eth,arp,in_port=3,vlan_tci=0x1000/0x1000',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,dl_vlan=20,udp6,ipv6_src=fd00:1::1,ipv6_dst=fd00::1,udp_src=22,udp_dst=8472',
        'vlan_tci=0x1000/0x1000, priority 9',
        'recirc_id=0,eth,ipv6,in_port=1,vlan_tci=0x1000/0x1000,nw_frag=no',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,icmp,nw_src=10.0.0.2,nw_dst=172.16.5.6,nw_tos=16,nw_ttl=1,icmp_type=0',
        'priority 3',
        'recirc_id=0,eth,icmp,in_port=3,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,nw_src=10.0.0.0/23,nw_dst=172.0.0.6/255.0.0.255,nw_frag=no',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:02,dl_type=0x88cc',
        'priority 3',
        'recirc_id=0,eth,in_port=1,dl_src=02:00:00:00:00:02,dl_type=0x88cc',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:02,dl_vlan=20,icmp,nw_src=172.16.5.6,nw_dst=10.0.0.2,nw_tos=16,nw_ttl=1,icmp_type=0',
        'vlan_tci=0x1000/0x1000, priority 9',
        'recirc_id=0,eth,ip,in_port=2,vlan_tci=0x1000/0x1000,nw_frag=no',
      ],
      [
        'in_port=3,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02,arp,arp_op=2,arp_spa=192.168.0.1,arp_tpa=10.0.0.1,arp_sha=02:00:00:00:00:01',
        'priority 3',
        'recirc_id=0,eth,arp,in_port=3,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,tcp,nw_src=10.0.0.1,nw_dst=10.0.1.1,nw_tos=0,nw_ttl=1,nw_frag=later',
        'priority 3',
        'recirc_id=0,eth,tcp,in_port=1,dl_src=02:00:00:00:00:02,nw_src=10.0.0.0/23,nw_dst=10.0.0.1/255.0.0.255,nw_frag=later',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,icmp,nw_src=172.16.5.6,nw_dst=10.0.0.1,nw_tos=0,nw_ttl=1,nw_frag=later',
        'priority 3',
        'recirc_id=0,eth,icmp,in_port=1,dl_src=02:00:00:00:00:01,nw_src=128.0.0.0/1,nw_dst=10.0.0.1/255.0.0.255,nw_frag=later',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:02,tcp,nw_src=11.0.0.1,nw_dst=192.168.0.1,nw_tos=16,nw_ttl=64,tp_src=53,tp_dst=53,tcp_flags=syn|ack',
        'priority 3',
        'recirc_id=0,eth,tcp,in_port=2,dl_src=02:00:00:00:00:02,nw_src=11.0.0.0/9,nw_dst=192.0.0.1/255.0.0.255,nw_frag=no',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,dl_vlan=10,dl_vlan_pcp=3,arp,arp_op=2,arp_spa=192.168.0.1,arp_tpa=10.0.0.1,arp_sha=02:00:00:00:00:02',
        'vlan_tci=0x1000/0x1000, priority 9',
        'recirc_id=0,eth,arp,in_port=2,vlan_tci=0x1000/0x1000',
      ],
      [
        'in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02,icmp,nw_src=10.0.0.1,nw_dst=10.128.0.1,nw_tos=16,nw_ttl=64,icmp_type=8',
        'priority 3',
        'recirc_id=0,eth,icmp,in_port=2,dl_src=ff:ff:ff:ff:ff:ff,nw_src=10.0.0.0/23,nw_dst=10.0.0.1/255.0.0.255,nw_frag=no',
      ],
      [
        'in_port=3,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:01,dl_type=0x88cc',
        'priority 3',
        'recirc_id=0,eth,in_port=3,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:01,dl_type=0x88cc',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp,arp_op=1,arp_spa=10.128.0.1,arp_tpa=10.0.1.1,arp_sha=02:00:00:00:00:02',
        'priority 3',
        'recirc_id=0,eth,arp,in_port=1,dl_src=02:00:00:00:00:01',
      ],
    ],
  },
  {
    rules: [
      'priority=5,dl_dst=ff:ff:ff:ff:ff:ff,vlan_tci=0,udp6,tp_dst=22,actions=drop',
      'priority=3,in_port=2,ip,nw_dst=11.0.0.1/8,actions=drop',
      'priority=7,dl_src=02:00:00:00:00:01,vlan_tci=0x1000/0x1000,udp,tp_dst=22,actions=drop',
      'priority=3,icmp,nw_tos=16,actions=drop',
      'priority=0,icmp,nw_ttl=64,actions=drop',
      'priority=0,dl_src=ff:ff:ff:ff:ff:ff,vlan_tci=0x1000/0x1000,ip,nw_dst=10.0.0.1/24,actions=drop',
      'priority=6,in_port=3,actions=drop',
      'priority=5,arp,actions=drop',
      'priority=6,arp,arp_op=1,arp_sha=ff:ff:ff:ff:ff:ff,actions=drop',
      'priority=0,dl_dst=02:00:00:00:00:02,dl_vlan_pcp=3,ip,actions=drop',
      'priority=8,tcp,nw_src=11.0.0.1/9,tp_src=22,actions=drop',
      'priority=5,in_port=3,tcp,nw_tos=16,nw_frag=yes,actions=drop',
      'priority=9,icmp,nw_dst=10.0.0.2/255.0.0.255,actions=drop',
      'priority=0,dl_dst=02:00:00:00:00:01,dl_src=02:00:00:00:00:02,arp,arp_sha=02:00:00:00:00:01,actions=drop',
      'priority=1,in_port=2,udp6,ipv6_dst=fd00:1::1/64,tp_dst=80,actions=drop',
      'priority=1,arp,arp_sha=ff:ff:ff:ff:ff:ff,actions=drop',
      'priority=2,in_port=3,dl_src=02:00:00:00:00:02/ff:00:00:00:00:01,dl_vlan=10,udp,actions=drop',
      'priority=2,dl_dst=02:00:00:00:00:01,dl_src=02:00:00:00:00:02,tcp,tp_src=53,tcp_flags=+syn-ack,actions=drop',
      'priority=7,arp,arp_op=1,actions=drop',
      'priority=4,dl_dst=02:00:00:00:00:02,dl_src=02:00:00:00:00:02/ff:00:00:00:00:01,udp,actions=drop',
    ],
    traces: [
      [
        'in_port=3,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:01,tcp,nw_src=192.168.0.1,nw_dst=11.0.0.1,nw_tos=16,nw_ttl=64,tp_src=1000,tp_dst=53,tcp_flags=syn|ack',
        'in_port=3, priority 6',
        'recirc_id=0,eth,tcp,in_port=3,dl_src=ff:ff:ff:ff:ff:ff,nw_src=128.0.0.0/1,nw_dst=11.0.0.1/255.0.0.255,nw_frag=no',
      ],
      [
        'in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02,tcp,nw_src=192.168.0.1,nw_dst=172.16.5.6,nw_tos=0,nw_ttl=64,tp_src=443,tp_dst=443,tcp_flags=syn',
        'No match.',
        'recirc_id=0,eth,tcp,in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02,nw_src=128.0.0.0/1,nw_dst=172.0.0.6/255.0.0.255,nw_tos=0,nw_ttl=64,nw_frag=no',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,tcp,nw_src=10.128.0.1,nw_dst=192.168.0.1,nw_tos=16,nw_ttl=64,tp_src=22,tp_dst=443,tcp_flags=syn',
        'No match.',
        'recirc_id=0,eth,tcp,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,nw_src=10.0.0.0/8,nw_dst=192.0.0.1/255.0.0.255,nw_tos=16,nw_ttl=64,nw_frag=no',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,udp,nw_src=10.0.0.1,nw_dst=10.0.0.1,nw_tos=16,nw_ttl=1,udp_src=22,udp_dst=53',
        'No match.',
        'recirc_id=0,eth,udp,in_port=2,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,nw_src=10.0.0.0/8,nw_dst=10.0.0.1/255.0.0.255,nw_tos=16,nw_ttl=1,nw_frag=no',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,icmp,nw_src=172.16.5.6,nw_dst=192.168.0.1,nw_tos=0,nw_ttl=64,nw_frag=later',
        'in_port=3, priority 6',
        'recirc_id=0,eth,icmp,in_port=3,dl_src=02:00:00:00:00:02,nw_src=128.0.0.0/1,nw_dst=192.0.0.1/255.0.0.255,nw_frag=later',
      ],
      [
        'in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02,arp,arp_op=2,arp_spa=11.0.0.1,arp_tpa=10.0.0.1,arp_sha=02:00:00:00:00:02',
        'arp, priority 5',
        'recirc_id=0,eth,arp,in_port=2,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=02:00:00:00:00:02,arp_op=2',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,dl_type=0x88cc',
        'No match.',
        'recirc_id=0,eth,in_port=2,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:01,dl_type=0x88cc',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,udp6,ipv6_src=fd00::1,ipv6_dst=fd00:1::1,udp_src=443,udp_dst=53',
        'in_port=3, priority 6',
        'recirc_id=0,eth,ipv6,in_port=3,dl_src=02:00:00:00:00:01,nw_frag=no',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:02,icmp,nw_src=11.0.0.1,nw_dst=10.0.1.1,nw_tos=0,nw_ttl=1,icmp_type=8',
        'in_port=3, priority 6',
        'recirc_id=0,eth,icmp,in_port=3,dl_src=02:00:00:00:00:02,nw_src=11.0.0.0/9,nw_dst=10.0.0.1/255.0.0.255,nw_frag=no',
      ],
      [
        'in_port=1,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,dl_vlan=20,arp,arp_op=2,arp_spa=192.168.0.1,arp_tpa=11.0.0.1,arp_sha=02:00:00:00:00:01',
        'arp, priority 5',
        'recirc_id=0,eth,arp,in_port=1,dl_vlan=20,dl_vlan_pcp=0,dl_src=ff:ff:ff:ff:ff:ff,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=2',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,udp6,ipv6_src=fd00::2,ipv6_dst=fd00::2,udp_src=443,udp_dst=443',
        'No match.',
        'recirc_id=0,eth,ipv6,in_port=1,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,nw_frag=no',
      ],
      [
        'in_port=3,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,arp,arp_op=2,arp_spa=10.0.0.1,arp_tpa=192.168.0.1,arp_sha=ff:ff:ff:ff:ff:ff',
        'in_port=3, priority 6',
        'recirc_id=0,eth,arp,in_port=3,dl_src=02:00:00:00:00:01,arp_op=2',
      ],
      [
        'in_port=2,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:02,dl_vlan=10,tcp,nw_src=11.0.0.1,nw_dst=11.0.0.1,nw_tos=0,nw_ttl=1,tp_src=80,tp_dst=80,tcp_flags=ack',
        'ip,in_port=2,nw_dst=11.0.0.0/8, priority 3',
        'recirc_id=0,eth,tcp,in_port=2,dl_vlan=10,dl_vlan_pcp=0,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:02,nw_src=11.0.0.0/9,nw_dst=11.0.0.1/255.0.0.255,nw_frag=no,tp_src=0x40/0xffc0',
      ],
      [
        'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp,arp_op=1,arp_spa=192.168.0.1,arp_tpa=192.168.0.1,arp_sha=02:00:00:00:00:02',
        'arp,arp_op=1, priority 7',
        'recirc_id=0,eth,arp,in_port=1,dl_src=02:00:00:00:00:01,arp_op=1',
      ],
    ],
  },
];
