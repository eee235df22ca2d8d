/**
 * `megaflow`: everything but what needs Node (that is `megaflow/node`). A list of names.
 */
export { MegaflowError, type ErrorCode } from './util/errors.js';
export { ManualClock, systemClock, type Clock, type Timer } from './util/clock.js';
export { REASON_COUNT, Reason, reasonCounts, reasonName } from './util/reason.js';
export { checksum, fold, sum16, updateChecksum16, updateChecksum32 } from './util/checksum.js';
export { fromHex, toHex } from './util/bytes.js';
export {
  formatIp,
  formatIpv4,
  formatIpv6,
  formatMac,
  parseIp,
  parseIpv4,
  parseIpv6,
  parseMac,
  parsePrefix,
  type IpPrefix,
} from './util/address.js';

export * as arp from './wire/arp.js';
export * as ethernet from './wire/ethernet.js';
export * as icmp from './wire/icmp.js';
export * as icmpv6 from './wire/icmpv6.js';
export * as ipv4 from './wire/ipv4.js';
export * as ipv6 from './wire/ipv6.js';
export * as llc from './wire/llc.js';
export * as sctp from './wire/sctp.js';
export * as tcp from './wire/tcp.js';
export * as udp from './wire/udp.js';
export * as vlan from './wire/vlan.js';
export * as vxlan from './wire/vxlan.js';
export { printFrame } from './wire/print.js';

export { BURST, Extras, PacketPool, TUNNEL_WORDS, type PacketHandle, type PoolOptions } from './packet/pool.js';
export { Packet } from './packet/packet.js';
export { buildFrame, type Layer, type Padding, type Payload } from './packet/build.js';
export { dissect } from './packet/dissect.js';
export { flowHash } from './packet/flow-hash.js';
export { readMetadata, writeMetadata, type PacketMetadata } from './packet/metadata.js';
export { parseTunnel, writeTunnel, type TunnelMetadata } from './packet/tunnel.js';

export {
  FLOW_WORDS,
  KEY_WORDS,
  TunnelFlags,
  fields,
  getBytes,
  getField,
  isExact,
  sealKey,
  setBytes,
  setExact,
  setField,
  type FieldName,
  type FieldPlace,
  type FlowWords,
} from './flow/fields.js';
export type { ExtractOptions } from './flow/extract.js';
export { createMatch, matches, type FlowMatch, type GeneveOption } from './flow/match.js';
export { formatFlow } from './flow/text-format.js';
export { parseFlow } from './flow/text-parse.js';

export { PortCounters, type Port, type PortHost } from './io/port.js';
export { createIdlePort } from './io/idle-port.js';
export { createFunctionPort, type FunctionPort, type FunctionPortOptions } from './io/function-port.js';
export { createLink, type LinkEnd, type LinkOptions } from './io/link.js';
export { createIpHost, type HostNeighbour, type IpHost, type IpHostOptions } from './io/host.js';
export type { PingOptions, PingReply, PingResult } from './io/host-ping.js';
export {
  ReceivedDatagram,
  type Datagram,
  type UdpHandler,
  type UdpListenerOptions,
  type UdpSocket,
} from './io/host-udp.js';
export { createVxlanDevice, tunnelSourcePort, type VxlanDevice, type VxlanDeviceOptions } from './io/vxlan-device.js';
export { faultPort, type FaultCounts, type FaultOptions, type FaultPort, type FaultProbabilities } from './io/fault.js';
export {
  LINK_TYPE_ETHERNET,
  capturePort,
  type CaptureDirection,
  type CapturePortOptions,
  type CaptureSink,
  type CaptureWriter,
  type CapturedFrame,
  type FrameToCapture,
} from './io/capture.js';
export { createPcapWriter, type PcapOptions } from './io/pcap.js';
export { createPcapngWriter, type PcapngInterface, type PcapngOptions } from './io/pcapng.js';
export { createCaptureReader, parseCapture, type CaptureReader } from './io/capture-reader.js';

export type {
  Action,
  ConntrackAction,
  FieldSetting,
  NatRange,
  NshHeader,
  SetAttribute,
  TunnelHeader,
} from './action/types.js';
export { formatActions } from './action/text-format.js';
export { parseActions } from './action/text-parse.js';

export {
  Datapath,
  type DatapathOptions,
  type DatapathStatistics,
  type DropListener,
  type FlowChange,
  type FlowCredit,
  type FlowInfo,
  type HeldPacket,
  type Resolution,
  type Upcall,
  type UpcallHandler,
} from './datapath/datapath.js';
export {
  createFlowServer,
  type FlowServer,
  type FlowServerOptions,
  type WorkerConnection,
} from './datapath/flow-server.js';
export type { MessageEnd } from './datapath/messages.js';
export type { RelayPortOptions } from './datapath/relay-port.js';
export {
  createWorkerDatapath,
  type WorkerCounters,
  type WorkerDatapath,
  type WorkerDatapathOptions,
} from './datapath/worker-datapath.js';
export { formatFlowInfo, type DumpOptions } from './datapath/dump.js';
export type { DatapathPort } from './datapath/ports.js';

export type { Listener, ListenerTable } from './tunnel/listeners.js';
export type { Neighbour, NeighbourTable } from './tunnel/neighbours.js';
export type { TunnelAddress, TunnelConfig } from './tunnel/options.js';
export type { TunnelPort } from './tunnel/ports.js';
export type { DeviceAddress, Route, Router } from './tunnel/router.js';

export { VSwitch, type SwitchCounters, type SwitchEvents, type VSwitchOptions } from './switch/vswitch.js';
export type { RevalidatorOptions, SweepStatistics } from './switch/revalidate.js';
export type { DropRate } from './switch/drop-rates.js';
export type {
  Bridge,
  BridgeConfig,
  InterfaceType,
  Mirror,
  MirrorConfig,
  PortConfig,
  SwitchPort,
} from './switch/model.js';
export type { MacEntry, MacTable, MacTableStatistics } from './switch/mac-table.js';
export type { VlanColumns, VlanMode, VlanRules } from './switch/vlan.js';
export type { Effect } from './switch/effects.js';
export type { FinalFlow, Translation } from './switch/translate.js';

export { appctl, listCommands } from './control/appctl.js';
export { readCoverage, showCoverage } from './control/coverage.js';
export {
  addFlow,
  deleteFlow,
  deleteFlows,
  dumpFlows,
  getFlow,
  modifyFlow,
  showDatapath,
  type DumpFlowsOptions,
} from './control/dpctl.js';
export { dumpBridgeFlows, setFlowLimit, showBridges, showUpcalls } from './control/dpif.js';
export {
  addFdbEntry,
  clearFdbStatistics,
  deleteFdbEntry,
  flushFdb,
  showFdb,
  showFdbStatistics,
} from './control/fdb.js';
export { flowIdentifier, type FlowLineOptions } from './control/flow-lines.js';
export { ageNeighbours, flushNeighbours, setNeighbour, showNeighbours } from './control/neighbours.js';
export { addRoute, deleteRoute, lookupRoute, showRoutes } from './control/routes.js';
export { dumpBridgeRules, type DumpRulesOptions } from './control/rules.js';
export { listTunnels, showTunnelPorts } from './control/tunnels.js';
export { formatTrace, trace, type Trace, type TraceRequest, type TraceStep } from './control/trace.js';
export { createSwitch, type SwitchConfig, type SwitchFromConfigOptions } from './control/config.js';
