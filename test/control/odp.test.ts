// The flows and actions of Open vSwitch's own tests of its text (tests/odp.at in its repository), against what 3.1 made
// of them: `record-odp.mjs` asked it.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatActions } from '../../src/action/text-format.js';
import { parseActions } from '../../src/action/text-parse.js';
import { appctl } from '../../src/control/appctl.js';
import { createSwitch } from '../../src/control/config.js';
import { sameMatch } from '../../src/flow/match.js';
import { formatFlow } from '../../src/flow/text-format.js';
import { parseFlow } from '../../src/flow/text-parse.js';
import type { VSwitch } from '../../src/switch/vswitch.js';
import { MegaflowError } from '../../src/util/errors.js';
import { actions, filtered, flows, userdata } from './odp-cases.mjs';

type Answer = readonly [input: string, text: string, verbose?: string];
const recorded = JSON.parse(readFileSync(new URL('./recorded-odp.json', import.meta.url), 'utf8')) as {
  flows: Answer[];
  actions: [list: string, text: string][];
  userdata: string[];
  filters: [string, string[]][];
};

const makeSwitch = (): VSwitch => createSwitch({ bridges: [{ name: 'br0', mac: 'aa:55:aa:55:00:01', ports: [] }] });

/** What the command printed, or `error: ` and why it was refused. */
function ask(vswitch: VSwitch, ...words: [string, ...string[]]): string {
  try {
    return appctl(vswitch, ...words);
  } catch (error) {
    if (error instanceof MegaflowError) return `error: ${error.message}`;
    throw error;
  }
}

const refusalOf = (parse: () => unknown): MegaflowError => {
  try {
    parse();
  } catch (error) {
    if (error instanceof MegaflowError) return error;
    throw error;
  }
  throw new Error('was read');
};

/** The matches of a dump. */
const matchesOf = (dump: string): string[] =>
  dump
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/, packets:0.*/, ''));

/** Attributes in the opposite order, those of `encap(...)` too. */
function reversed(flow: string): string {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= flow.length; at++) {
    if (flow[at] === '(') depth++;
    else if (flow[at] === ')') depth--;
    else if (at === flow.length || (flow[at] === ',' && depth === 0)) {
      parts.push(flow.slice(start, at));
      start = at + 1;
    }
  }
  return parts
    .reverse()
    .map((part) => part.replace(/^encap\((.*)\)$/, (_, inner: string) => `encap(${reversed(inner)})`))
    .join(',');
}

/** How 3.1 counts the words of an ERSPAN mask, which it then forgets to print, is not ours. */
const countsDiffer = (flow: string): boolean => flow.includes('erspan(');
/** A match on options that no packet here can have is read, printed, and refused when it is installed. */
const isOnlyText = (flow: string): boolean => flow.includes('geneve(');
const REFUSED = 'error: ovs-vswitchd: updating flow table (Invalid argument)';

describe('flows', () => {
  it('are those that were asked about', () => {
    expect(recorded.flows.map(([flow]) => flow)).toEqual(flows);
    expect(recorded.flows.filter(([, , verbose]) => verbose !== undefined).length).toBeGreaterThan(360);
  });

  const vswitch = makeSwitch();
  it.each(recorded.flows.map(([flow, text, verbose]) => ({ flow, text, verbose })))(
    '$flow',
    ({ flow, text, verbose }) => {
      const answer = ask(vswitch, 'dpctl/add-flow', flow, '9');
      if (verbose === undefined) {
        expect(answer).toBe(text);
        return;
      }
      const match = parseFlow(flow, { strict: true });
      expect(formatFlow(match)).toBe(text);
      expect(formatFlow(match, { verbose: true })).toBe(verbose.replace(/, dp-extra-info.*/, ''));
      expect(sameMatch(parseFlow(reversed(flow), { strict: true }), match)).toBe(true);
      // What was printed is read, and comes out as it is.
      expect(formatFlow(parseFlow(text))).toBe(text);
      if (isOnlyText(flow)) {
        expect(answer).toBe(REFUSED);
        return;
      }
      expect(answer).toBe('');
      expect(matchesOf(ask(vswitch, 'dpctl/dump-flows'))).toEqual([text]);
      const line = ask(vswitch, 'dpctl/dump-flows', '-m', '--no-names').trimEnd().split('\n')[1];
      const shown = line.replace(/^ufid:[^ ]+ /, '').replace(/, packets:0.*actions:9/, '');
      const uncounted = (all: string): string => (countsDiffer(flow) ? all.replace(/\(\d+,\d+\)$/, '') : all);
      expect(uncounted(shown)).toBe(uncounted(verbose));
      expect(ask(vswitch, 'dpctl/del-flow', flow)).toBe('');
      expect(ask(vswitch, 'dpctl/dump-flows')).toBe('');
    },
  );

  it('are refused with where and why', () => {
    const refused = recorded.flows.filter(([, text]) => text.startsWith('error'));
    expect(refused.length).toBeGreaterThan(40);
    for (const [flow, text] of refused) {
      const syntax = /\((syntax error at .*)\) \(Invalid argument\)$/.exec(text)?.[1];
      if (syntax !== undefined) {
        const { message, allowed } = refusalOf(() => parseFlow(flow, { strict: true }));
        expect(message).toBe(syntax);
        expect(allowed).toMatch(/ at character \d+$/);
      }
    }
  });

  it.each(recorded.filters)('filter=%s', (filter, texts) => {
    const filteredSwitch = makeSwitch();
    for (const flow of filtered.flows) ask(filteredSwitch, 'dpctl/add-flow', flow, '9');
    expect(matchesOf(ask(filteredSwitch, 'dpctl/dump-flows', `filter=${filter}`)).sort()).toEqual(texts);
  });
});

describe('actions', () => {
  it('are those that were asked about', () => {
    expect(recorded.actions.map(([list]) => list)).toEqual(actions);
    expect(recorded.actions.filter(([, text]) => text.startsWith('error')).map(([list]) => list)).toEqual([
      'encap_nsh@:{@',
    ]);
  });

  const vswitch = makeSwitch();
  it.each(recorded.actions)('%s', (list, text) => {
    if (text.startsWith('error')) {
      expect(refusalOf(() => parseActions(list, { strict: true })).message).toBe(`syntax error at ${list}`);
      return;
    }
    expect(formatActions(parseActions(list, { strict: true }))).toBe(text);
    expect(formatActions(parseActions(text))).toBe(text);
    // What is not executed here is not installed either.
    const answer = ask(vswitch, 'dpctl/add-flow', 'in_port(77),eth(),eth_type(0x0806),arp()', list);
    expect(['', REFUSED]).toContain(answer);
    if (answer === '')
      expect(ask(vswitch, 'dpctl/dump-flows').trimEnd()).toMatch(new RegExp(`, actions:${escape(text)}$`));
    ask(vswitch, 'dpctl/del-flows');
  });

  it('take cookies of the same length', () => {
    const answers = userdata.map((list) => {
      const answer = ask(vswitch, 'dpctl/add-flow', 'in_port(77),eth(),eth_type(0x0806),arp()', list);
      ask(vswitch, 'dpctl/del-flows');
      return answer;
    });
    expect(answers).toEqual(recorded.userdata);
    expect(new Set(answers).size).toBe(2);
  });
});

const escape = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
