// The commands of `ovs-appctl`: each answer and each refusal as Open vSwitch 3.1.0 gave it (`recorded-commands.json`,
// made by `record-commands.mjs` from `command-cases.mjs`).
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { replayScenario } from '../replay-scenario.mjs';
import { cases } from './command-cases.mjs';

type Scenario = import('../differential/scenario.js').Scenario;

const recorded: Scenario[] = JSON.parse(readFileSync(new URL('./recorded-commands.json', import.meta.url), 'utf8'));

/**
 * What counts of an answer: not the number of a datapath's port, nor how the recorder's dummy devices are called, nor
 * the identifier that a flow has by itself, nor the order of lines in a table.
 */
function comparable(text: string): string[] {
  return text
    .replace(/dummy@/g, 'netdev@')
    .replace(/ovs-dummy/g, 'ovs-netdev')
    .replace(/dummy-internal/g, 'tap')
    .replace(/(port \d+: \S+) \(dummy\)/g, '$1')
    .replace(/\(dummy\)/g, '(system)')
    .replace(/port \d+: /g, 'port N: ')
    .replace(/(\d+)\/\d+: \(/g, '$1/N: (')
    .replace(/dp port=\d+/g, 'dp port=N')
    .replace(/^(vxlan_sys_\d+) \(\d+\)/gm, '$1 (N)')
    .replace(/ufid:(?!12345678)[0-9a-f-]{36}/g, 'ufid:N')
    .replace(/^ {2}\d+: \(keys/gm, '  N: (keys')
    .replace(/(-> |Error: )?\n$/, '')
    .split('\n')
    .sort();
}

describe('appctl', () => {
  it('has been recorded with the cases that there are', () => {
    expect(
      recorded.map(({ expect: _, recordedFrom: __, ...scenario }: any) => ({
        ...scenario,
        steps: scenario.steps.map(({ expect: ___, ...step }: any) => step),
      })),
    ).toEqual(cases);
  });

  describe.each(recorded.map((scenario): [string, Scenario] => [scenario.name, scenario]))('%s', (_, scenario) => {
    const replayed: Scenario = replayScenario(scenario);
    const steps = scenario.steps.map((step, index): [number, string] => [
      index,
      JSON.stringify(step.appctl ?? step.receive?.port ?? step),
    ]);
    it.each(steps.filter(([index]) => scenario.steps[index].appctl))('%i: %s', (index) => {
      expect(comparable(String(replayed.steps[index].expect))).toEqual(
        comparable(String(scenario.steps[index].expect)),
      );
    });
  });
});
