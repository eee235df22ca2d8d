/**
 * The `ping` of an `IpHost`: echo requests at an interval, what came back, and the lines that iputils' `ping` prints of
 * it. It sends through a function and is told of replies; it knows nothing of packets.
 */
import type { Clock, Timer } from '../util/clock.js';
import { formatIp } from '../util/address.js';
import { sameAddress, type Address, type Route } from './host-address.js';
import { checkOption } from './queue.js';

export interface PingOptions {
  /** Echo requests, 1 to 65,535. Default 4. */
  count?: number;
  /** Between two requests, 0 to 3,600,000 ms. Default 1000. */
  intervalMs?: number;
  /** Bytes of an echo after its header, 0 to 65,000. Default 56. */
  payloadBytes?: number;
  /** TTL or hop limit, 1 to 255. Default 64. */
  ttl?: number;
  /** How long the last request waits while nothing has come back at all, 0 to 3,600,000 ms. Default 10,000. */
  timeoutMs?: number;
}

export interface PingReply {
  /** From 1 on. */
  readonly sequence: number;
  readonly rttMs: number;
  readonly ttl: number;
  /** Of the echo with its header. */
  readonly bytes: number;
  /** Whether that request had been answered before. */
  readonly duplicate: boolean;
}

export interface PingResult {
  readonly transmitted: number;
  /** Without duplicates. */
  readonly received: number;
  readonly replies: readonly PingReply[];
  /** What `ping` prints, a line each. */
  readonly lines: readonly string[];
}

export interface EchoRequest {
  readonly identifier: number;
  readonly sequence: number;
  readonly payloadBytes: number;
  readonly ttl: number;
}

/** How the pinger reaches the world. */
export interface PingWire {
  readonly clock: Clock;
  /** Sends an echo request, on the route that `ping` was given. */
  send(destination: Address, route: Route, echo: EchoRequest): void;
}

export interface Pinger {
  /**
   * Settles when all is answered or waited for long enough, or with what there is on `close`. Throws `out-of-range`.
   */
  ping(destination: Address, route: Route, options: PingOptions): Promise<PingResult>;
  /** An echo reply came in. */
  accept(source: Address, identifier: number, sequence: number, ttl: number, bytes: number): void;
  /** Ends all pings. */
  close(): void;
}

interface Run {
  readonly destination: Address;
  readonly sentAt: Map<number, number>;
  readonly replies: PingReply[];
  readonly answered: Set<number>;
  accepted(): void;
  finish(): void;
}

