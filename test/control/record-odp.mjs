// @ts-check
// Asks Open vSwitch about the cases of `odp-cases.mjs` and writes its answers into `recorded-odp.json`: of each flow and
// of each list of actions what `dpctl/add-flow` refused, or else what `dpctl/dump-flows` printed. Needs Debian's
// openvswitch-switch: `node test/control/record-odp.mjs`.
import { writeFileSync } from 'node:fs';
import { startOracle } from '../differential/oracle.mjs';
import { actions, filtered, flows, userdata } from './odp-cases.mjs';

const oracle = await startOracle();
await oracle.configure({ bridges: [{ name: 'br0', mac: 'aa:55:aa:55:00:01', ports: [] }] });
/** @param {string[]} words */
const ask = async (...words) => String(await oracle.play({ appctl: words })).trimEnd();
// Flows that nobody asked for would not stay.
await ask('revalidator/pause');

/** The lines of a dump, without its header and what follows the match or precedes the actions. @param {string} text */
const lines = (text) =>
  text
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/^ufid:[^ ]+ /, ''));
/** @param {string} line */
const matchOf = (line) => line.replace(/, packets:0, bytes:0, used:never,.*?(, dp-extra-info.*)?$/, '$1');
/** @param {string} line */
const actionsOf = (line) => line.replace(/.*?, actions:/, '');

/** @type {string[][]} */
const recordedFlows = [];
for (const flow of flows) {
  const refusal = await ask('dpctl/add-flow', flow, '9');
  if (refusal !== '') recordedFlows.push([flow, refusal]);
  else {
    const [short] = lines(await ask('dpctl/dump-flows'));
    const [verbose] = lines(await ask('dpctl/dump-flows', '-m', '--no-names'));
    recordedFlows.push([flow, matchOf(short), matchOf(verbose)]);
  }
  await ask('dpctl/del-flows');
}

/** Any flow, to carry actions. */
const CARRIER = 'in_port(77),eth(),eth_type(0x0806),arp()';
/** @type {string[][]} */
const recordedActions = [];
for (const list of actions) {
  const refusal = await ask('dpctl/add-flow', CARRIER, list);
  recordedActions.push([list, refusal || actionsOf(lines(await ask('dpctl/dump-flows'))[0])]);
  await ask('dpctl/del-flows');
}
/** Whether it took each of the longest cookies. @type {string[]} */
const recordedUserdata = [];
for (const list of userdata) {
  recordedUserdata.push(await ask('dpctl/add-flow', CARRIER, list));
  await ask('dpctl/del-flows');
}

for (const flow of filtered.flows) await ask('dpctl/add-flow', flow, '9');
/** @type {[string, string[]][]} */
const recordedFilters = [];
for (const filter of filtered.filters)
  recordedFilters.push([
    filter,
    lines(await ask('dpctl/dump-flows', `filter=${filter}`))
      .map(matchOf)
      .sort(),
  ]);

await oracle.close();
const recorded = {
  flows: recordedFlows,
  actions: recordedActions,
  userdata: recordedUserdata,
  filters: recordedFilters,
};
writeFileSync(new URL('./recorded-odp.json', import.meta.url), `${JSON.stringify(recorded, null, 1)}\n`);
