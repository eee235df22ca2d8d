// The tunnel router (lib/ovs-router.c): priorities, source addresses, gateways, marks, local addresses.
import { beforeEach, describe, expect, it } from 'vitest';
import { Router, inPrefix, maskAddress, type DeviceAddress } from '../../src/tunnel/router.js';
import { formatIp, parseIp, parsePrefix } from '../../src/util/address.js';

let addresses: DeviceAddress[];
let router: Router;

function own(device: string, prefix: string): void {
  const { bytes, length } = parsePrefix(prefix);
  addresses.push({ device, ip: bytes, prefixLength: length });
}

function add(
  prefix: string,
  device: string,
  more: { gateway?: string; mark?: number; kind?: 'user' | 'cached'; local?: boolean } = {},
) {
  const { bytes, length } = parsePrefix(prefix);
  const { gateway, ...rest } = more;
  return router.add({
    prefix: bytes,
    prefixLength: length,
    device,
    gateway: gateway === undefined ? undefined : parseIp(gateway),
    ...rest,
  });
}

/** A device's address with the two routes that an operating system has for it. */
function connect(device: string, prefix: string): void {
  own(device, prefix);
  const { bytes, length } = parsePrefix(prefix);
  router.add({ prefix: bytes, prefixLength: bytes.length * 8, device, kind: 'cached', local: true });
  router.add({ prefix: bytes, prefixLength: length, device, kind: 'cached' });
}

/** `device source gateway` for a destination. */
function lookup(destination: string, mark = 0, source?: string): string | undefined {
  const found = router.lookup(parseIp(destination), mark, source === undefined ? undefined : parseIp(source));
  return found && `${found.device} ${formatIp(found.source)} ${found.gateway ? formatIp(found.gateway) : '-'}`;
}

beforeEach(() => {
  addresses = [];
  router = new Router(() => addresses);
});

describe('prefixes', () => {
  it.each([
    ['10.11.12.13', 32, '10.11.12.13'],
    ['10.11.12.13', 24, '10.11.12.0'],
    ['10.11.12.13', 22, '10.11.12.0'],
    ['10.11.15.13', 22, '10.11.12.0'],
    ['255.255.255.255', 1, '128.0.0.0'],
    ['10.11.12.13', 0, '0.0.0.0'],
    ['fd00:1:2:3:4:5:6:7', 64, 'fd00:1:2:3::'],
    ['ffff::', 9, 'ff80::'],
  ])('%s/%i is %s', (ip, length, expected) => {
    expect(formatIp(maskAddress(parseIp(ip), length))).toBe(expected);
  });

  it('hold addresses of their own family only', () => {
    expect(inPrefix(parseIp('10.1.2.3'), parseIp('10.1.0.0'), 16)).toBe(true);
    expect(inPrefix(parseIp('10.2.2.3'), parseIp('10.1.0.0'), 16)).toBe(false);
    expect(inPrefix(parseIp('fd00::1'), parseIp('0.0.0.0'), 0)).toBe(false);
    expect(inPrefix(parseIp('10.1.2.3'), parseIp('::'), 0)).toBe(false);
  });
});

describe('a route', () => {
  it('clears the host bits of its prefix, and counts IPv4 as mapped into IPv6', () => {
    own('br1', '10.10.10.1/24');
    own('br1', 'fd00::1/64');
    expect(add('10.10.10.77/24', 'br1')).toMatchObject({
      prefix: parseIp('10.10.10.0'),
      prefixLength: 24,
      priority: 96 + 24 + 32,
    });
    expect(add('10.10.10.0/24', 'br1', { kind: 'cached' }).priority).toBe(96 + 24);
    expect(add('10.10.10.1/32', 'br1', { kind: 'cached', local: true }).priority).toBe(96 + 32 + 64);
    expect(add('fd00::/64', 'br1').priority).toBe(64 + 32);
  });

  it('sends from the address whose subnet holds the prefix, the longest first', () => {
    own('br1', '10.0.0.1/8');
    own('br1', '10.10.10.1/24');
    own('br1', '10.10.0.1/16');
    own('br2', '10.10.10.9/30');
    expect(formatIp(add('10.10.10.0/25', 'br1').source)).toBe('10.10.10.1');
    expect(formatIp(add('10.10.9.0/24', 'br1').source)).toBe('10.10.0.1');
    expect(formatIp(add('10.9.0.0/16', 'br1').source)).toBe('10.0.0.1');
  });

  it('sends from the address whose subnet holds the gateway where none holds the prefix', () => {
    own('br1', '192.168.0.1/24');
    own('br1', '10.10.10.1/24');
    expect(formatIp(add('0.0.0.0/0', 'br1', { gateway: '10.10.10.254' }).source)).toBe('10.10.10.1');
    expect(formatIp(add('172.16.0.0/12', 'br1', { gateway: '192.168.0.254' }).source)).toBe('192.168.0.1');
  });

  it.each([
    ['no address at all', '10.10.10.0/24', 'br9', undefined],
    ['no address in the subnet', '10.99.0.0/16', 'br1', undefined],
    ['a gateway that is not on a link', '10.99.0.0/16', 'br1', '172.16.0.1'],
    ['no address of the family', 'fd00::/64', 'br1', undefined],
  ])('is refused with %s, and nothing changes', (_why, prefix, device, gateway) => {
    own('br1', '10.10.10.1/24');
    const { sequence } = router;
    expect(() => add(prefix, device, { gateway })).toThrow(expect.objectContaining({ code: 'bad-config' }));
    expect(router.routes()).toEqual([]);
    expect(router.sequence).toBe(sequence);
  });

  it('keeps its source when the device gets other addresses', () => {
    own('br1', '10.10.10.1/24');
    add('10.10.10.0/24', 'br1');
    addresses.length = 0;
    own('br1', '10.10.10.7/32');
    expect(lookup('10.10.10.2')).toBe('br1 10.10.10.1 -');
  });
});

