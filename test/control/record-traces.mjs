// @ts-check
// Asks Open vSwitch about the cases of `trace-cases.mjs` and writes its answers into `recorded-traces.json`. Needs Debian's
// openvswitch-switch: `node test/control/record-traces.mjs [NAME...]`.
import { readFileSync, writeFileSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startOracle } from '../differential/oracle.mjs';
import { cases } from './trace-cases.mjs';

const path = fileURLToPath(new URL('./recorded-traces.json', import.meta.url));
const names = process.argv.slice(2);
const recorded = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};

for (const { name, config, receive = [], commands } of cases) {
  if (names.length !== 0 && !names.includes(name)) continue;
  const oracle = await startOracle();
  try {
    await oracle.configure(config);
    for (const [port, frame] of receive) await oracle.play({ receive: { port, frame } });
    const shown = String(await oracle.play({ appctl: ['dpctl/show', '-s'] }));
    /** @type {Record<string, string>} */
    const ports = {};
    for (const match of shown.matchAll(/port (\d+): (\S+)/g)) ports[match[1]] = match[2];
    const numbers = Object.fromEntries(Object.entries(ports).map(([number, port]) => [port, number]));
    const answers = [];
    for (const words of commands) {
      const given = words.map((word) => word.replace(/@(\w+)/g, (_, port) => numbers[port] ?? '9999'));
      answers.push(await oracle.play({ appctl: ['ofproto/trace', ...given] }));
    }
    recorded[name] = { recordedFrom: 'Open vSwitch 3.1.0', ports, answers };
  } finally {
    await oracle.close();
  }
}
writeFileSync(path, `${JSON.stringify(recorded, null, 1)}\n`);
