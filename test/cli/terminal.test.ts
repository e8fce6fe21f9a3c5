import { PassThrough } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { plain, terminalOf } from '../../src/cli/terminal.ts';

/** As much of a terminal as is asked for its colours. */
function stream(isTTY: boolean): WriteStream & { read(): Buffer | null } {
  const getColorDepth = (env: Record<string, string | undefined> = process.env) => (env.NO_COLOR ? 1 : 8);
  return Object.assign(new PassThrough(), { isTTY, getColorDepth }) as unknown as WriteStream & {
    read(): Buffer | null;
  };
}

describe('a colour', () => {
  beforeEach(() => {
    for (const name of ['NO_COLOR', 'FORCE_COLOR', 'NODE_DISABLE_COLORS']) vi.stubEnv(name, undefined);
  });
  afterEach(() => vi.unstubAllEnvs());

  it.each<[string, boolean, string | undefined, string]>([
    ['shows on a terminal', true, undefined, '\u001b[32mTrue\u001b[39m'],
    ['is left out of a pipe', false, undefined, 'True'],
    ['is left out where NO_COLOR is set', true, '1', 'True'],
  ])('%s', (_, isTTY, noColor, expected) => {
    vi.stubEnv('NO_COLOR', noColor);
    expect(terminalOf(stream(isTTY), stream(isTTY)).paint('green', 'True')).toBe(expected);
  });

  it('is not asked for', () => {
    expect(terminalOf(stream(true), stream(true)).paint(undefined, 'True')).toBe('True');
  });
});

it('has results on stdout, and the rest on stderr', () => {
  const [out, err] = [stream(false), stream(false)];
  const terminal = terminalOf(out, err);
  terminal.print('a\nb\n');
  terminal.note('c');
  expect([String(out.read()), String(err.read())]).toEqual(['a\nb\n', 'c\n']);
});

it.each<[string, string, string]>([
  ['keeps words', 'Zusammenfassung für 東京 🎉', 'Zusammenfassung für 東京 🎉'],
  ['makes one line of several', 'a\r\n\tb', 'a b'],
  ['takes the sting out of escapes', '\u001b[2Jgone\u0007', '\ufffd[2Jgone\ufffd'],
  ['shows what would turn the direction of text', 'a\u202eb', 'a\ufffdb'],
])('plain %s', (_, text, expected) => {
  expect(plain(text)).toBe(expected);
});
