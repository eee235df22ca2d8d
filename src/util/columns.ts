/**
 * Views of one array that save checks. V8 checks each index that it reads or writes at, also one that it knows to be
 * within bounds (as an abort, against mistakes of its own), and what stands between two checks is often computed twice.
 * But it checks the same index only once for all arrays of the same length. So where a loop takes the words of a row one
 * by one, it takes them from views that begin a word apart: `columns[w][start]` for `words[start + w]`. Known keys are
 * recognized in 22 ns a packet so, and in 24 otherwise; with checksums and headers it is more (bench/NOTES.md).
 */

/** `count` views, each a word further than the one before and all equally long: the last index of `words` is the last one's. */
export function columnsOf(words: Int32Array, count: number): Int32Array[] {
  const length = words.length - count + 1;
  return Array.from({ length: count }, (_, word) => words.subarray(word, word + length));
}

/** `count` views of all bytes of a buffer, each four bytes further than the one before and all equally long. */
export function viewsOf(buffer: ArrayBufferLike, count: number): DataView[] {
  const length = buffer.byteLength - 4 * (count - 1);
  return Array.from({ length: count }, (_, word) => new DataView(buffer, 4 * word, length));
}
