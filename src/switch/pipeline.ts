/**
 * What a bridge does with a packet that has come in: the mirrors of its port, then its tables.
 */
import type { Context } from './context.js';
import { mirrorPacket } from './mirror.js';
import { normal } from './normal.js';

export function runTables(ctx: Context, _last: boolean): void {
  if (ctx.inPort) mirrorPacket(ctx, ctx.inPort, 'source');
  ctx.reporter?.report('priority 0');
  normal(ctx);
}
