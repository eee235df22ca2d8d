/**
 * Sending the packet of a translation out of a port: through a patch port into the next bridge, into a tunnel, up to the tunnel that
 * a frame for one of our own addresses belongs to, or plainly (Open vSwitch's compose_output_action).
 */
import { getField, setField, type FlowWords } from '../flow/fields.js';
import { commit, commitTunnel } from './commit.js';
import type { Context } from './context.js';
import { mirrorPacket } from './mirror.js';
import { findPort, type SwitchPort } from './model.js';
import { nativeTunnelOutput, prepareTunnel, remoteAddress, terminateTunnel } from './native-tunnel.js';
import { resumeAt } from './pipeline.js';

/**
 * Outputs to `port`. `last`: nothing is done with the packet afterwards, so that a tunnel header may go on without a copy. `maxLength`: only
 * so many bytes of it are sent; 0 means all.
 */
export function output(ctx: Context, port: SwitchPort, last = false, maxLength = 0): void {
  const { reporter, flow } = ctx;
  if (port.protected && ctx.inPort?.protected) {
    reporter?.report('Flow is between protected ports, skipping output.');
    return;
  }
  if (getField(flow, 'packetType') !== 0) {
    // Only Ethernet leaves a port here.
    reporter?.report('packet_type mismatch, skipping output');
    return;
  }
  if (port.type === 'patch') {
    const peer = port.peer === undefined ? undefined : findPeer(ctx, port.peer);
    if (!peer) {
      reporter?.report('patch port without a peer, skipping output');
      return;
    }
    count(ctx, 'sent', port);
    count(ctx, 'received', peer);
    enterBridge(ctx, peer, last);
    return;
  }

  const before = saveHeaders(flow);
  if (port.tunnel) outputTunnel(ctx, port, port.tunnel.datapathPort, last, maxLength);
  else {
    commit(ctx);
    truncate(ctx, maxLength);
    const tunnelPort = terminateTunnel(ctx, port);
    if (tunnelPort >= 0) ctx.actions.push({ type: 'tnl_pop', port: tunnelPort });
    else ctx.actions.push({ type: 'output', port: port.datapathPort });
    count(ctx, 'sent', port);
  }
  mirrorPacket(ctx, port, 'destination');
  restoreHeaders(flow, before);
}

function outputTunnel(ctx: Context, port: SwitchPort, datapathPort: number, last: boolean, maxLength: number): void {
  // What the port sets in the tunnel metadata is not to be seen by anything that follows.
  const tunnel = ctx.flow.slice(12, 30);
  prepareTunnel(ctx, port);
  if (remoteAddress(ctx.flow) === ctx.arrivedAt) {
    // Open vSwitch leaves the metadata as the port has set them here, and what follows may see them.
    ctx.reporter?.report('Not tunneling to our own address');
    return;
  }
  count(ctx, 'sent', port);
  if (ctx.world.nativeTunnels) {
    ctx.reporter?.report('output to native tunnel');
    commit(ctx);
    truncate(ctx, maxLength);
    nativeTunnelOutput(ctx, port, last);
  } else {
    ctx.reporter?.report('output to kernel tunnel');
    commitTunnel(ctx);
    ctx.flow.set(tunnel, 12);
    commit(ctx);
    truncate(ctx, maxLength);
    ctx.actions.push({ type: 'output', port: datapathPort });
  }
  ctx.flow.set(tunnel, 12);
}

/** The next output sends no more than so many bytes. */
function truncate(ctx: Context, maxLength: number): void {
  if (maxLength !== 0) ctx.actions.push({ type: 'trunc', maxLength });
}

function count(ctx: Context, type: 'sent' | 'received', port: SwitchPort): void {
  ctx.effects?.push({ type, port });
}

/** The tags and the TOS, which a port may change for what it sends: [tci and type, tpid and flags, inner tag, ip]. */
function saveHeaders(flow: FlowWords): [number, number, number, number] {
  return [flow[5], flow[10], flow[48], flow[6]];
}

function restoreHeaders(flow: FlowWords, [tag, tpid, inner, ip]: [number, number, number, number]): void {
  flow[5] = tag;
  flow[10] = tpid;
  flow[48] = inner;
  flow[6] = ip;
}

function findPeer(ctx: Context, name: string): SwitchPort | undefined {
  for (const bridge of ctx.world.bridges.values()) {
    const peer = findPort(bridge, name);
    if (peer?.type === 'patch') return peer;
  }
  return undefined;
}

/**
 * Goes on in another bridge, as a packet that came in on `port` there: without tunnel metadata, registers and the like, which come back
 * afterwards. What the other bridge did to the packet stays in `base`, and is undone by the next output where need be.
 */
export function enterBridge(ctx: Context, port: SwitchPort, last: boolean): void {
  // Patch ports may lead in circles, and bridges that flood multiply: `lookupTable` sets the limits.
  const { bridge, flow, inPort, mirrors, table } = ctx;
  const tunnelWildcards = ctx.wildcards.slice(12, 30);
  ctx.reporter?.enter(`bridge("${port.bridge.name}")`);
  ctx.flow = flow.slice();
  ctx.flow.fill(0, 12, 30);
  ctx.flow.fill(0, 84, 102);
  setField(ctx.flow, 'ofInPort', port.ofPort);
  ctx.wildcards.fill(0, 12, 30);
  ctx.bridge = port.bridge;
  ctx.inPort = port;
  ctx.mirrors = 0;
  resumeAt(ctx, port, last);
  // Errors in the other bridge, and its `exit`, concern only what that bridge does.
  ctx.error = undefined;
  ctx.exit = false;
  ctx.mirrors = mirrors;
  ctx.table = table;
  ctx.inPort = inPort;
  ctx.bridge = bridge;
  ctx.flow = flow;
  for (let word = 12; word < 30; word++) ctx.wildcards[word] |= tunnelWildcards[word - 12];
  ctx.reporter?.leave();
}
