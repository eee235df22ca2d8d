// Run by steady-state.test.ts with --expose-gc, bundled: how many bytes of heap a million packets take, of each stage of the benchmark, as JSON.
// `spoilt`: with a listener for which the datapath makes a view of each frame, which has to show.
// @ts-check
import { createBench } from '../bench/end-to-end.mjs';

const PACKETS = 1_000_000;
const FLOWS = 100;
const SLICE = 32_000;
const ATTEMPTS = 5;

const isSpoilt = process.argv.includes('spoilt');

/**
 * Bytes allocated, garbage and all: the growth of each slice counts, whatever a collection took away in another. V8 itself allocates while
 * it still optimises code; what packets allocate comes in each attempt.
 * @param {ReturnType<typeof createBench>} bench
 */
function measure({ run }) {
  let least = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    globalThis.gc?.();
    let bytes = 0;
    for (let done = 0; done < PACKETS; done += SLICE) {
      const before = process.memoryUsage().heapUsed;
      run(Math.min(SLICE, PACKETS - done));
      bytes += Math.max(0, process.memoryUsage().heapUsed - before);
    }
    least = Math.min(least, bytes);
  }
  return least;
}

/** @type {Record<string, number>} */
const bytes = {};
for (const stage of /** @type {const} */ (['forward', 'encapsulate', 'decapsulate'])) {
  const bench = createBench(stage, FLOWS);
  if (isSpoilt) bench.datapath.onSend = () => {};
  bench.run(2 * PACKETS);
  bytes[stage] = measure(bench);
  bench.datapath.close();
}
console.log(JSON.stringify(bytes));
