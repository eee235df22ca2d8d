/**
 * The commands of `ovs-appctl` over a switch: what they print, in the very form (ovs-vswitchd(8), "RUNTIME MANAGEMENT
 * COMMANDS"). Each is a function of its own in the files beside this one; here they are found by name.
 */
import type { VSwitch } from '../switch/vswitch.js';
import { fail, type Commands } from './command.js';
import { coverageCommands } from './coverage.js';
import { dpctlCommands } from './dpctl.js';
import { dpifCommands } from './dpif.js';
import { fdbCommands } from './fdb.js';
import { neighbourCommands } from './neighbours.js';
import { routeCommands } from './routes.js';
import { ruleCommands } from './rules.js';
import { traceCommands } from './trace-command.js';
import { tunnelCommands } from './tunnels.js';

/** The program whose language this is. */
export const VERSION = 'ovs-vswitchd (Open vSwitch) 3.1.0';

/** `list-commands`: all commands with what they take, by name. */
export function listCommands(): string {
  const lines = Object.keys(commands)
    .sort()
    .map((name) => `  ${name.padEnd(23)} ${commands[name].usage}`);
  return ['The available commands are:', ...lines, ''].join('\n');
}

const commands: Commands = {
  ...coverageCommands,
  ...dpctlCommands,
  ...dpifCommands,
  ...fdbCommands,
  ...neighbourCommands,
  ...routeCommands,
  ...ruleCommands,
  ...traceCommands,
  ...tunnelCommands,
  'list-commands': { usage: '', least: 0, most: 0, run: listCommands },
  version: { usage: '', least: 0, most: 0, run: () => `${VERSION}\n` },
};

/**
 * Runs a command and answers what `ovs-appctl` would print, the final newline included; commands that print nothing
 * answer `''`. Throws `command-failed` with the text of the refusal.
 */
export function appctl(vswitch: VSwitch, name: string, ...words: string[]): string {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    return fail(
      `"${name}" is not a valid command (use "list-commands" to see a list of valid commands)`,
      name,
      Object.keys(commands).join(', '),
    );
  }
  if (words.length < command.least) {
    fail(`"${name}" command requires at least ${command.least} arguments`, words, command.usage);
  }
  if (words.length > command.most)
    fail(`"${name}" command takes at most ${command.most} arguments`, words, command.usage);
  return command.run(vswitch, words);
}
