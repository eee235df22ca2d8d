// Groups: their text, against what `ovs-ofctl add-group` and `dump-groups` of Open vSwitch 3.1.0 took, printed and
// refused.
import { describe, expect, it } from 'vitest';
import { createGroupTable, formatGroup, parseGroup } from '../../src/openflow/group.js';
import { MegaflowError } from '../../src/util/errors.js';

const ports = { portNumber: (name: string) => (/^p[123]$/.test(name) ? Number(name[1]) : undefined) };

describe('parseGroup', () => {
  it.each([
    [
      'group_id=1,type=all,bucket=output:1,bucket=output:2',
      'group_id=1,type=all,bucket=bucket_id:0,actions=output:1,bucket=bucket_id:1,actions=output:2',
    ],
    [
      'group_id=1,type=select,bucket=weight:5,output:1,bucket=weight:6,actions=output:2',
      'group_id=1,type=select,bucket=bucket_id:0,weight:5,actions=output:1,bucket=bucket_id:1,weight:6,actions=output:2',
    ],
    [
      'group_id=1,type=select,bucket=bucket_id:5,weight:5,actions=output:1,bucket=bucket_id=6,weight=7,mod_vlan_vid:3,output:2',
      'group_id=1,type=select,bucket=bucket_id:5,weight:5,actions=output:1,bucket=bucket_id:6,weight:7,actions=mod_vlan_vid:3,output:2',
    ],
    [
      'group_id=1,type=indirect,bucket=actions=output:1',
      'group_id=1,type=indirect,bucket=bucket_id:0,actions=output:1',
    ],
    [
      'group_id=1,type=ff,bucket=watch_port:1,actions=output:1,bucket=watch_group:3,output:2',
      'group_id=1,type=ff,bucket=bucket_id:0,watch_port:1,actions=output:1,bucket=bucket_id:1,watch_group:3,actions=output:2',
    ],
    [
      'group_id=1,type=fast_failover,bucket=watch_port:p1,output:1,bucket=watch_port=2,output:2',
      'group_id=1,type=ff,bucket=bucket_id:0,watch_port:1,actions=output:1,bucket=bucket_id:1,watch_port:2,actions=output:2',
    ],
    ['group_id=1,type=all', 'group_id=1,type=all'],
    [
      'group_id=1,type=select,selection_method=hash,selection_method_param=5,fields(ip_src,ip_dst),bucket=1',
      'group_id=1,type=select,selection_method=hash,selection_method_param=5,fields(ip_src,ip_dst),bucket=bucket_id:0,actions=output:1',
    ],
    [
      'group_id=1,type=select,selection_method=dp_hash,bucket=1',
      'group_id=1,type=select,selection_method=dp_hash,bucket=bucket_id:0,actions=output:1',
    ],
    [
      'group_id=1,type=select,selection_method=hash,fields=eth_src,bucket=1',
      'group_id=1,type=select,selection_method=hash,fields=eth_src,bucket=bucket_id:0,actions=output:1',
    ],
    ['group_id=4294967040,type=all,bucket=1', 'group_id=4294967040,type=all,bucket=bucket_id:0,actions=output:1'],
    ['group_id=1,type=all,bucket=drop', 'group_id=1,type=all,bucket=bucket_id:0,actions=drop'],
    [
      'group_id=1,type=all,bucket=set_field:1.2.3.4->ip_dst,resubmit(,3)',
      'group_id=1,type=all,bucket=bucket_id:0,actions=mod_nw_dst:1.2.3.4,resubmit(,3)',
    ],
    [
      'group_id=1 type=all bucket=1,2 bucket=3',
      'group_id=1,type=all,bucket=bucket_id:0,actions=output:1,output:2,bucket=bucket_id:1,actions=output:3',
    ],
    ['group_id=0x10,type=all,bucket=watch_port:any,1', 'group_id=16,type=all,bucket=bucket_id:0,actions=output:1'],
  ])('takes %s', (given, printed) => {
    expect(formatGroup(parseGroup(given, ports))).toBe(printed);
    expect(formatGroup(parseGroup(printed))).toBe(printed);
  });

  it.each([
    ['group_id=1,type=foo,bucket=1', 'invalid group type foo'],
    ['type=all,bucket=1', 'must specify a group_id'],
    ['group_id=1,bucket=1', 'must specify a type'],
    ['group_id=1,type=indirect,bucket=1,bucket=2', 'Indirect groups can have at most one bucket.'],
    ['group_id=1,type=ff,bucket=output:1', 'fast failover bucket requires watch_port or watch_group'],
    ['group_id=foo,type=all', 'invalid numeric format foo'],
    ['group_id=1,type=all,bucket=foo:3', 'unknown action foo'],
    ['group_id=1,type=all,bucket=', 'bucket must specify actions'],
    ['group_id=1,type=all,foo=3,bucket=1', 'unknown keyword foo'],
    ['group_id=1,type=all,bucket=set_field:5->reg0,goto_table:3', 'goto_table instruction not allowed here'],
    ['group_id=1,type=all,bucket=weight:3,1', 'Only select groups can have bucket weights.'],
  ])('refuses %s', (given, message) => {
    expect(() => parseGroup(given, ports)).toThrow(expect.objectContaining({ code: 'bad-flow-text', message }));
  });

  it('gives buckets the numbers that are free, and each number once', () => {
    expect(
      parseGroup('group_id=1,type=all,bucket=1,bucket=bucket_id:0,2,bucket=3').buckets.map(({ id }) => id),
    ).toEqual([1, 0, 2]);
    expect(() => parseGroup('group_id=1,type=all,bucket=bucket_id:5,1,bucket=bucket_id:5,2')).toThrow(MegaflowError);
  });

  it('has selection only where something is selected', () => {
    expect(() => parseGroup('group_id=1,type=all,selection_method=hash')).toThrow(MegaflowError);
    expect(() => parseGroup('group_id=1,type=select,fields=eth_src')).toThrow(MegaflowError);
    expect(() => parseGroup('group_id=1,type=select,selection_method=hash,fields=nope')).toThrow(MegaflowError);
  });
});

describe('createGroupTable', () => {
  it('holds groups by number', () => {
    const groups = createGroupTable();
    const one = parseGroup('group_id=1,type=all,bucket=1');
    groups.add(one);
    expect(groups.get(1)).toBe(one);
    expect(() => groups.add(one)).toThrow(expect.objectContaining({ code: 'already-exists' }));
    const other = parseGroup('group_id=1,type=select,bucket=2');
    groups.modify(other);
    expect([...groups]).toEqual([other]);
    expect(() => groups.modify(parseGroup('group_id=2,type=all'))).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    );
    expect([groups.sequence, groups.remove(1), groups.remove(1), groups.sequence]).toEqual([2, true, false, 3]);
  });
});
