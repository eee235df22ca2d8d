import { describe, expect, it } from 'vitest';
import { columnsOf, viewsOf } from '../../src/util/columns.js';

describe('views that share one check', () => {
  it('are columns of rows of words, equally long, the last of which ends with the words', () => {
    const words = Int32Array.from({ length: 12 }, (_, index) => 10 * index);
    const columns = columnsOf(words, 4);
    expect(columns.map((column) => column.length)).toEqual([9, 9, 9, 9]);
    expect(columns.map((column) => column[4])).toEqual([40, 50, 60, 70]);
    columns[3][8] = -1;
    expect(words[11]).toBe(-1);
  });

  it('are views of bytes four apart', () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, index) => index);
    const views = viewsOf(bytes.buffer, 3);
    expect(views.map((view) => view.byteLength)).toEqual([24, 24, 24]);
    expect(views.map((view) => view.getUint8(20))).toEqual([20, 24, 28]);
  });
});
