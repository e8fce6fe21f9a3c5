import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StreamSink } from '../../src/audit/stream-sink.ts';

let folder: string;
let pipe: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-stream-'));
  pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Reads until `length` characters have come. */
async function take(fd: number, length: number): Promise<string> {
  const parts: Buffer[] = [];
  for (let had = 0; had < length; ) {
    const part = Buffer.alloc(Math.min(65_536, length - had));
    try {
      const count = readSync(fd, part);
      parts.push(part.subarray(0, count));
      had += count;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  return Buffer.concat(parts).toString();
}

describe('a pipe', () => {
  it('gets more than it holds as its reader takes it', async () => {
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const sink = await StreamSink.ofPath(pipe);
    const lines = 'x'.repeat(299_999);
    const appended = sink.append(`${lines}\n`);
    expect(await take(reader, 300_000)).toBe(`${lines}\n`);
    await appended;
    await sink.close();
    closeSync(reader);
  });

  it('that nobody reads is refused at once, not waited for', async () => {
    await expect(StreamSink.ofPath(pipe)).rejects.toMatchObject({ code: 'ENXIO' });
  });

  it('whose reader went fails the append', async () => {
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const sink = await StreamSink.ofPath(pipe);
    closeSync(reader);
    await expect(sink.append('line\n')).rejects.toMatchObject({ code: 'EPIPE' });
    await sink.close();
  });

  it('gets an end of line first when the last line was cut', async () => {
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const sink = await StreamSink.ofPath(pipe);
    const cut = sink.append(`${'x'.repeat(69_999)}\n`);
    // the pipe is full when the reader goes; what it holds stays
    await take(reader, 1);
    closeSync(reader);
    await expect(cut).rejects.toMatchObject({ code: 'EPIPE' });
    const next = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const whole = sink.append('whole\n');
    expect((await take(next, 65_535 + 7)).slice(-9)).toBe('xx\nwhole\n');
    await whole;
    await sink.close();
    closeSync(next);
  });

  it('gets nothing more once it is closed, nor does whoever has its number then', async () => {
    const stalled = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    const sink = await StreamSink.ofPath(pipe);
    const isRefused = expect(sink.append(`${'x'.repeat(199_999)}\n`)).rejects.toThrow('the audit stream is closed');
    await sink.close();
    const path = join(folder, 'other');
    const other = openSync(path, 'w');
    await isRefused;
    expect(readFileSync(path, 'utf8')).toBe('');
    closeSync(other);
    closeSync(stalled);
  });

  it('that stalls holds up neither the process nor its exit', async () => {
    const stalled = openSync(pipe, constants.O_RDWR);
    const module = join(import.meta.dirname, '../../src/audit/stream-sink.ts');
    const script = `
      import { StreamSink } from ${JSON.stringify(module)};
      const sink = await StreamSink.ofDescriptor(1);
      sink.append('x'.repeat(200000) + '\\n').then(() => process.exit(8));
      let turns = 0;
      setInterval(() => { if (++turns === 5) process.exit(7); }, 20);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', stalled, 'ignore'],
      timeout: 50_000,
    });
    expect((await once(child, 'exit'))[0]).toBe(7);
    closeSync(stalled);
  });
});

describe('other descriptors', () => {
  it('a file gets its lines, and stays open for whoever gave it', async () => {
    const path = join(folder, 'file');
    const fd = openSync(path, 'w');
    const sink = await StreamSink.ofDescriptor(fd);
    await sink.append('one\n');
    await sink.close();
    await sink.append('two\n');
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
    closeSync(fd);
  });

  it('a full device fails the append', async () => {
    const sink = await StreamSink.ofPath('/dev/full');
    await expect(sink.append('line\n')).rejects.toMatchObject({ code: 'ENOSPC' });
    await sink.close();
  });

  it('one that is not open is refused', async () => {
    await expect(StreamSink.ofDescriptor(999)).rejects.toMatchObject({ code: 'EBADF' });
  });
});
