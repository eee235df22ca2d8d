// A switch from a file, on real networks: bridges, tunnels, NICs of several types, and a control socket for ovs-appctl.
//
//     npm run --silent example -- switch CONFIG.json
//
// It says `ready` when everything is open, runs until SIGINT or SIGTERM, and then says what passed. A file that it cannot
// use: one line that names the key, and exit status 2.
//
// @ts-check
import { once } from 'node:events';
import { MegaflowError } from 'megaflow';
import { openSwitch, readSwitchFile } from 'megaflow/node';

const path = process.argv[2];
if (path === undefined) {
  console.error('usage: npm run --silent example -- switch CONFIG.json');
  process.exit(2);
}

// Whoever asks it to end while it opens is heard too: it gives up what it was opening.
const asked = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => asked.abort());

/** @type {import('megaflow/node').RunningSwitch} */
let running;
try {
  running = await openSwitch(readSwitchFile(path), { signal: asked.signal });
} catch (error) {
  if (asked.signal.aborted) process.exit(0);
  if (!(error instanceof MegaflowError)) throw error;
  console.error(error.message.replaceAll('\n', ' '));
  process.exit(2);
}

const { vswitch, ports } = running;
for (const port of ports.values()) {
  // A port that ends by itself: its device is gone, say. The switch goes on without it.
  if ('closed' in port) port.closed.then((error) => error && console.error(`${port.name}: ${error.message}`));
}
const names = vswitch.bridges().map(({ name }) => name);
console.log(`ready: ${names.join(', ')}`);
if (!asked.signal.aborted) await once(asked.signal, 'abort');
await running.close();
console.log(running.describe());
