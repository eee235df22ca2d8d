/**
 * The text of OpenFlow actions, as Open vSwitch 3.1 prints it.
 */
import { formatIpv4, formatMac } from '../util/address.js';
import { formatLearn } from './learn.js';
import { OpenFlowPort, formatPort, type PortNames } from './ports.js';
import { formatSubfield } from './subfield.js';
import { formatHex } from './text.js';
import type { ControllerAction, OpenFlowAction } from './types.js';
import { formatValue } from './value.js';

/** Bytes in hexadecimal with dots between them. */
function formatBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('.');
}

function formatController(action: ControllerAction): string {
  const { maxLength, reason, id, userdata, pause, meterId } = action;
  const isPlain = reason === 'action' && id === 0 && userdata === undefined && !pause && meterId === undefined;
  if (isPlain) return `CONTROLLER:${maxLength}`;
  const items: string[] = [];
  if (reason !== 'action') items.push(`reason=${reason}`);
  if (maxLength !== 0xffff) items.push(`max_len=${maxLength}`);
  if (id !== 0) items.push(`id=${id}`);
  if (userdata !== undefined) items.push(`userdata=${formatBytes(userdata)}`);
  if (pause) items.push('pause');
  if (meterId !== undefined) items.push(`meter_id=${meterId}`);
  return `controller(${items.join(',')})`;
}

/** One action. */
export function formatOpenFlowAction(action: OpenFlowAction, ports: PortNames = {}): string {
  switch (action.type) {
    case 'normal':
      return 'NORMAL';
    case 'flood':
      return 'FLOOD';
    case 'all':
      return 'ALL';
    case 'local':
      return 'LOCAL';
    case 'in_port':
      return 'IN_PORT';
    case 'output':
      return `output:${formatPort(action.port, ports)}`;
    case 'output_field':
      return `output:${formatSubfield(action.source)}`;
    case 'output_truncated':
      return `output(port=${formatPort(action.port, ports)},max_len=${action.maxLength})`;
    case 'controller':
      return formatController(action);
    case 'resubmit': {
      const port = action.port === null ? '' : formatPort(action.port, ports);
      return action.table === null ? `resubmit:${port}` : `resubmit(${port},${action.table})`;
    }
    case 'goto_table':
      return `goto_table:${action.table}`;
    case 'set_field':
      return `set_field:${formatValue(action.field, action, ports)}->${action.field.name}`;
    case 'load':
      return `load:${formatHex(action.value)}->${formatSubfield(action.target)}`;
    case 'move':
      return `move:${formatSubfield(action.source)}->${formatSubfield(action.target)}`;
    case 'mod_dl_src':
    case 'mod_dl_dst':
      return `${action.type}:${formatMac(action.mac)}`;
    case 'mod_vlan_vid':
      return `mod_vlan_vid:${action.vid}`;
    case 'mod_vlan_pcp':
      return `mod_vlan_pcp:${action.pcp}`;
    case 'mod_nw_src':
    case 'mod_nw_dst':
      return `${action.type}:${formatIpv4(action.ip)}`;
    case 'mod_nw_tos':
      return `mod_nw_tos:${action.tos}`;
    case 'mod_nw_ecn':
      return `mod_nw_ecn:${action.ecn}`;
    case 'mod_nw_ttl':
      return `mod_nw_ttl:${action.ttl}`;
    case 'mod_tp_src':
    case 'mod_tp_dst':
      return `${action.type}:${action.port}`;
    case 'push_vlan':
      return `push_vlan:0x${action.ethType.toString(16)}`;
    case 'strip_vlan':
      return 'strip_vlan';
    case 'dec_ttl':
      return action.controllers.length === 1 && action.controllers[0] === 0
        ? 'dec_ttl'
        : `dec_ttl(${action.controllers.join(',')})`;
    case 'set_tunnel':
      return `set_tunnel${action.isWide ? '64' : ''}:${formatHex(action.id)}`;
    case 'learn':
      return formatLearn(action);
    case 'group':
      return `group:${action.id}`;
    case 'clone':
      return `clone(${formatOpenFlowActions(action.actions, ports)})`;
    case 'note':
      return `note:${formatBytes(action.bytes)}`;
    case 'exit':
      return 'exit';
  }
}

/** A list of actions, `drop` if it is empty. */
export function formatOpenFlowActions(actions: readonly OpenFlowAction[], ports: PortNames = {}): string {
  return actions.map((action) => formatOpenFlowAction(action, ports)).join(',') || 'drop';
}

/** Whether actions output to a port: what `out_port=` of a deletion asks. */
export function hasOutput(actions: readonly OpenFlowAction[], port: number): boolean {
  return actions.some((action) => {
    switch (action.type) {
      case 'output':
      case 'output_truncated':
        return action.port === port;
      case 'local':
        return port === OpenFlowPort.local;
      case 'in_port':
        return port === OpenFlowPort.inPort;
      case 'normal':
        return port === OpenFlowPort.normal;
      case 'flood':
        return port === OpenFlowPort.flood;
      case 'all':
        return port === OpenFlowPort.all;
      case 'controller':
        return port === OpenFlowPort.controller;
      case 'clone':
        return hasOutput(action.actions, port);
      default:
        return false;
    }
  });
}
