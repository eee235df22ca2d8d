// Stage `lookup`: exact match (one megaflow, many packets; with extraction, which is where known keys are recognised), tuple
// space (many megaflows under many masks, hit evenly and out of order, no cache), insertion and removal in bulk, bytes a flow.
//
//     taskset -c 1 node --expose-gc bench/lookup.mjs [--full]     (--full: a million flows too)
//
// Keys are written anew for each burst, as extraction would; the time that this takes is measured in the same rounds and
// subtracted. Figures are medians over interleaved rounds, with the fastest round beside them.
import { fileURLToPath } from 'node:url';
import { innerFrame } from './frames.mjs';
import { load } from './load.mjs';

const KEY_WORDS = 84;
const BURST = 32;
let keys = new Int32Array(BURST * KEY_WORDS);
let hashes = new Int32Array(BURST);
const rows = new Int32Array(BURST);

/** A number with its bytes in the order of the wire. */
const swap = (value) => ((value & 255) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);

/** UDP over IPv4; addresses and ports depend on `id`, with the hash that extraction might give. */
function writeKey(row, id) {
  const key = row * KEY_WORDS;
  const source = swap(0x0a000000 + id);
  const ports = 4 | ((id >>> 8) & 0x7f) | ((id & 255) << 8) | 0x35000000;
  keys[key] = 1;
  keys[key + 1] = 0;
  keys[key + 2] = 0x11005452;
  keys[key + 3] = 0x54523322;
  keys[key + 4] = 0x11223344;
  keys[key + 5] = 8;
  keys[key + 6] = 0x1140;
  keys[key + 7] = ports;
  keys[key + 8] = source;
  keys[key + 9] = 0x0101a8c0;
  keys[key + 10] = 0;
  let hash = (Math.imul(source, 0x85ebca6b) + Math.imul(ports, 0x27d4eb2f)) | 0;
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  hashes[row] = hash ^ (hash >>> 15);
  rows[row] = row;
}

function maskOf(words) {
  const mask = new Int32Array(KEY_WORDS);
  for (const [word, bits] of Object.entries(words)) mask[word] = bits;
  return mask;
}

/** What one forwarding megaflow looks at: port, recirculation, destination, type and tag, fragments. */
const forwarding = maskOf({ 0: -1, 1: -1, 2: -1, 3: 0xffff, 5: -1, 6: 0xff000000 | 0 });
/** Masks of an access list: 5-tuples with prefixes of the destination, from the 33rd on without the destination port. */
const accessList = Array.from({ length: 64 }, (_, index) =>
  maskOf({
    0: -1,
    1: -1,
    2: -1,
    3: 0xffff,
    5: -1,
    6: 0xff00ff00 | 0,
    7: index < 32 ? -1 : 0xffff,
    8: -1,
    9: swap(-1 << index % 32),
  }),
);

/** 0 to `count` - 1 in an order that no prefetcher knows, the same each time. */
function shuffled(count) {
  const order = Int32Array.from({ length: count }, (_, index) => index);
  let state = 0x12345678;
  for (let index = count - 1; index > 0; index--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const other = (state >>> 0) % (index + 1);
    [order[index], order[other]] = [order[other], order[index]];
  }
  return order;
}

/** Nanoseconds of processor time so far: other processes must not count. */
function processorTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

/** Bytes of array buffers that are in use, when what is not has been freed. */
async function bufferBytes() {
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage().arrayBuffers;
}

/** Nanoseconds a packet that `lookUp` takes for bursts of keys, in the order given. */
function measureLookups(order, lookUp, write = writeKey) {
  let position = 0;
  const run = (count, lookUpBurst) => {
    const start = processorTime();
    for (let done = 0; done < count; done += BURST) {
      for (let row = 0; row < BURST; row++) {
        write(row, order[position]);
        if (++position === order.length) position = 0;
      }
      lookUpBurst();
    }
    return (processorTime() - start) / count;
  };
  const none = () => {};
  const perRound = 1 << 13;
  for (let done = 0; done < Math.max(1 << 18, order.length * 2); done += perRound) run(perRound, lookUp);
  for (let round = 0; round < 20; round++) run(perRound, none);
  const times = [];
  const fills = [];
  for (let round = 0; round < 201; round++) {
    times.push(run(perRound, lookUp));
    fills.push(run(perRound, none));
  }
  times.sort((a, b) => a - b);
  fills.sort((a, b) => a - b);
  const at = (share) => times[Math.floor(share * 200)] - fills[Math.floor(share * 200)];
  return { nsPerPacket: at(0.5), best: at(0), spread: (times[180] - times[20]) / times[100] };
}

