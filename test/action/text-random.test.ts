// Round trips of random actions through text, and text that is not sound.
import { describe, expect, it } from 'vitest';
import { formatActions } from '../../src/action/text-format.js';
import { parseActions } from '../../src/action/text-parse.js';
import { MegaflowError } from '../../src/util/errors.js';
import { Dice, chooseSeed } from '../flow/random-flow.js';
import { randomActions } from './random-action.js';

const seed = chooseSeed();

describe(`random actions, seed ${seed}`, () => {
  it('survive formatting and parsing', () => {
    const dice = new Dice(seed);
    for (let round = 0; round < 4000; round++) {
      const actions = randomActions(dice);
      const text = formatActions(actions);
      const read = parseActions(text);
      expect(formatActions(read)).toBe(text);
      // An empty list and the action `drop` have one text.
      expect(read, text).toEqual(actions.length === 0 ? [{ type: 'drop' }] : actions);
    }
  });

  it('give actions or a MegaflowError when they are mutated', () => {
    const dice = new Dice(seed + 1);
    const alphabet = '(),=/:.x|%-{}0123456789abcdefivnqrtps_ \t';
    for (let round = 0; round < 6000; round++) {
      let text = formatActions(randomActions(dice));
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
      expectActionsOrError(text, dice.chance(0.5));
    }
  });

  it('give actions or a MegaflowError when they are random letters', () => {
    const dice = new Dice(seed + 2);
    const pieces = [
      'clone(',
      'set(',
      'ipv4(',
      'ttl=3',
      ')',
      ')',
      ',',
      '1',
      '0x',
      'ct',
      'nat(',
      'src',
      'sample(sample=',
      '50%',
      ',actions(',
      'drop',
      'userspace(pid=',
      '%',
    ];
    for (let round = 0; round < 6000; round++) {
      const text = Array.from({ length: dice.below(20) }, () =>
        dice.chance(0.8) ? dice.pick(pieces) : String.fromCharCode(dice.below(300)),
      ).join('');
      expectActionsOrError(text, dice.chance(0.5));
    }
  });
});

function expectActionsOrError(text: string, strict: boolean): void {
  try {
    const printed = formatActions(parseActions(text, { strict }));
    expect(formatActions(parseActions(printed)), text).toBe(printed);
  } catch (error) {
    if (!(error instanceof MegaflowError)) throw error;
    expect(error.code).toBe('bad-action-text');
  }
}
