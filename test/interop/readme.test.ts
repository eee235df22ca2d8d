// The walk-through of README.md, as it stands there: pasted into a shell, with names that no other run has.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { createLab, whyNot, type Lab } from './lab.js';

const skip = whyNot('the walk-through of README.md', ['ip', 'ping', 'npm', 'ovs-appctl']) !== undefined;
const root = new URL('../../', import.meta.url);

let lab: Lab | undefined;
const namespaces = ['here', 'there'].map((name) => `mf${process.pid}${name}`);
afterEach(async () => {
  // It removes them itself, unless it failed.
  for (const name of namespaces) spawnSync('ip', ['netns', 'delete', name]);
  await lab?.close();
});

describe.skipIf(skip)('README.md', () => {
  it('leads from ip netns add to a ping through megaflow', async () => {
    lab = createLab();
    const blocks = [...readFileSync(new URL('README.md', root), 'utf8').matchAll(/```sh\n([^]*?)\n```/g)];
    const pasted = blocks.map(([, text]) => text).find((text) => text.includes('ip netns add here'));
    const index = 10_000 + (process.pid % 10_000) * 100 + 99;
    const script = (pasted ?? '')
      .replace(/(?<=(netns add|netns exec|netns delete|netns|-n) )(here|there)\b/g, (name) => `mf${process.pid}${name}`)
      .replaceAll('4096', String(index))
      .replaceAll('/tmp/', `${lab.folder}/`);
    const started = lab.startHere(['bash', '-e', '-c', `cd '${fileURLToPath(root)}'\n${script}`]);
    const status = await started.ended;
    expect({ status, text: started.text() }).toMatchObject({
      status: 0,
      text: expect.stringMatching(/\b3 received, 0% packet loss/),
    });
    expect(started.text()).toMatch(/tnl_pop\(vxlan_sys_4789\)/);
    expect(started.text()).toMatch(/^ens8: rx \d+ frames, \d+ bytes, drops: none; tx \d+ frames/m);
    for (const name of namespaces) expect(spawnSync('ip', ['netns', 'exec', name, 'true']).status).not.toBe(0);
  });
});
