import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const main = join(import.meta.dirname, '../../tools/bench/main.ts');

it('measures the throughput of the operator', async () => {
  const { stdout } = await run(process.execPath, [main, 'operator-throughput', '--tokens=20', '--pairs=1', '--json']);
  const results = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  for (const result of results) expect(Object.keys(result)).toEqual(['name', 'value', 'unit', 'ratio', 'against']);
  expect(results[0]).toMatchObject({ name: 'operator-throughput', unit: 'tokens/s', against: 'bare client' });
  expect(results[0].value).toBeGreaterThan(0);
  expect(results[0].ratio).toBeGreaterThan(0);
});

it('lists the benches when it does not know the name', async () => {
  await expect(run(process.execPath, [main, 'nonsense'])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('operator-throughput, operator-memory'),
  });
});