export function createPinger({ clock, send }: PingWire): Pinger {
  const runs = new Map<number, Run>();
  let nextIdentifier = 1;

  const start = (
    destination: Address,
    route: Route,
    options: PingOptions,
    done: (result: PingResult) => void,
  ): void => {
    const count = checkOption('ping count', options.count ?? 4, 1, 65535);
    const intervalMs = checkOption('ping interval', options.intervalMs ?? 1000, 0, 3_600_000);
    const payloadBytes = checkOption('ping payload', options.payloadBytes ?? 56, 0, 65_000);
    const ttl = checkOption('ping ttl', options.ttl ?? 64, 1, 255);
    const timeoutMs = checkOption('ping timeout', options.timeoutMs ?? 10_000, 0, 3_600_000);
    while (runs.has(nextIdentifier)) nextIdentifier = (nextIdentifier + 1) & 0xffff;
    const identifier = nextIdentifier;
    nextIdentifier = (nextIdentifier + 1) & 0xffff;
    const startedAt = clock.now();
    let lastAt = startedAt;
    let timer: Timer | undefined;

    const run: Run = {
      destination,
      sentAt: new Map(),
      replies: [],
      answered: new Set(),
      accepted() {
        lastAt = clock.now();
        if (run.answered.size === count) run.finish();
      },
      finish() {
        timer?.cancel();
        runs.delete(identifier);
        const { replies } = run;
        const result = { transmitted: run.sentAt.size, received: run.answered.size, replies };
        done({ ...result, lines: formatPing(destination, payloadBytes, result, lastAt - startedAt) });
      },
    };
    runs.set(identifier, run);

    const step = (): void => {
      if (run.sentAt.size === count) {
        run.finish();
        return;
      }
      const sequence = run.sentAt.size + 1;
      lastAt = clock.now();
      run.sentAt.set(sequence, lastAt);
      // The last request waits for twice the longest round trip so far, and for the interval at least, as iputils has
      // it.
      const longest = run.replies.reduce((most, reply) => Math.max(most, reply.rttMs), 0);
      const patience = run.answered.size > 0 ? Math.max(2 * longest, intervalMs) : timeoutMs;
      timer = clock.after(sequence < count ? intervalMs : patience, step, true);
      send(destination, route, { identifier, sequence, payloadBytes, ttl });
    };
    step();
  };

  return {
    ping: (destination, route, options) => new Promise((resolve) => start(destination, route, options, resolve)),
    accept(source, identifier, sequence, ttl, bytes) {
      const run = runs.get(identifier);
      const sentAt = run?.sentAt.get(sequence);
      if (run === undefined || sentAt === undefined || !sameAddress(source, run.destination)) return;
      const duplicate = run.answered.has(sequence);
      // A network that multiplies frames must not fill the memory: as many duplicates are told as there were requests.
      if (duplicate && run.replies.length >= 2 * run.sentAt.size) return;
      run.replies.push({ sequence, rttMs: clock.now() - sentAt, ttl, bytes, duplicate });
      run.answered.add(sequence);
      run.accepted();
    },
    close() {
      for (const run of [...runs.values()]) run.finish();
    },
  };
}

/** What iputils prints; IPv4 counts the headers too. */
function formatPing(
  destination: Address,
  payloadBytes: number,
  result: Omit<PingResult, 'lines'>,
  elapsedMs: number,
): string[] {
  const to = formatIp(destination);
  const { transmitted, received, replies } = result;
  const isIpv4 = destination.length === 4;
  const lines = [
    isIpv4
      ? `PING ${to} (${to}) ${payloadBytes}(${payloadBytes + 28}) bytes of data.`
      : `PING ${to}(${to}) ${payloadBytes} data bytes`,
  ];
  for (const { sequence, ttl, bytes, rttMs, duplicate } of replies) {
    const time = ` time=${formatRtt(rttMs)} ms`;
    lines.push(`${bytes} bytes from ${to}: icmp_seq=${sequence} ttl=${ttl}${time}${duplicate ? ' (DUP!)' : ''}`);
  }
  const duplicates = replies.length - received;
  const loss = Number((((transmitted - received) * 100) / transmitted).toPrecision(6));
  lines.push(
    '',
    `--- ${to} ping statistics ---`,
    `${transmitted} packets transmitted, ${received} received${duplicates > 0 ? `, +${duplicates} duplicates` : ''}, ` +
      `${loss}% packet loss, time ${Math.round(elapsedMs)}ms`,
  );
  if (received > 0) {
    const times = replies.map((reply) => reply.rttMs);
    const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
    const square = times.reduce((sum, time) => sum + time * time, 0) / times.length;
    const deviation = Math.sqrt(Math.max(0, square - mean * mean));
    const figures = [Math.min(...times), mean, Math.max(...times), deviation].map((figure) => figure.toFixed(3));
    lines.push(`rtt min/avg/max/mdev = ${figures.join('/')} ms`);
  }
  return lines;
}

/** Three digits that mean something, as iputils prints a round trip. */
function formatRtt(rttMs: number): string {
  if (rttMs >= 99.95) return rttMs.toFixed(0);
  if (rttMs >= 9.995) return rttMs.toFixed(1);
  return rttMs.toFixed(rttMs >= 0.9995 ? 2 : 3);
}
