import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileSink } from '../../src/audit/file-sink.ts';
import { JsonLinesAuditLog } from '../../src/audit/json-lines.ts';
import { Ledger } from '../../src/audit/ledger.ts';
import { formatRecord } from '../../src/audit/record.ts';
import { intent, listening, outcome, told } from './records.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'));
  path = join(folder, 'audit.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const content = (file = path) => told(readFileSync(file, 'utf8'));

/** As registry.ts joins them, with a disk that can be made to fail. */
async function openLog(disk = new Disk()) {
  const ledger = new Ledger();
  const { log, texts } = listening();
  const hooks = {
    found: (line: string) => ledger.applyLine(line),
    checkpoint: () => ledger.checkpoint(),
    notice: (fields: object, text: string) => log.warn(fields, text),
  };
  const sink = new FileSink(path, hooks, disk.open);
  await sink.prepare();
  return { audit: new JsonLinesAuditLog(sink, ledger), texts, disk };
}

/** Counts syncs; fails where it is told to. */
class Disk {
  syncs = 0;
  /** Bytes that still fit; then ENOSPC, after a short write as the kernel does it. */
  room = Number.POSITIVE_INFINITY;
  syncFails = false;
  truncateFails = false;

  readonly open: typeof open = async (...args) => this.#faulty(await open(...args));

  #faulty(handle: FileHandle): FileHandle {
    const write = handle.write.bind(handle) as (...args: unknown[]) => Promise<{ bytesWritten: number }>;
    const datasync = handle.datasync.bind(handle);
    const truncate = handle.truncate.bind(handle);
    const faults = {
      write: async (bytes: Buffer, offset: number, length: number) => {
        if (this.room <= 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        const result = await write(bytes, offset, Math.min(length, this.room), null);
        this.room -= result.bytesWritten;
        return result;
      },
      datasync: async () => {
        this.syncs++;
        if (this.syncFails) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
        await datasync();
      },
      truncate: async (length: number) => {
        if (this.truncateFails) throw Object.assign(new Error('append only'), { code: 'EPERM' });
        await truncate(length);
      },
    };
    return Object.assign(handle, faults) as FileHandle;
  }
}

describe('writing', () => {
  it('makes a file that only the operator reads', async () => {
    const { audit, texts } = await openLog();
    await audit.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(texts).toEqual([]);
  });

  it('says so where others may read the file', async () => {
    writeFileSync(path, '');
    chmodSync(path, 0o644);
    const { audit, texts } = await openLog();
    expect(texts).toEqual(['others may read the audit file']);
    await audit.close();
  });

  it('appends to what is there', async () => {
    for (const version of [1, 2]) {
      const { audit } = await openLog();
      await audit.record(intent('u1', 'mint', version));
      await audit.close();
    }
    expect(content()).toEqual(['intent mint 1 u1', 'intent mint 2 u1']);
  });

  it('has synced a record before it says that it is kept', async () => {
    const { audit, disk } = await openLog();
    const before = disk.syncs;
    await audit.record(intent('u1', 'mint', 1));
    expect(disk.syncs).toBe(before + 1);
    await audit.close();
  });

  it('shares one sync among records that come together', async () => {
    const { audit, disk } = await openLog();
    const before = disk.syncs;
    await Promise.all(Array.from({ length: 50 }, (_, i) => audit.record(intent(`u${i}`, 'mint', 1))));
    expect(disk.syncs).toBe(before + 1);
    expect(content()).toHaveLength(50);
    await audit.close();
  });
});

describe('a disk that fails', () => {
  it.each([0, 1, 100, 300])(
    'keeps nothing of a record for which %i bytes were left, and all of it once there is room',
    async (room) => {
      const { audit, disk } = await openLog();
      await audit.record(intent('u1', 'mint', 1));
      disk.room = room;
      await expect(audit.record(intent('u2', 'mint', 1))).rejects.toMatchObject({
        code: 'AuditUnavailable',
        message: expect.stringContaining('ENOSPC'),
      });
      expect(audit.problem()).toContain('ENOSPC');
      expect(audit.open('u2')).toEqual([]);
      disk.room = Number.POSITIVE_INFINITY;
      await audit.record(intent('u2', 'mint', 1));
      expect(audit.problem()).toBeUndefined();
      await audit.close();
      expect(content()).toEqual(['intent mint 1 u1', 'intent mint 1 u2']);
    },
  );

  it('does not count a record as kept whose sync failed, and tells it once when the disk is well', async () => {
    const { audit, disk } = await openLog();
    disk.syncFails = true;
    await expect(audit.record(intent('u1', 'mint', 1))).rejects.toMatchObject({ code: 'AuditUnavailable' });
    await expect(audit.record(intent('u1', 'mint', 1))).rejects.toMatchObject({ code: 'AuditUnavailable' });
    expect(audit.open('u1')).toEqual([]);
    disk.syncFails = false;
    await audit.record(intent('u1', 'mint', 1));
    await audit.close();
    expect(content()).toEqual(['intent mint 1 u1']);
  });

  it('takes what it cannot remove from an append-only file for what it is', async () => {
    const { audit, disk } = await openLog();
    const first = formatRecord(intent('u1', 'mint', 1)).length;
    disk.room = first + 30;
    disk.truncateFails = true;
    const both = [audit.record(intent('u1', 'mint', 1)), audit.record(intent('u2', 'mint', 1))];
    for (const result of await Promise.allSettled(both)) expect(result.status).toBe('rejected');
    disk.room = Number.POSITIVE_INFINITY;
    await audit.record(intent('u1', 'mint', 1));
    await audit.record(intent('u2', 'mint', 1));
    await audit.close();
    const lines = content();
    expect(lines).toHaveLength(3);
    expect([lines[0], lines[2]]).toEqual(['intent mint 1 u1', 'intent mint 1 u2']);
    expect(lines[1]).toHaveLength(30);
  });
});

describe('reading back', () => {
  it('knows after a crash between intent and outcome what is open, and repeats nothing', async () => {
    const before = await openLog();
    await before.audit.record(intent('u1', 'mint', 1));
    await before.audit.record(outcome('u1', 'mint', 1));
    await before.audit.record(intent('u1', 'rotate', 2));
    // no close: the process is gone
    const { audit } = await openLog();
    expect(audit.open('u1')).toEqual([intent('u1', 'rotate', 2)]);
    expect(audit.living().map(({ uid }) => uid)).toEqual(['u1']);
    await audit.record(intent('u1', 'mint', 1));
    await audit.record(intent('u1', 'rotate', 2));
    await audit.record(outcome('u1', 'rotate', 2));
    await audit.record(outcome('u1', 'rotate', 2));
    await audit.close();
    await before.audit.close();
    expect(content()).toEqual(['intent mint 1 u1', 'outcome mint 1 u1', 'intent rotate 2 u1', 'outcome rotate 2 u1']);
  });

  it.each([1, 40, 200, -1])('ends a last line cut at byte %i, ignores it, and says so', async (length) => {
    const line = formatRecord(intent('u2', 'mint', 1));
    writeFileSync(path, formatRecord(intent('u1', 'mint', 1)) + line.slice(0, length), { mode: 0o600 });
    const { audit, texts } = await openLog();
    expect(texts).toEqual(['the last line of the audit file was cut: it is ended and ignored']);
    expect(audit.open('u2')).toEqual([]);
    await audit.record(intent('u2', 'mint', 1));
    await audit.close();
    const lines = content();
    expect(lines).toHaveLength(3);
    expect(lines[2]).toBe('intent mint 1 u2');
    const again = await openLog();
    expect(again.audit.open('u2')).toHaveLength(1);
    await again.audit.close();
  });

  it('goes on past lines that are no records, however long, and says so', async () => {
    const good = formatRecord(intent('u1', 'mint', 1));
    const long = JSON.stringify({ ...JSON.parse(formatRecord(intent('u2', 'mint', 1))), padding: 'x'.repeat(300_000) });
    writeFileSync(path, `garbage\n${long}\n${good}\n{"a":1}\n`, { mode: 0o600 });
    const { audit, texts } = await openLog();
    expect(texts).toEqual(['the audit file has lines that are no audit records: they are left alone']);
    expect([audit.open('u1').length, audit.open('u2').length]).toEqual([1, 0]);
    await audit.close();
  });

  it('does not gather a line without end', async () => {
    writeFileSync(path, formatRecord(intent('u1', 'mint', 1)), { mode: 0o600 });
    truncateSync(path, 200 << 20);
    const { audit, texts } = await openLog();
    expect(texts).toEqual(['the last line of the audit file was cut: it is ended and ignored']);
    await audit.record(intent('u2', 'mint', 1));
    await audit.close();
  });

  it('reads lines wherever the chunks of the file end', async () => {
    const records = Array.from({ length: 700 }, (_, i) => ({
      ...intent(`u${i}`, 'mint', 1),
      purpose: 'ü€😀'.repeat(i % 40),
    }));
    writeFileSync(path, records.map(formatRecord).join(''), { mode: 0o600 });
    const { audit, texts } = await openLog();
    expect(texts).toEqual([]);
    expect(records.flatMap(({ uid }) => audit.open(uid))).toEqual(records);
    await audit.close();
  });

  it('takes in what another operator appended since', async () => {
    const standby = await openLog();
    const leader = await openLog();
    await leader.audit.record(intent('u1', 'mint', 1));
    expect(standby.audit.open('u1')).toEqual([]);
    await standby.audit.refresh();
    expect(standby.audit.open('u1')).toHaveLength(1);
    await leader.audit.record(outcome('u1', 'mint', 1));
    // and without asking, by the next record
    await standby.audit.record(outcome('u1', 'mint', 1));
    await standby.audit.close();
    await leader.audit.close();
    expect(content()).toEqual(['intent mint 1 u1', 'outcome mint 1 u1']);
  });
});

describe('a file that is moved', () => {
  it.each<[string, () => void]>([
    ['renamed', () => renameSync(path, `${path}.1`)],
    ['deleted', () => rmSync(path)],
    [
      'renamed, with an empty one in its place',
      () => {
        renameSync(path, `${path}.1`);
        writeFileSync(path, '', { mode: 0o600 });
      },
    ],
    ['cut to nothing', () => truncateSync(path, 0)],
  ])('%s is noticed before the next record, and the new one knows what the old one said', async (_, move) => {
    const { audit, texts } = await openLog();
    await audit.record(outcome('u1', 'mint', 1));
    await audit.record(intent('u1', 'retire', 1));
    await audit.record(outcome('gone', 'delete', 0));
    move();
    await audit.record(intent('u2', 'mint', 1));
    await audit.close();
    expect(texts).toHaveLength(1);
    expect(content()).toEqual(['checkpoint u1', 'checkpoint gone', 'intent mint 1 u2']);
    const again = await openLog();
    expect(again.audit.open('u1')).toEqual([intent('u1', 'retire', 1)]);
    expect(again.audit.living().map(({ uid }) => uid)).toEqual(['u1', 'u2']);
    await again.audit.record(outcome('u1', 'mint', 1));
    await again.audit.record(outcome('gone', 'delete', 0));
    await again.audit.close();
    expect(content()).toHaveLength(3);
  });

  it('is left for a longer one that took its place, which is read', async () => {
    const { audit } = await openLog();
    await audit.record(outcome('u1', 'mint', 1));
    renameSync(path, `${path}.1`);
    const others = ['u2', 'u3', 'u4'].map((uid) => formatRecord(outcome(uid, 'mint', 1)));
    writeFileSync(path, others.join(''), { mode: 0o600 });
    await audit.record(outcome('u2', 'mint', 1));
    await audit.record(intent('u5', 'mint', 1));
    await audit.close();
    expect(audit.living().map(({ uid }) => uid)).toEqual(['u1', 'u2', 'u3', 'u4', 'u5']);
    expect(content().slice(0, 3)).toEqual(['outcome mint 1 u2', 'outcome mint 1 u3', 'outcome mint 1 u4']);
    expect(content().at(-1)).toBe('intent mint 1 u5');
    expect(content(`${path}.1`)).toEqual(['outcome mint 1 u1']);
  });

  it('is noticed at once when asked, as by SIGHUP', async () => {
    const { audit } = await openLog();
    await audit.record(outcome('u1', 'mint', 1));
    renameSync(path, `${path}.1`);
    await audit.refresh();
    expect(content()).toEqual(['checkpoint u1']);
    await audit.close();
  });

  it('fails records while its folder is gone, and goes on when it is back', async () => {
    const { audit } = await openLog();
    renameSync(folder, `${folder}.gone`);
    await expect(audit.record(intent('u1', 'mint', 1))).rejects.toMatchObject({
      code: 'AuditUnavailable',
      message: expect.stringContaining('ENOENT'),
    });
    renameSync(`${folder}.gone`, folder);
    await audit.record(intent('u1', 'mint', 1));
    await audit.close();
    expect(content()).toEqual(['intent mint 1 u1']);
  });

  it('keeps its checkpoint through a disk that is full when it is begun', async () => {
    const { audit, disk } = await openLog();
    await audit.record(outcome('u1', 'mint', 1));
    truncateSync(path, 0);
    disk.room = 50;
    await expect(audit.record(intent('u2', 'mint', 1))).rejects.toMatchObject({ code: 'AuditUnavailable' });
    disk.room = Number.POSITIVE_INFINITY;
    await audit.record(intent('u2', 'mint', 1));
    await audit.close();
    const again = await openLog();
    expect(again.audit.living().map(({ uid }) => uid)).toEqual(['u1', 'u2']);
    await again.audit.close();
  });

  it('does not leave in the old file what failed there', async () => {
    const { audit, disk } = await openLog();
    disk.syncFails = true;
    await expect(audit.record(intent('u1', 'mint', 1))).rejects.toThrow();
    disk.syncFails = false;
    renameSync(path, `${path}.1`);
    await audit.record(intent('u1', 'mint', 1));
    await audit.close();
    expect(content(`${path}.1`)).toEqual([]);
    expect(content()).toEqual(['intent mint 1 u1']);
  });
});

it('does not mistake another writer for its own failure', async () => {
  const { audit, disk } = await openLog();
  disk.room = 0;
  await expect(audit.record(intent('u1', 'mint', 1))).rejects.toThrow();
  appendFileSync(path, formatRecord(intent('u2', 'mint', 1)));
  disk.room = Number.POSITIVE_INFINITY;
  await audit.record(intent('u1', 'mint', 1));
  await audit.close();
  expect(content()).toEqual(['intent mint 1 u2', 'intent mint 1 u1']);
});
