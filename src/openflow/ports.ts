/**
 * OpenFlow port numbers and their names. Numbers are those of OpenFlow 1.0, 16 bits, as Open vSwitch keeps them; the
 * reserved ones of later versions (from 0xffffff00) are read as these.
 */
import { refuse } from './text.js';
import type { OpenFlowAction } from './types.js';

/** The reserved port numbers. */
export const OpenFlowPort = {
  inPort: 0xfff8,
  table: 0xfff9,
  normal: 0xfffa,
  flood: 0xfffb,
  all: 0xfffc,
  controller: 0xfffd,
  local: 0xfffe,
  none: 0xffff,
} as const;

const names: ReadonlyMap<number, string> = new Map([
  [OpenFlowPort.inPort, 'IN_PORT'],
  [OpenFlowPort.table, 'TABLE'],
  [OpenFlowPort.normal, 'NORMAL'],
  [OpenFlowPort.flood, 'FLOOD'],
  [OpenFlowPort.all, 'ALL'],
  [OpenFlowPort.controller, 'CONTROLLER'],
  [OpenFlowPort.local, 'LOCAL'],
  [OpenFlowPort.none, 'ANY'],
]);

const numbers = new Map(Array.from(names, ([number, name]) => [name, number] as const)).set('NONE', OpenFlowPort.none);

/** What a text may name: the ports of a bridge. Without it only numbers and reserved names are known. */
export interface PortNames {
  /** OpenFlow number of the port of a name. */
  portNumber?(name: string): number | undefined;
  /** Name of a port, where a text is to show names. */
  portName?(number: number): string | undefined;
}

/**
 * A port number from its text: decimal, a reserved name in any case, or a name, in quotes or not; undefined if unknown.
 */
export function findPort(text: string, ports: PortNames): number | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number <= 0xffff) return number;
    return number >= 0xffffff00 && number <= 0xffffffff ? number & 0xffff : undefined;
  }
  const reserved = numbers.get(text.toUpperCase());
  if (reserved !== undefined) return reserved;
  const quoted = /^"(.*)"$/.exec(text);
  return ports.portNumber?.(quoted ? quoted[1] : text);
}

/** As `findPort`, refusing what it does not know. */
export function parsePort(text: string, ports: PortNames): number {
  return (
    findPort(text, ports) ??
    refuse(`${text} is not a valid OpenFlow port`, text, 'a port number, LOCAL and the like, or the name of a port')
  );
}

/** A port as `ovs-ofctl` prints it: the name of a reserved one, the name if names are known, otherwise the number. */
export function formatPort(number: number, ports: PortNames = {}): string {
  const reserved = names.get(number);
  if (reserved !== undefined) return reserved;
  const name = ports.portName?.(number);
  if (name === undefined) return String(number);
  // What could be taken for something else is put in quotes.
  return /^[a-zA-Z_][a-zA-Z0-9_.-]*$/.test(name) && !numbers.has(name.toUpperCase()) ? name : JSON.stringify(name);
}

/** The action that outputs to a port, reserved or not. */
export function outputTo(port: number): OpenFlowAction {
  switch (port) {
    case OpenFlowPort.inPort:
      return { type: 'in_port' };
    case OpenFlowPort.normal:
      return { type: 'normal' };
    case OpenFlowPort.flood:
      return { type: 'flood' };
    case OpenFlowPort.all:
      return { type: 'all' };
    case OpenFlowPort.local:
      return { type: 'local' };
    case OpenFlowPort.controller:
      return { type: 'controller', maxLength: 0xffff, reason: 'action', id: 0 };
    default:
      return { type: 'output', port };
  }
}
