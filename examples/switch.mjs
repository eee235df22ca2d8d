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

// Whoever asks it to end while it opens is heard too.
const asked = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);

/** @type {import('megaflow/node').RunningSwitch} */
let running;
try {
  running = await openSwitch(readSwitchFile(path));
} catch (error) {
  if (!(error instanceof MegaflowError)) throw error;
  console.error(error.message.replaceAll('\n', ' '));
  process.exit(2);
}

console.log(
  `ready: ${running.vswitch
    .bridges()
    .map(({ name }) => name)
    .join(', ')}`,
);
await asked;
const counters = running.describe();
await running.close();
console.log(counters);
