// Prints a capture, pcap or pcapng: one line a frame, with what is wrong with it at the end of the line.
//
//     npm run --silent example -- decode-pcap FILE
//
// Ends with 1 when the file cannot be read to its end, with 2 when it is not called like that.
//
// @ts-check
import { buildFrame, dissect, LINK_TYPE_ETHERNET, MegaflowError, printFrame, reasonName } from 'megaflow';
import { readCapture } from 'megaflow/node';

const [file, ...rest] = process.argv.slice(2);
if (file === undefined || rest.length > 0) {
  console.error('usage: npm run --silent example -- decode-pcap FILE');
  process.exit(2);
}

/**
 * Layers whose checksum is not what `buildFrame` computes when it is left out, and headers that were refused.
 * @param {Uint8Array} frame
 */
function findProblems(frame) {
  const layers = dissect(frame);
  /** @type {string[]} */
  const problems = [];
  layers.forEach((layer, index) => {
    if (layer.type === 'payload' && layer.reason) problems.push(reasonName(layer.reason));
    if (!('checksum' in layer) || layer.checksum === undefined) return;
    if (layer.type === 'udp' && layer.checksum === 0) {
      // None was computed, which IPv6 allows tunnels only (RFC 6935).
      const isTunnel = layers[index + 1]?.type === 'vxlan';
      if (layers[index - 1].type === 'ipv6' && !isTunnel) problems.push('udp without a checksum');
      return;
    }
    const built = buildFrame(layers.map((other) => (other === layer ? { ...layer, checksum: undefined } : other)));
    const corrected = dissect(built)[index];
    if (!('checksum' in corrected) || corrected.checksum !== layer.checksum) {
      problems.push(`${layer.type} bad-checksum`);
    }
  });
  return problems;
}

/**
 * `22:13:20` of seconds since 1970 (UTC). Files may hold any number; what `Date` refuses must not end the program.
 * @param {number} seconds
 */
function timeOfDay(seconds) {
  const ofDay = ((seconds % 86400) + 86400) % 86400;
  return [ofDay / 3600, (ofDay / 60) % 60, ofDay % 60]
    .map((part) => String(Math.floor(part)).padStart(2, '0'))
    .join(':');
}

let count = 0;
let wrong = 0;

/** @param {import('megaflow').CapturedFrame} captured */
function printCaptured({ frame, seconds, nanoseconds, originalLength, linkType, interfaceName }) {
  count++;
  const time = `${timeOfDay(seconds)}.${String(nanoseconds).padStart(9, '0')}`;
  const from = interfaceName === undefined ? '' : ` ${interfaceName}`;
  if (linkType !== LINK_TYPE_ETHERNET) {
    console.log(`${time}${from} link type ${linkType}, which is not Ethernet, length ${originalLength}`);
    return;
  }
  const problems = findProblems(frame);
  if (problems.length > 0) wrong++;
  const cut = frame.length < originalLength ? ` [${frame.length} of ${originalLength} bytes captured]` : '';
  const line = printFrame(frame);
  // The line itself says which headers were refused.
  const untold = problems.filter((problem) => !line.includes(`[${problem}]`)).map((problem) => ` [${problem}]`);
  console.log(`${time}${from} ${line}${cut}${untold.join('')}`);
}

// A reader of ours that has seen enough, such as `head`, is no error.
process.stdout.on('error', () => process.exit(0));
try {
  for (const captured of readCapture(file)) printCaptured(captured);
  console.error(`${count} frames, ${wrong} with something wrong`);
} catch (error) {
  // What is wrong with the file is told in a line; anything else is a fault of this program.
  if (!(error instanceof MegaflowError)) throw error;
  console.error(`${file}: ${error.message}`);
  process.exitCode = 1;
}
