// The parts of the differential test that need no Open vSwitch: scenarios from a seed, the rules of comparison, and
// shrinking. A harness that is wrong would call a wrong switch right.
import { describe, expect, it } from 'vitest';
import { compareScenarios, describeDifference } from './differential/compare.mjs';
import { generate, kinds } from './differential/generate.mjs';
import type { Scenario, Step } from './differential/scenario.js';
import { shrinkScenario } from './differential/shrink.mjs';

const bridgeMac = 'aa:55:aa:55:00:00';

function scenarioOf(...steps: Step[]): Scenario {
  return { name: 'made', config: { bridges: [{ name: 'br0', mac: bridgeMac, ports: [] }] }, steps };
}

describe('generate', () => {
  it.each(Object.keys(kinds))('gives the same %s for a seed, and another for another', (kind) => {
    const one = JSON.stringify(generate(kind, 1));
    expect(JSON.stringify(generate(kind, 1))).toBe(one);
    expect(JSON.stringify(generate(kind, 2).steps)).not.toBe(JSON.stringify(generate(kind, 1).steps));
  });

  it.each(Object.keys(kinds))('%s names only ports that it has, and frames of at least 14 bytes', (kind) => {
    for (let seed = 1; seed <= 20; seed++) {
      const { config, steps } = generate(kind, seed);
      const ports = new Set(config.bridges.flatMap((bridge) => [bridge.name, ...bridge.ports.map(({ name }) => name)]));
      const wrong = steps.filter(({ receive, change, expect: answer }) => {
        if (change?.addPort) ports.add(change.addPort.name);
        if (change?.removePort) ports.delete(change.removePort);
        const sound = !receive || (ports.has(receive.port) && /^([0-9a-f]{2}){14,}$/.test(receive.frame));
        return !sound || answer !== undefined;
      });
      expect(wrong).toEqual([]);
    }
  });

  it('refuses a kind that there is not', () => {
    expect(() => generate('nosuch', 1)).toThrow('no such kind: nosuch');
  });
});

describe('compareScenarios', () => {
  const receive = { port: 'p1', frame: '02' };

  it('finds a frame that is missing, and one that is in the wrong place', () => {
    const expected = scenarioOf({ receive, expect: { p2: ['aa', 'bb'] } });
    const missing = scenarioOf({ receive, expect: { p2: ['aa'] } });
    const swapped = scenarioOf({ receive, expect: { p2: ['bb', 'aa'] } });
    expect(compareScenarios(expected, missing)).toEqual([
      { step: 0, what: 'out of p2 after p1 <- 02', expected: ['aa', 'bb'], observed: ['aa'] },
    ]);
    expect(compareScenarios(expected, swapped)).toHaveLength(1);
    expect(compareScenarios(expected, scenarioOf({ receive, expect: { p2: ['AA', 'BB'] } }))).toEqual([]);
  });

  it('finds a port that sent though it should not, and an answer that is missing', () => {
    const expected = scenarioOf({ receive, expect: {} });
    expect(compareScenarios(expected, scenarioOf({ receive, expect: { p3: ['aa'] } }))).toHaveLength(1);
    expect(compareScenarios(expected, scenarioOf({ receive }))[0].what).toBe('no answer');
  });

  it('passes over a request that a bridge repeats for itself, not over one of another', () => {
    const request = (source: string): string => `ffffffffffff${source}08060001080006040001`;
    const own = request(bridgeMac.replaceAll(':', ''));
    const other = request('020000000001');
    const once = scenarioOf({ receive, expect: { p2: [own] } });
    expect(compareScenarios(once, scenarioOf({ receive, expect: { p2: [own, own] } }))).toEqual([]);
    expect(
      compareScenarios(
        scenarioOf({ receive, expect: { p2: [other] } }),
        scenarioOf({ receive, expect: { p2: [other, other] } }),
      ),
    ).toHaveLength(1);
  });

  const texts: Array<[string, string, string, boolean]> = [
    ['dpctl/dump-flows', 'flow-dump from x:\na, used:1.000s\nb, used:never\n', 'b, used:never\na, used:9.123s\n', true],
    ['dpctl/dump-flows', 'a, used:1.000s\n', 'a, used:never\n', false],
    ['dpctl/show', 'dummy:\n  lookups: hit:1\n  port 0: x\n', 'netdev:\n  lookups: hit:1\n  port 4: y\n', true],
    ['dpctl/show', '  lookups: hit:1\n', '  lookups: hit:2\n', false],
    ['fdb/show', ' port  VLAN\n    1     0  02:00    5\n', 'port VLAN\n1 0 02:00 17\n', true],
    ['fdb/show', '1 0 02:00  5\n', '1 0 02:00  static\n', false],
    ['ovs/route/show', 'a\nb\n', 'b\na\n', true],
    ['ovs/route/show', 'a\n', 'a\na\n', false],
  ];
  it.each(texts)('%s: %j beside %j', (command, want, got, agree) => {
    const step = { appctl: [command] };
    const differences = compareScenarios(scenarioOf({ ...step, expect: want }), scenarioOf({ ...step, expect: got }));
    expect(differences).toHaveLength(agree ? 0 : 1);
  });

  it('compares no tables where only frames count', () => {
    const expected: Scenario = { ...scenarioOf({ appctl: ['dpctl/show'], expect: 'flows: 1' }), compare: 'frames' };
    expect(compareScenarios(expected, scenarioOf({ appctl: ['dpctl/show'], expect: 'flows: 2' }))).toEqual([]);
  });

  it('describes what is missing and what came instead', () => {
    const text = describeDifference({ step: 3, what: 'out of p1', expected: ['aa', 'cc'], observed: ['bb', 'cc'] });
    expect(text).toBe('step 3: out of p1\n  expected  aa\n  observed  bb');
  });
});

describe('shrinkScenario', () => {
  it('keeps the two steps, the port and the option that matter', async () => {
    const steps = Array.from({ length: 40 }, (_, i): Step => ({ advance: i }));
    const port = (name: string): { name: string; tag: number; interface: { options: Record<string, string> } } => ({
      name,
      tag: 10,
      interface: { options: { ttl: '9', csum: 'true' } },
    });
    const scenario = scenarioOf(...steps);
    scenario.config.bridges[0].ports = ['p1', 'p2', 'p3'].map(port);
    const shrunk = await shrinkScenario(
      scenario,
      async (candidate) =>
        [7, 31].every((i) => candidate.steps.some((step) => step.advance === i)) &&
        candidate.config.bridges.some(({ ports }) =>
          ports.some(({ name, interface: { options } = {} }) => name === 'p2' && options?.['ttl'] === '9'),
        ),
    );
    expect(shrunk.steps).toEqual([{ advance: 7 }, { advance: 31 }]);
    expect(shrunk.config.bridges[0].ports).toEqual([{ name: 'p2', interface: { options: { ttl: '9' } } }]);
  });

  it('asks no more often than it may', async () => {
    let asked = 0;
    const scenario = scenarioOf(...Array.from({ length: 40 }, (_, i): Step => ({ advance: i })));
    await shrinkScenario(scenario, async () => ++asked < 0, { questions: 9 });
    expect(asked).toBe(9);
  });
});
