import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const DEMO = fileURLToPath(new URL('../../tools/demo/demo.ts', import.meta.url));

test('the demo shows a token in use, rotated, healed, refused and revoked, and no value', {
  timeout: 295_000,
}, async () => {
  // rejects unless the exit code is 0
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [DEMO], { timeout: 290_000 });
  for (const sentence of [
    'Minted: twk_production_…[redacted]',
    'Version 1 -> 2. Both are accepted during the overlap',
    'The workload was restarted (version.tokenwright.dev/',
    'Version 1 was retired',
    ' calls so far; 0 failed.',
    'Healed with version ',
    'the audit log says EnvironmentWrong',
    'The thief is refused. Receipt of verifier verifier-1: ',
    'the agent has it, and goes on.',
    'without wildcards',
    'tokenwright_mints_total',
    'tokenwright_revocations_total',
    'revoke     outcome',
    'verdict    Allowed',
    'Cleaned up',
  ])
    expect(stdout).toContain(sentence);
  expect(stdout + stderr).not.toMatch(/twk_[a-z0-9-]+_[0-9A-Za-z]/);
});
