import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const MODULE = join(import.meta.dirname, '../../src/telemetry/line-writer.ts');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'line-writer-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs `body` with `writer` on a file descriptor 2 that is `stderr`. Answers the exit code. */
async function run(stderr: number, body: string): Promise<number | null> {
  const script = `import { LineWriter } from ${JSON.stringify(MODULE)}; const writer = new LineWriter(2); ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', stderr],
    timeout: 50_000,
  });
  const [code] = await once(child, 'exit');
  return code;
}

describe('LineWriter', () => {
  it('writes in order, and at exit what still waits', async () => {
    const path = join(folder, 'lines');
    const file = openSync(path, 'w');
    const code = await run(
      file,
      `for (let i = 0; i < 1000; i++) writer.write(i + '\\n');
       setTimeout(() => { writer.write('last\\n'); process.exit(3); }, 50);`,
    );
    closeSync(file);
    expect(code).toBe(3);
    expect(readFileSync(path, 'utf8')).toBe([...Array(1000).keys(), 'last', ''].join('\n'));
  });

  it('holds up neither the process nor its exit when nobody reads, and counts what it lost', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const stalled = openSync(path, constants.O_RDWR);
    const code = await run(
      stalled,
      `for (let i = 0; i < 200; i++) writer.write('x'.repeat(9999) + '\\n');
       let turns = 0;
       const timer = setInterval(() => { if (++turns === 5) process.exit(writer.dropped > 50 ? 7 : 8); }, 20);`,
    );
    closeSync(stalled);
    expect(code).toBe(7);
  });

  it('goes on after a reader that was slow', async () => {
    const path = join(folder, 'slow');
    execFileSync('mkfifo', [path]);
    const pipe = openSync(path, constants.O_RDWR);
    const [full, isRead] = [join(folder, 'is-full'), join(folder, 'is-read')];
    const exit = run(
      pipe,
      `import { existsSync, writeFileSync } from 'node:fs';
       for (let i = 0; i < 30; i++) writer.write(String(i).padEnd(9999, '.') + '\\n');
       writeFileSync(${JSON.stringify(full)}, '');
       setInterval(() => { if (existsSync(${JSON.stringify(isRead)})) process.exit(0); }, 20);`,
    );
    await expect.poll(() => existsSync(full)).toBe(true);
    const reader = spawn('head', ['-n', '30', path], { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    reader.stdout.on('data', (part) => {
      text += part;
    });
    await once(reader, 'close');
    writeFileSync(isRead, '');
    expect(await exit).toBe(0);
    closeSync(pipe);
    expect(text.split('\n').map((line) => line.split('.')[0])).toEqual([...[...Array(30).keys()].map(String), '']);
  });
});
