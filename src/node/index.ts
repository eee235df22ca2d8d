// The public names of megaflow/node: ports and tools that need Node. A list of named exports and nothing else.
export { createCaptureFile, readCapture, type CaptureFile } from './capture-file.js';
export { openFrames, type FrameStream, type ReceivedFrame } from './frames.js';
export type { NodePort, NodePortOptions } from './node-port.js';
export { openUdpPort, type UdpPort, type UdpPortOptions } from './udp-port.js';
export { openPcapPort, type PcapPort, type PcapPortOptions } from './pcap-port.js';
export { openRecorder, recordPort, type Recorder, type RecorderOptions, type RecordPortOptions } from './recorder.js';
export { openVxlanSocket, type VxlanSocket, type VxlanSocketOptions } from './vxlan-socket.js';
export { openControlSocket, type ControlSocket, type ControlSocketOptions } from './control-socket.js';
export { openQemuPort, type QemuPort, type QemuPortOptions } from './qemu-port.js';
export { openMacvtapPort, type MacvtapPortOptions } from './macvtap-port.js';
export { checkSwitchFile } from './switch-check.js';
export { openSwitch, readSwitchFile, type NicConfig, type RunningSwitch, type SwitchFile } from './switch-file.js';
