/**
 * A packet as people see it: a view of a handle, for slow paths and for tests. It allocates, so the fast path has none.
 */
import type { PacketHandle, PacketPool } from './pool.js';

/** Valid as long as its handle is not released: within the call that it was given to. `copy` what is to be kept. */
export class Packet {
  readonly pool: PacketPool;
  readonly handle: PacketHandle;

  constructor(pool: PacketPool, handle: PacketHandle) {
    this.pool = pool;
    this.handle = handle;
  }

  /** Datapath port that it came in on. */
  get inPort(): number {
    return this.pool.inPort[this.handle];
  }

  /** Length in bytes. */
  get length(): number {
    return this.pool.length[this.handle];
  }

  /** Its bytes, in place. */
  get frame(): Uint8Array {
    return this.pool.frame(this.handle);
  }

  /** Its bytes, copied. */
  copy(): Uint8Array {
    return this.pool.copyFrame(this.handle);
  }
}
