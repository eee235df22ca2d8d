// The README's example does what the README says that it does, and what the README names exists.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as megaflow from 'megaflow';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  scripts: Record<string, string>;
};

/** The text of the first block in `language`. */
function block(language: string): string {
  const found = new RegExp(`\`\`\`${language}\n([^]*?)\n\`\`\``).exec(readme);
  if (!found) throw new Error(`README.md has no block in ${language}`);
  return found[1];
}

describe('README.md', () => {
  it('has an example that prints what stands below it', () => {
    const [, names, code] = /^import \{ (.*) \} from 'megaflow';\n([^]*)$/.exec(block('js')) ?? [];
    const printed: string[] = [];
    const run = new Function('megaflow', 'console', `const { ${names} } = megaflow;\n${code}`);
    run(megaflow, { log: (text: string) => printed.push(text) });
    expect(printed.join('\n').trimEnd()).toBe(block('text'));
  });

  it('names commands that exist', () => {
    for (const [, name] of readme.matchAll(/npm run (?:--silent )?([\w:]+)/g))
      expect(Object.keys(manifest.scripts)).toContain(name);
    for (const [, name] of readme.matchAll(/example -- ([\w-]+)/g)) {
      expect(existsSync(new URL(`../examples/${name}.mjs`, import.meta.url)), name).toBe(true);
    }
  });

  it('links to files that exist', () => {
    for (const [, path] of readme.matchAll(/\]\((?!https:)([^)]+)\)/g)) {
      expect(existsSync(new URL(`../${path}`, import.meta.url)), path).toBe(true);
    }
  });
});
