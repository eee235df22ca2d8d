/**
 * The classic capture format (draft-ietf-opsawg-pcap): a file header, then records. Written with microseconds or
 * nanoseconds in either byte order, read in all four. The variants with other record headers ("modified pcap" and
 * others) are refused.
 *
 *     file    magic 4 · major 2 · minor 2 · zone 4 · accuracy 4 · snap length 4 · link type 4
 *     record  seconds 4 · fraction 4 · captured length 4 · original length 4 · the bytes
 */
import { badCapture, checkTime, LINK_TYPE_ETHERNET, type CapturedFrame, type CaptureWriter } from './capture.js';
import { checkOption } from './queue.js';

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const FILE_HEADER = 24;
const RECORD_HEADER = 16;

/** The longest frame that is read or written: what libpcap takes at most. */
export const MAX_CAPTURED_LENGTH = 262_144;

export interface PcapOptions {
  /** Times in nanoseconds rather than microseconds. Default false. */
  nanoseconds?: boolean;
  /** Default false: little-endian. */
  bigEndian?: boolean;
  /** 0 to 65,535. Default 1, Ethernet. */
  linkType?: number;
  /** Longest frame, 1 to 262,144 bytes; longer ones are cut. Default 262,144. */
  snapLength?: number;
}

/** Makes pcap files. Seconds from 0 to 2^32 - 1. Throws `out-of-range` for options that cannot be. */
export function createPcapWriter(options: PcapOptions = {}): CaptureWriter {
  const littleEndian = !options.bigEndian;
  const nanoseconds = options.nanoseconds ?? false;
  const snapLength = checkOption('snapLength', options.snapLength ?? MAX_CAPTURED_LENGTH, 1, MAX_CAPTURED_LENGTH);
  const linkType = checkOption('linkType', options.linkType ?? LINK_TYPE_ETHERNET, 0, 0xffff);
  const header = new Uint8Array(FILE_HEADER);
  const view = new DataView(header.buffer);
  view.setUint32(0, nanoseconds ? MAGIC_NANOSECONDS : MAGIC_MICROSECONDS, littleEndian);
  view.setUint16(4, 2, littleEndian);
  view.setUint16(6, 4, littleEndian);
  view.setUint32(16, snapLength, littleEndian);
  view.setUint32(20, linkType, littleEndian);
  return {
    header,
    write(captured) {
      checkTime(captured, 0xffff_ffff);
      const original = checkOption('originalLength', captured.originalLength ?? captured.frame.length, 0, 0xffff_ffff);
      const length = Math.min(captured.frame.length, snapLength);
      const record = new Uint8Array(RECORD_HEADER + length);
      const fields = new DataView(record.buffer);
      fields.setUint32(0, captured.seconds, littleEndian);
      fields.setUint32(4, nanoseconds ? captured.nanoseconds : Math.floor(captured.nanoseconds / 1000), littleEndian);
      fields.setUint32(8, length, littleEndian);
      fields.setUint32(12, original, littleEndian);
      record.set(captured.frame.subarray(0, length), RECORD_HEADER);
      return record;
    },
  };
}

/** Reads one format from a growing run of bytes. */
export interface FormatParser {
  /**
   * Takes what is whole from the start of `bytes`, which lie at `fileOffset` of the file, and adds the frames to
   * `frames`. Answers how many bytes were taken, and how many must be there for the next step.
   */
  parse(bytes: Uint8Array, fileOffset: number, frames: CapturedFrame[]): { taken: number; needed: number };
}

/** Whether a file that begins with these four bytes (read big-endian) is pcap. */
export function isPcap(magic: number): boolean {
  return [MAGIC_MICROSECONDS, MAGIC_NANOSECONDS, 0xd4c3b2a1, 0x4d3cb2a1].includes(magic);
}

/** The parser behind `createCaptureReader`. */
export function createPcapParser(): FormatParser {
  let littleEndian: boolean | undefined;
  let unit = 0;
  let linkType = 0;

  const parseHeader = (view: DataView, offset: number): void => {
    const magic = view.getUint32(0, false);
    littleEndian = magic !== MAGIC_MICROSECONDS && magic !== MAGIC_NANOSECONDS;
    unit = view.getUint32(0, littleEndian) === MAGIC_NANOSECONDS ? 1 : 1000;
    const major = view.getUint16(4, littleEndian);
    if (major !== 2) throw badCapture(offset + 4, `pcap version ${major}`, major, 'major version 2');
    // The upper half says how long a frame check sequence is; the link type proper has 16 bits.
    linkType = view.getUint32(20, littleEndian) & 0xffff;
  };

  return {
    parse(bytes, fileOffset, frames) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      let at = 0;
      if (littleEndian === undefined) {
        if (bytes.length < FILE_HEADER) return { taken: 0, needed: FILE_HEADER };
        parseHeader(view, fileOffset);
        at = FILE_HEADER;
      }
      for (;;) {
        if (bytes.length - at < RECORD_HEADER) return { taken: at, needed: RECORD_HEADER };
        const length = view.getUint32(at + 8, littleEndian);
        if (length > MAX_CAPTURED_LENGTH) {
          throw badCapture(
            fileOffset + at + 8,
            `a frame of ${length} bytes`,
            length,
            `at most ${MAX_CAPTURED_LENGTH} bytes`,
          );
        }
        if (bytes.length - at < RECORD_HEADER + length) return { taken: at, needed: RECORD_HEADER + length };
        // A fraction of a second or more occurs in files that others wrote; it is carried over.
        const fraction = view.getUint32(at + 4, littleEndian) * unit;
        frames.push({
          frame: bytes.slice(at + RECORD_HEADER, at + RECORD_HEADER + length),
          seconds: view.getUint32(at, littleEndian) + Math.floor(fraction / 1e9),
          nanoseconds: fraction % 1e9,
          originalLength: view.getUint32(at + 12, littleEndian),
          linkType,
          interface: 0,
          offset: fileOffset + at,
        });
        at += RECORD_HEADER + length;
      }
    },
  };
}
