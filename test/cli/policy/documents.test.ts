import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { documentsIn, type Found } from '../../../src/cli/policy/documents.ts';
import { folder } from './manifests.ts';

async function found(...paths: string[]): Promise<Found[]> {
  const all: Found[] = [];
  for await (const one of documentsIn(paths)) all.push(one);
  return all;
}

async function inFile(content: string | Buffer, name = 'a.yaml') {
  const file = join(folder({ [name]: content }), name);
  return { file, read: () => found(file) };
}

const valuesOf = (all: readonly Found[]) => all.map(({ value }) => value);

describe('documents', () => {
  it('are those of a file, each with its number and line', async () => {
    const { file, read } = await inFile('# first\na: 1\n---\nb: 2\n...\n---\n\nc: 3\n');
    expect((await read()).map(({ value, place }) => ({ value, ...place }))).toEqual([
      { value: { a: 1 }, file, document: 1, line: 2 },
      { value: { b: 2 }, file, document: 2, line: 4 },
      { value: { c: 3 }, file, document: 3, line: 8 },
    ]);
  });

  it('are those of a folder, by name and however deep, and of no other extension', async () => {
    const path = folder({
      'b.yml': 'b',
      'a/deep/a.yaml': 'a',
      'c.json': '"c"',
      'notes.txt': 'not',
      'd.yaml.orig': 'not',
    });
    expect(valuesOf(await found(path))).toEqual(['a', 'b', 'c']);
  });

  it('are read once, by whatever names', async () => {
    const path = folder({ 'a.yaml': 'a' });
    symlinkSync(join(path, 'a.yaml'), join(path, 'b.yaml'));
    expect(valuesOf(await found(path, join(path, 'a.yaml'), path))).toEqual(['a']);
  });

  it.each([
    ['JSON, with tabs', '{\n\t"a":\t[\n\t\t1]}', { a: [1] }],
    [
      'merged maps',
      'base: &base {a: 1, b: 2}\nmore:\n  <<: *base\n  b: 3',
      { base: { a: 1, b: 2 }, more: { a: 1, b: 3 } },
    ],
    ['times, as text', 'at: 2027-01-31T00:00:00Z', { at: '2027-01-31T00:00:00Z' }],
    ['hours, as text', 'from: 06:00', { from: '06:00' }],
    ['a byte order mark', '\u{feff}a: 1', { a: 1 }],
  ])('may have %s', async (_, text, value) => {
    const { read } = await inFile(text);
    expect(valuesOf(await read())).toEqual([value]);
  });

  it('know the line of a field, or of what is around it', async () => {
    const { read } = await inFile('a:\n  b:\n    - c\n    - d: 1\n      e: 2\n');
    const [one] = await read();
    const lines = [['a'], ['a', 'b'], ['a', 'b', '0'], ['a', 'b', '1', 'e'], ['a', 'b', '1', 'f'], ['z']];
    expect(lines.map((path) => one?.lineOf(path))).toEqual([1, 2, 3, 5, 4, 1]);
  });
});

describe('what is no document', () => {
  it.each<[string, string | Buffer, RegExp]>([
    ['bad YAML', 'a: 1\nb: [\nc: 2\n', /a\.yaml:[23]: not YAML or JSON as it should be/],
    ['a template', 'a: 1\nb: {{ .Values.b }}\n', /a\.yaml:2: .*is it a template\?/],
    ['a key that is there twice', 'a: 1\nb:\n  c: 1\n  c: 2\n', /a\.yaml:4: .*the key "c" is there twice/],
    ['an alias of nothing', '\na: *b', /a\.yaml:2: /],
    ['an alias inside its anchor', 'a: &a\n  b: *a\n', /an alias stands inside what it stands for/],
    ['a bomb of aliases', bomb(), /a\.yaml:1: .*alias/],
    ['brackets without end', '['.repeat(100_000), /a\.yaml:1: /],
    ['dashes without end', '- '.repeat(100_000), /a\.yaml:1: /],
    ['UTF-16', Buffer.from('\u{feff}a: 1', 'utf16le'), /a\.yaml is not in UTF-8\./],
    ['bytes', Buffer.from([0xff, 0xfe, 0, 1, 2]), /a\.yaml is not in UTF-8\./],
    ['more than 10 MiB', Buffer.alloc((10 << 20) + 1, ' '), /a\.yaml is larger than 10 MiB: split it\./],
  ])('%s fails, and says where', async (_, content, says) => {
    const { read } = await inFile(content);
    await expect(read()).rejects.toMatchObject({ name: 'Failure', message: expect.stringMatching(says) });
  });

  it.each([
    ['a file that is not there', () => '/nowhere/a.yaml', /^\/nowhere\/a\.yaml cannot be read \(ENOENT\)\.$/],
    ['a folder without any', () => folder({ 'a.txt': '' }), / holds no file called \*\.yaml, \*\.yml or \*\.json\.$/],
  ])('%s fails', async (_, path, says) => {
    await expect(found(path())).rejects.toMatchObject({ name: 'Failure', message: expect.stringMatching(says) });
  });

  it('never crashes', async () => {
    const junk = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.constantFrom(...'[]{}:-&*<|>?!%@`"\'# \n\tab1,~')).map((all) => all.join('')),
    );
    await fc.assert(
      fc.asyncProperty(junk, async (text) => {
        const { read } = await inFile(text);
        await read().catch((error: unknown) => expect(error).toMatchObject({ name: 'Failure' }));
      }),
    );
  });

  it('is told within seconds, though it has very many keys', async () => {
    const keys = Array.from({ length: 100_000 }, (_, at) => `key-${at}: value-of-it\n`).join('');
    const { read } = await inFile(`${keys}key-1: again\n`);
    await expect(read()).rejects.toThrow('the key "key-1" is there twice');
  }, 30_000);
});

function bomb(): string {
  const lines = Array.from(
    { length: 12 },
    (_, at) => `a${at}: &a${at} [${Array(10).fill(at === 0 ? 'x' : `*a${at - 1}`)}]`,
  );
  return lines.join('\n');
}
