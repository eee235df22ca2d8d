// The core runs where there is no Node: it is bundled as for a page, loaded where neither `process`, `Buffer`,
// `require` nor `node:` exists, and used there.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as megaflow from '../src/index.js';
import { bundleForBrowser, bundleName, openPage } from './browser.js';

const entry = fileURLToPath(new URL('../src/index.ts', import.meta.url));

describe('the core in a browser', () => {
  let bundle: string;
  beforeAll(async () => {
    bundle = await bundleForBrowser(entry);
  });

  it('loads, with every public name', () => {
    const page = openPage();
    page.run(bundle);
    const names = JSON.parse(String(page.run(`JSON.stringify(Object.keys(${bundleName}))`))) as string[];
    expect(names).toContain('MegaflowError');
    expect(names.sort()).toEqual(Object.keys(megaflow).sort());
    expect(page.run(`Object.values(${bundleName}).some((value) => value === undefined)`)).toBe(false);
  });

  it('holds frames, reads addresses, and refuses with its own error', () => {
    const page = openPage();
    page.run(bundle);
    const use = `
      const { MegaflowError, PacketPool, formatMac, fromHex, parseMac, toHex } = ${bundleName};
      const pool = new PacketPool({ slots: 64 });
      const handle = pool.allocate();
      const frame = fromHex('ffffffffffffaa55aa5500010806');
      pool.bytes.set(frame, pool.offset[handle]);
      pool.length[handle] = frame.length;
      const answer = {
        frame: toHex(pool.bytes, pool.offset[handle], pool.offset[handle] + pool.length[handle]),
        mac: formatMac(parseMac('AA:55:aa:55:00:01')),
      };
      try {
        parseMac('aa:55');
      } catch (error) {
        answer.code = error instanceof MegaflowError ? error.code : String(error);
      }
      return JSON.stringify(answer);
    `;
    expect(JSON.parse(String(page.run(`(() => {${use}})()`)))).toEqual({
      frame: 'ffffffffffffaa55aa5500010806',
      mac: 'aa:55:aa:55:00:01',
      code: 'bad-address',
    });
  });

  it('keeps time with the timers of the page', async () => {
    const page = openPage();
    page.run(bundle);
    const order = page.run(`
      new Promise((resolve) => {
        const { systemClock } = ${bundleName};
        const order = [];
        systemClock.after(0, () => order.push('cancelled')).cancel();
        systemClock.after(1, () => order.push('after') && resolve(order.join()));
      })
    `);
    expect(await order).toBe('after');
  });

  it('names nothing of Node', () => {
    expect(bundle).not.toMatch(/\brequire\s*\(|["'`]node:|\b__dirname\b/);
  });
});

describe('the page', () => {
  const folder = mkdtempSync(join(tmpdir(), 'megaflow-browser-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  it('has nothing of Node', () => {
    const page = openPage();
    for (const name of ['process', 'Buffer', 'require', 'module', 'global', 'setImmediate', 'SharedArrayBuffer']) {
      expect(page.run(`typeof ${name}`), name).toBe('undefined');
    }
  });

  it('refuses a core that imports a module of Node, in whatever way', async () => {
    const texts = [
      `export { readFileSync } from 'node:fs';`,
      `export const open = () => import('node:fs/promises');`,
      `import { hostname } from 'os';\nexport const name = hostname();`,
    ];
    const log = vi.spyOn(console, 'error').mockReturnValue(); // The bundler says there what the rejection says too.
    for (const [index, text] of texts.entries()) {
      await expect(bundleForBrowser(write(`import-${index}.ts`, text)), text).rejects.toThrow();
    }
    log.mockRestore();
  });

  it('refuses a core that uses a global of Node, or makes code from text', async () => {
    const texts = [
      'export const version = process.version;',
      'export const bytes = Buffer.alloc(1);',
      'export const later = setImmediate(() => {});',
      `export const one = new Function('return 1')();`,
    ];
    for (const [index, text] of texts.entries()) {
      const bundle = await bundleForBrowser(write(`global-${index}.ts`, text));
      const page = openPage();
      expect(() => page.run(bundle), text).toThrow();
    }
  });

  it('runs a sound module', async () => {
    const text = 'export const text = new TextDecoder().decode(new Uint8Array([104, 105]));';
    const bundle = await bundleForBrowser(write('sound.ts', text));
    const page = openPage();
    page.run(bundle);
    expect(page.run(`${bundleName}.text`)).toBe('hi');
  });
});
