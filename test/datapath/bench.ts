// A datapath on a bench: ports that are functions, a clock that stands still, upcalls that a test answers.
import { expect } from 'vitest';
import { parseActions } from '../../src/action/text-parse.js';
import { Datapath, type DatapathOptions, type Upcall } from '../../src/datapath/datapath.js';
import { KEY_WORDS, getField, setExact, type FieldName, type FlowWords } from '../../src/flow/fields.js';
import { createFunctionPort, type FunctionPort, type FunctionPortOptions } from '../../src/io/function-port.js';
import { buildFrame, type Layer } from '../../src/packet/build.js';
import type { Packet } from '../../src/packet/packet.js';
import { ManualClock } from '../../src/util/clock.js';
import { toHex } from '../../src/util/bytes.js';

export interface Bench {
  datapath: Datapath;
  clock: ManualClock;
  /** By number of the port. */
  ports: Map<number, FunctionPort>;
  /** What left, in order. */
  sent: [port: number, frame: string][];
  upcalls: { frame: string; key: FlowWords }[];
  /** Adds a port that takes notes; answers its number. */
  addPort(options?: Partial<FunctionPortOptions> & { number?: number }): number;
  /** A frame comes in on a port and waits for its turn. */
  receive(port: number, ...frames: Uint8Array[]): void;
  /** What left since it was last asked. */
  take(): [port: number, frame: string][];
  /** Closes, and makes sure that nothing is left over. */
  close(): void;
}

export type Decide = (key: FlowWords, packet: Packet) => Upcall | null;

export function createBench(decide: Decide = () => null, options: Partial<DatapathOptions> = {}, portCount = 4): Bench {
  const clock = new ManualClock(1000);
  const upcalls: Bench['upcalls'] = [];
  const datapath = new Datapath({
    clock,
    poolOptions: { slots: 256 },
    upcall(packet, key) {
      upcalls.push({ frame: toHex(packet.frame), key: key.slice() });
      return decide(key, packet);
    },
    ...options,
  });
  const ports: Bench['ports'] = new Map();
  const bench: Bench = {
    datapath,
    clock,
    ports,
    sent: [],
    upcalls,
    addPort({ number, ...rest } = {}) {
      let added = -1;
      const port = createFunctionPort({
        name: `port${ports.size + 1}`,
        send: (frame) => void bench.sent.push([added, toHex(frame)]),
        ...rest,
      });
      added = datapath.addPort(port.port, { number });
      ports.set(added, port);
      return added;
    },
    receive(port, ...frames) {
      for (const frame of frames) expect(ports.get(port)!.receive(frame)).toBe(0);
    },
    take: () => bench.sent.splice(0),
    close() {
      expect(datapath.pool.available).toBe(datapath.pool.slots);
      datapath.close();
      expect([clock.pending, datapath.pool.available]).toEqual([0, datapath.pool.slots]);
    },
  };
  for (let index = 0; index < portCount; index++) bench.addPort();
  return bench;
}

/** A decision to do what a text says, for packets that agree in the fields named. */
export function decision(text: string, ...exact: FieldName[]): Upcall {
  const mask = new Int32Array(KEY_WORDS);
  for (const name of ['inPort', 'recircId', ...exact] as FieldName[]) setExact(mask, name);
  return { mask, actions: text === 'drop' ? [] : parseActions(text) };
}

/** A megaflow with the key of a frame that comes in on a port. */
export function put(
  { datapath }: Bench,
  inPort: number,
  frame: Uint8Array,
  text: string,
  ...exact: FieldName[]
): number {
  const { mask, actions } = decision(text, ...exact);
  return datapath.putFlow(datapath.keyOf(frame, inPort)!, mask, actions);
}

/** UDP from 10.0.0.`from` to 10.0.0.`to`, with `length` bytes of data. */
export function udp(from: number, to: number, length = 18): Uint8Array {
  return packet(from, to, { type: 'udp', sourcePort: 1000 + from, destinationPort: 2000 }, length);
}

export function tcp(from: number, to: number, flags: number): Uint8Array {
  return packet(from, to, { type: 'tcp', sourcePort: 1000 + from, destinationPort: 80, flags }, 0);
}

function packet(from: number, to: number, transport: Layer, length: number): Uint8Array {
  return buildFrame([
    {
      type: 'ethernet',
      source: `02:00:00:00:00:${from.toString(16)}`,
      destination: `02:00:00:00:01:${to.toString(16)}`,
    },
    { type: 'ipv4', source: `10.0.0.${from}`, destination: `10.0.0.${to}` },
    transport,
    { type: 'payload', bytes: new Uint8Array(length).fill(from) },
  ]);
}

export const inPortOf = (key: FlowWords): number => getField(key, 'inPort');
