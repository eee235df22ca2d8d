// @ts-check
// Switches, and flows to be traced on them. `record-traces.mjs` asks Open vSwitch about them, and the test megaflow.

/**
 * @typedef {object} TraceCase
 * @property {string} name
 * @property {any} config of a scenario
 * @property {[port: string, frame: string][]} [receive] frames that come in before
 * @property {string[][]} commands arguments of `ofproto/trace`; `@PORT` stands for the datapath number of a port
 */

/** @param {string} name @param {number} number */
const mac = (name, number) => `aa:55:${name}:00:00:${number.toString(16).padStart(2, '0')}`;
/** @param {string} name @param {number} [ofport] @param {object} [more] */
const port = (name, ofport, more = {}) => ({
  name,
  interface: { type: 'system', ...(ofport ? { ofport } : {}) },
  ...more,
});
/** @param {string} name @param {number} ofport @param {string} peer @param {object} [more] */
const patch = (name, ofport, peer, more = {}) => ({
  name,
  interface: { type: 'patch', ofport, options: { peer } },
  ...more,
});
/** @param {string} name @param {number} ofport @param {Record<string, string>} options */
const vxlan = (name, ofport, options) => ({ name, interface: { type: 'vxlan', ofport, options } });

const ETH = 'dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02';
const IP = `${ETH},dl_type=0x0800,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64`;
const TCP = `${ETH},tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tp_src=1000,tp_dst=80`;
const UDP = `${ETH},udp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tp_src=1000,tp_dst=53`;
const ICMP = `${ETH},icmp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,icmp_type=8,icmp_code=0`;
const TCP6 = `${ETH},tcp6,ipv6_src=fd00::1,ipv6_dst=fd00::2,nw_ttl=64,tp_src=1000,tp_dst=80`;
const ARP = 'dl_src=50:54:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp,arp_op=1,arp_spa=10.0.0.1,arp_tpa=10.0.0.2';

/** A frame of 60 bytes. @param {string} head hex */
const frame = (head) => head.padEnd(120, '0');
const FROM_2 = frame('505400000001505400000002' + '88b5');

/** One bridge with OpenFlow rules, ports p1 to p4. @param {string[]} openflow @param {string[]} [groups] */
const rules = (openflow, groups) => ({
  bridges: [
    {
      name: 'br0',
      mac: mac('aa', 0),
      ports: [port('p1', 1), port('p2', 2), port('p3', 3), port('p4', 4)],
      openflow,
      ...(groups ? { groups } : {}),
    },
  ],
});

