// Proof 5: QEMU joined through megaflow, and proof 6 for it. First its network back ends without guests: a QEMU process has
// a hub with two of them, one leads to megaflow, the other to a socket of this test, which is where a guest would be.
//
//     test ─ UDP ─ [dgram ─ hub ─ stream] ─ Unix ─ megaflow ─ TCP ─ [stream ─ hub ─ dgram] ─ UDP ─ test
//                                                    └─ UDP ─ [dgram ─ hub ─ dgram] ─ UDP ─ test
//
// Then two guests, which boot over the network (iPXE, from the ROM of their virtio cards) from QEMU's own DHCP and TFTP.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFileSync, mkdirSync, readFileSync } from 'node:fs';
import { MegaflowError, VSwitch, buildFrame, ethernet, formatMac, parseCapture, showFdb, type Port } from 'megaflow';
import { openQemuPort, openUdpPort, recordPort, type NodePort, type QemuPort, type Recorder } from 'megaflow/node';
import { createLab, dissect, until, whyNot, type Lab } from './lab.js';

const skip = whyNot('QEMU’s network back ends (proof 5)', ['qemu-system-x86_64', 'tshark'], true) !== undefined;

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

/** Records what passes a port. */
async function record(lab: Lab, port: NodePort): Promise<{ port: Port; recorder: Recorder; file: string }> {
  const file = lab.path(`${port.name}.pcapng`);
  return { ...(await recordPort(port, { path: file, format: 'pcapng' })), file };
}

describe.skipIf(skip)('QEMU', () => {
  let lab: Lab;
  let vswitch: VSwitch;
  const ports: QemuPort[] = [];
  let datagrams: NodePort;
  const recorders: { recorder: Recorder; file: string }[] = [];
  const guests: { guest: Awaited<ReturnType<typeof openGuest>>; qemu: number }[] = [];

  const inet = (side: string, port: number): string => `${side}.type=inet,${side}.host=127.0.0.1,${side}.port=${port}`;

  /** A QEMU without a machine, whose hub joins what leads to megaflow with datagrams to the test. */
  const startQemu = async (backEnd: string) => {
    const guest = await openGuest(0);
    const qemu = await freePort();
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
      `${backEnd},id=s`,
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
    const [ours, theirs] = [await freePort(), await freePort()];
    datagrams = await openUdpPort({ name: 'vm4', bind: `127.0.0.1:${ours}`, to: `127.0.0.1:${theirs}` });
    const added = [];
    for (const port of [...ports, datagrams]) {
      const recorded = await record(lab, port);
      recorders.push(recorded);
      added.push({ name: port.name, port: recorded.port });
    }
    vswitch.addBridge({ name: 'br0', mac: '02:00:00:00:00:99', ports: added });
    // As a server over Unix, as a client over TCP that comes before QEMU does, and as a server over TCP.
    await startQemu(`stream,server=off,addr.type=unix,addr.path=${lab.path('vm1.sock')}`);
    await startQemu(`stream,server=on,addr.type=inet,addr.host=127.0.0.1,addr.port=${tcp}`);
    const [host, port] = ports[2].address.split(':');
    await startQemu(`stream,server=off,addr.type=inet,addr.host=${host},addr.port=${port}`);
    await startQemu(`dgram,${inet('local', theirs)},${inet('remote', ours)}`);
    await until('QEMU is there', () => ports.every(({ isConnected }) => isConnected));
    // Its other end may be there a little later, and nobody tells. What is sent to this address, bridges keep to themselves.
    const probe = buildFrame([{ type: 'ethernet', source: '02:00:00:00:00:77', destination: '01:80:c2:00:00:00' }]);
    for (const [index, { counters }] of [...ports, datagrams].entries()) {
      await until('QEMU passes frames on', () => (send(index + 1, probe), counters.rxPackets > 0));
    }
  });

  afterAll(async () => {
    vswitch?.close();
    for (const port of [...ports, datagrams]) await port?.close();
    for (const { guest } of guests) guest.close();
    await lab?.close();
  });

  const send = (from: number, bytes: Uint8Array): void => guests[from - 1].guest.send(bytes, guests[from - 1].qemu);
  const got = (at: number): Uint8Array[] => guests[at - 1].guest.received;

  it('passes frames both ways through megaflow, learned and not flooded', async () => {
    const hello = frame(1, 0, 'who is there?');
    send(1, hello);
    await until('a broadcast is flooded', () => [2, 3, 4].every((at) => got(at).length === 1));
    expect([2, 3, 4].map((at) => got(at)[0])).toEqual([hello, hello, hello]);

    const answer = frame(2, 1, 'it is me');
    send(2, answer);
    await until('an answer comes', () => got(1).length === 1);
    for (let number = 0; number < 50; number++) {
      send(1, frame(1, 2, `frame ${number}`));
      await until('it comes', () => got(2).length === 2 + number);
    }
    // The others saw the broadcast, and nothing of what the two said to each other.
    const calls = [3, 4].map((from) => frame(from, 1, 'did you call?'));
    for (const [index, call] of calls.entries()) {
      send(3 + index, call);
      await until('it is heard', () => got(1).length === 2 + index);
    }
    expect(got(1)).toEqual([answer, ...calls]);
    expect(got(2).slice(1)).toEqual(Array.from({ length: 50 }, (_, number) => frame(1, 2, `frame ${number}`)));
    expect([got(3), got(4)]).toEqual([[hello], [hello]]);
    expect([ports[2].counters.txPackets, datagrams.counters.txPackets]).toEqual([1, 1]);
    send(1, frame(1, 4, 'yes'));
    await until('it comes by datagram', () => got(4).length === 2);
    expect(got(4)[1]).toEqual(frame(1, 4, 'yes'));
  });

  it('is met again when it comes again', async () => {
    const before = ports[0].connections;
    await lab.stopAll();
    await until('QEMU is gone', () => ports.every(({ isConnected }) => !isConnected));
    expect(ports[0].lastError).toBeInstanceOf(MegaflowError);
    await startQemu(`stream,server=off,addr.type=unix,addr.path=${lab.path('vm1.sock')}`);
    await until('QEMU is there again', () => ports[0].connections === before + 1);
    const { guest, qemu } = guests[guests.length - 1];
    const { rxPackets } = ports[0].counters;
    await until('it is heard', () => {
      guest.send(frame(1, 0, 'again'), qemu);
      return ports[0].counters.rxPackets > rxPackets;
    });
  });

  it('passed sound frames (proof 6)', async () => {
    for (const { recorder, file } of recorders) {
      await recorder.close();
      const { frames, bad } = dissect(file);
      expect(bad).toEqual([]);
      expect(frames).toBeGreaterThan(0);
    }
  });
});

