// A laboratory of network namespaces: it makes them, runs programs in them, and removes all that it made. Names carry the
// process id, so that two runs do not meet. Nothing is sent outside of the namespaces.
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
// Programs of root's are not always on the path of who becomes root.
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/**
 * Why a proof cannot run here, or undefined. Says so, loudly: a skipped proof proves nothing. `isLocal` is one without
 * namespaces, which needs no root.
 */
export function whyNot(proof: string, programs: readonly string[], isLocal = false): string | undefined {
  let why: string | undefined;
  const missing = programs.filter((program) => spawnSync('which', [program]).status !== 0);
  if (!isLocal && process.getuid?.() !== 0) why = 'it needs root, for network namespaces';
  else if (!isLocal && spawnSync('ip', ['netns', 'list']).status !== 0) why = 'ip netns does not work here';
  else if (missing.length > 0) why = `these programs are missing: ${missing.join(', ')}`;
  else if (!existsSync(join(root, 'dist/node/index.js'))) why = 'the library is not built: run npm run build';
  if (why !== undefined) console.warn(`\n*** SKIPPED: ${proof}: ${why} ***\n`);
  return why;
}

export interface Running {
  readonly process: ChildProcess;
  /** What it has printed so far, on both outputs. */
  readonly text: () => string;
  /** Comes back when it has printed a text; throws when it ends before. */
  until(text: string | RegExp): Promise<void>;
  /** Sends a signal and waits for the end: its exit status, or the name of the signal that ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

let labs = 0;
let taps = 0;

export function createLab() {
  const prefix = `mf${process.pid}x${labs++}`;
  const folder = mkdtempSync(join(tmpdir(), 'megaflow-interop-'));
  const namespaces: string[] = [];
  const running: Running[] = [];

  const begin = (command: readonly string[], env: Record<string, string> = {}) => {
    const process_ = spawn(command[0], command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let printed = '';
    const waiters = new Set<() => void>();
    const look = (): void => waiters.forEach((waiter) => waiter());
    for (const stream of [process_.stdout, process_.stderr]) {
      stream.setEncoding('utf8').on('data', (piece: string) => {
        printed += piece;
        look();
      });
    }
    let status: number | string | undefined;
    const ended = new Promise<number | string>((resolve) => {
      process_.on('close', (code, signal) => {
        status = code ?? signal ?? -1;
        look();
        resolve(status);
      });
    });
    const it = {
      process: process_,
      ended,
      text: () => printed,
      until: (text: string | RegExp): Promise<void> =>
        new Promise((resolve, reject) => {
          const waiter = (): void => {
            const found = typeof text === 'string' ? printed.includes(text) : text.test(printed);
            if (found) resolve();
            else if (status !== undefined) reject(new Error(`${command.join(' ')} ended (${status}): ${printed}`));
            else return;
            waiters.delete(waiter);
          };
          waiters.add(waiter);
          waiter();
        }),
      async stop(signal: NodeJS.Signals = 'SIGTERM') {
        if (status === undefined) process_.kill(signal);
        return ended;
      },
    };
    running.push(it);
    return it;
  };

  const lab = {
    folder,
    path: (name: string): string => join(folder, name),

    /** Makes a namespace, without IPv6 unless it is asked for, and with `lo` up; answers its full name. */
    namespace(name: string, options: { ipv6?: boolean } = {}): string {
      const full = `${prefix}${name}`;
      execFileSync('ip', ['netns', 'add', full]);
      namespaces.push(full);
      if (!options.ipv6) {
        for (const which of ['all', 'default']) lab.sh(full, `echo 1 > /proc/sys/net/ipv6/conf/${which}/disable_ipv6`);
      }
      lab.sh(full, 'ip link set lo up');
      return full;
    },

