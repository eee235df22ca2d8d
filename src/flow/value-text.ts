/**
 * How the value of one field looks in the text of a flow, and how it is read: numbers, addresses, fragments, parts of a
 * VLAN tag or of an MPLS label. Which fields an attribute has, and under which names, is in `attribute-text.ts`.
 */
import { formatMac, formatIpv4, formatIpv6 } from '../util/address.js';
import { toHex } from '../util/bytes.js';
import {
  FRAG_ANY,
  FRAG_LATER,
  anyBit,
  getBytes,
  getField,
  setBytes,
  setField,
  type FieldName,
  type FlowWords,
} from './fields.js';
import { formatHash } from './flag-text.js';
import { take, takeBytes, takeInteger, takeIpv4, takeIpv6, takeMac, takePattern, type Cursor } from './scan.js';

export interface ValueText {
  formatValue(key: FlowWords, field: FieldName): string;
  formatMask(mask: FlowWords, field: FieldName): string;
  /** The value before a `/mask`, where it looks otherwise than alone. */
  formatPartialValue?(key: FlowWords, field: FieldName): string;
  /** Whether the mask has all bits of this value; the text has no `/mask` then. */
  isExact(mask: FlowWords, field: FieldName): boolean;
  isWild(mask: FlowWords, field: FieldName): boolean;
  /** Reads `VALUE[/MASK]` into both arrays; false where the text does not fit. */
  scan(cursor: Cursor, key: FlowWords, mask: FlowWords, field: FieldName): boolean;
  /** The text has the value only when it counts, even in verbose text. */
  readonly onlyMasked?: boolean;
}

/** Decimal without sign. */
const decimal = (value: number): string => String(value);

interface NumberForm {
  /** Width in C, to which a number that is read wraps. */
  readonly bits: number;
  /** Lowest bit of the value within the field. */
  readonly shift?: number;
  readonly value: (value: number) => string;
  readonly mask: (mask: number) => string;
  /** Numbers from here on are refused rather than wrapped. */
  readonly limit?: number;
  /** Width in C of the number that is read, where it is not `bits`. */
  readonly readBits?: number;
}

/** A number of at most 32 bits, at a place within a field. */
function numberText(form: NumberForm): ValueText {
  const { bits, shift = 0, limit, readBits = bits } = form;
  const all = 2 ** bits - 1;
  const part = (words: FlowWords, field: FieldName): number =>
    shift === 0 && bits === 32 ? getField(words, field) : (getField(words, field) >>> shift) & all;
  const store = (words: FlowWords, field: FieldName, value: number): void => {
    if (bits === 32) setField(words, field, value);
    else setField(words, field, ((getField(words, field) & ~(all << shift)) | (value << shift)) >>> 0);
  };
  const read = (cursor: Cursor): number | undefined => {
    const value = takeInteger(cursor, 0, readBits);
    return value !== undefined && limit !== undefined && value >= limit ? undefined : value;
  };
  return {
    formatValue: (key, field) => form.value(part(key, field)),
    formatMask: (mask, field) => form.mask(part(mask, field)),
    isExact: (mask, field) => part(mask, field) === all,
    isWild: (mask, field) => part(mask, field) === 0,
    scan(cursor, key, mask, field) {
      const value = read(cursor);
      if (value === undefined) return false;
      store(key, field, value & all);
      let maskValue: number | undefined = all;
      if (take(cursor, '/')) maskValue = read(cursor);
      if (maskValue === undefined) return false;
      store(mask, field, maskValue & all);
      return true;
    },
  };
}

export const decimal8 = numberText({ bits: 8, value: decimal, mask: formatHash });
export const decimal16 = numberText({ bits: 16, value: decimal, mask: formatHash });
export const hash8 = numberText({ bits: 8, value: formatHash, mask: formatHash });
export const hash16 = numberText({ bits: 16, value: formatHash, mask: formatHash });
export const hash32 = numberText({ bits: 32, value: formatHash, mask: formatHash });
const hex4 = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;
export const etherType = numberText({ bits: 16, value: hex4, mask: hex4 });
/** The flow label: 20 bits, of which more is refused. */
export const flowLabel = numberText({ bits: 20, value: formatHash, mask: formatHash, limit: 0x10_0000, readBits: 32 });
/** ARP's opcode: a key holds 8 bits of it; more is refused. */
export const arpOpcode: ValueText = {
  ...decimal8,
  scan(cursor, key, mask, field) {
    const value = takeInteger(cursor, 0, 16);
    const maskValue = value === undefined || !take(cursor, '/') ? 0xffff : takeInteger(cursor, 0, 16);
    if (value === undefined || value > 255 || maskValue === undefined) return false;
    setField(key, field, value);
    setField(mask, field, maskValue & 0xff);
    return true;
  },
};

const hex = (value: number): string => `0x${value.toString(16)}`;
const bare = (value: number): string => value.toString(16);
const bitField = (
  bits: number,
  shift: number,
  value: (value: number) => string,
  mask: (mask: number) => string,
  readBits: number,
): ValueText => numberText({ bits, shift, value, mask, limit: 2 ** bits, readBits });

/** Parts of a VLAN tag. */
export const vlanId = bitField(12, 0, decimal, hex, 16);
export const vlanPriority = bitField(3, 13, decimal, hex, 16);
export const vlanCfi = bitField(1, 12, decimal, hex, 16);

/** Parts of an MPLS label stack entry. */
export const mplsLabel = bitField(20, 12, decimal, hex, 32);
export const mplsTc = bitField(3, 9, decimal, bare, 32);
export const mplsBos = bitField(1, 8, decimal, bare, 32);
export const mplsTtl = bitField(8, 0, decimal, hex, 32);

