/**
 * The capture format of Wireshark (draft-ietf-opsawg-pcapng): a file of blocks. Written: a section header, one
 * interface description each, enhanced packet blocks. Read: those, simple packet blocks and the packet blocks of old,
 * in either byte order and with several sections; other blocks are skipped, as are options that mean nothing here.
 *
 *     block    type 4 · total length 4 · body, padded to 4 · total length 4
 *     option   code 2 · length 2 · value, padded to 4
 */
import {
  badCapture,
  checkTime,
  LINK_TYPE_ETHERNET,
  type CaptureDirection,
  type CapturedFrame,
  type CaptureWriter,
} from './capture.js';
import { MAX_CAPTURED_LENGTH, type FormatParser } from './pcap.js';
import { checkOption } from './queue.js';

const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const BLOCK = { interfaceDescription: 1, packet: 2, simplePacket: 3, enhancedPacket: 6 } as const;
const OPTION = { end: 0, comment: 1, interfaceName: 2, packetFlags: 2, timeResolution: 9, timeOffset: 14 } as const;
/** Bytes of a block around its body. */
const BLOCK_FRAME = 12;
/** The longest block that is read, as libpcap has it. */
const MAX_BLOCK = 16 * 1024 * 1024;
/** Bytes of the body before the options: what a block has at least. */
const LEAST_BODY = {
  [SECTION_HEADER]: 16,
  [BLOCK.interfaceDescription]: 8,
  [BLOCK.packet]: 20,
  [BLOCK.simplePacket]: 4,
  [BLOCK.enhancedPacket]: 20,
};

export interface PcapngInterface {
  name?: string;
  /** 0 to 65,535. Default 1, Ethernet. */
  linkType?: number;
  /** Longest frame, 1 to 262,144 bytes; longer ones are cut. Default 262,144. */
  snapLength?: number;
}

export interface PcapngOptions {
  /** The interfaces of the file; `interface` of a frame is an index into them. Default: one without a name. */
  interfaces?: readonly PcapngInterface[];
  /** Times in nanoseconds rather than microseconds. Default true. */
  nanoseconds?: boolean;
  /** Default false: little-endian. */
  bigEndian?: boolean;
  /** A comment on the whole file. */
  comment?: string;
}

const padded = (length: number): number => (length + 3) & ~3;

/** Makes pcapng files. Seconds from 0 to 2^33. Throws `out-of-range` for options that cannot be. */
export function createPcapngWriter(options: PcapngOptions = {}): CaptureWriter {
  const littleEndian = !options.bigEndian;
  const nanoseconds = options.nanoseconds ?? true;
  const unitsPerSecond = nanoseconds ? 1_000_000_000n : 1_000_000n;
  const interfaces = (options.interfaces ?? [{}]).map((each) => ({
    name: each.name,
    linkType: checkOption('linkType', each.linkType ?? LINK_TYPE_ETHERNET, 0, 0xffff),
    snapLength: checkOption('snapLength', each.snapLength ?? MAX_CAPTURED_LENGTH, 1, MAX_CAPTURED_LENGTH),
  }));
  checkOption('number of interfaces', interfaces.length, 1, 65536);

  /** A whole block from its fixed part, the bytes that follow it, and options. */
  const makeBlock = (
    type: number,
    fixedLength: number,
    fill: (view: DataView) => void,
    data: Uint8Array,
    list: Option[],
  ): Uint8Array => {
    const optionsLength = list.reduce((sum, [, value]) => sum + 4 + padded(value.length), list.length > 0 ? 4 : 0);
    const total = BLOCK_FRAME + fixedLength + padded(data.length) + optionsLength;
    const block = new Uint8Array(total);
    const view = new DataView(block.buffer);
    view.setUint32(0, type, littleEndian);
    view.setUint32(4, total, littleEndian);
    view.setUint32(total - 4, total, littleEndian);
    fill(new DataView(block.buffer, 8, fixedLength));
    block.set(data, 8 + fixedLength);
    let at = 8 + fixedLength + padded(data.length);
    for (const [code, value] of list) {
      view.setUint16(at, code, littleEndian);
      view.setUint16(at + 2, value.length, littleEndian);
      block.set(value, at + 4);
      at += 4 + padded(value.length);
    }
    return block;
  };
  const nothing = new Uint8Array(0);

  const section = makeBlock(
    SECTION_HEADER,
    16,
    (view) => {
      view.setUint32(0, BYTE_ORDER_MAGIC, littleEndian);
      view.setUint16(4, 1, littleEndian);
      view.setBigInt64(8, -1n, littleEndian);
    },
    nothing,
    textOption(OPTION.comment, options.comment),
  );
  const descriptions = interfaces.map(({ name, linkType, snapLength }) =>
    makeBlock(
      BLOCK.interfaceDescription,
      8,
      (view) => {
        view.setUint16(0, linkType, littleEndian);
        view.setUint32(4, snapLength, littleEndian);
      },
      nothing,
      [...textOption(OPTION.interfaceName, name), [OPTION.timeResolution, Uint8Array.of(nanoseconds ? 9 : 6)]],
    ),
  );
  const blocks = [section, ...descriptions];
  const header = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let end = 0;
  for (const block of blocks) {
    header.set(block, end);
    end += block.length;
  }

  return {
    header,
    write(captured) {
      checkTime(captured, 2 ** 33);
      const index = checkOption('interface', captured.interface ?? 0, 0, interfaces.length - 1);
      const original = checkOption('originalLength', captured.originalLength ?? captured.frame.length, 0, 0xffff_ffff);
      const frame = captured.frame.subarray(0, interfaces[index].snapLength);
      const time =
        BigInt(captured.seconds) * unitsPerSecond +
        BigInt(nanoseconds ? captured.nanoseconds : Math.floor(captured.nanoseconds / 1000));
      const list = textOption(OPTION.comment, captured.comment);
      if (captured.direction !== undefined) {
        const flags = new Uint8Array(4);
        new DataView(flags.buffer).setUint32(0, captured.direction === 'in' ? 1 : 2, littleEndian);
        list.push([OPTION.packetFlags, flags]);
      }
      return makeBlock(
        BLOCK.enhancedPacket,
        20,
        (view) => {
          view.setUint32(0, index, littleEndian);
          view.setUint32(4, Number(time >> 32n), littleEndian);
          view.setUint32(8, Number(time & 0xffff_ffffn), littleEndian);
          view.setUint32(12, frame.length, littleEndian);
          view.setUint32(16, original, littleEndian);
        },
        frame,
        list,
      );
    },
  };
}

