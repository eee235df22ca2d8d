/**
 * Why a frame was refused or dropped: one number for all floors, so that a counter is one cell of an array.
 * `sound` is 0. Names are for people and for `coverage/show`.
 */

export const Reason = {
  sound: 0,
  // wire: what `check` of a protocol answers
  truncated: 1,
  badVersion: 2,
  badHeaderLength: 3,
  badTotalLength: 4,
  badChecksum: 5,
  badHardwareType: 6,
  badAddressLength: 7,
  badOption: 8,
  badFlags: 9,
  badReserved: 10,
  badType: 11,
  badPort: 12,
  fragmented: 13,
  // packet, io: what a port or a pool could not take
  poolExhausted: 14,
  frameTooLong: 15,
  mtuExceeded: 16,
  queueFull: 17,
  injectedFault: 18,
  portClosed: 19,
  // datapath
  runt: 20,
  invalidPort: 21,
  recirculationLimit: 22,
  upcallFailed: 23,
  upcallLost: 24,
  flowDrop: 25,
  noHeadroom: 26,
  tunnelPush: 27,
  tunnelPopTruncated: 28,
  tunnelPopVersion: 29,
  tunnelPopOptions: 30,
  tunnelPopIpChecksum: 31,
  tunnelPopUdpChecksum: 32,
  tunnelPopFlags: 33,
  invalidTunnelPort: 34,
  sampled: 35,
  userspaceAction: 36,
  noTunnelMetadata: 37,
  unresolved: 38,
  notForUs: 39,
  // an IP host
  noRoute: 40,
  noListener: 41,
  badSource: 42,
  // ports of node/: who sent it, what its virtio header asks for, and what the system refused to send
  unknownRemote: 43,
  badOffload: 44,
  sendFailed: 45,
} as const;

export type Reason = (typeof Reason)[keyof typeof Reason];

/** One more than the largest reason: the length of an array of counters. */
export const REASON_COUNT = Math.max(...Object.values(Reason)) + 1;

const names: string[] = [];
for (const [name, reason] of Object.entries(Reason))
  names[reason] = name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** The name of a reason in kebab case: `bad-checksum`. */
export function reasonName(reason: number): string {
  return names[reason] ?? `reason-${reason}`;
}

/** The counters that are not zero, by name: plain data for people and for JSON. */
export function reasonCounts(counters: Float64Array): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let reason = 1; reason < counters.length; reason++)
    if (counters[reason] !== 0) counts[reasonName(reason)] = counters[reason];
  return counts;
}