/** Halves of a packet type: the namespace above, the type below. */
export const typeNamespace = numberText({ bits: 16, shift: 16, value: decimal, mask: formatHash });
export const typeId = numberText({ bits: 16, value: formatHash, mask: formatHash });

const hex2 = (value: number): string => `0x${value.toString(16).padStart(2, '0')}`;
const hex8 = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;

/**
 * Numbers of NSH, which are written only where they count. Those of 8 bits are decimal, and hexadecimal when masked.
 */
const nshByte = (field8: ValueText): ValueText => ({
  ...field8,
  onlyMasked: true,
  formatPartialValue: (key, field) => hex2(Number(field8.formatValue(key, field))),
});
export const nsh8 = nshByte(numberText({ bits: 8, value: decimal, mask: hex2 }));
export const nsh32: ValueText = { ...numberText({ bits: 32, value: hex, mask: hex8 }), onlyMasked: true };
export const nshPathId: ValueText = {
  ...numberText({ bits: 24, shift: 8, value: hex, mask: hex8, readBits: 32 }),
  onlyMasked: true,
};

export const mac: ValueText = {
  formatValue: (key, field) => formatMac(getField(key, field)),
  formatMask: (mask, field) => formatMac(getField(mask, field)),
  isExact: (mask, field) => getField(mask, field) === 0xffff_ffff_ffff,
  isWild: (mask, field) => getField(mask, field) === 0,
  scan(cursor, key, mask, field) {
    const value = takeMac(cursor);
    const maskValue = value === undefined || !take(cursor, '/') ? 0xffff_ffff_ffff : takeMac(cursor);
    if (value === undefined || maskValue === undefined) return false;
    setField(key, field, value);
    setField(mask, field, maskValue);
    return true;
  },
};

export const ipv4: ValueText = {
  formatValue: (key, field) => formatIpv4(getField(key, field)),
  formatMask: (mask, field) => formatIpv4(getField(mask, field)),
  isExact: (mask, field) => getField(mask, field) === 0xffff_ffff,
  isWild: (mask, field) => getField(mask, field) === 0,
  scan(cursor, key, mask, field) {
    const value = takeIpv4(cursor);
    const maskValue = value === undefined || !take(cursor, '/') ? 0xffff_ffff : takeIpv4(cursor);
    if (value === undefined || maskValue === undefined) return false;
    setField(key, field, value);
    setField(mask, field, maskValue);
    return true;
  },
};

const EXACT_16 = new Uint8Array(16).fill(0xff);
const bytesAreExact = (mask: FlowWords, field: FieldName): boolean =>
  getBytes(mask, field).every((byte) => byte === 0xff);

export const ipv6: ValueText = {
  formatValue: (key, field) => formatIpv6(getBytes(key, field)),
  formatMask: (mask, field) => formatIpv6(getBytes(mask, field)),
  isExact: bytesAreExact,
  isWild: (mask, field) => !anyBit(mask, field),
  scan(cursor, key, mask, field) {
    const value = takeIpv6(cursor);
    const maskValue = value === undefined || !take(cursor, '/') ? EXACT_16 : takeIpv6(cursor);
    if (value === undefined || maskValue === undefined) return false;
    setBytes(key, field, value);
    setBytes(mask, field, maskValue);
    return true;
  },
};

/** Bytes as one number: `0x` and hexadecimal digits without leading zeros; `0` when all are zero. */
export function formatBytes(bytes: Uint8Array): string {
  const digits = toHex(bytes).replace(/^0+/, '');
  return digits === '' ? '0' : `0x${digits}`;
}

/** 128 bits as one hexadecimal number. */
export const wide128: ValueText = {
  formatValue: (key, field) => formatBytes(getBytes(key, field)),
  formatMask: (mask, field) => formatBytes(getBytes(mask, field)),
  isExact: bytesAreExact,
  isWild: (mask, field) => !anyBit(mask, field),
  scan(cursor, key, mask, field) {
    const value = takeBytes(cursor, 16);
    const maskValue = value === undefined || !take(cursor, '/') ? EXACT_16 : takeBytes(cursor, 16);
    if (value === undefined || maskValue === undefined) return false;
    setBytes(key, field, value);
    setBytes(mask, field, maskValue);
    return true;
  },
};

const FRAGMENTS = { no: 0, first: FRAG_ANY, later: FRAG_ANY | FRAG_LATER } as const;

/** An enumeration on the wire to the datapath: its mask is all or nothing, and is never written. */
export const fragment: ValueText = {
  onlyMasked: true,
  formatValue(key, field) {
    const bits = getField(key, field);
    return (bits & FRAG_ANY) === 0 ? 'no' : (bits & FRAG_LATER) === 0 ? 'first' : 'later';
  },
  formatMask: () => '',
  isExact: (mask, field) => (getField(mask, field) & FRAG_ANY) !== 0,
  isWild: (mask, field) => (getField(mask, field) & FRAG_ANY) === 0,
  scan(cursor, key, mask, field) {
    const name = takePattern(cursor, /[a-z]{1,7}/y);
    if (name === undefined || !Object.hasOwn(FRAGMENTS, name)) return false;
    setField(key, field, FRAGMENTS[name as keyof typeof FRAGMENTS]);
    setField(mask, field, FRAG_ANY | FRAG_LATER);
    return true;
  },
};

/** `VALUE` where the mask is exact or there is none, otherwise `VALUE/MASK`. */
export function formatMasked(form: ValueText, key: FlowWords, mask: FlowWords | undefined, field: FieldName): string {
  if (mask === undefined || form.isExact(mask, field)) return form.formatValue(key, field);
  return `${(form.formatPartialValue ?? form.formatValue)(key, field)}/${form.formatMask(mask, field)}`;
}