type Option = [code: number, value: Uint8Array];

function textOption(code: number, text: string | undefined): Option[] {
  if (text === undefined) return [];
  const value = new TextEncoder().encode(text);
  checkOption('length of a text in a capture', value.length, 0, 0xffff);
  return [[code, value]];
}

/** Whether a file that begins with these four bytes is pcapng: the type of its first block reads alike both ways. */
export function isPcapng(magic: number): boolean {
  return magic === SECTION_HEADER;
}

interface Interface {
  name: string | undefined;
  linkType: number;
  /** 0: no limit. */
  snapLength: number;
  unitsPerSecond: bigint;
  offsetSeconds: bigint;
}

/** The parser behind `createCaptureReader`. */
export function createPcapngParser(): FormatParser {
  let littleEndian = true;
  let interfaces: Interface[] = [];

  return {
    parse(bytes, fileOffset, frames) {
      const whole = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      let at = 0;
      for (;;) {
        if (bytes.length - at < BLOCK_FRAME) return { taken: at, needed: BLOCK_FRAME };
        const offset = fileOffset + at;
        if (whole.getUint32(at, littleEndian) === SECTION_HEADER)
          littleEndian = parseByteOrder(whole.getUint32(at + 8), offset);
        const type = whole.getUint32(at, littleEndian);
        const total = whole.getUint32(at + 4, littleEndian);
        const least = BLOCK_FRAME + ((LEAST_BODY as Record<number, number>)[type] ?? 0);
        if (total < least || total > MAX_BLOCK || total % 4 !== 0) {
          const allowed = `a multiple of 4 from ${least} to ${MAX_BLOCK}`;
          throw badCapture(offset + 4, `a block of type ${type} with ${total} bytes`, total, allowed);
        }
        if (bytes.length - at < total) return { taken: at, needed: total };
        const again = whole.getUint32(at + total - 4, littleEndian);
        if (again !== total) {
          throw badCapture(
            offset + total - 4,
            `a block of ${total} bytes ends with ${again}`,
            again,
            `${total} once more`,
          );
        }
        const block: Block = {
          bytes: bytes.subarray(at + 8, at + total - 4),
          view: new DataView(bytes.buffer, bytes.byteOffset + at + 8, total - BLOCK_FRAME),
          littleEndian,
          offset,
        };
        if (type === SECTION_HEADER) {
          const major = block.view.getUint16(4, littleEndian);
          if (major !== 1) throw badCapture(offset + 12, `pcapng version ${major}`, major, 'major version 1');
          interfaces = [];
        } else if (type === BLOCK.interfaceDescription) {
          interfaces.push(parseInterface(block));
        } else if (type === BLOCK.enhancedPacket || type === BLOCK.packet) {
          frames.push(parsePacket(block, type === BLOCK.packet, interfaces));
        } else if (type === BLOCK.simplePacket) {
          frames.push(parseSimplePacket(block, interfaces));
        }
        at += total;
      }
    },
  };
}

/** The body of a block, with its place in the file. */
interface Block {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly littleEndian: boolean;
  readonly offset: number;
}

