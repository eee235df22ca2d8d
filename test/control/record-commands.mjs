// @ts-check
// Asks Open vSwitch about the cases of `command-cases.mjs` and writes its answers into `recorded-commands.json`. Needs Debian's
// openvswitch-switch: `node test/control/record-commands.mjs`.
import { writeFileSync } from 'node:fs';
import { record } from '../differential/oracle.mjs';
import { cases } from './command-cases.mjs';

const recorded = [];
for (const scenario of cases) recorded.push(await record(scenario));
writeFileSync(new URL('./recorded-commands.json', import.meta.url), `${JSON.stringify(recorded, null, 1)}\n`);
