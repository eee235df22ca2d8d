/**
 * The flow tables of one bridge: rules in tables 0 to 253, added, modified and deleted as OpenFlow has it, with
 * counters, timeouts and cookies. Looking up goes through the staged classifier, one a table, made when its first rule
 * comes.
 *
 * A table holds actions in the form of `stored.ts`. Time is a number of milliseconds on the caller's clock, handed in;
 * nothing happens here by itself. Executing actions, and what a packet meets that no rule matches, are the switch's.
 * Table 254 is Open vSwitch's own (its hidden rules), and takes none.
 */
import { createStagedClassifier, type StagedClassifier } from '../classifier/staged.js';
import { FRAG_ANY, fields, getField, setExact, setField, type FieldName, type FlowWords } from '../flow/fields.js';
import { MegaflowError } from '../util/errors.js';
import { formatOpenFlowActions, hasOutput } from './action-format.js';
import { learnedRule } from './learn.js';
import { createMatch, equalMatches, isWithin, type OpenFlowMatch } from './match.js';
import { parseFlowMod, type FlowMod } from './parse.js';
import { storedActions } from './stored.js';
import type { LearnAction, OpenFlowAction, OpenFlowRuleSpec } from './types.js';

/** The last table that takes rules. */
export const LAST_TABLE = 253;

/** A rule in a table. Only its table writes to it, `credit` excepted. */
export interface OpenFlowRule extends OpenFlowMatch {
  readonly table: number;
  readonly priority: number;
  cookie: bigint;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly importance: number;
  readonly sendFlowRemoved: boolean;
  actions: readonly OpenFlowAction[];
  packets: number;
  bytes: number;
  createdMs: number;
  /** When its actions were written last; the hard timeout counts from here. */
  modifiedMs: number;
  /** When it last matched a packet, or came. */
  usedMs: number;
  /** False once it has been removed. */
  isInstalled: boolean;
  /** Learned in a translation that is still going on. */
  isHidden: boolean;
}

export type RemovalReason = 'idle' | 'hard';

export interface FlowTables {
  /**
   * Does what a flow text or its parsed form says. Throws `bad-flow-text`, `out-of-range` (table), `already-exists`
   * (overlap).
   */
  apply(mod: FlowMod, nowMs: number): void;
  /** Adds a rule; one of the same match and priority in its table goes. */
  add(spec: OpenFlowRuleSpec, nowMs: number): OpenFlowRule;
  /**
   * Adds or refreshes the rule that a `learn` action makes of a flow; false if its limit forbids that, or table 254. A
   * rule that is there already, and says the same, only begins its hard timeout anew.
   */
  learn(learn: LearnAction, flow: FlowWords, nowMs: number): boolean;
  /**
   * As `learn`, but look-ups answer as if nothing had been learned until the function that is answered is called: what
   * is translated goes by the rules of its beginning. A new rule counts for the limit, and its fields are looked at, at
   * once. `undefined` where `learn` is false.
   */
  learnLater(learn: LearnAction, flow: FlowWords, nowMs: number): (() => void) | undefined;
  /** Whether the rule that `learn` would add is there, and says the same. */
  hasLearned(learn: LearnAction, flow: FlowWords): boolean;
  /**
   * The rule that a flow matches in a table, and in `wildcards` the bits that decided it. A fragment is looked up as if
   * its ports were zero, as Open vSwitch does by default.
   */
  lookup(table: number, flow: FlowWords, wildcards: FlowWords | null): OpenFlowRule | undefined;
  /** Counts packets that a rule matched. */
  credit(rule: OpenFlowRule, packets: number, bytes: number, usedMs: number): void;
  /** Removes the rules whose time is over. */
  expire(nowMs: number): { rule: OpenFlowRule; reason: RemovalReason }[];
  /** Rules in the order of a dump: by table, then as the classifier has them; of one table, or of all. */
  rules(table?: number): IterableIterator<OpenFlowRule>;
  /** The rules of table 254, which nobody gave and nobody changes: packets that are sent there are dropped. */
  readonly internalRules: readonly OpenFlowRule[];
  /** That of them which counts the packets that no rule matched. */
  readonly missRule: OpenFlowRule;
  /** Removes all rules. */
  clear(): void;
  readonly size: number;
  /** Grows with each change that can make a difference to a packet. */
  readonly sequence: number;
}