/** Whether a section is little-endian, from its magic read big-endian. */
function parseByteOrder(magic: number, offset: number): boolean {
  if (magic === BYTE_ORDER_MAGIC) return false;
  if (magic === 0x4d3c2b1a) return true;
  throw badCapture(offset + 8, `byte order 0x${magic.toString(16)}`, magic, '0x1a2b3c4d in either order');
}

/** Calls `take` for each option from `at` on. */
function parseOptions(block: Block, at: number, take: (code: number, value: Uint8Array, view: DataView) => void): void {
  const { bytes, view, littleEndian } = block;
  while (at + 4 <= bytes.length) {
    const code = view.getUint16(at, littleEndian);
    const length = view.getUint16(at + 2, littleEndian);
    if (code === OPTION.end) return;
    if (at + 4 + length > bytes.length) {
      throw badCapture(
        block.offset + 8 + at,
        `an option of ${length} bytes exceeds its block`,
        length,
        `at most ${bytes.length - at - 4}`,
      );
    }
    const value = bytes.subarray(at + 4, at + 4 + length);
    take(code, value, new DataView(value.buffer, value.byteOffset, length));
    at += 4 + padded(length);
  }
}

function parseInterface(block: Block): Interface {
  const { view, littleEndian } = block;
  const found: Interface = {
    name: undefined,
    linkType: view.getUint16(0, littleEndian),
    snapLength: view.getUint32(4, littleEndian),
    unitsPerSecond: 1_000_000n,
    offsetSeconds: 0n,
  };
  parseOptions(block, 8, (code, value, option) => {
    if (code === OPTION.interfaceName) found.name = parseText(value);
    else if (code === OPTION.timeResolution && value.length === 1) {
      const exponent = BigInt(value[0] & 0x7f);
      found.unitsPerSecond = (value[0] & 0x80) !== 0 ? 2n ** exponent : 10n ** exponent;
    } else if (code === OPTION.timeOffset && value.length === 8)
      found.offsetSeconds = option.getBigInt64(0, littleEndian);
  });
  return found;
}

function parseText(value: Uint8Array): string {
  // Some writers end their texts with a NUL.
  return new TextDecoder().decode(value).replace(/\0.*$/s, '');
}

function lookupInterface(interfaces: readonly Interface[], index: number, offset: number): Interface {
  const found = interfaces[index];
  if (found === undefined)
    throw badCapture(offset, `interface ${index} is not described`, index, `less than ${interfaces.length}`);
  return found;
}

function parsePacket(block: Block, old: boolean, interfaces: readonly Interface[]): CapturedFrame {
  const { bytes, view, littleEndian, offset } = block;
  const index = old ? view.getUint16(0, littleEndian) : view.getUint32(0, littleEndian);
  const from = lookupInterface(interfaces, index, offset + 8);
  const length = view.getUint32(12, littleEndian);
  if (length > bytes.length - 20) {
    throw badCapture(
      offset + 20,
      `a frame of ${length} bytes exceeds its block`,
      length,
      `at most ${bytes.length - 20}`,
    );
  }
  const time = (BigInt(view.getUint32(4, littleEndian)) << 32n) | BigInt(view.getUint32(8, littleEndian));
  let comment: string | undefined;
  let direction: CaptureDirection | undefined;
  parseOptions(block, 20 + padded(length), (code, value, option) => {
    if (code === OPTION.comment) comment = parseText(value);
    else if (code === OPTION.packetFlags && value.length === 4) {
      const bits = option.getUint32(0, littleEndian) & 3;
      if (bits === 1 || bits === 2) direction = bits === 1 ? 'in' : 'out';
    }
  });
  return {
    frame: bytes.slice(20, 20 + length),
    seconds: Number(time / from.unitsPerSecond + from.offsetSeconds),
    nanoseconds: Number(((time % from.unitsPerSecond) * 1_000_000_000n) / from.unitsPerSecond),
    originalLength: view.getUint32(16, littleEndian),
    linkType: from.linkType,
    interface: index,
    ...(from.name !== undefined && { interfaceName: from.name }),
    ...(comment !== undefined && { comment }),
    ...(direction !== undefined && { direction }),
    offset,
  };
}

/** A simple packet block has neither a time nor a captured length: it is of interface 0, and cut to its snap length. */
function parseSimplePacket(block: Block, interfaces: readonly Interface[]): CapturedFrame {
  const { bytes, view, littleEndian, offset } = block;
  const from = lookupInterface(interfaces, 0, offset);
  const originalLength = view.getUint32(0, littleEndian);
  const length = Math.min(originalLength, from.snapLength === 0 ? originalLength : from.snapLength);
  if (length > bytes.length - 4) {
    throw badCapture(offset + 8, `a frame of ${length} bytes exceeds its block`, length, `at most ${bytes.length - 4}`);
  }
  return {
    frame: bytes.slice(4, 4 + length),
    seconds: 0,
    nanoseconds: 0,
    originalLength,
    linkType: from.linkType,
    interface: 0,
    ...(from.name !== undefined && { interfaceName: from.name }),
    offset,
  };
}
