import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatRecord } from '../../src/audit/record.ts';
import { openAuditLog } from '../../src/audit/registry.ts';
import { intent, listening, outcome, told } from './records.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-registry-'));
  path = join(folder, 'audit.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const source = (name: string) => JSON.stringify(join(import.meta.dirname, name));

describe('openAuditLog', () => {
  it('keeps a file and reads it back', async () => {
    const { log, texts } = listening();
    const first = await openAuditLog({ kind: 'file', path }, log);
    await first.record(intent('u1', 'mint', 1));
    await first.close();
    const second = await openAuditLog({ kind: 'file', path }, log);
    expect(second.open('u1')).toHaveLength(1);
    await second.close();
    expect(texts).toEqual([]);
  });

  it('takes a path that is no file for a stream', async () => {
    const audit = await openAuditLog({ kind: 'file', path: '/dev/full' }, listening().log);
    await expect(audit.record(intent('u1', 'mint', 1))).rejects.toMatchObject({ code: 'AuditUnavailable' });
    expect(audit.problem()).toContain('ENOSPC');
    await audit.close();
  });

  it.each([
    [
      'a file in a folder that is not there',
      { kind: 'file', path: '/nowhere/audit.jsonl' },
      '/nowhere/audit.jsonl cannot be opened: ENOENT',
    ],
    ['a folder', { kind: 'file', path: tmpdir() }, 'cannot be opened: EISDIR'],
    ['a descriptor that is not open', { kind: 'fd', fd: 999 }, 'fd:999 cannot be opened: EBADF'],
  ] as const)('says what is wrong with %s', async (_, target, message) => {
    await expect(openAuditLog(target, listening().log)).rejects.toMatchObject({
      code: 'AuditUnavailable',
      message: expect.stringContaining(message),
    });
  });

  it('loses nothing that it has confirmed to a process that is killed, and repeats nothing after it', async () => {
    const script = `
      import { openAuditLog } from ${source('../../src/audit/registry.ts')};
      import { intent, outcome, listening } from ${source('records.ts')};
      const audit = await openAuditLog({ kind: 'file', path: process.argv[1] }, listening().log);
      for (let version = 1; ; version++) {
        await audit.record(intent('u1', 'rotate', version));
        console.log('intent rotate ' + version + ' u1');
        await audit.record(outcome('u1', 'rotate', version));
        console.log('outcome rotate ' + version + ' u1');
      }`;
    const confirmed: string[] = [];
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      child.stdout.on('data', (part) => {
        output += part;
        if (output.length > 400 + 300 * round) child.kill('SIGKILL');
      });
      await once(child, 'close');
      confirmed.push(...output.split('\n').slice(0, -1));
    }
    const lines = told(readFileSync(path, 'utf8'));
    for (const line of new Set(confirmed)) expect(lines.filter((other) => other === line)).toEqual([line]);
    expect(new Set(lines).size).toBe(lines.length);
    // each round begins again at version 1, whose records were all known
    expect(confirmed.length).toBeGreaterThan(lines.length);
  });

  it('reads 100,000 lines back in a bounded heap', async () => {
    const file = createWriteStream(path, { mode: 0o600 });
    const purpose = 'long enough that all lines together do not fit. '.repeat(10);
    for (let i = 0; i < 50_000; i++) {
      const told = formatRecord({ ...intent(`u${i % 500}`, 'rotate', Math.floor(i / 500)), purpose });
      const ended = formatRecord({ ...outcome(`u${i % 500}`, 'rotate', Math.floor(i / 500)), purpose });
      if (!file.write(told + ended)) await once(file, 'drain');
    }
    file.end(formatRecord(intent('u1', 'rotate', 1_000)));
    await once(file, 'finish');
    const script = `
      import { openAuditLog } from ${source('../../src/audit/registry.ts')};
      import { listening } from ${source('records.ts')};
      const audit = await openAuditLog({ kind: 'file', path: process.argv[1] }, listening().log);
      console.log(audit.living().length, audit.open('u1').length);`;
    // the file has 90 MB; a heap of 24 MB is what the process needs without it
    const flags = ['--max-old-space-size=24', '--input-type=module', '-e', script, path];
    expect(execFileSync(process.execPath, flags, { encoding: 'utf8' })).toBe('500 1\n');
  }, 30_000);
});
