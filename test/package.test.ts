// What the manifest and the lock file promise: no runtime dependency, exact versions, a lock that installs on every
// platform and names no place to download from. What is packed and published is checked by test/check-package.mjs.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Manifest {
  version: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  bundleDependencies?: string[];
  devDependencies: Record<string, string>;
  overrides: Record<string, string>;
  sideEffects: boolean;
}

interface LockedPackage {
  version?: string;
  resolved?: string;
  integrity?: string;
  optionalDependencies?: Record<string, string>;
}

interface Lock {
  packages: Record<string, LockedPackage>;
}

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const manifest = JSON.parse(read('../package.json')) as Manifest;
const lock = JSON.parse(read('../package-lock.json')) as Lock;

describe('package.json', () => {
  it('has no runtime dependency of any sort', () => {
    const { dependencies, optionalDependencies, peerDependencies, bundleDependencies } = manifest;
    expect({ ...dependencies, ...optionalDependencies, ...peerDependencies }).toEqual({});
    expect(bundleDependencies ?? []).toEqual([]);
  });

  it('needs only the four tools, at exact versions', () => {
    expect(Object.keys(manifest.devDependencies).sort()).toEqual(['@types/node', 'tsup', 'typescript', 'vitest']);
    for (const version of Object.values({ ...manifest.devDependencies, ...manifest.overrides })) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    }
  });

  it('can be shaken: importing it does nothing', () => {
    expect(manifest.sideEffects).toBe(false);
  });
});

describe('bench/peers/package-lock.json', () => {
  it('names no place to download from, and a digest for each package', () => {
    const text = read('../bench/peers/package-lock.json');
    const { packages } = JSON.parse(text) as Lock;
    expect(Object.keys(packages).length).toBeGreaterThan(2);
    for (const [path, entry] of Object.entries(packages)) {
      if (path !== '') expect(entry.integrity, path).toMatch(/^sha512-/);
    }
    expect(text).not.toMatch(/https?:|"resolved"/);
  });
});

describe('package-lock.json', () => {
  it('names no place to download from, and a digest for each package', () => {
    for (const [path, entry] of Object.entries(lock.packages)) {
      expect(entry.resolved, path).toBeUndefined();
      if (path !== '') expect(entry.integrity, path).toMatch(/^sha512-/);
    }
    expect(read('../package-lock.json')).not.toMatch(/https?:\/\/registry|"resolved"/);
  });

  it('installs on every platform: each optional package of each bundler is in it', () => {
    for (const name of ['rollup', 'rolldown', 'esbuild', 'lightningcss']) {
      const wanted = Object.entries(lock.packages[`node_modules/${name}`].optionalDependencies ?? {});
      expect(wanted.length, name).toBeGreaterThan(5);
      for (const [optional, version] of wanted) {
        const locked = lock.packages[`node_modules/${optional}`]?.version;
        expect(locked, optional).toEqual(/^\d/.test(version) ? version : expect.any(String));
      }
    }
  });

  it('is of this version', () => {
    expect(lock.packages[''].version).toBe(manifest.version);
    expect(read('../CHANGELOG.md')).toContain(`## [${manifest.version}]`);
  });
});
