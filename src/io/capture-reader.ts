/**
 * Reads captures, pcap or pcapng, whichever the file is: from chunks of any size as they come, or at once. What it
 * holds back between chunks is less than one record.
 */
import { plainBytes } from '../util/bytes.js';
import { badCapture, type CapturedFrame } from './capture.js';
import { createPcapParser, isPcap, type FormatParser } from './pcap.js';
import { createPcapngParser, isPcapng } from './pcapng.js';

export interface CaptureReader {
  /**
   * Takes the next chunk of the file and answers the frames that are whole now. Throws `bad-capture` (its
   * `value.offset` is the place in the file) for what cannot be read, and goes on throwing it; frames of the same chunk
   * that came before are answered first, and it is thrown by the next call.
   */
  push(chunk: Uint8Array): CapturedFrame[];
  /** Says that the file is at its end. Throws `bad-capture` when it ends within a record, or is empty. */
  end(): void;
}

export function createCaptureReader(): CaptureReader {
  let waiting: Uint8Array[] = [];
  let waitingLength = 0;
  let offset = 0;
  let needed = 4;
  let parser: FormatParser | undefined;
  let failure: unknown;

  /** Takes what is whole of some bytes, and keeps the rest. */
  const parse = (bytes: Uint8Array, frames: CapturedFrame[]): void => {
    parser ??= chooseParser(bytes);
    const result = parser.parse(bytes, offset, frames);
    offset += result.taken;
    needed = result.needed;
    waitingLength = bytes.length - result.taken;
    waiting = waitingLength === 0 ? [] : [bytes.slice(result.taken)];
  };

  return {
    push(given) {
      if (failure !== undefined) throw failure;
      const chunk = plainBytes(given);
      const frames: CapturedFrame[] = [];
      waitingLength += chunk.length;
      // A caller may use its buffer again, so what must wait is copied; it is joined once there is enough of it.
      if (waitingLength < needed) {
        waiting.push(chunk.slice());
        return frames;
      }
      const bytes = waiting.length === 0 ? chunk : join([...waiting, chunk], waitingLength);
      try {
        parse(bytes, frames);
      } catch (error) {
        failure = error;
        if (frames.length === 0) throw error;
      }
      return frames;
    },
    end() {
      if (failure !== undefined) throw failure;
      if (parser === undefined && waitingLength === 0)
        throw badCapture(0, 'the file is empty', 0, 'a pcap or pcapng file');
      if (waitingLength > 0) {
        throw badCapture(offset, 'the file ends within a record', waitingLength, `${needed} bytes from there`);
      }
    },
  };
}

/** All frames of a capture that is in memory. Throws `bad-capture`. */
export function parseCapture(file: Uint8Array): CapturedFrame[] {
  const reader = createCaptureReader();
  const frames = reader.push(file);
  reader.end();
  return frames;
}

function chooseParser(bytes: Uint8Array): FormatParser {
  const magic = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0);
  if (isPcap(magic)) return createPcapParser();
  if (isPcapng(magic)) return createPcapngParser();
  throw badCapture(
    0,
    `no capture begins with 0x${magic.toString(16).padStart(8, '0')}`,
    magic,
    'a pcap or pcapng file',
  );
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
