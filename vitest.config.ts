// Three suites: `unit` needs nothing but Node; `interop` needs root, network namespaces and Debian's packages;
// `differential` needs Open vSwitch. `npm test` runs the first.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const alias = [
  { find: /^megaflow$/, replacement: source('./src/index.ts') },
  { find: /^megaflow\/node$/, replacement: source('./src/node/index.ts') },
];

// Where a file is named, the counts are written there as well: .ci/run adds them up.
const report = process.env.MEGAFLOW_TEST_REPORT;

export default defineConfig({
  test: {
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/interop/**', 'test/differential/**'],
          testTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'differential',
          include: ['test/differential/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
