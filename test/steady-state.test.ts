// In the steady state nothing is allocated: a million packets, forwarded, encapsulated or decapsulated, take less than 64 kB of heap. Not a
// matter of time: bytes are counted, in a process of its own.
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'megaflow-steady-'));
const program = join(folder, 'steady-state.mjs');
const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

beforeAll(async () => {
  await build({
    entryPoints: [path('steady-state.mjs')],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    alias: { megaflow: path('../src/index.ts') },
    logLevel: 'error',
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Bytes of heap by stage. */
function measure(...parameters: string[]): Record<string, number> {
  const text = execFileSync(process.execPath, ['--expose-gc', program, ...parameters], { encoding: 'utf8' });
  return JSON.parse(text) as Record<string, number>;
}

describe('a million packets in the steady state', () => {
  it('take less than 64 kB of heap', () => {
    const bytes = measure();
    expect(Object.keys(bytes)).toEqual(['forward', 'encapsulate', 'decapsulate']);
    for (const [stage, grown] of Object.entries(bytes)) expect(grown, stage).toBeLessThan(64_000);
  });

  it('take more where something is made of each: the measure can see it', () => {
    for (const [stage, grown] of Object.entries(measure('spoilt'))) expect(grown, stage).toBeGreaterThan(1_000_000);
  });
});
