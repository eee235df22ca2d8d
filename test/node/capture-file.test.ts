import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseCapture } from '../../src/io/capture-reader.js';
import { createPcapngWriter } from '../../src/io/pcapng.js';
import { createCaptureFile, readCapture } from '../../src/node/capture-file.js';

const folder = mkdtempSync(join(tmpdir(), 'megaflow-capture-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const frameOf = (byte: number, length: number): Uint8Array => new Uint8Array(length).fill(byte);

describe('a capture file', () => {
  it('has what was written, in either format, and no more after close', () => {
    for (const [name, writer] of [
      ['a.pcap', undefined],
      ['a.pcapng', createPcapngWriter()],
    ] as const) {
      const path = join(folder, name);
      // What is there already is replaced.
      writeFileSync(path, 'something else, and longer than any header that is written here '.repeat(100));
      const file = createCaptureFile(path, writer);
      for (let second = 1; second <= 3; second++) {
        file.sink({ frame: frameOf(second, 60 + second), seconds: second, nanoseconds: 5000, direction: 'in' });
      }
      file.close();
      file.close();
      file.sink({ frame: frameOf(4, 64), seconds: 4, nanoseconds: 0 });

      const frames = [...readCapture(path)];
      expect(frames.map(({ frame, seconds, nanoseconds }) => [frame, seconds, nanoseconds])).toEqual(
        [1, 2, 3].map((second) => [frameOf(second, 60 + second), second, 5000]),
      );
      expect(frames).toEqual(parseCapture(readFileSync(path)));
    }
  });

  it('is read across chunks, and may be left in the middle', () => {
    const path = join(folder, 'long.pcap');
    const file = createCaptureFile(path);
    for (let index = 0; index < 200; index++)
      file.sink({ frame: frameOf(index, 1500), seconds: index, nanoseconds: 0 });
    file.close();
    let count = 0;
    for (const { frame, seconds } of readCapture(path)) {
      expect(frame).toEqual(frameOf(seconds, 1500));
      count++;
    }
    expect(count).toBe(200);
    for (const { seconds } of readCapture(path)) {
      expect(seconds).toBe(0);
      break;
    }
  });

  it('gives the frames before the place where it cannot be read', () => {
    const path = join(folder, 'cut.pcap');
    const file = createCaptureFile(path);
    for (let second = 1; second <= 2; second++)
      file.sink({ frame: frameOf(second, 60), seconds: second, nanoseconds: 0 });
    file.close();
    truncateSync(path, 24 + 2 * (16 + 60) - 1);
    const seconds: number[] = [];
    expect(() => {
      for (const captured of readCapture(path)) seconds.push(captured.seconds);
    }).toThrow(expect.objectContaining({ code: 'bad-capture' }));
    expect(seconds).toEqual([1]);
  });

  it('that cannot be opened is told with the cause', () => {
    const missing = join(folder, 'missing', 'a.pcap');
    const refusal = expect.objectContaining({
      code: 'io-failed',
      value: missing,
      cause: expect.objectContaining({ code: 'ENOENT' }),
    });
    expect(() => createCaptureFile(missing)).toThrow(refusal);
    expect(() => readCapture(missing).next()).toThrow(refusal);
    expect(() => readCapture(folder).next()).toThrow(expect.objectContaining({ code: 'io-failed' }));
  });
});
