/**
 * What `set(tunnel(...))` may hold beyond the words of a key: Geneve options. Nothing here executes them.
 */
import type { GeneveOption } from '../flow/match.js';
import type { FieldSetting } from './types.js';

/** `fields` of a `set` of the attribute `tunnel`. */
export interface TunnelSetting extends FieldSetting {
  /** Absent: none. */
  readonly geneve?: readonly GeneveOption[];
}
