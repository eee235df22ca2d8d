// Which tunnel port a packet belongs to: the twelve places that are looked at, in their order (ofproto/tunnel.c:tnl_find).
import { describe, expect, it } from 'vitest';
import { parseTunnelOptions } from '../../src/tunnel/options.js';
import { TunnelPorts, type TunnelPort } from '../../src/tunnel/ports.js';
import { parseIp } from '../../src/util/address.js';

const REMOTE = '10.10.10.2';
const LOCAL = '10.10.10.1';
const packet = { key: 5, source: parseIp(REMOTE), destination: parseIp(LOCAL) };

function port(name: string, options: Record<string, string>, datapathPort = 3): TunnelPort<string> {
  return { datapathPort, config: parseTunnelOptions(name, options), owner: name };
}

/** The twelve kinds of port that could take `packet`, the one that comes first in front. */
function twelve(): TunnelPort<string>[] {
  const ports: TunnelPort<string>[] = [];
  for (const key of ['5', 'flow']) {
    for (const remote of [REMOTE, 'flow']) {
      for (const local of [LOCAL, undefined, 'flow']) {
        // A port whose source comes from the flow must have its destination from there too; but the order has a place for it.
        const options: Record<string, string> = { key, remote_ip: local === 'flow' ? 'flow' : remote };
        if (local !== undefined) options.local_ip = local;
        const name = `${key} ${remote} ${local ?? 'any'}`;
        const made = port(name, options);
        ports.push({ ...made, config: { ...made.config, remoteIp: remote === 'flow' ? 'flow' : parseIp(remote) } });
      }
    }
  }
  return ports;
}

describe('the port of a received packet', () => {
  it('is the most specific of twelve, whatever the order in which they were added', () => {
    const inOrder = twelve();
    for (const add of [inOrder, [...inOrder].reverse()]) {
      const table = new TunnelPorts<string>();
      for (const each of add) table.add(each);
      const found: string[] = [];
      // Each time the one that was found goes, so that the next one shows.
      for (let at = table.find(3, packet); at; at = table.find(3, packet)) {
        found.push(at.owner);
        table.remove(at);
      }
      expect(found).toEqual(inOrder.map(({ owner }) => owner));
    }
  });

  it('must be on the datapath port, that is, have the UDP port', () => {
    const table = new TunnelPorts<string>();
    table.add(port('a', { remote_ip: REMOTE, key: '5' }, 3));
    table.add(port('b', { remote_ip: REMOTE, key: '5' }, 4));
    expect(table.find(3, packet)?.owner).toBe('a');
    expect(table.find(4, packet)?.owner).toBe('b');
    expect(table.find(5, packet)).toBeUndefined();
  });

  it('is none where key, remote or local address differ', () => {
    const table = new TunnelPorts<string>();
    table.add(port('a', { remote_ip: REMOTE, local_ip: LOCAL, key: '5' }));
    expect(table.find(3, packet)?.owner).toBe('a');
    expect(table.find(3, { ...packet, key: 6 })).toBeUndefined();
    expect(table.find(3, { ...packet, source: parseIp('10.10.10.3') })).toBeUndefined();
    expect(table.find(3, { ...packet, destination: parseIp('10.10.10.3') })).toBeUndefined();
  });

  it('without in_key takes the key 0 only', () => {
    const table = new TunnelPorts<string>();
    table.add(port('a', { remote_ip: REMOTE }));
    expect(table.find(3, { ...packet, key: 0 })?.owner).toBe('a');
    expect(table.find(3, packet)).toBeUndefined();
  });

  it('takes what in_key says, whatever out_key is', () => {
    const table = new TunnelPorts<string>();
    table.add(port('a', { remote_ip: REMOTE, in_key: '5', out_key: '6' }));
    expect(table.find(3, packet)?.owner).toBe('a');
    expect(table.find(3, { ...packet, key: 6 })).toBeUndefined();
  });

  it('is found over IPv6', () => {
    const table = new TunnelPorts<string>();
    table.add(port('a', { remote_ip: 'fd00::2', local_ip: 'fd00::1', key: 'flow' }));
    expect(table.find(3, { key: 99, source: parseIp('fd00::2'), destination: parseIp('fd00::1') })?.owner).toBe('a');
    expect(table.find(3, { key: 99, source: parseIp('fd00::2'), destination: parseIp('fd00::3') })).toBeUndefined();
  });

  it('is refused when another has the same key and addresses, and the other stays', () => {
    const table = new TunnelPorts<string>();
    table.add(port('a', { remote_ip: REMOTE, key: '5' }));
    expect(() => table.add(port('b', { remote_ip: REMOTE, in_key: '5', out_key: '7', ttl: '3' }))).toThrow(
      expect.objectContaining({ code: 'already-exists' }),
    );
    table.add(port('c', { remote_ip: REMOTE, key: '5', local_ip: LOCAL }));
    expect([...table].map(({ owner }) => owner)).toEqual(['a', 'c']);
    table.remove(port('c', { remote_ip: REMOTE, key: '5', local_ip: LOCAL }));
    expect(table.find(3, packet)?.owner).toBe('a');
  });
});
