// `npm run --silent example -- switch CONFIG.json`, as a process of its own: how it begins, how it ends, what it says.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCaptureFile } from '../../src/node/capture-file.js';
import { frameOf } from './ports.js';

const source = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'megaflow-example-'));
const program = join(folder, 'switch.mjs');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  const { build } = await import('esbuild');
  await build({
    entryPoints: [source('examples/switch.mjs')],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    logLevel: 'error',
    target: 'node20',
    alias: { megaflow: source('src/index.ts'), 'megaflow/node': source('src/node/index.ts') },
  });
});

let files = 0;
function write(content: unknown): string {
  const path = join(folder, `${files++}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** Runs it to its end, sending `signal` once it has printed `ready`. */
async function run(
  words: readonly string[],
  signal?: NodeJS.Signals,
  atReady: () => void = () => {},
  user: { uid?: number; gid?: number } = {},
) {
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'pipe'], ...user });
  const [printed, complained]: [string[], string[]] = [[], []];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed.push(text);
    if (signal === undefined || !text.startsWith('ready')) return;
    atReady();
    child.kill(signal);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => complained.push(text));
  const [status] = await once(child, 'close');
  return { status, printed: printed.join(''), complained: complained.join('') };
}

const bridges = [{ name: 'br0', mac: '02:00:00:00:00:01', ports: ['p1', 'p2', 'p3', 'p4'].map((name) => ({ name })) }];

describe('the example switch', () => {
  it('runs until it is asked to end, whatever is pending, and then says its counters', async () => {
    // Frames of two days, of which the first is due at once; a peer that is not there; a device without frames.
    const recording = join(folder, 'slow.pcap');
    {
      using file = createCaptureFile(recording);
      for (const seconds of [0, 86_400]) file.sink({ frame: frameOf(seconds), seconds, nanoseconds: 0 });
    }
    const device = join(folder, 'device');
    execFileSync('mkfifo', [device]);
    const control = join(folder, 'switch.ctl');
    const path = write({
      bridges,
      addresses: [{ dev: 'br0', ip: '10.0.0.1/24' }],
      nics: {
        br0: { type: 'host' },
        p1: { type: 'pcap', read: recording, write: join(folder, 'written.pcap') },
        p2: { type: 'qemu', connect: join(folder, 'nobody') },
        p3: { type: 'udp', bind: '127.0.0.1:0' },
        p4: { type: 'macvtap', path: device, virtioHeader: 0 },
      },
      control,
    });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const { status, printed, complained } = await run([path], signal, () =>
        expect(statSync(control).mode & 0o777).toBe(0o600),
      );
      expect({ status, complained }).toEqual({ status: 0, complained: '' });
      expect(printed.split('\n')).toEqual([
        'ready: br0',
        expect.stringMatching(/^lookups: hit \d+, missed \d+, lost 0; flows: \d+; drops: /),
        expect.stringMatching(/^br0: rx \d+ frames, \d+ bytes, drops: none; tx \d+ frames, \d+ bytes, drops: none$/),
        ...['p1', 'p2'].map((name) => expect.stringMatching(`^${name}: rx \\d+ frames`)),
        expect.stringMatching(/^p2: peers so far 0, the last: no peer at .*nobody/),
        ...['p3', 'p4'].map((name) => expect.stringMatching(`^${name}: rx \\d+ frames`)),
        '',
      ]);
      expect(() => statSync(control)).toThrow('ENOENT');
    }
  });

  it('ends with status 2 and one line that names the key, for each bad file', async () => {
    const busy = join(folder, 'busy.sock');
    const server = createServer().listen(busy);
    await once(server, 'listening');
    const locked = join(folder, 'locked');
    writeFileSync(locked, '');
    chmodSync(locked, 0);
    const nic = (options: object): object => ({ bridges, nics: { p1: options } });
    const bad: [unknown, RegExp][] = [
      ['', /\.json: no JSON: /],
      ['{"bridges": [],}\n', /\.json: no JSON: /],
      ['{"bridges":\n\n1 2}', /\.json: no JSON: /],
      [[], /^the file: /],
      [{}, /^bridges is missing$/],
      [{ bridges, 'ni\ncs': {} }, /^ni cs: there is no such key$/],
      [{ bridges, nics: { p9: { type: 'udp', bind: ':0' } } }, /^nics\.p9: there is no port or bridge p9$/],
      [nic({ type: 'tun' }), /^nics\.p1\.type: cannot be "tun": one of macvtap, host, qemu, udp, pcap$/],
      [
        nic({ type: 'macvtap', path: '/dev/tap987654' }),
        /^nics\.p1\.path: cannot open .* needed: the device: `ip link/,
      ],
      [nic({ type: 'macvtap', descriptor: 1234 }), /^nics\.p1\.descriptor: 1234 is no open descriptor$/],
      [nic({ type: 'qemu', listen: busy }), /^nics\.p1\.listen: cannot listen on .* needed: a place where nobody/],
      [nic({ type: 'udp', bind: '192.0.2.1:0' }), /^nics\.p1\.bind: cannot bind UDP .* needed: an address of this/],
      [nic({ type: 'udp', bind: '127.0.0.1' }), /^nics\.p1\.bind: no address and port: 127\.0\.0\.1$/],
      [nic({ type: 'pcap', read: 'no.pcap' }), /^nics\.p1\.read: cannot read no\.pcap: .* needed: a capture file$/],
      [nic({ type: 'pcap', write: folder }), /^nics\.p1\.write: cannot write .* needed: the path of a file$/],
      [{ bridges, control: join(folder, 'no', 'ctl') }, /^control: cannot listen on .* no directory /],
      [{ bridges: [...bridges, ...bridges] }, /^bridges\[1\]\.name: there is another br0$/],
      [{ bridges: [{ ...bridges[0], openflow: ['actions=fly'] }] }, /^bridges\[0\]\.openflow\[0\]: /],
    ];
    // Root may read what is locked, so that somebody else tries, where he may run Node.
    chmodSync(folder, 0o755);
    const isRoot = process.getuid?.() === 0;
    const nobody = { uid: 65_534, gid: 65_534 };
    const user = isRoot && spawnSync(process.execPath, ['-e', '0'], nobody).status === 0 ? nobody : {};
    const refused = /^nics\.p1\.path: cannot open .* needed: root, or a device that/;
    if (!isRoot || 'uid' in user) bad.push([nic({ type: 'macvtap', path: locked }), refused]);
    for (const [content, line] of bad) {
      const { status, printed, complained } = await run([write(content)], undefined, undefined, user);
      expect({ status, printed }, String(line)).toEqual({ status: 2, printed: '' });
      expect(complained.endsWith('\n') && complained.slice(0, -1)).toMatch(line);
      expect(complained.trimEnd()).not.toContain('\n');
    }
    for (const words of [[join(folder, 'none.json')], [folder], []]) {
      const { status, printed, complained } = await run(words);
      expect({ status, printed }).toEqual({ status: 2, printed: '' });
      expect(complained).toMatch(/^(cannot read .*|usage: .*)\n$/);
    }
    server.close();
  });
});