    /** Runs a command in a namespace to its end, and answers what it printed. Throws when it fails. */
    sh(namespace: string, command: string): string {
      const { status, stdout, stderr, signal } = spawnSync('ip', ['netns', 'exec', namespace, 'sh', '-c', command], {
        encoding: 'utf8',
        timeout: 60_000,
        maxBuffer: 1 << 28,
      });
      if (status !== 0) throw new Error(`${namespace}: ${command}: ${status ?? signal}\n${stdout}${stderr}`);
      return stdout;
    },

    /** The same while this process goes on. */
    async run(namespace: string, command: string): Promise<string> {
      const started = lab.start(namespace, ['sh', '-c', command]);
      const status = await started.ended;
      if (status !== 0) throw new Error(`${namespace}: ${command}: ${status}\n${started.text()}`);
      return started.text();
    },

    /** Starts a program in a namespace. */
    start(namespace: string, command: readonly string[], options: { env?: Record<string, string> } = {}) {
      return begin(['ip', 'netns', 'exec', namespace, ...command], options.env);
    },

    /** Starts a program that stays on this machine's loopback, beside the test. */
    startHere: (command: readonly string[]) => begin(command),
    /**
     * A cable between two namespaces: `ns:device`, whose MAC may be told. Checksums are computed before a frame enters it
     * unless `offloads` is true, so that captures show what would be on a wire.
     */
    cable(
      ends: readonly [string, string, mac?: string][],
      options: { offloads?: boolean; addresses?: readonly (string | undefined)[] } = {},
    ): void {
      const [[ns1, dev1], [ns2, dev2]] = ends;
      execFileSync('ip', ['link', 'add', dev1, 'netns', ns1, 'type', 'veth', 'peer', 'name', dev2, 'netns', ns2]);
      ends.forEach(([namespace, device, mac], index) => {
        if (mac !== undefined) lab.sh(namespace, `ip link set ${device} address ${mac}`);
        if (!options.offloads) lab.sh(namespace, `ethtool -K ${device} tx off sg off tso off gso off gro off`);
        lab.sh(namespace, `ip link set ${device} up`);
        const address = options.addresses?.[index];
        if (address !== undefined)
          lab.sh(namespace, `ip address add ${address} dev ${device} ${address.includes(':') ? 'nodad' : ''}`);
      });
    },

    /** A macvtap device on another one; answers the path of its character device. */
    macvtap(namespace: string, lower: string): string {
      // Namespaces number their devices alike, and the files of all are in one directory.
      const index = 10_000 + (process.pid % 10_000) * 100 + taps++;
      const name = `mt${index}`;
      lab.sh(
        namespace,
        `ip link add link ${lower} name ${name} index ${index} type macvtap mode passthru && ip link set ${name} up`,
      );
      const path = `/dev/tap${index}`;
      if (existsSync(path)) return path;
      // No devtmpfs, as in most containers.
      const [major, minor] = lab.sh(namespace, `cat /sys/class/net/${name}/tap${index}/dev`).trim().split(':');
      const made = lab.path(`tap${index}`);
      execFileSync('mknod', [made, 'c', major, minor]);
      return made;
    },

    /** Records what passes a device; `stop` ends it and answers the file. */
    async capture(namespace: string, device: string): Promise<() => Promise<string>> {
      const file = lab.path(`${namespace}-${device}-${running.length}.pcap`);
      const tcpdump = lab.start(namespace, ['tcpdump', '-n', '-i', device, '-U', '-B', '16384', '-s', '0', '-w', file]);
      await tcpdump.until('listening on');
      return async () => {
        await tcpdump.stop('SIGINT');
        return file;
      };
    },

