// Stages `extract`, `push` and `pop`: one step of the fast path alone, on bursts of 32 packets of a pool.
// @ts-check
import { load } from './load.mjs';
import { OUTER_BYTES, innerFrame, outerFrame, outerHeader } from './frames.mjs';

const BURST = 32;

/**
 * What one round of a stage does: `run(packets)` answers nanoseconds of processor time a packet.
 * @returns {Promise<{ stage: string, frameBytes: number, run(packets: number): number }[]>}
 */
export async function createStages() {
  const { PacketPool } = await load('src/packet/pool.ts');
  const { createExtractor } = await load('src/flow/extract.ts');
  const { createKeyRows, createKnownKeys } = await load('src/flow/key-rows.ts');
  const { createPush, createPushTemplate } = await load('src/action/push.ts');
  const { createPop } = await load('src/action/pop.ts');
  const { REASON_COUNT } = await load('src/util/reason.ts');

  /** A burst of packets that hold `frame`, and where each begins. */
  const fill = (/** @type {Uint8Array} */ frame) => {
    const pool = new PacketPool();
    const burst = Int32Array.from({ length: BURST }, () => pool.allocateCopy(frame));
    return { pool, burst, starts: burst.map((handle) => pool.offset[handle]) };
  };
  const time = (/** @type {number} */ packets, /** @type {() => void} */ step) => {
    const before = process.cpuUsage();
    for (let left = packets; left > 0; left -= BURST) step();
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / packets;
  };

  const inner = innerFrame();
  const outer = outerFrame();
  const plain = fill(inner);
  const { extract } = createExtractor(plain.pool, createKeyRows(), createKnownKeys(1));

  const pushed = fill(inner);
  const push = createPush(pushed.pool);
  const template = createPushTemplate({ type: 4, bytes: outerHeader() });

  const popped = fill(outer);
  const pop = createPop(popped.pool);
  const drops = new Float64Array(REASON_COUNT);
  const list = new Int32Array(BURST);

  return [
    {
      stage: 'extract',
      frameBytes: inner.length,
      run: (packets) =>
        time(packets, () => {
          for (let index = 0; index < BURST; index++) plain.pool.hash[plain.burst[index]] = 0;
          extract(plain.burst, BURST, 0);
        }),
    },
    {
      stage: 'push',
      frameBytes: inner.length,
      run: (packets) =>
        time(packets, () => {
          for (let index = 0; index < BURST; index++) {
            pushed.pool.offset[pushed.burst[index]] = pushed.starts[index];
            pushed.pool.length[pushed.burst[index]] = inner.length;
          }
          push(pushed.burst, BURST, template, 1);
        }),
    },
    {
      stage: 'pop',
      frameBytes: outer.length,
      run: (packets) =>
        time(packets, () => {
          for (let index = 0; index < BURST; index++) {
            popped.pool.offset[popped.burst[index]] = popped.starts[index];
            popped.pool.length[popped.burst[index]] = inner.length + OUTER_BYTES;
            list[index] = popped.burst[index];
          }
          if (pop(list, BURST, 2, drops) !== BURST) throw new Error('a packet was not popped');
        }),
    },
  ];
}
