// The frames of the end-to-end stages, those of baseline.c: UDP over IPv4 with a source address and port that tell flows apart, plain or
// in VXLAN. And the order in which flows come.
// @ts-check
import { buildFrame, vxlan } from 'megaflow';

/** Bytes of Ethernet, IPv4, UDP and VXLAN before an inner frame. */
export const OUTER_BYTES = 50;
export const VNI = 100;

/** What is put around an inner frame. */
export const outer = {
  sourceMac: '02:01:01:01:01:01',
  destinationMac: '02:02:02:02:02:02',
  sourceIp: '172.16.0.1',
  destinationIp: '172.16.0.2',
  sourcePort: 40000,
  vni: VNI,
};

/** An inner frame of so many bytes, 42 at least. */
export function innerFrame(length = 64) {
  return buildFrame([
    { type: 'ethernet', source: '52:54:00:aa:bb:cc', destination: '52:54:00:11:22:33' },
    { type: 'ipv4', source: '10.0.0.1', destination: '192.168.1.1' },
    { type: 'udp', sourcePort: 1024, destinationPort: 53 },
    { type: 'payload', bytes: new Uint8Array(length - 42) },
  ]);
}

/** The same in VXLAN. */
export function outerFrame(length = 64) {
  return vxlan.encapsulate(innerFrame(length), outer);
}

/** Bytes 0 to 49 of an encapsulated frame, as `tnl_push` wants them. */
export function outerHeader() {
  return vxlan.compile(outer).bytes.slice();
}

/** 0 to `count` - 1 in an order that no prefetcher knows, the same each time, and the same as in baseline.c. */
export function shuffled(/** @type {number} */ count) {
  const order = Int32Array.from({ length: count }, (_, index) => index);
  let state = 0x12345678;
  for (let index = count - 1; index > 0; index--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const other = (state >>> 0) % (index + 1);
    [order[index], order[other]] = [order[other], order[index]];
  }
  return order;
}
