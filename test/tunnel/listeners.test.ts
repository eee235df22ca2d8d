// What is terminated, and how little is looked at to say that something is not: the table of section 4.5 of the behaviour
// reference (observed with Open vSwitch 3.1.0).
import { beforeEach, describe, expect, it } from 'vitest';
import {
  FLOW_WORDS,
  VLAN_PRESENT,
  fields,
  getField,
  setBytes,
  setField,
  type FieldName,
  type FlowWords,
} from '../../src/flow/fields.js';
import { ListenerTable } from '../../src/tunnel/listeners.js';
import { parseIp } from '../../src/util/address.js';

const MAC = 0xaa55_aa55_0001;
let table: ListenerTable;

beforeEach(() => {
  table = new ListenerTable();
  table.rebuild(
    [{ name: 'br1', mac: MAC, addresses: [parseIp('10.10.10.1'), parseIp('fd00::1')] }],
    [{ datapathPort: 2, destinationPort: 8472 }],
  );
});

function flow(values: Partial<Record<FieldName, number | string>>): FlowWords {
  const words = new Int32Array(FLOW_WORDS);
  const base = {
    ethDst: MAC,
    ethType: 0x0800,
    ipProto: 17,
    tpDst: 8472,
    tpSrc: 40000,
    ipv4Src: '10.10.10.2',
    ipv4Dst: '10.10.10.1',
  };
  for (const [name, value] of Object.entries({ ...base, ...values })) {
    if (typeof value === 'string') setBytes(words, name as FieldName, parseIp(value));
    else setField(words, name as FieldName, value!);
  }
  return words;
}

/** The masks of all fields that were looked at. */
function lookup(values: Partial<Record<FieldName, number | string>>): [number, Record<string, number>] {
  const wildcards = new Int32Array(FLOW_WORDS);
  const port = table.lookup(flow(values), wildcards);
  const seen: Record<string, number> = {};
  for (const name of Object.keys(fields) as FieldName[]) {
    const { length } = fields[name];
    if (length > 6) {
      const words = wildcards.slice(fields[name].at >> 2, (fields[name].at + length) >> 2);
      if (words.some((word) => word !== 0)) seen[name] = words.every((word) => word === -1) ? Infinity : NaN;
    } else if (getField(wildcards, name) !== 0) seen[name] = getField(wildcards, name);
  }
  return [port, seen];
}

const L2 = { ethDst: 0xffff_ffff_ffff, ethType: 0xffff, vlanTci: 0xffff };
const L3 = { ...L2, ipProto: 0xff, ipFrag: 3, ipv4Dst: 0xffff_ffff };

describe('listeners', () => {
  it('terminate what is for an own address and a tunnel port', () => {
    expect(lookup({})).toEqual([2, { ...L3, tpDst: 0xffff }]);
    const ipv6 = { ethType: 0x86dd, ipv4Dst: 0, ipv4Src: 0, ipv6Dst: 'fd00::1' };
    expect(lookup(ipv6)).toEqual([2, { ...L2, ipProto: 0xff, ipFrag: 3, ipv6Dst: Infinity, tpDst: 0xffff }]);
  });

  it('look at no more than the destination MAC where it is another', () => {
    const [port, seen] = lookup({ ethDst: MAC + 1 });
    expect(port).toBe(-1);
    expect(Object.keys(seen).filter((name) => !(name in L2))).toEqual([]);
  });

  it('look at the tag and not at IP where the frame is tagged', () => {
    const [port, seen] = lookup({ vlanTci: VLAN_PRESENT | 5 });
    expect(port).toBe(-1);
    expect(seen).toEqual(L2);
  });

  it.each([
    ['address', { ipv4Dst: '10.10.10.9' }],
    ['protocol', { ipProto: 6 }],
    ['first fragment', { ipFrag: 1 }],
    ['later fragment', { ipFrag: 3 }],
  ] as const)('look at the whole IP stage for another %s', (_what, values) => {
    const [port, seen] = lookup(values);
    expect(port).toBe(-1);
    expect(seen).toEqual(L3);
  });

  it('look at the leading bits of another UDP port, up to the first that differs', () => {
    // 53 is 0000 0000 0011 0101, 8472 is 0010 0001 0001 1000: three bits tell them apart (0xe000, as was observed).
    expect(lookup({ tpDst: 53 })).toEqual([-1, { ...L3, tpDst: 0xe000 }]);
    // 8473 differs in the last bit.
    expect(lookup({ tpDst: 8473 })).toEqual([-1, { ...L3, tpDst: 0xffff }]);
    expect(lookup({ tpDst: 0x8000 })).toEqual([-1, { ...L3, tpDst: 0x8000 }]);
  });

  it('are one for each address and each tunnel port, and those of the last time go', () => {
    expect(table.size).toBe(2);
    const two = [parseIp('10.10.10.1'), parseIp('10.10.11.1')];
    const ports = [
      { datapathPort: 2, destinationPort: 8472 },
      { datapathPort: 3, destinationPort: 4789 },
    ];
    table.rebuild(
      [
        { name: 'br1', mac: MAC, addresses: two },
        { name: 'br2', mac: MAC + 1, addresses: [parseIp('10.1.1.1')] },
      ],
      ports,
    );
    expect(table.size).toBe(6);
    expect(lookup({ tpDst: 4789 })[0]).toBe(3);
    expect(lookup({ tpDst: 4789, ipv4Dst: '10.10.11.1' })[0]).toBe(3);
    expect(lookup({ ethDst: MAC + 1, ipv4Dst: '10.1.1.1' })[0]).toBe(2);
    // Addresses belong to their device's MAC.
    expect(lookup({ ethDst: MAC + 1 })[0]).toBe(-1);
    expect(
      [...table].filter(({ device, destinationPort }) => device === 'br2' && destinationPort === 4789).length,
    ).toBe(1);
    table.rebuild([], ports);
    expect(table.size).toBe(0);
    expect(lookup({})).toEqual([-1, {}]);
  });

  it('hold the same address on the same MAC once', () => {
    const device = { name: 'br1', mac: MAC, addresses: [parseIp('10.10.10.1')] };
    table.rebuild([device, { ...device, name: 'br2' }], [{ datapathPort: 2, destinationPort: 8472 }]);
    expect(table.size).toBe(1);
  });
});
