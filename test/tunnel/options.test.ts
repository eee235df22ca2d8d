// Options of VXLAN ports: each as it is read (ovs-vswitchd.conf.db(5), "Tunnel Options"), and each way to be refused.
import { describe, expect, it } from 'vitest';
import { DEFAULT_TTL, VXLAN_PORT, parseTunnelOptions } from '../../src/tunnel/options.js';
import { MegaflowError } from '../../src/util/errors.js';

const REMOTE = { remote_ip: '10.10.10.2' };
const parse = (options: Record<string, string>) => parseTunnelOptions('vx1', options);

/** The error that reading `options` throws. */
function refusal(options: Record<string, string>): MegaflowError {
  try {
    parse(options);
  } catch (error) {
    expect(error).toBeInstanceOf(MegaflowError);
    expect((error as MegaflowError).code).toBe('bad-option');
    expect((error as MegaflowError).allowed).not.toBe('');
    return error as MegaflowError;
  }
  throw new Error(`accepted: ${JSON.stringify(options)}`);
}

describe('options of a VXLAN port', () => {
  it('has the defaults of Open vSwitch 3.1 where only the remote address is given', () => {
    expect(parse(REMOTE)).toEqual({
      remoteIp: Uint8Array.of(10, 10, 10, 2),
      localIp: undefined,
      inKey: 0,
      outKey: 0,
      outKeyPresent: false,
      destinationPort: 4789,
      ttl: 64,
      tos: 0,
      checksum: false,
      dontFragment: true,
      egressMark: undefined,
      extensions: [],
      options: REMOTE,
    });
    expect([VXLAN_PORT, DEFAULT_TTL]).toEqual([4789, 64]);
  });

  it('keeps the options as they were given, and its own copy of them', () => {
    const given: Record<string, string> = { ...REMOTE, key: '0x10' };
    const config = parse(given);
    given.key = '7';
    expect(config.options).toEqual({ ...REMOTE, key: '0x10' });
  });

  it('reads addresses of both families and flow', () => {
    expect(parse({ remote_ip: 'fd00::2' }).remoteIp).toEqual(
      Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
    );
    expect(parse({ remote_ip: 'flow' }).remoteIp).toBe('flow');
    expect(parse({ ...REMOTE, local_ip: '10.10.10.1' }).localIp).toEqual(Uint8Array.of(10, 10, 10, 1));
    expect(parse({ remote_ip: 'flow', local_ip: '10.10.10.1' }).localIp).toEqual(Uint8Array.of(10, 10, 10, 1));
    expect(parse({ remote_ip: 'flow', local_ip: 'flow' }).localIp).toBe('flow');
    expect((parse({ remote_ip: 'fd00::2', local_ip: 'fd00::1' }).localIp as Uint8Array)[15]).toBe(1);
  });

  it.each([
    [{ key: '5' }, 5, 5, true],
    [{ key: '0x1F' }, 31, 31, true],
    [{ key: '0' }, 0, 0, true],
    [{ key: 'flow' }, 'flow', 'flow', true],
    [{ in_key: '7' }, 7, 0, false],
    [{ out_key: '9' }, 0, 9, true],
    [{ in_key: '7', out_key: 'flow' }, 7, 'flow', true],
    // The one-way options say more than `key`.
    [{ key: '5', in_key: 'flow' }, 'flow', 5, true],
    [{ key: '5', out_key: '6' }, 5, 6, true],
    [{ key: '16777216' }, 0x100_0000, 0x100_0000, true],
  ] as const)('reads the keys of %j', (options, inKey, outKey, outKeyPresent) => {
    expect(parse({ ...REMOTE, ...options })).toMatchObject({ inKey, outKey, outKeyPresent });
  });

  it.each([
    [{ dst_port: '8472' }, { destinationPort: 8472 }],
    [{ dst_port: '1' }, { destinationPort: 1 }],
    [{ dst_port: '65535' }, { destinationPort: 65535 }],
    [{ ttl: 'inherit' }, { ttl: 'inherit' }],
    [{ ttl: '1' }, { ttl: 1 }],
    [{ ttl: '255' }, { ttl: 255 }],
    [{ ttl: '0' }, { ttl: 64 }],
    [{ tos: 'inherit' }, { tos: 'inherit' }],
    [{ tos: '0xb8' }, { tos: 0xb8 }],
    [{ tos: '0' }, { tos: 0 }],
    [{ tos: '252' }, { tos: 252 }],
    [{ csum: 'true' }, { checksum: true }],
    [{ csum: 'false' }, { checksum: false }],
    [{ df_default: 'false' }, { dontFragment: false }],
    [{ df_default: 'true' }, { dontFragment: true }],
    [{ egress_pkt_mark: '0' }, { egressMark: 0 }],
    [{ egress_pkt_mark: '4294967295' }, { egressMark: 0xffff_ffff }],
    [{ exts: 'gbp' }, { extensions: ['gbp'] }],
    [{ exts: 'gbp,gpe' }, { extensions: ['gbp', 'gpe'] }],
    [{ exts: '' }, { extensions: [] }],
  ])('reads %j', (options, expected) => {
    expect(parse({ ...REMOTE, ...options })).toMatchObject(expected);
  });

  // The words before the first comma are Open vSwitch's where it has any (lib/netdev-vport.c:set_tunnel_config).
  it.each([
    [{}, `vx1: vxlan type requires valid 'remote_ip' argument`],
    [{ key: '1' }, `vx1: vxlan type requires valid 'remote_ip' argument`],
    [{ remote_ip: '' }, `vx1: bad vxlan 'remote_ip'`],
    [{ remote_ip: 'vm2.example' }, `vx1: bad vxlan 'remote_ip'`],
    [{ remote_ip: '10.10.10.256' }, `vx1: bad vxlan 'remote_ip'`],
    [{ remote_ip: '10.10.10.2/24' }, `vx1: bad vxlan 'remote_ip'`],
    [{ remote_ip: '224.0.0.1' }, 'vx1: multicast remote_ip=224.0.0.1 not allowed'],
    [{ remote_ip: '239.1.2.3' }, 'vx1: multicast remote_ip=239.1.2.3 not allowed'],
    [{ remote_ip: 'ff02::1' }, 'vx1: multicast remote_ip=ff02::1 not allowed'],
    [{ ...REMOTE, local_ip: 'here' }, `vx1: bad vxlan 'local_ip'`],
    [{ ...REMOTE, local_ip: 'flow' }, `vx1: vxlan type requires 'remote_ip=flow' with 'local_ip=flow'`],
    [{ ...REMOTE, local_ip: 'fd00::1' }, 'vx1: remote_ip and local_ip are of different families'],
    [{ remote_ip: 'fd00::2', local_ip: '10.0.0.1' }, 'vx1: remote_ip and local_ip are of different families'],
    [{ ...REMOTE, key: 'none' }, 'vx1: bad value for key: none'],
    [{ ...REMOTE, key: '-1' }, 'vx1: bad value for key: -1'],
    [{ ...REMOTE, in_key: '' }, 'vx1: bad value for key: '],
    [{ ...REMOTE, out_key: '1.5' }, 'vx1: bad value for key: 1.5'],
    [{ ...REMOTE, key: '99999999999999999999' }, 'vx1: bad value for key: 99999999999999999999'],
    [{ ...REMOTE, dst_port: '0' }, 'vx1: bad value for dst_port: 0'],
    [{ ...REMOTE, dst_port: '65536' }, 'vx1: bad value for dst_port: 65536'],
    [{ ...REMOTE, dst_port: 'vxlan' }, 'vx1: bad value for dst_port: vxlan'],
    [{ ...REMOTE, ttl: '256' }, 'vx1: bad value for ttl: 256'],
    [{ ...REMOTE, ttl: 'Inherit' }, 'vx1: bad value for ttl: Inherit'],
    [{ ...REMOTE, tos: '1' }, 'vx1: invalid TOS 1'],
    [{ ...REMOTE, tos: '0xbb' }, 'vx1: invalid TOS 0xbb'],
    [{ ...REMOTE, tos: '256' }, 'vx1: bad value for tos: 256'],
    [{ ...REMOTE, csum: '1' }, 'vx1: bad value for csum: 1'],
    [{ ...REMOTE, csum: '' }, 'vx1: bad value for csum: '],
    [{ ...REMOTE, df_default: 'no' }, 'vx1: bad value for df_default: no'],
    [{ ...REMOTE, egress_pkt_mark: '4294967296' }, 'vx1: bad value for egress_pkt_mark: 4294967296'],
    [{ ...REMOTE, exts: 'gbp,foo' }, `vx1: unknown extension 'foo'`],
    [{ ...REMOTE, remote: '1.2.3.4' }, `vx1: unknown vxlan argument 'remote'`],
  ] as [Record<string, string>, string][])('refuses %j', (options, message) => {
    expect(refusal(options).message).toBe(message);
  });

  it('says what was given and what it would take', () => {
    expect(refusal({ ...REMOTE, dst_port: '70000' })).toMatchObject({
      value: '70000',
      allowed: 'a whole number from 0 to 65535',
    });
    expect(refusal({ ...REMOTE, local: '1' }).allowed).toContain('local_ip');
  });
});