    /** A switch from a file, in a process of its own, once it is ready; `through` is a program that starts it. */
    async megaflow(namespace: string, config: Record<string, unknown>, through: readonly string[] = []) {
      const name = `switch-${running.length}`;
      const control = lab.path(`${name}.ctl`);
      const file = lab.path(`${name}.json`);
      writeFileSync(file, JSON.stringify({ ...config, control }));
      const started = lab.start(namespace, [...through, process.execPath, join(root, 'examples/switch.mjs'), file]);
      await started.until('ready');
      return {
        ...started,
        control,
        appctl: (...words: string[]): string =>
          execFileSync('ovs-appctl', ['-t', control, ...words], { encoding: 'utf8' }),
        /** Resident memory in bytes. */
        memory: (): number =>
          Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${started.process.pid}/status`, 'latin1'))?.[1]) * 1024,
      };
    },

    /** Ends everything that was started, and waits for it. */
    async stopAll(): Promise<void> {
      for (const { stop } of running.splice(0).reverse()) {
        const killed = setTimeout(() => void stop('SIGKILL'), 3000);
        await stop('SIGTERM');
        clearTimeout(killed);
      }
    },

    async close(): Promise<void> {
      await lab.stopAll();
      for (const name of namespaces) spawnSync('ip', ['netns', 'delete', name]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return lab;
}

export type Lab = ReturnType<typeof createLab>;

/** Comes back when `condition` holds, which is asked every 50 ms; throws, with `what`, when it does not in time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 20_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * Pings until an answer comes, then `count` times; throws unless each of those is answered. They are sent one by one: for
 * the last of several, ping(8) waits no longer than two round trips, and on a busy machine calls it lost.
 */
export async function ping(lab: Lab, namespace: string, address: string, options = '', count = 5): Promise<void> {
  const numbers = (most: number): string => Array.from({ length: most }, (_, at) => at + 1).join(' ');
  await lab.run(
    namespace,
    `for i in ${numbers(10)}; do ping -n -c 1 -W 1 ${address} > /dev/null && exit 0; done; exit 1`,
  );
  await lab.run(namespace, `for i in ${numbers(count)}; do ping -n -c 1 -W 3 ${options} ${address} || exit 1; done`);
}

/** A megabyte and a bit over TCP, and whether all of it arrived. */
export async function sendMegabyte(lab: Lab, from: string, to: string, address: string): Promise<boolean> {
  const [sent, received] = [lab.path('sent'), lab.path(`received-${from}`)];
  const bytes = Buffer.alloc(1_200_000);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(Math.imul(at, 0x9e3779b1) >>> 0, at);
  writeFileSync(sent, bytes);
  const server = lab.start(to, ['socat', '-u', 'TCP-LISTEN:5001,reuseaddr', `CREATE:${received}`]);
  await until('socat listens', () => lab.sh(to, 'ss -ltn').includes(':5001'));
  await lab.run(from, `timeout 30 socat -u OPEN:${sent} TCP:${address}:5001`);
  await server.ended;
  return readFileSync(received).equals(bytes);
}

export interface Dissected {
  readonly frames: number;
  /** One line for each frame that is malformed or has a bad checksum. */
  readonly bad: readonly string[];
}

/** What tshark says of a capture, with all checksums verified, and `port` taken for VXLAN. */
export function dissect(file: string, port = 4789): Dissected {
  const fields = [
    'frame.number',
    '_ws.malformed',
    'ip.checksum.status',
    'udp.checksum.status',
    'tcp.checksum.status',
    'icmp.checksum.status',
    'icmpv6.checksum.status',
    '_ws.expert.message',
  ];
  const text = execFileSync(
    'tshark',
    [
      '-n',
      '-r',
      file,
      '-d',
      `udp.port==${port},vxlan`,
      '-T',
      'fields',
      '-E',
      'separator=;',
      '-E',
      'occurrence=a',
      ...['ip', 'udp', 'tcp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]),
      ...fields.flatMap((field) => ['-e', field]),
    ],
    { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const lines = text.split('\n').filter((line) => line !== '');
  const bad = lines.filter((line) => {
    const [, malformed, ...rest] = line.split(';');
    const message = rest.pop() ?? '';
    // Status 0 is bad; 1 good, 2 not verified (a fragment), 3 none given.
    const statuses = rest.slice(0, 5).flatMap((column) => column.split(','));
    return malformed !== '' || /[Mm]alformed/.test(message) || statuses.includes('0');
  });
  return { frames: lines.length, bad: bad.map((line) => `${file}: ${line}`) };
}
