// Round trips of random matches through text, and text that is not sound.
import { describe, expect, it } from 'vitest';
import { sameMatch } from '../../src/flow/match.js';
import { formatFlow } from '../../src/flow/text-format.js';
import { parseFlow } from '../../src/flow/text-parse.js';
import { MegaflowError } from '../../src/util/errors.js';
import { Dice, chooseSeed, randomFlow } from './random-flow.js';

const seed = chooseSeed();

describe(`random flows, seed ${seed}`, () => {
  it('survive formatting and parsing', () => {
    const dice = new Dice(seed);
    for (let round = 0; round < 3000; round++) {
      const flow = randomFlow(dice);
      const text = formatFlow(flow);
      const read = parseFlow(text);
      expect(formatFlow(read)).toBe(text);
      expect(sameMatch(flow, read), text).toBe(true);
    }
  });

  it('survive in verbose text, with what the mask does not cover', () => {
    const dice = new Dice(seed + 1);
    for (let round = 0; round < 2000; round++) {
      const flow = randomFlow(dice, { forVerbose: true });
      const text = formatFlow(flow, { verbose: true });
      const read = parseFlow(text);
      expect(formatFlow(read, { verbose: true })).toBe(text);
      expect(sameMatch(flow, read), text).toBe(true);
    }
  });

  it('are read alike whatever the order of their attributes', () => {
    const dice = new Dice(seed + 2);
    for (let round = 0; round < 1000; round++) {
      const text = formatFlow(randomFlow(dice));
      // Attributes of the outer level end where no parenthesis is open.
      let depth = 0;
      const marked = [...text].map((letter) => {
        depth += letter === '(' ? 1 : letter === ')' ? -1 : 0;
        return letter === ',' && depth === 0 ? '\n' : letter;
      });
      const shuffled = marked
        .join('')
        .split('\n')
        .map((part) => [dice.random(), part] as const)
        .sort(([a], [b]) => a - b)
        .map(([, part]) => part);
      expect(formatFlow(parseFlow(shuffled.join(' ,')))).toBe(text);
    }
  });

  it('give a match or a MegaflowError when they are mutated', () => {
    const dice = new Dice(seed + 3);
    const alphabet = '(),=/:.x|+-{}0123456789abcdefivnqrtps_ \t';
    for (let round = 0; round < 4000; round++) {
      let text = formatFlow(randomFlow(dice), { verbose: dice.chance(0.3) });
      for (let count = 1 + dice.below(3); count > 0; count--) {
        const at = dice.below(text.length);
        const piece = dice.pick([
          '',
          alphabet[dice.below(alphabet.length)],
          text.slice(at, at + dice.below(20)),
          text.slice(dice.below(text.length)),
        ]);
        text = text.slice(0, at) + piece + text.slice(at + dice.below(5));
      }
      expectMatchOrError(text, dice.chance(0.5));
    }
  });

  it('give a match or a MegaflowError when they are random letters', () => {
    const dice = new Dice(seed + 4);
    const pieces = [
      'in_port(',
      'eth(',
      'eth_type(',
      'encap(',
      'vlan(',
      'tunnel(',
      'geneve({',
      'flags(',
      'src=',
      '0x',
      '1',
      ')',
      ',',
      '/',
      '::',
      '+trk',
      '|',
      'ufid:',
    ];
    for (let round = 0; round < 4000; round++) {
      const text = Array.from({ length: dice.below(20) }, () =>
        dice.chance(0.8) ? dice.pick(pieces) : String.fromCharCode(dice.below(300)),
      ).join('');
      expectMatchOrError(text, dice.chance(0.5));
    }
  });
});

function expectMatchOrError(text: string, strict: boolean): void {
  try {
    // What could be read can be printed and read again.
    const printed = formatFlow(parseFlow(text, { strict }));
    expect(formatFlow(parseFlow(printed)), text).toBe(printed);
  } catch (error) {
    if (!(error instanceof MegaflowError)) throw error;
    expect(error.code).toBe('bad-flow-text');
    expect(error.value).toBe(text);
  }
}