const PORTS_WORD = fields.tpSrc.at >> 2;

function checkTable(table: number): number {
  if (Number.isInteger(table) && table >= 0 && table <= LAST_TABLE) return table;
  throw new MegaflowError(
    'out-of-range',
    `no flows can be put into table ${table}`,
    table,
    `a table from 0 to ${LAST_TABLE}`,
  );
}

/** What `delete_learned` asks to remember of a rule: table and cookie. */
function learnedCookies(actions: readonly OpenFlowAction[]): string[] {
  return actions.flatMap((action) => {
    if (action.type === 'clone') return learnedCookies(action.actions);
    return action.type === 'learn' && action.deleteLearned ? [`${action.table} ${action.cookie}`] : [];
  });
}

function hasGroup(actions: readonly OpenFlowAction[], id: number): boolean {
  return actions.some((action) =>
    action.type === 'clone' ? hasGroup(action.actions, id) : action.type === 'group' && action.id === id,
  );
}

function createRule(spec: OpenFlowRuleSpec & { readonly sendFlowRemoved?: boolean }, nowMs: number): OpenFlowRule {
  const { table, priority, cookie, idleTimeout, hardTimeout, importance, match } = spec;
  return {
    table,
    priority,
    cookie,
    idleTimeout,
    hardTimeout,
    importance,
    sendFlowRemoved: spec.sendFlowRemoved ?? false,
    key: match.key,
    mask: match.mask,
    actions: storedActions(spec.actions),
    packets: 0,
    bytes: 0,
    createdMs: nowMs,
    modifiedMs: nowMs,
    usedMs: nowMs,
    isInstalled: true,
    isHidden: false,
  };
}

/** What Open vSwitch has in its own table: for packets sent there, for misses with and without a controller, for fragments. */
const INTERNAL_RULES: readonly { priority: number; field: FieldName; value: number }[] = [
  { priority: 2, field: 'recircId', value: 0 },
  { priority: 0, field: 'reg0', value: 1 },
  { priority: 0, field: 'reg0', value: 2 },
  { priority: 0, field: 'reg0', value: 3 },
];
const MISS = 2;

