import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import { openControlSocket } from '../../src/node/control-socket.js';
import { createJsonSplitter } from '../../src/node/json-splitter.js';
import { VSwitch } from '../../src/switch/vswitch.js';
import { ManualClock } from '../../src/util/clock.js';
import { until } from './ports.js';

const folder = mkdtempSync(join(tmpdir(), 'megaflow-control-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function openSwitch(name: string) {
  const vswitch = new VSwitch({ clock: new ManualClock() });
  vswitch.addBridge({ name: 'br0', mac: '02:00:00:00:00:01' });
  const control = await openControlSocket({ vswitch, path: join(folder, name) });
  const socket = connect(control.path);
  await once(socket, 'connect');
  socket.setEncoding('utf8');
  let text = '';
  const waiters: (() => void)[] = [];
  const splitter = createJsonSplitter(1e9);
  const replies: unknown[] = [];
  let isEnded = false;
  socket.on('data', (piece: string) => {
    text += piece;
    for (const object of splitter.push(piece) ?? []) replies.push(JSON.parse(object));
    waiters.splice(0).forEach((waiter) => waiter());
  });
  socket.on('close', () => {
    isEnded = true;
    waiters.splice(0).forEach((waiter) => waiter());
  });
  return {
    vswitch,
    control,
    socket,
    replies,
    get text() {
      return text;
    },
    async receive(count: number): Promise<unknown[]> {
      while (replies.length < count && !isEnded) await new Promise<void>((resolve) => waiters.push(resolve));
      return replies;
    },
    async end(): Promise<void> {
      while (!isEnded) await new Promise<void>((resolve) => waiters.push(resolve));
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await control.close();
      vswitch.close();
    },
  };
}

describe('a control socket', () => {
  it('answers requests as Open vSwitch 3.1 does', async () => {
    await using it = await openSwitch('a');
    const ask = async (method: string, ...params: unknown[]) => {
      const count = it.replies.length;
      it.socket.write(JSON.stringify({ id: count, method, params }));
      return (await it.receive(count + 1))[count];
    };
    expect(await ask('fdb/show', 'br0')).toEqual({
      id: 0,
      result: ' port  VLAN  MAC                Age\n',
      error: null,
    });
    // Success without text is the empty string.
    expect(await ask('dpctl/dump-flows')).toEqual({ id: 1, result: '', error: null });
    // An error has no result, and its text ends with a newline too.
    expect(await ask('fdb/show', 'br9')).toEqual({ id: 2, error: 'no such bridge\n' });
    expect(await ask('fdb/shw')).toEqual({
      id: 3,
      error: '"fdb/shw" is not a valid command (use "list-commands" to see a list of valid commands)\n',
    });
    expect(await ask('fdb/show')).toEqual({ id: 4, error: '"fdb/show" command requires at least 1 arguments\n' });
    expect(await ask('fdb/show', 7)).toEqual({ id: 5, error: '"fdb/show" command has non-string argument\n' });
  });

  it('takes requests in pieces and several at once, and answers in order', async () => {
    await using it = await openSwitch('b');
    const requests = Array.from({ length: 50 }, (_, id) =>
      JSON.stringify({ id, method: 'fdb/show', params: ['br0 } \\" é'] }),
    );
    const bytes = Buffer.from(`\n${requests.join(' \n')}`);
    // The pieces cut a character of two bytes in the middle.
    for (let at = 0; at < bytes.length; at += 7) it.socket.write(bytes.subarray(at, at + 7));
    expect(await it.receive(50)).toEqual(requests.map((_, id) => ({ id, error: 'no such bridge\n' })));
  });

  it('ends the connection for what is no request, after what was', async () => {
    const good = '{"id":0,"method":"fdb/show","params":["br0"]}';
    const bad = [
      '{"id":null,"method":"fdb/show","params":["br0"]}',
      '{"method":"fdb/show","params":["br0"]}',
      '{"id":1,"result":"","error":null}',
      '{"id":1,"method":7,"params":[]}',
      '{"id":1,"method":"fdb/show","params":"br0"}',
      '{"id":1,]',
      '[]',
      'GET / HTTP/1.1\r\n',
      `{"id":1,"method":"${'x'.repeat(1 << 20)}`,
    ];
    for (const [index, text] of bad.entries()) {
      await using it = await openSwitch(`c${index}`);
      it.socket.write(good);
      await it.receive(1);
      it.socket.write(text);
      await it.end();
      expect(it.replies).toHaveLength(1);
    }
  });

  it('does not work ahead for one who does not read', async () => {
    await using it = await openSwitch('d');
    // A table of 4000 neighbours makes a reply of about 300 kB.
    for (let index = 0; index < 4000; index++)
      it.vswitch.setNeighbour('br0', `10.1.${index >> 8}.${index & 255}`, '02:00:00:00:00:09');
    it.socket.pause();
    for (let id = 0; id < 100; id++) it.socket.write(JSON.stringify({ id, method: 'tnl/neigh/show', params: [] }));
    // The first reply is there: as much of it as a paused socket takes in.
    await until(() => it.socket.readableLength > 0);
    it.vswitch.setNeighbour('br0', '10.9.9.9', '02:00:00:00:00:0a');
    it.socket.resume();
    const replies = (await it.receive(100)) as { result: string }[];
    // The last one was not made before it could be sent.
    expect(replies[0].result).not.toContain('10.9.9.9');
    expect(replies[99].result).toContain('10.9.9.9');
  });

  it('is its owner’s alone, replaces what is left behind, and nothing else', async () => {
    const path = join(folder, 'owned');
    const vswitch = new VSwitch({ clock: new ManualClock() });
    const mask = process.umask(0);
    try {
      const control = await openControlSocket({ vswitch, path });
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(process.umask()).toBe(0);
      await expect(openControlSocket({ vswitch, path })).rejects.toMatchObject({ code: 'already-exists' });
      await control.close();
      expect(() => statSync(path)).toThrow('ENOENT');
    } finally {
      process.umask(mask);
    }
    // A process that is killed leaves its socket behind.
    const killed = spawnSync(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ]);
    expect(killed.signal).toBe('SIGKILL');
    expect(statSync(path).isSocket()).toBe(true);
    await (await openControlSocket({ vswitch, path })).close();

    writeFileSync(path, 'precious');
    await expect(openControlSocket({ vswitch, path })).rejects.toMatchObject({ code: 'already-exists' });
    expect(statSync(path).size).toBe(8);
    await expect(openControlSocket({ vswitch, path: join(folder, 'none', 'x') })).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(openControlSocket({ vswitch, path: 'x'.repeat(108) })).rejects.toMatchObject({ code: 'bad-address' });
    await expect(openControlSocket({ vswitch, path: 'host:80' })).rejects.toMatchObject({ code: 'bad-address' });
    vswitch.close();
  });

  it('closes by signal, with its connections', async () => {
    const control = new AbortController();
    const vswitch = new VSwitch({ clock: new ManualClock() });
    const path = join(folder, 'signal');
    const open = await openControlSocket({ vswitch, path, signal: control.signal });
    const socket = connect(path);
    await once(socket, 'connect');
    const ended = once(socket, 'close');
    control.abort();
    await open.closed;
    await ended;
    await expect(openControlSocket({ vswitch, path, signal: control.signal })).rejects.toBe(control.signal.reason);
    vswitch.close();
  });
});
