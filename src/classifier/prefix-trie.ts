/**
 * A set of prefixes that says how many leading bits of a value decide which of them it has. The staged classifier asks
 * it which prefix lengths can match a packet at all, and un-wildcards only the bits that it looked at for the answer.
 *
 * It is a compressed binary tree: a node holds the bits that all prefixes below it share, at most 32. Its shape, and so
 * each answer, depends only on the set of prefixes, not on the order in which they came.
 */

interface Node {
  /** The bits of this node, in the highest places, the others zero. */
  prefix: number;
  /** 0 to 32; 0 only at the root. */
  bits: number;
  /** How many times the prefix that ends here was inserted. */
  count: number;
  zero: Node | null;
  one: Node | null;
}

/** Values are 32-bit words, the first the most significant; lengths count bits from the highest of the first word. */
export interface PrefixTrie {
  /** Adds a prefix of `length` bits (1 or more). What was added twice is there until it was removed twice. */
  insert(value: ArrayLike<number>, length: number): void;
  /** Removes a prefix that was inserted. */
  remove(value: ArrayLike<number>, length: number): void;
  /**
   * How many leading bits of `value` (of `length` bits in all) had to be looked at to know all prefixes that it has.
   * Their lengths are set as bits in `lengths` if given: bit 0 of its first word stands for length 1.
   */
  lookup(value: ArrayLike<number>, length: number, lengths: Int32Array | null): number;
  readonly isEmpty: boolean;
}

/** The highest `bits` bits of a word, 0 to 32. */
export function prefixMask(bits: number): number {
  return bits === 0 ? 0 : -1 << (32 - bits);
}

/** At most 32 bits of a value from bit `offset` on, in the highest places, the others zero. */
function bitsOf(value: ArrayLike<number>, offset: number, bits: number): number {
  const word = offset >>> 5;
  const skipped = offset & 31;
  let taken = value[word] << skipped;
  if (bits > 32 - skipped) taken |= value[word + 1] >>> (32 - skipped);
  return taken & prefixMask(bits);
}

function bitOf(value: ArrayLike<number>, offset: number): number {
  return (value[offset >>> 5] >>> (31 - (offset & 31))) & 1;
}

/** How many of the first `bits` bits of a node a value has, from its bit `offset` on. */
function equalBits(node: Node, bits: number, value: ArrayLike<number>, offset: number): number {
  return Math.min(Math.clz32((node.prefix ^ bitsOf(value, offset, bits)) & prefixMask(bits)), bits);
}

function createBranch(value: ArrayLike<number>, offset: number, length: number): Node {
  const bits = Math.min(length - offset, 32);
  const node: Node = { prefix: bitsOf(value, offset, bits), bits, count: 0, zero: null, one: null };
  if (offset + bits === length) node.count = 1;
  else setChild(node, bitOf(value, offset + bits), createBranch(value, offset + bits, length));
  return node;
}

function setChild(node: Node, bit: number, child: Node | null): void {
  if (bit === 0) node.zero = child;
  else node.one = child;
}

/** Puts a prefix, whose first `offset` bits were followed to `node`, below it or beside it; answers the new subtree. */
function insertBelow(node: Node | null, value: ArrayLike<number>, offset: number, length: number): Node {
  if (node === null) return createBranch(value, offset, length);
  const equal = equalBits(node, Math.min(node.bits, length - offset), value, offset);
  const reached = offset + equal;
  if (equal < node.bits) {
    const parent: Node = { prefix: node.prefix & prefixMask(equal), bits: equal, count: 0, zero: null, one: null };
    const oldBit = (node.prefix >>> (31 - equal)) & 1;
    node.prefix = equal === 32 ? 0 : node.prefix << equal;
    node.bits -= equal;
    setChild(parent, oldBit, node);
    if (reached === length) parent.count = 1;
    else setChild(parent, 1 - oldBit, createBranch(value, reached, length));
    return parent;
  }
  if (reached === length) node.count++;
  else if (bitOf(value, reached) === 0) node.zero = insertBelow(node.zero, value, reached, length);
  else node.one = insertBelow(node.one, value, reached, length);
  return node;
}

/** Drops a node that holds nothing and parts nothing, or joins it with its only child. */
function prune(node: Node): Node | null {
  if (node.count > 0 || (node.zero !== null && node.one !== null)) return node;
  const child = node.zero ?? node.one;
  if (child === null) return null;
  if (node.bits + child.bits > 32) return node;
  child.prefix = node.prefix | (node.bits === 32 ? 0 : child.prefix >>> node.bits);
  child.bits += node.bits;
  return child;
}

function removeBelow(node: Node | null, value: ArrayLike<number>, offset: number, length: number): Node | null {
  if (node === null) return null;
  if (node.bits > length - offset || equalBits(node, node.bits, value, offset) < node.bits) return node;
  const reached = offset + node.bits;
  if (reached === length) {
    if (node.count > 0) node.count--;
  } else if (bitOf(value, reached) === 0) node.zero = removeBelow(node.zero, value, reached, length);
  else node.one = removeBelow(node.one, value, reached, length);
  return prune(node);
}

/** An empty trie. */
export function createPrefixTrie(): PrefixTrie {
  let root: Node | null = null;
  return {
    insert(value, length) {
      root = insertBelow(root, value, 0, length);
    },
    remove(value, length) {
      root = removeBelow(root, value, 0, length);
    },
    lookup(value, length, lengths) {
      let previous: Node | null = null;
      let node = root;
      let matched = 0;
      while (node !== null) {
        const equal = equalBits(node, node.bits, value, matched);
        matched += equal;
        if (equal < node.bits) return matched + 1; // The bit that differed was looked at as well.
        if (node.count > 0 && lengths !== null) lengths[(matched - 1) >>> 5] |= 1 << ((matched - 1) & 31);
        if (matched >= length) return length;
        previous = node;
        node = bitOf(value, matched) === 0 ? node.zero : node.one;
      }
      // A leaf has nothing more to say; of a fork with the other branch only, one more bit was needed.
      return previous === null || (previous.zero === null && previous.one === null) ? matched : matched + 1;
    },
    get isEmpty() {
      return root === null;
    },
  };
}
