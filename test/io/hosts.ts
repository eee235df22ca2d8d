// Two hosts on a link, with the clock stopped.
import { createIpHost, type IpHost, type IpHostOptions } from '../../src/io/host.js';
import { createLink } from '../../src/io/link.js';
import type { Port } from '../../src/io/port.js';
import { ManualClock } from '../../src/util/clock.js';

export const MAC_A = 'aa:55:aa:55:00:01';
export const MAC_B = 'aa:55:aa:55:00:02';

export interface Pair {
  clock: ManualClock;
  a: IpHost;
  b: IpHost;
}

/** `wrap` may put something between a host and its end of the link. */
export function connectHosts(
  options: {
    a?: Partial<IpHostOptions>;
    b?: Partial<IpHostOptions>;
    mtu?: number;
    wrap?(port: Port, clock: ManualClock): Port;
  } = {},
): Pair {
  const clock = new ManualClock(1000);
  const mtu = options.mtu ?? 1500;
  const [left, right] = createLink({ mtu });
  const a = createIpHost({ name: 'a', mac: MAC_A, addresses: ['10.0.0.1/24', 'fd00::1/64'], mtu, clock, ...options.a });
  const b = createIpHost({ name: 'b', mac: MAC_B, addresses: ['10.0.0.2/24', 'fd00::2/64'], mtu, clock, ...options.b });
  a.connect(options.wrap?.(left, clock) ?? left);
  b.connect(right);
  return { clock, a, b };
}

/** Lets time pass until a promise is settled. */
export async function settle<T>(clock: ManualClock, promise: Promise<T>, stepMs = 100, mostMs = 3_600_000): Promise<T> {
  let isDone = false;
  const done = (): void => {
    isDone = true;
  };
  promise.then(done, done);
  for (let waited = 0; waited < mostMs && !isDone; waited += stepMs) {
    await Promise.resolve();
    await Promise.resolve();
    if (!isDone) clock.advance(stepMs);
    await Promise.resolve();
    await Promise.resolve();
  }
  if (!isDone) throw new Error('the promise is not settled');
  return promise;
}
