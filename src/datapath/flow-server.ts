/**
 * The other end of `worker-datapath.ts`: a datapath with a slow path, a `VSwitch`'s or one of your own, that answers the datapaths of
 * workers. It is asked for a flow, and its flows are what there is: workers have copies of them, and what copies count is added to them.
 *
 * The slow path sees no workers. It is asked about their packets as about those of this datapath, which needs ports with the same numbers;
 * where workers have a port, this datapath has a relay to one of them in its place, for what the slow path sends by itself.
 */
import type { Port } from '../io/port.js';
import type { Datapath } from './datapath.js';
import { FrameSender, listen, type MessageEnd, type ServerMessage, type WorkerMessage } from './messages.js';
import { createRelayPort, type RelayPortOptions } from './relay-port.js';

export interface FlowServer {
  /** Begins to answer the worker at the other end. */
  connect(end: MessageEnd, options?: FlowServerOptions): WorkerConnection;
  /** Leaves all workers alone; their flows stay as they are. */
  close(): void;
}

export interface FlowServerOptions {
  /** Most frames that are under way to a worker. Default 256. */
  queue?: number;
}

export interface WorkerConnection {
  /** A port whose frames leave from the port of that number in the worker. */
  createRelayPort(options: RelayPortOptions): Port;
  /** Questions answered, and flows of which the worker has copies. */
  counters(): { readonly answered: number; readonly flows: number };
  close(): void;
}

interface Worker {
  readonly post: (message: ServerMessage) => void;
  /** Ids of the flows that it has copies of. */
  readonly ids: Set<number>;
}

export function createFlowServer(datapath: Datapath): FlowServer {
  const workers = new Set<Worker>();
  const idOfFlow = new Map<number, number>();
  const flowOfId = new Map<number, number>();
  let ids = 0;

  /** The name of a flow; a number that is used again gets another one. */
  function idOf(flow: number): number {
    let id = idOfFlow.get(flow);
    if (id === undefined) {
      id = ids++;
      idOfFlow.set(flow, id);
      flowOfId.set(id, flow);
    }
    return id;
  }

  const listener: Datapath['onFlowChange'] = (flow, change) => {
    const id = idOfFlow.get(flow);
    if (id === undefined) return;
    for (const { post, ids: known } of workers) {
      if (!known.has(id)) continue;
      if (change === 'modified') post({ type: 'modify', id, actions: datapath.flow(flow).actions });
      else {
        post({ type: 'remove', id });
        known.delete(id);
      }
    }
    if (change === 'removed') {
      idOfFlow.delete(flow);
      flowOfId.delete(id);
    }
  };
  const before = datapath.onFlowChange;
  datapath.onFlowChange = (flow, change) => {
    before?.(flow, change);
    listener(flow, change);
  };

  function answer(worker: Worker, { request, frame, metadata }: WorkerMessage & { type: 'miss' }): void {
    const resolution = datapath.resolve(frame, metadata);
    if (resolution === null) {
      worker.post({ type: 'decision', request, actions: null });
      return;
    }
    const { actions, flow } = resolution;
    if (flow < 0) {
      worker.post({ type: 'decision', request, actions });
      return;
    }
    const id = idOf(flow);
    worker.ids.add(id);
    const { key, mask, actions: installed } = datapath.flow(flow);
    worker.post({ type: 'decision', request, actions, flow: { id, key, mask, actions: installed } });
  }

  function credit({ ids: names, packets, bytes, agoMs, tcpFlags }: WorkerMessage & { type: 'statistics' }): void {
    const nowMs = datapath.clock.now();
    names.forEach((id, index) => {
      const flow = flowOfId.get(id);
      if (flow === undefined) return;
      datapath.creditFlow(flow, {
        packets: packets[index],
        bytes: bytes[index],
        usedMs: nowMs - agoMs[index],
        tcpFlags: tcpFlags[index],
      });
    });
  }

  return {
    connect(end, { queue = 256 } = {}) {
      const worker: Worker = { post: (message) => end.postMessage(message), ids: new Set() };
      const sender = new FrameSender(end, queue);
      let answered = 0;
      workers.add(worker);
      listen(end, (message) => {
        if (!workers.has(worker)) return;
        const heard = message as WorkerMessage;
        switch (heard.type) {
          case 'miss':
            answered++;
            answer(worker, heard);
            break;
          case 'statistics':
            credit(heard);
            break;
          case 'execute':
            datapath.execute(heard.frame, heard.actions, heard.metadata);
            worker.post({ type: 'executed' });
            break;
          case 'executed':
            sender.executed();
            break;
        }
      });
      return {
        createRelayPort: (relay) => createRelayPort(sender, relay),
        counters: () => ({ answered, flows: worker.ids.size }),
        close: () => void workers.delete(worker),
      };
    },
    close() {
      workers.clear();
      datapath.onFlowChange = before;
    },
  };
}
