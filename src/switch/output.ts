/**
 * Sending the packet of a translation out of a port: through a patch port into the next bridge, into a tunnel, up to the tunnel that
 * a frame for one of our own addresses belongs to, or plainly (Open vSwitch's compose_output_action).
 */
import { getField, setField } from '../flow/fields.js';
import { commit, commitTunnel } from './commit.js';
import { inputPort, type Context } from './context.js';
import { copyWords } from './flow-stack.js';
import { clearConntrack, finishFreezing } from './freeze.js';
import { mirrorPacket } from './mirror.js';
import { findPort, type SwitchPort } from './model.js';
import { isSameDestination, nativeTunnelOutput, prepareTunnel, terminateTunnel } from './native-tunnel.js';
import { cloneActions } from './openflow-actions.js';
import { lookupTable } from './pipeline.js';

/**
 * Outputs to `port`. `last`: nothing is done with the packet afterwards. `maxLength`: so many bytes of it are sent (the actions say so
 * already); 0 means all.
 */
export function output(ctx: Context, port: SwitchPort, last = false, maxLength = 0): void {
  const { reporter, flow } = ctx;
  if (port.protected && inputPort(ctx)?.protected) {
    reporter?.report('Flow is between protected ports, skipping output.', 'warning');
    return;
  }
  if (getField(flow, 'packetType') !== 0) {
    reporter?.report('Trying to send non-Ethernet packet through legacy L2 port. Dropping packet.', 'warning');
    return;
  }
  const peer = port.peer === undefined ? undefined : findPeer(ctx, port.peer);
  if (peer) {
    ctx.effects?.push(port.sent);
    ctx.effects?.push(peer.received);
    enterBridge(ctx, peer, last);
    return;
  }

  // The tags and the TOS, which a port may change for what it sends.
  const tag = flow[5];
  const ip = flow[6];
  const tpid = flow[10];
  const inner = flow[48];
  if (port.tunnel) outputTunnel(ctx, port, port.tunnel.datapathPort, last, maxLength);
  else if (port.type !== 'patch') {
    commit(ctx);
    const tunnelPort = terminateTunnel(ctx, port);
    if (tunnelPort >= 0) ctx.actions.push({ type: 'tnl_pop', port: tunnelPort });
    else ctx.actions.push(port.output);
    ctx.effects?.push(port.sent);
  }
  mirrorPacket(ctx, port, 'destination');
  flow[5] = tag;
  flow[6] = ip;
  flow[10] = tpid;
  flow[48] = inner;
}

function outputTunnel(ctx: Context, port: SwitchPort, datapathPort: number, last: boolean, maxLength: number): void {
  const { flows } = ctx.world;
  const { height } = flows;
  const before = flows.copy(ctx.flow);
  prepareTunnel(ctx, port);
  if (isSameDestination(ctx.flow, ctx.arrivedAs)) {
    // Open vSwitch leaves the metadata as the port has set them here, and what follows may see them.
    ctx.reporter?.report('Not tunneling to our own address', 'warning');
    flows.release(height);
    return;
  }
  ctx.effects?.push(port.sent);
  if (ctx.world.nativeTunnels) {
    ctx.reporter?.report('output to native tunnel');
    commit(ctx);
    nativeTunnelOutput(ctx, port, last, maxLength !== 0);
  } else {
    ctx.reporter?.report('output to kernel tunnel');
    commitTunnel(ctx);
    copyWords(ctx.flow, before, 12, 30);
    commit(ctx);
    ctx.actions.push({ type: 'output', port: datapathPort });
  }
  // What the port sets in the tunnel metadata is not to be seen by anything that follows.
  copyWords(ctx.flow, before, 12, 30);
  flows.release(height);
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
  const { bridge, flow, mirrors } = ctx;
  const { flows } = ctx.world;
  const { height } = flows;
  const wildcardsBefore = flows.copy(ctx.wildcards);
  ctx.reporter?.enter('bridge', `bridge("${port.bridge.name}")`);
  ctx.flow = flows.copy(flow);
  ctx.flow.fill(0, 12, 30);
  clearConntrack(ctx.flow);
  ctx.flow.fill(0, 84, 102);
  setField(ctx.flow, 'ofInPort', port.ofPort);
  ctx.wildcards.fill(0, 12, 30);
  if (port.bridge !== bridge) ctx.mirrors = 0;
  ctx.bridge = port.bridge;
  lookupTable(ctx, 0, port.ofPort, last, cloneActions);
  finishFreezing(ctx);
  // Errors in the other bridge, and its `exit`, concern only what that bridge does.
  ctx.error = undefined;
  ctx.exit = false;
  if (port.bridge !== bridge) ctx.mirrors = mirrors;
  ctx.bridge = bridge;
  ctx.flow = flow;
  copyWords(ctx.wildcards, wildcardsBefore, 12, 30);
  flows.release(height);
  ctx.reporter?.leave();
}
