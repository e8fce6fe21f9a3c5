import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readTls, watchTls } from '../../src/app/tls-files.ts';
import { createAuthority } from '../../tools/controlplane/x509.ts';
import { listening } from '../audit/records.ts';

const AUTHORITY = createAuthority('tests');

let directory: string;
let files: { certFile: string; keyFile: string };
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  directory = mkdtempSync(join(tmpdir(), 'tls-files-'));
  files = { certFile: join(directory, 'tls.crt'), keyFile: join(directory, 'tls.key') };
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

/** Writes a new pair, or one half of it. */
function write(half: 'both' | 'certificate' = 'both') {
  const { certificate, privateKey } = AUTHORITY.issue({
    commonName: 'x',
    hosts: ['verifier.test'],
    usages: ['server'],
  });
  writeFileSync(files.certFile, certificate);
  if (half === 'both') writeFileSync(files.keyFile, privateKey);
  return certificate;
}

describe('a pair of files', () => {
  it('is read', async () => {
    const certificate = write();
    expect(String((await readTls(files)).cert)).toBe(certificate);
  });

  it('that is not there is told by name', async () => {
    await expect(readTls(files)).rejects.toThrow(
      `Cannot serve TLS with ${files.certFile} and ${files.keyFile} (ENOENT)`,
    );
  });

  it('that is no pair is told by name', async () => {
    write();
    write('certificate');
    await expect(readTls(files)).rejects.toThrow(`Cannot serve TLS with ${files.certFile}`);
  });
});

describe('a pair that is watched', () => {
  async function watched() {
    const told: string[] = [];
    const { log, texts } = listening();
    const inForce = await readTls(files);
    const start = () => watchTls(files, inForce, ({ cert }) => told.push(String(cert)), log);
    return { told, texts, start };
  }

  it('is told of once it is another', async () => {
    write();
    const { told, start } = await watched();
    const stop = start();
    const second = write();
    vi.advanceTimersByTime(5000);
    await expect.poll(() => told).toEqual([second]);
    stop();
  });

  it('is told of where it became another before the watch began', async () => {
    write();
    const { told, start } = await watched();
    const second = write();
    const stop = start();
    await expect.poll(() => told).toEqual([second]);
    stop();
  });

  it('is told of only when both files fit each other, and once', async () => {
    write();
    const { told, texts, start } = await watched();
    write('certificate');
    const stop = start();
    await expect.poll(() => texts).toEqual(['certificate not renewed']);
    const second = write();
    vi.advanceTimersByTime(5000);
    await expect.poll(() => texts).toEqual(['certificate not renewed', 'certificate renewed']);
    // and looked at again
    rmSync(files.keyFile);
    vi.advanceTimersByTime(5000);
    await expect.poll(() => texts).toHaveLength(3);
    expect(told).toEqual([second]);
    stop();
  });

  it('is watched no more once that is ended', async () => {
    write();
    const { start } = await watched();
    start()();
    expect(vi.getTimerCount()).toBe(0);
  });
});
