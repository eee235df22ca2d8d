// What a packet takes as things grow, end to end: the frame from 64 to 9000 bytes, subtables from 1 to 64 (without the cache, hits spread evenly
// over 10,000 flows), 5-tuples under one megaflow from 1 to 100,000.
// @ts-check
import { KEY_WORDS, createMatch, setExact } from 'megaflow';
import { createBench } from './end-to-end.mjs';
import { innerFrame } from './frames.mjs';

export const FRAME_BYTES = [64, 1500, 9000];
export const SUBTABLES = [1, 8, 32, 64];
const SUBTABLE_FLOWS = 10_000;

/** A datapath with 10,000 flows under so many masks: 5-tuples with prefixes of the destination, as of an access list. */
export function createSubtableBench(/** @type {number} */ subtables) {
  const bench = createBench('forward', SUBTABLE_FLOWS, { exactMatchEntries: 0, flowLimit: 2 * SUBTABLE_FLOWS });
  const { datapath } = bench;
  const masks = Array.from({ length: subtables }, (_, index) => {
    const { mask } = createMatch();
    for (const name of /** @type {const} */ ([
      'inPort',
      'recircId',
      'ethDst',
      'ethType',
      'vlanTci',
      'ipFrag',
      'ipProto',
      'ipv4Src',
      'tpSrc',
    ])) {
      setExact(mask, name);
    }
    if (index < 32) setExact(mask, 'tpDst');
    // The first bits of the destination, in the order of the wire.
    const prefix = (-1 << index % 32) >>> 0;
    mask[9] = (prefix >>> 24) | ((prefix >>> 8) & 0xff00) | ((prefix & 0xff00) << 8) | (prefix << 24) | 0;
    return mask;
  });
  const frame = innerFrame();
  const view = new DataView(frame.buffer, frame.byteOffset);
  for (let flow = 0; flow < SUBTABLE_FLOWS; flow++) {
    view.setUint32(26, 0x0a000000 + flow);
    view.setUint16(34, 1024 + (flow & 0x7fff));
    const key = datapath.keyOf(frame, 1) ?? new Int32Array(KEY_WORDS);
    datapath.putFlow(key, masks[flow % subtables], [{ type: 'output', port: 2 }]);
  }
  return bench;
}

/** Frames of so many bytes, 100 flows. */
export function createFrameBench(/** @type {number} */ frameBytes) {
  return createBench('forward', 100, { frameBytes });
}