/** Inserts `count` flows under `subtables` masks; answers the ns a flow. */
function insertAll(classifier, count, subtables) {
  const key = new Int32Array(KEY_WORDS);
  const start = processorTime();
  for (let id = 0; id < count; id++) {
    writeKey(0, id);
    for (let word = 0; word < 16; word++) key[word] = keys[word];
    classifier.insert(key, accessList[id % subtables]);
  }
  return (processorTime() - start) / count;
}

function removeAll(classifier, order) {
  const start = processorTime();
  for (const flow of order) classifier.remove(flow);
  return (processorTime() - start) / order.length;
}

/** Packets of a pool, all of one megaflow, recognised while they are extracted; those that are not go to the tuple space. */
async function measureExactMatch(report) {
  const { createExtractor } = await load('src/flow/extract.ts');
  const { createClassifier } = await load('src/classifier/classifier.ts');
  const { createKeyRows } = await load('src/flow/key-rows.ts');
  const { PacketPool } = await load('src/packet/pool.ts');
  const pool = new PacketPool();
  const burst = Int32Array.from({ length: BURST }, () => pool.allocateCopy(innerFrame()));
  const set = createKeyRows();
  const classifier = createClassifier(set);
  const { recognize, extract } = createExtractor(pool, set, classifier.known);
  extract(burst, 1, 0);
  classifier.insert(set.keys.slice(0, KEY_WORDS), forwarding);
  const write = (row, id) => {
    const packet = burst[row];
    pool.hash[packet] = 0;
    pool.view.setInt32(pool.offset[packet] + 26, 0x0a000000 + id);
    pool.view.setUint16(pool.offset[packet] + 34, 1024 + (id & 0x7fff));
  };
  const unknown = new Int32Array(BURST);
  for (const count of [1, 100, 10_000, 100_000]) {
    const lookUp = () => {
      const left = recognize(burst, BURST, 0, unknown);
      if (left !== 0 && classifier.lookup(unknown, left) !== 0) throw new Error('a flow was not found');
    };
    const result = measureLookups(shuffled(count), lookUp, write);
    report({ stage: 'lookup', kind: 'exact match', flows: count, subtables: 1, ...result });
  }
}

/** Runs the stage, handing each result to `report`. */
export async function measureLookup({ report, full = false }) {
  await measureExactMatch(report);
  // One module serves all of one kind: a second instance would be slower.
  const { createClassifier } = await load('src/classifier/classifier.ts');
  const { createKeyRows } = await load('src/flow/key-rows.ts');
  const space = createKeyRows();
  ({ keys, hashes } = space);
  const plain = createClassifier(space, { exactMatchEntries: 0 });
  for (const count of full ? [100, 10_000, 1_000_000] : [100, 10_000]) {
    for (const subtables of [1, 8, 32, 64]) {
      const before = await bufferBytes();
      const insertNs = insertAll(plain, count, subtables);
      const result = measureLookups(shuffled(count), () => {
        if (plain.lookup(rows, BURST) !== 0) throw new Error('a flow was not found');
      });
      const bytesPerFlow = ((await bufferBytes()) - before) / count;
      const removeNs = removeAll(plain, shuffled(count));
      plain.clear();
      report({
        stage: 'lookup',
        kind: 'tuple space',
        flows: count,
        subtables,
        ...result,
        insertNs,
        removeNs,
        bytesPerFlow,
      });
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await measureLookup({
    full: process.argv.includes('--full'),
    report({ kind, flows: count, subtables, nsPerPacket, best, spread, insertNs, removeNs, bytesPerFlow }) {
      const bulk = [
        `insert ${insertNs?.toFixed(0)} ns`,
        `remove ${removeNs?.toFixed(0)} ns`,
        `${bytesPerFlow?.toFixed(0)} bytes a flow`,
      ];
      const extra = insertNs === undefined ? '' : `  ${bulk.join('  ')}`;
      const time = `${nsPerPacket.toFixed(1)} ns (fastest ${best.toFixed(1)}, spread ${(spread * 100).toFixed(0)} %)`;
      console.log(
        `${kind}  ${String(count).padStart(7)} flows  ${String(subtables).padStart(2)} subtables  ${time}${extra}`,
      );
    },
  });
}
