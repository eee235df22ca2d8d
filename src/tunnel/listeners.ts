/**
 * What is terminated (Open vSwitch's lib/tnl-ports.c): for each address that we own and each tunnel port, the headers that a
 * packet to that tunnel has. The look-up un-wildcards no more than it reads, which shows in the megaflows of ordinary traffic to
 * a device that has an address.
 */
import { createStagedClassifier } from '../classifier/staged.js';
import { FLOW_WORDS, setBytes, setExact, setField, type FieldName, type FlowWords } from '../flow/fields.js';

export interface Listener {
  readonly key: FlowWords;
  readonly mask: FlowWords;
  readonly priority: 0;
  readonly device: string;
  readonly ip: Uint8Array;
  readonly mac: number;
  /** UDP port listened on. */
  readonly destinationPort: number;
  /** Datapath port that packets are popped to. */
  readonly datapathPort: number;
}

/** A device that listens. */
export interface ListeningDevice {
  readonly name: string;
  readonly mac: number;
  readonly addresses: readonly Uint8Array[];
}

/** One tunnel port in use. */
export interface ListeningPort {
  readonly datapathPort: number;
  readonly destinationPort: number;
}

const UDP = 17;

export class ListenerTable {
  readonly #classifier = createStagedClassifier<Listener>({ prefixFields: [] });

  /** Makes the table that of these devices and ports. */
  rebuild(devices: readonly ListeningDevice[], ports: readonly ListeningPort[]): void {
    for (const listener of [...this.#classifier]) this.#classifier.remove(listener);
    for (const device of devices) {
      for (const ip of device.addresses) for (const port of ports) this.#insert(device, ip, port);
    }
  }

  #insert(device: ListeningDevice, ip: Uint8Array, port: ListeningPort): void {
    const key = new Int32Array(FLOW_WORDS);
    const mask = new Int32Array(FLOW_WORDS);
    const ipv4 = ip.length === 4;
    const exact: FieldName[] = [
      'ethDst',
      'ethType',
      'vlanTci',
      'ipProto',
      'ipFrag',
      ipv4 ? 'ipv4Dst' : 'ipv6Dst',
      'tpDst',
    ];
    for (const name of exact) setExact(mask, name);
    setField(key, 'ethDst', device.mac);
    setField(key, 'ethType', ipv4 ? 0x0800 : 0x86dd);
    setField(key, 'ipProto', UDP);
    setField(key, 'tpDst', port.destinationPort);
    setBytes(key, ipv4 ? 'ipv4Dst' : 'ipv6Dst', ip);
    if (this.#classifier.find(key, mask, 0)) return;
    this.#classifier.insert({ key, mask, priority: 0, device: device.name, ip, mac: device.mac, ...port });
  }

  /** The datapath port that the packet with this flow is popped to, -1 for none; ORs what was read into `wildcards`. */
  lookup(flow: FlowWords, wildcards: FlowWords): number {
    return this.#classifier.lookup(flow, wildcards)?.datapathPort ?? -1;
  }

  get size(): number {
    return this.#classifier.size;
  }

  [Symbol.iterator](): Iterator<Listener> {
    return this.#classifier[Symbol.iterator]();
  }
}