describe.skipIf(skip)('two QEMU guests', () => {
  let lab: Lab;
  let vswitch: VSwitch;
  const ports: NodePort[] = [];
  beforeAll(() => {
    lab = createLab();
    vswitch = new VSwitch();
  });
  afterAll(async () => {
    vswitch.close();
    for (const port of ports) await port.close();
    await lab.close();
  });

  it('boot over the network through megaflow, each by itself', async () => {
    const folder = lab.path('tftp');
    mkdirSync(folder);
    // 300,000 bytes of which nothing comes of, and a script that says that it was there.
    writeFileSync(`${folder}/big`, new Uint8Array(300_000).fill(7));
    writeFileSync(`${folder}/boot`, '#!ipxe\nimgfetch big\nimgstat\necho I am ${net0/mac}, they call me ${net0/ip}\n');
    const names = ['guest1', 'guest2', 'server'];
    const recorded: { recorder: Recorder; file: string }[] = [];
    const added = [];
    for (const name of names) {
      const port = await openQemuPort({ name, listen: lab.path(name) });
      ports.push(port);
      const { port: between, ...rest } = await record(lab, port);
      recorded.push(rest);
      added.push({ name, port: between });
    }
    vswitch.addBridge({ name: 'br0', mac: '02:00:00:00:00:99', ports: added });
    const stream = (name: string): string[] => [
      '-netdev',
      `stream,id=s,server=off,addr.type=unix,addr.path=${lab.path(name)}`,
    ];
    const hub = (id: string): string[] => ['-netdev', `hubport,hubid=0,id=h${id},netdev=${id}`];
    const common = ['qemu-system-x86_64', '-nodefaults', '-display', 'none', '-monitor', 'none'];
    const user = ['-netdev', `user,id=u,restrict=on,tftp=${folder},bootfile=boot`];
    lab.startHere([...common, '-M', 'none', ...user, ...hub('u'), ...stream('server'), ...hub('s')]);
    const guests = [1, 2].map((number) => {
      const card = ['-device', `virtio-net-pci,netdev=s,mac=02:00:00:00:01:0${number}`];
      // SeaBIOS writes to the serial line what it would write to a screen.
      const machine = ['-M', 'pc,graphics=off', '-accel', 'tcg', '-m', '64', '-serial', 'stdio', '-boot', 'n'];
      return lab.startHere([...common, ...machine, ...stream(`guest${number}`), ...card]);
    });
    for (const [index, guest] of guests.entries()) {
      await guest.until(new RegExp(`I am 02:00:00:00:01:0${index + 1}, they call me 10\\.0\\.2\\.1[56]`));
      expect(guest.text()).toMatch(/big : 300000 bytes/);
    }
    const fdb = showFdb(vswitch, 'br0');
    for (const number of [1, 2]) expect(fdb).toMatch(new RegExp(`${number} +0 +02:00:00:00:01:0${number}`));
    for (const { recorder, file } of recorded) {
      await recorder.close();
      const { frames, bad } = dissect(file);
      expect(bad).toEqual([]);
      expect(frames).toBeGreaterThan(100);
    }
    // Each saw frames to itself and to everybody: the other's were never flooded.
    for (const number of [1, 2]) {
      const to = parseCapture(readFileSync(recorded[number - 1].file))
        .filter(({ direction }) => direction === 'out')
        .map(({ frame }) => formatMac(ethernet.destination(frame, 0)));
      expect(to.filter((mac) => mac === `02:00:00:00:01:0${number}`).length).toBeGreaterThan(200);
      expect(to.filter((mac) => mac === `02:00:00:00:01:0${3 - number}`)).toEqual([]);
    }
  });
});