/** The tables of a bridge, empty but for the internal one. */
export function createFlowTables(nowMs = 0): FlowTables {
  const tables: (StagedClassifier<OpenFlowRule> | undefined)[] = [];
  /** Rules with a timeout. */
  const expirable = new Set<OpenFlowRule>();
  /** How many rules hold a `learn` with `delete_learned` for a table and cookie. */
  const references = new Map<string, number>();
  const ported = new Int32Array(createMatch().key.length);
  let size = 0;
  let sequence = 0;

  function* rules(table?: number): IterableIterator<OpenFlowRule> {
    if (table !== undefined) yield* tables[table] ?? [];
    else for (const classifier of tables.slice(0, LAST_TABLE + 1)) if (classifier !== undefined) yield* classifier;
  }

  function refer(actions: readonly OpenFlowAction[], change: 1 | -1): string[] {
    const dead: string[] = [];
    for (const name of learnedCookies(actions)) {
      const count = (references.get(name) ?? 0) + change;
      if (count > 0) references.set(name, count);
      else {
        references.delete(name);
        dead.push(name);
      }
    }
    return dead;
  }

  /** What was learned goes with the last rule that taught it. */
  function removeLearned(dead: readonly string[]): void {
    for (const name of dead) {
      const [table, cookie] = name.split(' ');
      for (const rule of [...rules(Number(table))])
        if (rule.isInstalled && rule.cookie === BigInt(cookie)) remove(rule);
    }
  }

  /** Takes a rule out of the books, not out of its classifier. */
  function retire(rule: OpenFlowRule): string[] {
    rule.isInstalled = false;
    expirable.delete(rule);
    size--;
    sequence++;
    return refer(rule.actions, -1);
  }

  function remove(rule: OpenFlowRule): void {
    tables[rule.table]!.remove(rule);
    removeLearned(retire(rule));
  }

  function add(spec: OpenFlowRuleSpec & { readonly sendFlowRemoved?: boolean }, nowMs: number): OpenFlowRule {
    const rule = createRule(spec, nowMs);
    const { idleTimeout, hardTimeout } = rule;
    const classifier = (tables[checkTable(rule.table)] ??= createStagedClassifier<OpenFlowRule>());
    const old = classifier.insert(rule);
    size++;
    sequence++;
    refer(rule.actions, 1);
    if (idleTimeout !== 0 || hardTimeout !== 0) expirable.add(rule);
    if (old !== undefined) removeLearned(retire(old));
    return rule;
  }

  function rewrite(rule: OpenFlowRule, actions: readonly OpenFlowAction[], cookie: bigint | null, nowMs: number): void {
    refer(actions, 1);
    const dead = refer(rule.actions, -1);
    rule.actions = actions;
    if (cookie !== null) rule.cookie = cookie;
    rule.modifiedMs = nowMs;
    sequence++;
    removeLearned(dead);
  }

  function selectRules(mod: FlowMod): OpenFlowRule[] {
    const { command, match, priority, cookieMatch, outPort, outGroup } = mod;
    const isStrict = command === 'modify_strict' || command === 'delete_strict';
    const selected: OpenFlowRule[] = [];
    for (const rule of rules(mod.table ?? undefined)) {
      if (isStrict ? rule.priority !== priority || !equalMatches(rule, match) : !isWithin(rule, match)) continue;
      if (cookieMatch !== null && ((rule.cookie ^ cookieMatch.value) & cookieMatch.mask) !== 0n) continue;
      if (outPort !== null && !hasOutput(rule.actions, outPort)) continue;
      if (outGroup !== null && !hasGroup(rule.actions, outGroup)) continue;
      selected.push(rule);
    }
    return selected;
  }

  /** Whether some packet could match two rules of one priority. */
  function checkOverlap(mod: FlowMod, table: number): void {
    for (const rule of rules(table)) {
      if (rule.priority !== mod.priority || equalMatches(rule, mod.match)) continue;
      if (
        rule.mask.every((bits, word) => ((rule.key[word] ^ mod.match.key[word]) & bits & mod.match.mask[word]) === 0)
      ) {
        throw new MegaflowError(
          'already-exists',
          'the flow overlaps another of its priority',
          mod,
          'a match that no packet shares with another',
        );
      }
    }
  }

  function addFlow(mod: FlowMod, nowMs: number): void {
    const table = checkTable(mod.table ?? 0);
    if (mod.checkOverlap) checkOverlap(mod, table);
    add({ ...mod, table, cookie: mod.cookie ?? 0n }, nowMs);
  }

  function apply(mod: FlowMod, nowMs: number): void {
    if (mod.table !== null) checkTable(mod.table);
    if (mod.command === 'add') {
      addFlow(mod, nowMs);
      return;
    }
    const selected = selectRules(mod);
    if (mod.command === 'delete' || mod.command === 'delete_strict') {
      for (const rule of selected) if (rule.isInstalled) remove(rule);
      return;
    }
    if (selected.length === 0 && mod.cookieMatch === null) addFlow(mod, nowMs);
    const actions = storedActions(mod.actions);
    for (const rule of selected) if (rule.isInstalled) rewrite(rule, actions, mod.cookie, nowMs);
  }

  function learnLater(action: LearnAction, flow: FlowWords, nowMs: number): (() => void) | undefined {
    if (action.table > LAST_TABLE) return undefined;
    const spec = { ...learnedRule(action, flow), sendFlowRemoved: action.sendFlowRemoved };
    const actions = storedActions(spec.actions);
    const old = tables[spec.table]?.find(spec.match.key, spec.match.mask, spec.priority);
    if (old && saysTheSame(old, spec, actions)) {
      return () => {
        old.modifiedMs = nowMs;
      };
    }
    // A rule that would only change counts as well, and may not change where the limit is reached.
    if (action.limit !== 0) {
      let count = 0;
      for (const rule of rules(spec.table)) if (rule.cookie === spec.cookie) count++;
      if (count >= action.limit) return undefined;
    }
    if (old) return () => old.isInstalled && rewrite(old, actions, spec.cookie, nowMs);
    const rule = add(spec, nowMs);
    rule.isHidden = true;
    return () => {
      rule.isHidden = false;
    };
  }

  function saysTheSame(
    rule: OpenFlowRule,
    spec: OpenFlowRuleSpec & { readonly sendFlowRemoved: boolean },
    actions: readonly OpenFlowAction[],
  ): boolean {
    return (
      rule.cookie === spec.cookie &&
      rule.idleTimeout === spec.idleTimeout &&
      rule.hardTimeout === spec.hardTimeout &&
      rule.importance === spec.importance &&
      rule.sendFlowRemoved === spec.sendFlowRemoved &&
      formatOpenFlowActions(rule.actions) === formatOpenFlowActions(actions)
    );
  }

  function hasLearned(action: LearnAction, flow: FlowWords): boolean {
    const spec = { ...learnedRule(action, flow), sendFlowRemoved: action.sendFlowRemoved };
    const rule = tables[spec.table]?.find(spec.match.key, spec.match.mask, spec.priority);
    return rule !== undefined && saysTheSame(rule, spec, storedActions(spec.actions));
  }

  function learn(action: LearnAction, flow: FlowWords, nowMs: number): boolean {
    const finish = learnLater(action, flow, nowMs);
    finish?.();
    return finish !== undefined;
  }

  function lookup(table: number, flow: FlowWords, wildcards: FlowWords | null): OpenFlowRule | undefined {
    const classifier = tables[table];
    if (classifier === undefined) return undefined;
    if ((getField(flow, 'ipFrag') & FRAG_ANY) === 0) return classifier.lookup(flow, wildcards);
    ported.set(flow);
    ported[PORTS_WORD] = 0;
    return classifier.lookup(ported, wildcards);
  }

  const internalRules = INTERNAL_RULES.map(({ priority, field, value }) => {
    const match = createMatch();
    setField(match.key, field, value);
    setExact(match.mask, field);
    const table = LAST_TABLE + 1;
    const rule = createRule(
      { table, priority, match, cookie: 0n, idleTimeout: 0, hardTimeout: 0, importance: 0, actions: [] },
      nowMs,
    );
    (tables[table] ??= createStagedClassifier<OpenFlowRule>()).insert(rule);
    return rule;
  });

  return {
    internalRules,
    missRule: internalRules[MISS],
    apply,
    add,
    learn,
    learnLater,
    hasLearned,
    lookup,
    credit(rule, packets, bytes, usedMs) {
      rule.packets += packets;
      rule.bytes += bytes;
      if (usedMs > rule.usedMs) rule.usedMs = usedMs;
    },
    expire(nowMs) {
      const expired: { rule: OpenFlowRule; reason: RemovalReason }[] = [];
      for (const rule of expirable) {
        if (rule.hardTimeout !== 0 && nowMs > rule.modifiedMs + rule.hardTimeout * 1000)
          expired.push({ rule, reason: 'hard' });
        else if (rule.idleTimeout !== 0 && nowMs > rule.usedMs + rule.idleTimeout * 1000)
          expired.push({ rule, reason: 'idle' });
      }
      return expired.filter(({ rule }) => {
        if (!rule.isInstalled) return false;
        remove(rule);
        return true;
      });
    },
    rules,
    clear() {
      for (const rule of [...rules()]) if (rule.isInstalled) remove(rule);
    },
    get size() {
      return size;
    },
    get sequence() {
      return sequence;
    },
  };
}

/** The rule of a bridge that nobody configured: all packets NORMAL, at the lowest priority. */
export function addDefaultRule(tables: FlowTables, nowMs: number): void {
  tables.apply(parseFlowMod('priority=0,actions=NORMAL'), nowMs);
}
