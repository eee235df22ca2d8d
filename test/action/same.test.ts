// Which lists of actions are the same: those that the text and the bytes behind it say are.
import { expect, it } from 'vitest';
import { hashActions, sameActions } from '../../src/action/same.js';
import { formatActions } from '../../src/action/text-format.js';
import { parseActions } from '../../src/action/text-parse.js';
import type { Action } from '../../src/action/types.js';
import { Dice } from '../flow/random-flow.js';
import { randomActions } from './random-action.js';

it('is the same as a copy, and has its hash', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const actions = randomActions(new Dice(seed));
    const copy = structuredClone(actions);
    expect(sameActions(actions, copy), `seed ${seed}`).toBe(true);
    expect(hashActions(copy), `seed ${seed}`).toBe(hashActions(actions));
  }
});

it('is another one than what has another text', () => {
  const lists = Array.from({ length: 200 }, (_, seed) => randomActions(new Dice(seed + 1000), 0, 2));
  const texts = lists.map((list) => formatActions(list));
  for (let one = 0; one < lists.length; one++) {
    for (let other = 0; other < one; other++) {
      if (texts[one] === texts[other]) continue;
      expect(sameActions(lists[one], lists[other]), `${texts[one]} and ${texts[other]}`).toBe(false);
    }
  }
});

it('heeds what the text rounds or leaves out', () => {
  const sample = (probability: number): Action[] => [{ type: 'sample', probability, actions: [] }];
  expect(formatActions(sample(1000000))).toBe(formatActions(sample(1000001)));
  expect(sameActions(sample(1000000), sample(1000001))).toBe(false);
  expect(sameActions(sample(1000000), sample(1000000))).toBe(true);
});

it('tells lists of ports apart by their hashes, whatever their order', () => {
  const texts = ['', '1', '2', '1,2', '2,1', '1,1,2', 'clone(1),2', 'clone(1,2)', 'recirc(1)', 'recirc(2)'];
  expect(new Set(texts.map((text) => hashActions(parseActions(text === '' ? 'drop' : text)))).size).toBe(texts.length);
});