/** @type {TraceCase[]} */
export const cases = [
  {
    name: 'syntax',
    config: {
      bridges: [
        {
          name: 'br0',
          mac: mac('aa', 0),
          ports: [port('p1', 1), port('p2', 2)],
          openflow: ['ip,nw_proto=2,actions=2', 'actions=NORMAL'],
        },
      ],
    },
    commands: [
      [
        'br0',
        'in_port=1',
        '01005e00000102000000000108004600002000000000010200000a000001e0000001940400001100eeff00000000',
      ],
      ['br0', 'in_port=1,dl_src=02:00:00:00:00:27,dl_dst=02:00:00:00:00:11,icmp6,icmpv6_type=136'],
      [
        'br0',
        'in_port=1,dl_src=02:00:00:00:00:27,dl_dst=02:00:00:00:00:11,icmp6,icmpv6_type=135,nd_sll=02:00:00:00:00:01',
      ],
      [
        'br0',
        'in_port=1,dl_src=02:00:00:00:00:27,dl_dst=02:00:00:00:00:11,icmp6,icmpv6_type=136,icmpv6_code=0,nd_reserved=5',
      ],
      [
        'br0',
        'in_port=1,dl_src=02:00:00:00:00:27,dl_dst=02:00:00:00:00:11,icmp6,icmpv6_type=136,icmpv6_code=0,nd_options_type=2',
      ],
      ['br0', 'in_port=1,tcp,tcp_flags=+ack'],
      ['br0', 'in_port=1,tcp,tcp_flags=ack'],
      ['br0', 'in_port=1,tcp,tcp_flags=0x12'],
      ['br0', 'in_port=1,tcp,tcp_flags=+syn-ack'],
      ['br0', 'in_port=1,tcp,tp_src=5,nw_frag=first'],
      ['br0', 'in_port=1,tcp,tp_src=5,nw_frag=later'],
      ['br0', 'in_port=1,sctp,tp_src=5'],
      ['br0', 'in_port=1,icmp,icmp_type=8'],
      ['br0', 'in_port=1,arp,arp_sha=02:00:00:00:00:01'],
      ['br0', 'in_port=1,rarp'],
      ['br0', 'in_port=1,dl_type=0x8847'],
      ['br0', 'in_port=1,mpls,mpls_label=5'],
      ['br0', 'in_port=1,dl_vlan=10'],
      ['br0', 'in_port=1,dl_vlan=10,dl_vlan_pcp=3,ip'],
      ['br0', 'in_port=1,tun_id=5'],
      ['br0', 'in_port=1,tun_src=1.1.1.1,tun_dst=2.2.2.2,tun_id=5'],
      ['br0', 'in_port=1,reg0=5,reg1=0x1/0x1'],
      ['br0', 'in_port=1,metadata=5'],
      ['br0', 'in_port=1,pkt_mark=5'],
      ['br0', 'in_port=1,ip,nw_proto=2'],
      ['br0', 'in_port=1,ip,nw_tos=3'],
      ['br0', 'in_port=1,ip,nw_ecn=3'],
      ['br0', 'in_port=1,ipv6,ipv6_label=5'],
      ['br0', 'in_port=1,skb_priority=5'],
      ['br0', 'in_port=1,ct_state=trk'],
      ['br0', 'in_port=1,ct_mark=5'],
      ['br0', 'in_port=1,dl_type=0x5ff'],
      ['br0', 'in_port=1,dl_type=0x05'],
      ['br0', 'in_port=1,xreg0=5'],
      ['br0', 'in_port=1,xxreg0=5'],
      ['br0', 'in_port=1,igmp'],
      ['br0', 'in_port=1,eth,tcp,tcp_src=0x5'],
      ['br0', 'in_port=1,vlan_tci=0x1005'],
      ['br0', 'in_port=1,ip,nw_src=1.0.0.0/8'],
      ['br0', 'in_port=1,dl_src=01:00:00:00:00:00/01:00:00:00:00:00'],
      ['br0', 'in_port=1,ip,ip_frag=yes'],
      ['br0', 'in_port=1,ip,ip_frag=not_later'],
      ['br0', 'in_port=1,ip,ip_frag=first'],
      ['br0', 'in_port=1,tun_id=5/0xff'],
      ['br0', 'in_port=1,dl_vlan=0xffff'],
      ['br0', 'in_port=1,ip,nw_tos=184/0xf0'],
      ['br0', 'in_port=1,vlan_tci=0x1000/0x1000'],
      ['br0', 'in_port=1,tcp,tp_dst=0x50/0xf0'],
      ['br0', 'in_port=1,ipv6,ipv6_src=::1/64'],
      ['br0', 'in_port=1,metadata=5/7'],
      ['br0', 'in_port=1,arp,arp_tpa=1.1.1.0/24'],
      ['br0', 'in_port=1,tcp,tcp_flags=+syn'],
      ['br0', 'in_port=1,tcp,tcp_flags=0x2/0x2'],
      ['br0', 'in_port=1,tun_flags=oam'],
      ['br0', 'in_port=1,tun_flags=+oam'],
      ['br0', 'in_port=1,ct_state=+trk'],
      ['br0', 'in_port=1,vlan_vid=0x1005/0x1fff'],
      ['br0', 'in_port=1,dl_vlan=5/7'],
      ['br0', 'in_port=1,in_port=2'],
      ['br0', 'in_port=1,tcp,icmp'],
      ['br0', 'in_port=1,ip,arp'],
      ['br0', 'in_port=1,nw_src=1.1.1.1'],
      ['br0', 'in_port=1,dl_type=0x800,nw_src=1.1.1.1'],
      ['br0', 'in_port=1,actions=drop'],
      ['br0', 'in_port=1,priority=5'],
      ['br0', 'in_port=1,table=1'],
      ['br0', ''],
      ['br0', 'in_port'],
      ['br0', 'in_port='],
      ['br0', 'in_port=-1'],
      ['br0', 'in_port=65536'],
      ['br0', 'in_port=70000'],
      ['br0', 'in_port=p9'],
      ['br0', 'in_port=1 tcp'],
      ['br0', 'in_port=1,,tcp'],
      ['br0', ',in_port=1'],
      ['br0', 'in_port=1,vlan_vid=0x1005'],
      ['br0', 'in_port=1,vlan_vid=5,vlan_pcp=3'],
      ['br0', 'in_port=1,dl_vlan=5,vlan_pcp=3'],
      ['br0', 'in_port=1,tcp,dl_type=0x800'],
      ['br0', 'in_port=1,dl_type=0x800,tcp'],
      ['br0', 'in_port=1,ip,nw_proto=6,tp_src=5'],
      ['br0', 'in_port=1,tcp,nw_proto=6'],
      ['br0', 'in_port=1,ip,nw_proto=6,tcp'],
      ['br0', 'in_port=1,udp,tp_src=5,tp_src=6'],
      ['br0', 'in_port=1,tun_flags=0'],
      ['br0', 'in_port=1,tun_flags=oam,tun_src=1.1.1.1'],
      ['br0', 'in_port=1,ct_state=0x20'],
      ['br0', 'in_port=1,ct_label=5'],
      ['br0', 'in_port=1,xxreg1=5'],
      ['br0', 'in_port=1,icmp6,nd_target=::1'],
      ['br0', 'in_port=1,mpls,mpls_label=3,mpls_ttl=5'],
    ],
  },
  {
    name: 'normal',
    config: {
      bridges: [
        {
          name: 'br0',
          mac: mac('aa', 0),
          ports: [
            port('p1', 1),
            port('p2', 2),
            port('p3', 3, { tag: 10 }),
            port('p4', 4, { trunks: [10, 20] }),
            port('p5', 5, { tag: 10, vlanMode: 'native-untagged' }),
            port('p6', 6, { tag: 30, vlanMode: 'dot1q-tunnel', cvlans: [100] }),
            port('p7', 7, { protected: true }),
            port('p8', 8, { protected: true }),
          ],
        },
      ],
    },
    receive: [['p2', FROM_2]],
    commands: [
      ['br0', `in_port=1,${ETH},dl_type=0x88b5`],
      ['br0', `in_port=1,${IP}`],
      ['br0', `in_port=2,${IP}`],
      ['br0', `in_port=p3,${TCP}`],
      ['br0', `in_port=LOCAL,${ARP}`],
      ['br0', `in_port=1,${ARP},arp_sha=50:54:00:00:00:01`],
      ['br0', `in_port=3,${ETH},dl_vlan=10,dl_type=0x88b5`],
      ['br0', `in_port=4,${ETH},dl_vlan=30,dl_type=0x88b5`],
      ['br0', `in_port=4,${ETH},dl_vlan=20,dl_vlan_pcp=3,dl_type=0x88b5`],
      ['br0', `in_port=4,${ETH},dl_type=0x88b5`],
      ['br0', `in_port=5,${ETH},dl_type=0x88b5`],
      ['br0', `in_port=6,${ETH},dl_vlan=101,dl_type=0x88b5`],
      ['br0', `in_port=6,${ETH},dl_vlan=100,dl_type=0x88b5`],
      ['br0', `in_port=7,${ETH.replace('02', '99')},dl_type=0x88b5`],
      ['br0', 'in_port=1,dl_src=50:54:00:00:00:01,dl_dst=01:80:c2:00:00:00,dl_type=0x88b5'],
      ['br0', 'in_port=1,dl_src=50:54:00:00:00:01,dl_dst=01:80:c2:00:00:0e,dl_type=0x88cc'],
      ['br0', `in_port=99,${ETH},dl_type=0x88b5`],
      ['br0', `${ETH},dl_type=0x88b5`],
      ['br0', `in_port=controller,${ETH},dl_type=0x88b5`],
      ['br0', `in_port=1,${ICMP}`],
      ['br0', `in_port=1,${TCP6}`],
      ['br0', `in_port=1,${TCP},nw_frag=later`],
      ['br0', `in_port=1,${ETH},dl_type=0x88b5`, frame('50540000000250540000000188b5')],
      ['br0', 'in_port=2', frame('50540000000250540000000188b5')],
      ['br0', 'in_port=1', frame('5054000000025054000000018100000a0800')],
      ['br0', 'in_port=1', '5054000000025054000000018100'],
      ['br0', 'in_port=4', '505400000002505400000001810000'],
      ['br0', `in_port=1,${TCP.replace(':01,', ':33,')}`, '-generate'],
      ['br0', `in_port=1,${TCP.replace(':01,', ':11,')}`, '--generate', '--l7', '0102', '--l7-len', '20'],
      [
        'in_port(@p1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2)',
      ],
      ['recirc_id(0),in_port(@p3),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),ipv4(frag=no)'],
      [
        'in_port(@p4),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x8100),vlan(vid=20,pcp=0),encap(eth_type(0x0800),ipv4(frag=no))',
      ],
      [
        'in_port(@p1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=1,sha=50:54:00:00:00:01,tha=00:00:00:00:00:00)',
      ],
      [
        'in_port(@p1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x88b5)',
        frame('50540000000250540000002288b6'),
      ],
      ['in_port(p1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x88b5)'],
    ],
  },
  {
    name: 'refusals',
    config: { bridges: [{ name: 'br0', mac: mac('aa', 0), ports: [port('p1', 1)] }] },
    commands: [
      ['br1', 'in_port=1'],
      ['in_port=1'],
      ['br0', 'in_port=1,frob=3'],
      ['br0', 'in_port=1,nw_dst=1.2.3.4'],
      ['br0', 'in_port=p9'],
      ['br0', 'in_port=1,dl_src=50:54'],
      ['br0', 'in_port=1,in_port=1'],
      ['br0', 'in_port=1', 'zz'],
      ['br0', 'in_port=1', '0102'],
      ['br0', 'in_port=1', '01', '02'],
      ['br0', '0102'],
      ['-generate'],
      ['br0', 'in_port=1', '--frob'],
      ['br0', 'in_port=1', '--l7'],
      ['br0', 'in_port=1', '--l7', 'zz'],
      ['br0', 'in_port=1', '--l7-len', '70000'],
      ['in_port(7),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x88b5)'],
      ['frob', 'in_port(@p1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x88b5)'],
      ['eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x88b5)'],
      ['in_port(@p1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02'],
      ['recirc_id(0x77),in_port(@p1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x88b5)'],
      [
        'tunnel(tun_id=0x1,src=1.1.1.1,dst=2.2.2.2,ttl=64,flags(key)),in_port(@p1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x88b5)',
      ],
      ['br0', 'in_port=1', '--names'],
    ],
  },
  {
    name: 'actions',
    config: rules([
      'table=0,priority=10,in_port=1,actions=output:2,output:1,output:99,IN_PORT,LOCAL',
      'table=0,in_port=2,ip,actions=mod_dl_dst:02:00:00:00:00:09,dec_ttl,output:1,mod_nw_dst:10.9.9.9,output:3',
      'table=0,in_port=2,arp,actions=dec_ttl,output:1',
      'table=0,in_port=2,ipv6,actions=dec_ttl,set_field:fd00::9->ipv6_dst,output:1,set_field:5->nw_ttl,output:3',
      'table=0,cookie=0xabc,in_port=3,actions=resubmit(,1),resubmit(4,1),output:4',
      'table=1,in_port=3,actions=set_field:0x1234->reg0,move:NXM_NX_REG0[]->NXM_NX_REG1[],move:NXM_NX_REG0[0..7]->NXM_NX_REG2[8..15],output:1',
      'table=1,in_port=4,actions=output:NXM_NX_REG0[0..15],output:NXM_NX_REG3[]',
      'table=0,in_port=4,tcp,actions=mod_vlan_vid:7,output:1,mod_vlan_pcp:3,output:2,strip_vlan,output:3',
      'table=0,in_port=4,udp,actions=mod_tp_dst:99,mod_nw_tos:32,output:1,controller(max_len=100,id=7,reason=no_match),CONTROLLER:64,set_field:3->nw_ecn,output:2',
      'table=0,in_port=4,icmp,actions=clone(mod_dl_src:02:00:00:00:00:05,output:1),output:2,clone(output:3,exit),output:1,exit,output:3',
      'table=0,in_port=4,arp,actions=set_field:10.7.7.7->arp_spa,set_field:2->arp_op,output:1,move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],output:2,NORMAL',
      'table=0,in_port=4,dl_type=0x88b5,actions=FLOOD,ALL,note:01.02,output:2',
      'table=0,in_port=4,dl_type=0x88b6,actions=output(port=1,max_len=100),output(port=LOCAL,max_len=64),output(port=4,max_len=64),output(port=9,max_len=64),mod_dl_src:02:00:00:00:00:05,output(port=2,max_len=100),clone(output(port=3,max_len=60)),output:1',
      'table=0,in_port=4,dl_type=0x88b7,actions=learn(table=2,idle_timeout=5,priority=7,cookie=0x9,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]),resubmit(,2)',
      'table=0,in_port=4,dl_type=0x88b8,actions=load:0x7->NXM_OF_IN_PORT[],output:4,output:7,IN_PORT',
      'table=0,in_port=4,dl_type=0x88b9,actions=load:5->NXM_OF_VLAN_TCI[0..11],output:1,load:0x1005->NXM_OF_VLAN_TCI[],output:2',
      'table=0,in_port=4,dl_type=0x88ba,actions=goto_table:3',
      'table=0,in_port=4,dl_type=0x88bb,actions=set_tunnel:5,set_field:9->metadata,resubmit(,4)',
      'table=4,tun_id=5,metadata=9,actions=resubmit(,0)',
    ]),
    commands: [
      ['br0', `in_port=1,${TCP}`],
      ['br0', `in_port=1,${TCP}`, '--names'],
      ['br0', `in_port=3,${TCP}`, '--names'],
      ['br0', `in_port=2,${TCP}`],
      ['br0', `in_port=2,${TCP.replace('nw_ttl=64', 'nw_ttl=1')}`],
      ['br0', `in_port=2,${ARP}`],
      ['br0', `in_port=2,${TCP6}`],
      ['br0', `in_port=2,${TCP6.replace('nw_ttl=64', 'nw_ttl=1')}`],
      ['br0', `in_port=3,${TCP}`],
      ['br0', `in_port=4,${TCP}`],
      ['br0', `in_port=4,${TCP},dl_vlan=5`],
      ['br0', `in_port=4,${UDP}`],
      ['br0', `in_port=4,${ICMP}`],
      ['br0', `in_port=4,${ARP},arp_sha=50:54:00:00:00:01`],
      ['br0', `in_port=4,${ETH},dl_type=0x88b5`],
      ['br0', `in_port=4,${ETH},dl_type=0x88b6`],
      ['br0', `in_port=4,${ETH},dl_type=0x88b7`],
      ['br0', `in_port=4,${ETH},dl_type=0x88b8`],
      ['br0', `in_port=4,${ETH},dl_type=0x88b9`],
      ['br0', `in_port=4,${ETH},dl_type=0x88ba`],
      ['br0', `in_port=4,${ETH},dl_type=0x88bb`],
      ['br0', `in_port=4,${ETH},dl_type=0x88bc`],
      ['br0', `in_port=4,${ETH},dl_type=0x88bc,reg5=7,metadata=3`],
    ],
  },
  {
    name: 'prerequisites',
    config: rules([
      'in_port=1,ip,actions=resubmit(,1)',
      'in_port=1,actions=resubmit(,2)',
      'table=1,ip,actions=move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[],mod_nw_src:1.2.3.4,output:2',
      'table=2,actions=move:NXM_OF_ETH_SRC[0..15]->NXM_NX_REG0[0..15],load:0x3->NXM_OF_VLAN_TCI[13..15],output:3',
      'in_port=2,tcp,actions=move:NXM_OF_TCP_SRC[]->NXM_OF_TCP_DST[],output:1',
      'in_port=2,udp,actions=load:0x50->NXM_OF_UDP_DST[],output:1',
      'in_port=2,icmp,actions=load:3->NXM_OF_ICMP_TYPE[],load:1->NXM_OF_ICMP_CODE[],output:1',
      'in_port=2,icmp6,icmp_type=135,actions=set_field:fd00::77->nd_target,set_field:02:00:00:00:00:07->nd_sll,output:1',
      'in_port=2,dl_vlan=5,actions=set_field:6->vlan_vid,output:1,mod_vlan_pcp:2,output:3,strip_vlan,output:4',
      'in_port=3,actions=mod_tp_src:7,mod_nw_tos:4,mod_nw_src:9.9.9.9,output:1',
    ]),
    commands: [
      ['br0', `in_port=1,${TCP}`],
      ['br0', `in_port=1,${TCP6}`],
      ['br0', `in_port=2,${TCP}`],
      ['br0', `in_port=2,${UDP}`],
      ['br0', `in_port=2,${ICMP}`],
      ['br0', `in_port=2,${ETH},dl_vlan=5,dl_vlan_pcp=1,dl_type=0x88b5`],
      [
        'br0',
        `in_port=2,${ETH},icmp6,ipv6_src=fd00::1,ipv6_dst=fd00::2,icmp_type=135,icmp_code=0,nd_target=fd00::3,nd_sll=50:54:00:00:00:01`,
      ],
      ['br0', `in_port=3,${TCP}`],
      ['br0', `in_port=3,${TCP},nw_frag=later`],
      ['br0', `in_port=3,${TCP},nw_frag=first`],
      ['br0', `in_port=3,${TCP6}`],
      ['br0', `in_port=3,${ARP}`],
      ['br0', `in_port=3,${ICMP}`],
    ],
  },
  {
    name: 'groups',
    config: rules(
      [
        'in_port=1,actions=group:1,output:4',
        'in_port=2,actions=group:2',
        'in_port=3,actions=group:3,output:1',
        'in_port=4,tcp,actions=mod_dl_src:02:00:00:00:00:05,group:4,output:1',
        'in_port=4,udp,actions=group:5',
        'in_port=4,icmp,actions=group:6,output:2',
        'in_port=4,arp,actions=clone(group:4),output:1,group:7',
        'in_port=4,dl_type=0x88b5,actions=resubmit(,1),output:3',
        'table=1,actions=group:4,output:2',
        'in_port=4,dl_type=0x88b6,actions=group:8',
        'in_port=4,ipv6,actions=group:5',
      ],
      [
        'group_id=1,type=all,bucket=output:2,bucket=mod_dl_dst:02:00:00:00:00:07,output:3,bucket=resubmit(,7)',
        'group_id=2,type=indirect,bucket=output:1,mod_dl_dst:02:00:00:00:00:07,mod_vlan_vid:5,strip_vlan',
        'group_id=3,type=ff,bucket=watch_port:99,output:2,bucket=watch_port:2,output:4,bucket=watch_port:1,output:1',
        'group_id=4,type=select,bucket=weight:1,output:2,bucket=weight:3,output:3',
        'group_id=5,type=select,bucket=weight:1,output:2,bucket=weight:1000,output:3',
        'group_id=6,type=select,selection_method=hash,fields(ip_src,ip_dst),bucket=weight:1,output:2,bucket=weight:1,output:3',
        'group_id=7,type=all,bucket=output:CONTROLLER,bucket=group:2',
        'group_id=8,type=all,bucket=group:4,bucket=output:1',
      ],
    ),
    commands: [
      ['br0', `in_port=1,${TCP}`],
      ['br0', `in_port=2,${TCP}`],
      ['br0', `in_port=3,${TCP}`],
      ['br0', `in_port=4,${TCP}`],
      ['br0', `in_port=4,${UDP}`],
      ['br0', `in_port=4,${TCP6}`],
      ['br0', `in_port=4,${ICMP}`],
      ['br0', `in_port=4,${ARP}`],
      ['br0', `in_port=4,${ETH},dl_type=0x88b5`],
      ['br0', `in_port=4,${ETH},dl_type=0x88b6`],
    ],
  },
  {
    name: 'flood',
    config: {
      bridges: [
        {
          name: 'br0',
          mac: mac('aa', 0),
          ports: Array.from({ length: 23 }, (_, index) => port(`p${index + 1}`, index * 7 + 1)),
          openflow: ['in_port=1,actions=FLOOD', 'in_port=8,actions=ALL', 'actions=NORMAL'],
        },
      ],
    },
    commands: [
      ['br0', 'in_port=1'],
      ['br0', 'in_port=8'],
      ['br0', 'in_port=15'],
    ],
  },
  {
    name: 'limits',
    config: {
      bridges: [
        {
          name: 'br0',
          mac: mac('aa', 0),
          ports: [port('p1', 1), port('p2', 2)],
          openflow: [
            'in_port=1,actions=resubmit(,0)',
            'in_port=2,actions=resubmit(,1)',
            'table=1,in_port=2,actions=resubmit(,2),resubmit(,2)',
            'table=2,in_port=2,actions=output:1,resubmit(,9)',
          ],
        },
      ],
    },
    commands: [
      ['br0', `in_port=1,${TCP}`],
      ['br0', `in_port=2,${TCP}`],
    ],
  },
  {
    name: 'patches',
    config: {
      bridges: [
        {
          name: 'br0',
          mac: mac('aa', 0),
          ports: [port('p1', 1), patch('a0', 2, 'a1'), port('p3', 3), patch('b0', 4, 'nowhere')],
        },
        {
          name: 'br1',
          mac: mac('aa', 1),
          ports: [port('p4', 1), patch('a1', 2, 'a0'), patch('c1', 3, 'c2')],
          openflow: ['in_port=2,actions=mod_dl_dst:02:00:00:00:00:07,output:1,output:3', 'actions=NORMAL'],
        },
        { name: 'br2', mac: mac('aa', 2), ports: [port('p5', 1), patch('c2', 2, 'c1', { tag: 5 })] },
      ],
    },
    commands: [
      ['br0', `in_port=1,${TCP}`],
      ['br1', `in_port=1,${TCP}`],
      ['br2', `in_port=1,${TCP}`],
    ],
  },
  {
    name: 'mirrors',
    config: {
      bridges: [
        {
          name: 'br0',
          mac: mac('aa', 0),
          ports: [port('p1', 1), port('p2', 2), port('p3', 3), port('p4', 4, { tag: 10 }), patch('a0', 5, 'a1')],
          mirrors: [
            { name: 'm0', selectAll: true, outputPort: 'p3' },
            { name: 'm1', selectVlan: [10], selectSrcPort: ['p4'], outputVlan: 20 },
          ],
        },
        {
          name: 'br1',
          mac: mac('aa', 1),
          ports: [port('p5', 1), patch('a1', 2, 'a0'), port('p6', 3)],
          mirrors: [{ name: 'm2', selectSrcPort: ['a1'], outputPort: 'p6' }],
        },
      ],
    },
    commands: [
      ['br0', `in_port=1,${TCP}`],
      ['br0', `in_port=3,${TCP}`],
      ['br0', 'in_port=3', frame('50540000000250540000000188b5')],
      ['br0', `in_port=4,${TCP}`],
      ['br0', `in_port=4,${TCP},dl_vlan=9`],
      ['br1', `in_port=1,${TCP}`],
    ],
  },
  {
    name: 'tunnels',
    config: {
      bridges: [
        {
          name: 'br0',
          mac: mac('aa', 0),
          ports: [
            port('p1', 1),
            vxlan('t1', 2, { remote_ip: '10.1.0.2', key: '5' }),
            vxlan('t2', 3, { remote_ip: '10.1.0.3', key: '6' }),
            vxlan('t3', 4, { remote_ip: '10.9.0.3', key: '7' }),
            vxlan('t4', 5, { remote_ip: 'fd01::2', key: '8' }),
            vxlan('t5', 6, { remote_ip: 'flow', key: 'flow' }),
          ],
          openflow: [
            'in_port=1,tcp,actions=output:2',
            'in_port=1,udp,actions=output:3',
            'in_port=1,icmp,actions=output:4',
            'in_port=1,arp,actions=output:2,output:1,output:5',
            'in_port=1,dl_type=0x88b5,actions=NORMAL',
            'in_port=1,dl_type=0x88b6,actions=set_field:10.1.0.2->tun_dst,set_field:77->tun_id,output:6,output:2',
            'in_port=1,dl_type=0x88b7,actions=output(port=2,max_len=100),output:1',
            'in_port=1,dl_type=0x88b8,actions=output(port=2,max_len=100)',
            'in_port=2,actions=NORMAL',
            'in_port=3,actions=move:NXM_NX_TUN_ID[0..31]->NXM_NX_REG0[],output:2,output:1',
            'in_port=1,ipv6,actions=dec_ttl,output:5',
          ],
        },
        {
          name: 'br1',
          mac: mac('aa', 1),
          ports: [port('p2', 1), port('p3', 2, { tag: 4 })],
        },
      ],
      addresses: [
        { dev: 'br1', ip: '10.1.0.1/24' },
        { dev: 'br1', ip: 'fd01::1/64' },
      ],
      routes: [
        { prefix: '10.1.0.0/24', dev: 'br1' },
        { prefix: 'fd01::/64', dev: 'br1' },
      ],
      neighbors: [
        { bridge: 'br1', ip: '10.1.0.2', mac: '02:00:00:00:02:02' },
        { bridge: 'br1', ip: 'fd01::2', mac: '02:00:00:00:02:02' },
      ],
    },
    // Open vSwitch asks for neighbours when it traces, and br1 would learn of it: it has learned already.
    receive: [['br1', frame('ffffffffffff' + 'aa55aa000001' + '88b5')]],
    commands: [
      ['br0', `in_port=1,${TCP}`],
      ['br0', `in_port=1,${TCP},nw_tos=32,nw_ecn=3`],
      ['br0', `in_port=1,${UDP}`],
      ['br0', `in_port=1,${ICMP}`],
      ['br0', `in_port=1,${ARP}`],
      ['br0', `in_port=1,${ARP}`, '--names'],
      ['br0', `in_port=1,${ETH},dl_type=0x88b5`],
      ['br0', `in_port=1,${ETH},dl_type=0x88b6`],
      ['br0', `in_port=1,${ETH},dl_type=0x88b7`],
      ['br0', `in_port=1,${ETH},dl_type=0x88b8`],
      ['br0', `in_port=1,${TCP6}`],
      [
        'br1',
        `in_port=1,dl_src=02:00:00:00:02:02,dl_dst=${mac('aa', 1)},udp,nw_src=10.1.0.2,nw_dst=10.1.0.1,udp_src=5555,udp_dst=4789`,
      ],
      [
        'br1',
        `in_port=1,dl_src=02:00:00:00:02:02,dl_dst=${mac('aa', 1)},udp,nw_src=10.1.0.2,nw_dst=10.1.0.1,udp_src=5555,udp_dst=53`,
      ],
      [
        'br1',
        `in_port=1,dl_src=02:00:00:00:02:02,dl_dst=${mac('aa', 1)},udp,nw_src=10.1.0.2,nw_dst=10.1.0.1,udp_src=5555,udp_dst=4789,nw_frag=first`,
      ],
      [
        'br1',
        `in_port=1,dl_src=02:00:00:00:02:02,dl_dst=${mac('aa', 1)},arp,arp_op=2,arp_spa=10.1.0.3,arp_tpa=10.1.0.1,arp_sha=02:00:00:00:02:02`,
      ],
      [
        'br1',
        `in_port=1,dl_src=02:00:00:00:02:02,dl_dst=ff:ff:ff:ff:ff:ff,arp,arp_op=1,arp_spa=10.1.0.3,arp_tpa=10.1.0.1,arp_sha=02:00:00:00:02:02`,
      ],
      [
        'tunnel(tun_id=0x5,src=10.1.0.2,dst=10.1.0.1,tos=0x0,ttl=64,flags(key)),recirc_id(0),in_port(@vxlan_sys_4789),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)',
      ],
      [
        'tunnel(tun_id=0x5,src=10.1.0.2,dst=10.1.0.1,tos=0x3,ttl=64,flags(key)),recirc_id(0),in_port(@vxlan_sys_4789),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=1,ttl=64,frag=no),udp(src=1,dst=2)',
      ],
      [
        'tunnel(tun_id=0x5,src=10.1.0.2,dst=10.1.0.1,tos=0x3,ttl=64,flags(key)),recirc_id(0),in_port(@vxlan_sys_4789),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)',
      ],
      [
        'tunnel(tun_id=0x6,src=10.1.0.3,dst=10.1.0.1,tos=0x0,ttl=64,flags(key)),recirc_id(0),in_port(@vxlan_sys_4789),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x88b5)',
      ],
      [
        'tunnel(tun_id=0x9999,src=10.1.0.2,dst=10.1.0.1,tos=0x0,ttl=64,flags(key)),recirc_id(0),in_port(@vxlan_sys_4789),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x88b5)',
      ],
      [
        'tunnel(tun_id=0x55,src=10.7.0.2,dst=10.1.0.2,tos=0x0,ttl=64,flags(key)),recirc_id(0),in_port(@vxlan_sys_4789),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x88b5)',
      ],
    ],
  },
  {
    name: 'kernel tunnels',
    config: {
      bridges: [
        {
          name: 'br0',
          mac: mac('aa', 0),
          ports: [
            port('p1', 1),
            vxlan('t1', 2, { remote_ip: '10.1.0.2', key: '5' }),
            vxlan('t2', 3, { remote_ip: '10.1.0.3', key: '6' }),
          ],
        },
      ],
      nativeTunnels: false,
    },
    commands: [
      ['br0', `in_port=1,${TCP}`],
      [
        'tunnel(tun_id=0x5,src=10.1.0.2,dst=10.1.0.1,tos=0x0,ttl=64,flags(key)),recirc_id(0),in_port(@vxlan_sys_4789),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x88b5)',
      ],
    ],
  },
];
