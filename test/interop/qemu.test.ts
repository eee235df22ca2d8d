// Proof 5: QEMU's own network back ends, without guests, joined through megaflow. A QEMU process has a hub with two back
// ends: one leads to megaflow, the other to a socket of this test, which is where a guest would be. Proof 6 for it.
//
//     test ─ UDP ─ [dgram ─ hub ─ stream] ─ Unix ─ megaflow ─ TCP ─ [stream ─ hub ─ dgram] ─ UDP ─ test
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MegaflowError, VSwitch, buildFrame } from 'megaflow';
import { openQemuPort, openUdpPort, recordPort, type QemuPort, type Recorder } from 'megaflow/node';
import { createLab, dissect, until, whyNot, type Lab } from './lab.js';

const skip = whyNot('QEMU’s network back ends (proof 5)', ['qemu-system-x86_64', 'tshark', 'ip']) !== undefined;

const frame = (from: number, to: number, text: string): Uint8Array =>
  buildFrame([
    {
      type: 'ethernet',
      source: `02:00:00:00:00:0${from}`,
      destination: to === 0 ? 'ff:ff:ff:ff:ff:ff' : `02:00:00:00:00:0${to}`,
    },
    { type: 'ipv4', source: `10.0.0.${from}`, destination: to === 0 ? '10.0.0.255' : `10.0.0.${to}` },
    { type: 'udp', sourcePort: 1000, destinationPort: 2000 },
    { type: 'payload', bytes: new TextEncoder().encode(text) },
  ]);

/** Where a guest would be: frames as datagrams, to and from one QEMU. */
async function openGuest(port: number) {
  const socket = createSocket('udp4');
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  const received: Uint8Array[] = [];
  socket.on('message', (datagram) => received.push(new Uint8Array(datagram)));
  return {
    received,
    port: socket.address().port,
    send: (bytes: Uint8Array, to: number) => socket.send(bytes, to, '127.0.0.1'),
    close: () => socket.close(),
  };
}

/** A port of the system's choice that is free now. */
async function freePort(): Promise<number> {
  await using port = await openUdpPort({ name: 'free', bind: '127.0.0.1:0' });
  return Number(port.address.split(':')[1]);
}

describe.skipIf(skip)('QEMU', () => {
  let lab: Lab;
  let vswitch: VSwitch;
  const ports: QemuPort[] = [];
  const recorders: Recorder[] = [];
  const guests: { guest: Awaited<ReturnType<typeof openGuest>>; qemu: number }[] = [];

  /** A QEMU without a machine, whose hub joins a stream with datagrams. */
  const startQemu = async (stream: string) => {
    const guest = await openGuest(0);
    const qemu = await freePort();
    const inet = (side: string, port: number): string =>
      `${side}.type=inet,${side}.host=127.0.0.1,${side}.port=${port}`;
    const started = lab.startHere([
      'qemu-system-x86_64',
      '-M',
      'none',
      '-nodefaults',
      '-display',
      'none',
      '-monitor',
      'none',
      '-serial',
      'none',
      '-netdev',
      `stream,id=s,${stream}`,
      '-netdev',
      'hubport,hubid=0,id=h1,netdev=s',
      '-netdev',
      `dgram,id=d,${inet('local', qemu)},${inet('remote', guest.port)}`,
      '-netdev',
      'hubport,hubid=0,id=h2,netdev=d',
    ]);
    guests.push({ guest, qemu });
    return started;
  };

  beforeAll(async () => {
    lab = createLab();
    vswitch = new VSwitch();
    ports.push(await openQemuPort({ name: 'vm1', listen: lab.path('vm1.sock') }));
    const tcp = await freePort();
    ports.push(await openQemuPort({ name: 'vm2', connect: `127.0.0.1:${tcp}`, reconnectMs: 50 }));
    ports.push(await openQemuPort({ name: 'vm3', listen: '127.0.0.1:0' }));
    const added = [];
    for (const port of ports) {
      const recorded = await recordPort(port, { path: lab.path(`${port.name}.pcap`) });
      recorders.push(recorded.recorder);
      added.push({ name: port.name, port: recorded.port });
    }
    vswitch.addBridge({ name: 'br0', mac: '02:00:00:00:00:99', ports: added });
    // As a server over Unix, as a client over TCP that comes before QEMU does, and as a server over TCP.
    await startQemu(`server=off,addr.type=unix,addr.path=${lab.path('vm1.sock')}`);
    await startQemu(`server=on,addr.type=inet,addr.host=127.0.0.1,addr.port=${tcp}`);
    const [host, port] = ports[2].address.split(':');
    await startQemu(`server=off,addr.type=inet,addr.host=${host},addr.port=${port}`);
    await until('QEMU is there', () => ports.every(({ isConnected }) => isConnected));
  });

  afterAll(async () => {
    vswitch?.close();
    for (const port of ports) await port.close();
    for (const { guest } of guests) guest.close();
    await lab?.close();
  });

  const send = (from: number, bytes: Uint8Array): void => guests[from - 1].guest.send(bytes, guests[from - 1].qemu);
  const got = (at: number): Uint8Array[] => guests[at - 1].guest.received;

  it('passes frames both ways through megaflow, learned and not flooded', async () => {
    const hello = frame(1, 0, 'who is there?');
    send(1, hello);
    await until('a broadcast is flooded', () => got(2).length === 1 && got(3).length === 1);
    expect([got(2)[0], got(3)[0]]).toEqual([hello, hello]);

    const answer = frame(2, 1, 'it is me');
    send(2, answer);
    await until('an answer comes', () => got(1).length === 1);
    for (let number = 0; number < 50; number++) {
      send(1, frame(1, 2, `frame ${number}`));
      await until('it comes', () => got(2).length === 2 + number);
    }
    // The third one saw the broadcast, and nothing of what the two said to each other.
    send(3, frame(3, 1, 'did you call?'));
    await until('the third one is heard', () => got(1).length === 2);
    expect(got(1)).toEqual([answer, frame(3, 1, 'did you call?')]);
    expect(got(2).slice(1)).toEqual(Array.from({ length: 50 }, (_, number) => frame(1, 2, `frame ${number}`)));
    expect(got(3)).toEqual([hello]);
    expect(ports[2].counters).toMatchObject({ txPackets: 1, rxPackets: 1 });
  });

  it('is met again when it comes again', async () => {
    const before = ports[0].connections;
    await lab.stopAll();
    await until('QEMU is gone', () => ports.every(({ isConnected }) => !isConnected));
    expect(ports[0].lastError).toBeInstanceOf(MegaflowError);
    await startQemu(`server=off,addr.type=unix,addr.path=${lab.path('vm1.sock')}`);
    await until('QEMU is there again', () => ports[0].connections === before + 1);
    const { guest, qemu } = guests[guests.length - 1];
    const { rxPackets } = ports[0].counters;
    guest.send(frame(1, 0, 'again'), qemu);
    await until('it is heard', () => ports[0].counters.rxPackets === rxPackets + 1);
  });

  it('passed sound frames (proof 6)', async () => {
    for (const recorder of recorders) await recorder.close();
    for (const { name } of ports) {
      const { frames, bad } = dissect(lab.path(`${name}.pcap`));
      expect(bad).toEqual([]);
      expect(frames).toBeGreaterThan(0);
    }
  });
});
