// What flows share: lists of actions are made once, and their places are given again when the last flow has gone.
import { expect, it } from 'vitest';
import { parseActions } from '../../src/action/text-parse.js';
import { createSetter } from '../../src/action/set.js';
import { createKeyRows } from '../../src/flow/key-rows.js';
import { COUNTER_WORDS, FlowTable } from '../../src/datapath/flow-table.js';
import { KEY_WORDS } from '../../src/flow/fields.js';
import { PacketPool } from '../../src/packet/pool.js';

const mask = new Int32Array(KEY_WORDS);
mask[0] = -1;
const keyOf = (inPort: number): Int32Array => {
  const key = new Int32Array(KEY_WORDS);
  key[0] = inPort;
  return key;
};

it('keeps one list for flows that do the same', () => {
  const table = new FlowTable(createKeyRows(), createSetter(new PacketPool({ slots: 64 })), {});
  const [first, second, other] = ['2', '2', '3'].map((text, port) =>
    table.insert(keyOf(port), mask, parseActions(text)),
  );
  expect(table.actionsOf(first)).toBe(table.actionsOf(second));
  expect(table.actionsOf(first)).not.toBe(table.actionsOf(other));
  expect(table.programs).toHaveLength(2);
  table.remove(first);
  expect(table.actionsOf(second)).toMatchObject({ text: '2', references: 1 });
});

it('does not grow with what has been', () => {
  const table = new FlowTable(createKeyRows(), createSetter(new PacketPool({ slots: 64 })), {});
  const flow = table.insert(keyOf(1), mask, []);
  for (let round = 0; round < 1000; round++) {
    table.modify(flow, parseActions(`${round},${round + 1}`));
    const brief = table.insert(keyOf(2), mask, parseActions(`${round}`));
    expect(() => table.insert(keyOf(2), mask, parseActions(`7,${round}`))).toThrow(
      expect.objectContaining({ code: 'already-exists' }),
    );
    table.remove(brief);
    table.release(table.acquire(parseActions(`8,${round}`)));
  }
  expect(table.programs.length).toBeLessThan(5);
  expect(table.actionsOf(flow).text).toBe('999,1000');
});

it('has room for many flows, and keeps what they counted while it grows', () => {
  const table = new FlowTable(createKeyRows(), createSetter(new PacketPool({ slots: 64 })), {});
  const flows: number[] = [];
  for (let port = 0; port < 1000; port++) {
    flows.push(table.insert(keyOf(port), mask, parseActions(String(port % 7))));
    table.counters[flows[port] * COUNTER_WORDS] += port;
  }
  expect(flows.map((flow) => table.counters[flow * COUNTER_WORDS])).toEqual(flows.map((_, port) => port));
  expect(flows.map((flow) => table.actionsOf(flow).text)).toEqual(flows.map((_, port) => String(port % 7)));
  expect([table.size, table.has(flows[999]), table.has(2000), table.has(-1)]).toEqual([1000, true, false, false]);
});
