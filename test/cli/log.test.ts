/** `tokenwright log`, from outside. */

import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { SCRATCH } from '../e2e/harness/operator.ts';
import { Running, tokenwright } from './built.ts';

const FILE = join(SCRATCH, 'audit.jsonl');

function record(fields: object): string {
  const common = {
    schema: 'tokenwright.dev/audit/v1',
    time: '2026-01-01T00:00:00Z',
    phase: 'outcome',
    operation: 'rotate',
    version: 2,
    cause: 'Scheduled',
    actor: 'operator:a',
    namespace: 'support',
    name: 'summarizer',
    tokenID: '7Yx3kQ2m',
  };
  return `${JSON.stringify({ ...common, ...fields })}\n`;
}

const LINES = [
  record({ operation: 'mint', version: 1, cause: 'Issued', phase: 'intent', futureField: { a: 1 } }),
  record({ operation: 'mint', version: 1, cause: 'Issued' }),
  '{"level":"info","msg":"version minted"}\n',
  '{"schema":"tokenwright.dev/audit-checkpoint/v1"}\n',
  'not JSON\n',
  record({
    name: 'other',
    namespace: 'sales',
    tokenID: 'AAAAAAAA',
    phase: 'abandoned',
    detail: 'the\nnamespace\u001b[2J went',
  }),
  record({
    schema: 'tokenwright.dev/verdict/v1',
    time: '2026-01-02T00:00:00.123Z',
    outcome: 'Expired',
    audience: 'ai-gateway',
    method: 'POST',
    path: '/v1/chat',
    count: 3,
    verifier: 'gateway-0',
    actor: undefined,
    cause: undefined,
  }),
];

beforeAll(() => writeFile(FILE, LINES.join('')));

const rows = (text: string) => text.trimEnd().split('\n').slice(1);

describe('tokenwright log', () => {
  it('shows what happened, a row for each record', async () => {
    const { code, stdout, stderr } = await tokenwright(['log', `--audit-log=${FILE}`]);
    expect(stdout).toBe(`\
TIME                      TOKEN                             VERSION  OPERATION  PHASE      CAUSE             BY
2026-01-01T00:00:00Z      support/summarizer                1        mint       intent     Issued            operator:a
2026-01-01T00:00:00Z      support/summarizer                1        mint       outcome    Issued            operator:a
2026-01-01T00:00:00Z      sales/other                       2        rotate     abandoned  Scheduled         operator:a the namespace\ufffd[2J went
2026-01-02T00:00:00.123Z  support/summarizer                2        verdict    Expired    ai-gateway POST /v1/chat 3 times  gateway-0
`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it.each<[string, string[], number]>([
    ['a name', ['summarizer'], 3],
    ['a name as -o name prints it', ['apitoken.tokenwright.dev/summarizer'], 3],
    ['a namespace', ['-n', 'sales'], 1],
    ['a token id', ['--token-id=7Yx3kQ2m'], 3],
    ['operations', ['--operation=verdict', '--operation', 'mint'], 3],
    ['all of it at once', ['summarizer', '-n', 'support', '--operation', 'mint'], 2],
    ['an age that nothing has', ['--since=1h'], 0],
  ])('chooses by %s', async (_, args, count) => {
    const { code, stdout } = await tokenwright(['log', '--audit-log', FILE, ...args]);
    expect(rows(stdout)).toHaveLength(count);
    expect(code).toBe(0);
  });

  it('chooses by age', async () => {
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    const input = record({ time: '2026-01-01T00:00:00Z' }) + record({ time: now });
    const { stdout } = await tokenwright(['log', '--audit-log=-', '--since=1h'], { input });
    expect(rows(stdout)).toEqual([expect.stringContaining(now)]);
  });

  it('gives whole records as JSON, from stdin too, with what it does not know', async () => {
    const { stdout } = await tokenwright(['log', '--audit-log=-', '-o', 'json'], { input: LINES.join('') });
    const chosen = LINES.filter((line) => line.includes('/v1"') && !line.includes('checkpoint'));
    expect(stdout).toBe(chosen.join(''));
  });

  it('leaves out what is too long or broken, and says so', async () => {
    const input = [record({ purpose: 'x'.repeat(70_000) }), record({ time: 'soon' }), record({})].join('');
    const { code, stdout, stderr } = await tokenwright(['log', '--audit-log=-'], { input });
    expect(rows(stdout)).toHaveLength(1);
    expect(stderr).toBe('Lines left out: 1 that are not whole records, 1 longer than 64 KiB.\n');
    expect(code).toBe(0);
  });

  it('follows what is appended, until Ctrl-C', async () => {
    const file = join(SCRATCH, 'followed.jsonl');
    await writeFile(file, record({ version: 3 }));
    const log = await Running.start(['log', '-f', '--audit-log', file, '-o', 'json']);
    await log.says('"version":3');
    await appendFile(file, record({ version: 4 }));
    await log.says('"version":4');
    log.signal('SIGINT');
    expect(await log.end()).toMatchObject({ code: 130, stderr: '' });
  });

  it.each<[string[], number, string]>([
    [['--audit-log=/nowhere'], 1, 'The audit log /nowhere cannot be read (ENOENT).\n'],
    [[], 2, '--audit-log is missing: name the file, or - for stdin.\nRun "tokenwright log --help" for all flags.\n'],
    [
      ['--audit-log=-', '--token-id=short', '--operation=Rotate!', '--since=x'],
      2,
      '--token-id must be a token id: 8 of a-z, A-Z and 0-9, not "short".\n' +
        '--since must be a duration like 90s or 2m, from 1s to 8784h0m0s, not "x".\n' +
        '--operation must be an operation, such as rotate or verdict, not "Rotate!".\n' +
        'Run "tokenwright log --help" for all flags.\n',
    ],
  ])('%j ends with %i and a sentence', async (args, code, stderr) => {
    expect(await tokenwright(['log', ...args])).toEqual({ code, stdout: '', stderr });
  });
});