describe('look-up', () => {
  it('takes the longest prefix among routes of a kind', () => {
    connect('br1', '10.0.0.1/8');
    connect('br2', '10.10.10.1/24');
    expect(lookup('10.10.10.2')).toBe('br2 10.10.10.1 -');
    expect(lookup('10.10.11.2')).toBe('br1 10.0.0.1 -');
    expect(lookup('11.0.0.1')).toBeUndefined();
  });

  it('lets a user route beat one of the system that is less than 32 bits longer', () => {
    connect('br1', '10.10.10.1/24');
    connect('br2', '10.20.0.1/16');
    // 0 + 96 + 32 beats 24 + 96, as was observed with 3.1.0; local addresses (32 + 96 + 64) stay.
    add('0.0.0.0/0', 'br2', { gateway: '10.20.0.254' });
    expect(lookup('10.10.10.2')).toBe('br2 10.20.0.1 10.20.0.254');
    expect(lookup('10.10.10.1')).toBe('br1 10.10.10.1 -');
    expect(lookup('8.8.8.8')).toBe('br2 10.20.0.1 10.20.0.254');
    add('10.10.10.0/25', 'br1');
    expect(lookup('10.10.10.2')).toBe('br1 10.10.10.1 -');
  });

  it('matches the mark exactly', () => {
    own('br1', '10.10.10.1/24');
    own('br2', '10.10.10.2/24');
    add('10.10.10.0/24', 'br1');
    add('10.10.10.0/24', 'br2', { mark: 7 });
    expect(lookup('10.10.10.9')).toBe('br1 10.10.10.1 -');
    expect(lookup('10.10.10.9', 7)).toBe('br2 10.10.10.2 -');
    expect(lookup('10.10.10.9', 8)).toBeUndefined();
  });

  it('for a source that the caller insists on needs a local route to it', () => {
    connect('br1', '10.10.10.1/24');
    connect('br2', '10.20.0.1/16');
    expect(lookup('10.10.10.2', 0, '10.10.10.1')).toBe('br1 10.10.10.1 -');
    // The source need not be one of the device that leads there.
    expect(lookup('10.10.10.2', 0, '10.20.0.1')).toBe('br1 10.20.0.1 -');
    expect(lookup('10.10.10.2', 0, '10.10.10.3')).toBeUndefined();
    expect(lookup('11.0.0.1', 0, '10.10.10.1')).toBeUndefined();
  });

  it('does the same for IPv6', () => {
    connect('br1', 'fd00::1/64');
    add('fd00:1::/32', 'br1', { gateway: 'fd00::ff' });
    expect(lookup('fd00::2')).toBe('br1 fd00::1 -');
    expect(lookup('fd00:1::2')).toBe('br1 fd00::1 fd00::ff');
    expect(lookup('fe80::1')).toBeUndefined();
  });
});

describe('the list', () => {
  beforeEach(() => own('br1', '10.10.10.1/8'));

  it('is in the order of priority', () => {
    add('10.1.0.0/16', 'br1', { kind: 'cached' });
    add('10.0.0.0/8', 'br1');
    add('10.10.10.1/32', 'br1', { kind: 'cached', local: true });
    add('10.2.0.0/24', 'br1', { kind: 'cached' });
    expect(router.routes().map(({ prefix, prefixLength }) => `${formatIp(prefix)}/${prefixLength}`)).toEqual([
      '10.10.10.1/32',
      '10.0.0.0/8',
      '10.2.0.0/24',
      '10.1.0.0/16',
    ]);
  });

  it('replaces a route with the same prefix, mark and priority, and only that one', () => {
    add('10.0.0.0/8', 'br1');
    add('10.0.0.0/8', 'br1', { gateway: '10.9.9.9' });
    expect(router.routes().length).toBe(1);
    expect(lookup('10.1.1.1')).toBe('br1 10.10.10.1 10.9.9.9');
    add('10.0.0.0/8', 'br1', { mark: 1 });
    add('10.0.0.0/8', 'br1', { kind: 'cached' });
    add('10.0.0.0/9', 'br1');
    expect(router.routes().length).toBe(4);
  });

  it('loses routes one by one, by kind and mark', () => {
    add('10.0.0.0/8', 'br1');
    add('10.0.0.0/8', 'br1', { mark: 1 });
    add('10.0.0.0/8', 'br1', { kind: 'cached' });
    const prefix = parseIp('10.5.5.5');
    let { sequence } = router;
    expect(router.remove(prefix, 9)).toBe(false);
    expect(router.remove(prefix, 8, 2)).toBe(false);
    expect(router.sequence).toBe(sequence);
    expect(router.remove(prefix, 8)).toBe(true);
    expect(router.remove(prefix, 8)).toBe(false);
    expect(router.sequence).not.toBe(sequence);
    ({ sequence } = router);
    expect(router.remove(prefix, 8, 1)).toBe(true);
    expect(router.routes().map(({ kind }) => kind)).toEqual(['cached']);
    expect(router.sequence).not.toBe(sequence);
  });

  it('loses the cached routes of a device at once, and keeps what people added', () => {
    own('br2', '10.20.0.1/16');
    add('10.0.0.0/8', 'br1');
    add('10.0.0.0/9', 'br1', { kind: 'cached' });
    add('10.20.0.0/16', 'br2', { kind: 'cached' });
    router.removeCached('br1');
    expect(router.routes().map(({ kind, device }) => `${kind} ${device}`)).toEqual(['user br1', 'cached br2']);
    const { sequence } = router;
    router.removeCached('br1');
    expect(router.sequence).toBe(sequence);
  });
});
