import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chunksOf, LineCutter } from '../../src/cli/lines.ts';

describe('lines', () => {
  it.each<[string, string[], string[], number]>([
    ['are cut at newlines, wherever the chunks end', ['a\nb', 'c\n', '\nd'], ['a', 'bc', 'd'], 0],
    ['are left out whole when they are too long', ['123456789\nok\n12345', '6789\nfine\n'], ['ok', 'fine'], 2],
    ['may be as long as that', ['12345678\n'], ['12345678'], 0],
    ['are whole characters', ['ü'.repeat(4), '\n'], ['üüüü'], 0],
    ['are none in nothing', [''], [], 0],
  ])('%s', (_, chunks, expected, tooLong) => {
    const cutter = new LineCutter(8);
    const lines = [...chunks.flatMap((chunk) => [...cutter.cut(Buffer.from(chunk))]), ...cutter.end()];
    expect(lines).toEqual(expected);
    expect(cutter.tooLong).toBe(tooLong);
  });
});

describe('a file', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tokenwright-lines-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is read to its end', async () => {
    const path = join(folder, 'whole');
    await writeFile(path, 'x'.repeat(200_000));
    const sizes = [];
    for await (const chunk of chunksOf(path, false)) sizes.push(chunk.length);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(200_000);
  });

  it('that is followed gives what is appended, and what stands in the one that takes its place', async () => {
    const path = join(folder, 'growing');
    await writeFile(path, 'one\n');
    const chunks = chunksOf(path, true);
    const next = async () => String((await chunks.next()).value);
    expect(await next()).toBe('one\n');
    const second = next();
    await appendFile(path, 'two\n');
    expect(await second).toBe('two\n');
    const third = next();
    await rename(path, `${path}.1`);
    // by whoever has it still open
    await appendFile(`${path}.1`, 'three\n');
    await writeFile(path, 'four\n');
    expect([await third, await next()]).toEqual(['three\n', 'four\n']);
    await chunks.return(undefined);
  });
});
