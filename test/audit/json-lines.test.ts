import { describe, expect, it } from 'vitest';
import { JsonLinesAuditLog, type JsonLinesOptions } from '../../src/audit/json-lines.ts';
import { Ledger } from '../../src/audit/ledger.ts';
import type { AuditSink } from '../../src/audit/sink.ts';
import type { AuditRecord } from '../../src/domain/audit.ts';
import { abandoned, intent, outcome, told } from './records.ts';

/** Answers when it is told to. */
class ScriptedSink implements AuditSink {
  text = '';
  appends = 0;
  prepared = 0;
  closed = false;
  failure: Error | undefined;
  #gate: PromiseWithResolvers<void> | undefined;

  hang(): void {
    this.#gate = Promise.withResolvers();
  }

  answer(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  async prepare(): Promise<void> {
    this.prepared++;
  }

  async append(lines: string): Promise<void> {
    this.appends++;
    await this.#gate?.promise;
    if (this.failure !== undefined) throw this.failure;
    this.text += lines;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

function setUp(options?: JsonLinesOptions) {
  const sink = new ScriptedSink();
  return { sink, audit: new JsonLinesAuditLog(sink, new Ledger(), options) };
}

const settled = async (promises: Promise<void>[]) => (await Promise.allSettled(promises)).map(({ status }) => status);
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('a record', () => {
  it.each<[string, AuditRecord[], string[]]>([
    ['the same intent twice', [intent('u1', 'mint', 1), intent('u1', 'mint', 1)], ['intent mint 1 u1']],
    ['an intent whose operation has ended', [outcome('u1', 'mint', 1), intent('u1', 'mint', 1)], ['outcome mint 1 u1']],
    ['two ends of one operation', [outcome('u1', 'mint', 1), abandoned('u1', 'mint', 1)], ['outcome mint 1 u1']],
    ['a second try under another word', [intent('u1', 'rotate', 2), intent('u1', 'heal', 2)], ['intent rotate 2 u1']],
    ['an outcome whose intent nobody remembers', [outcome('u1', 'mint', 1)], ['outcome mint 1 u1']],
  ])('is kept once: %s', async (_, records, lines) => {
    const one = setUp();
    for (const record of records) await one.audit.record(record);
    expect(told(one.sink.text)).toEqual(lines);
    const together = setUp();
    await Promise.all(records.map((record) => together.audit.record(record)));
    expect(told(together.sink.text)).toEqual(lines);
  });

  it('is not kept until the sink has said so: two that ask for the same one both wait', async () => {
    const { audit, sink } = setUp();
    sink.hang();
    let kept = 0;
    const both = [1, 2].map(() => audit.record(intent('u1', 'mint', 1)).then(() => kept++));
    await turn();
    expect([kept, audit.open('u1')]).toEqual([0, []]);
    sink.answer();
    await Promise.all(both);
    expect([kept, audit.open('u1').length]).toEqual([2, 1]);
  });

  it('keeps its order: an intent before its outcome', async () => {
    const { audit, sink } = setUp();
    await Promise.all([audit.record(intent('u1', 'mint', 1)), audit.record(outcome('u1', 'mint', 1))]);
    expect(told(sink.text)).toEqual(['intent mint 1 u1', 'outcome mint 1 u1']);
  });

  it('is refused before it reaches the sink when it is invalid, and harms no other', async () => {
    const { audit, sink } = setUp();
    const result = await settled([
      audit.record({ ...intent('u1', 'mint', 1), name: '' }),
      audit.record(intent('u2', 'mint', 1)),
    ]);
    expect(result).toEqual(['rejected', 'fulfilled']);
    expect(told(sink.text)).toEqual(['intent mint 1 u2']);
  });
});

describe('records that come together', () => {
  it('share one append', async () => {
    const { audit, sink } = setUp();
    await Promise.all(Array.from({ length: 100 }, (_, i) => audit.record(intent(`u${i}`, 'mint', 1))));
    expect(sink.appends).toBe(1);
  });

  it('share the next one when an append is under way', async () => {
    const { audit, sink } = setUp();
    sink.hang();
    const first = audit.record(intent('first', 'mint', 1));
    await turn();
    const rest = Array.from({ length: 100 }, (_, i) => audit.record(intent(`u${i}`, 'mint', 1)));
    await turn();
    sink.answer();
    await Promise.all([first, ...rest]);
    expect(sink.appends).toBe(2);
  });
});

describe('a sink that fails', () => {
  it('fails the records, says why without their text, and recovers by itself', async () => {
    const { audit, sink } = setUp();
    sink.failure = Object.assign(new Error('secret details'), { code: 'ENOSPC' });
    const failing = audit.record(intent('u1', 'mint', 1));
    await expect(failing).rejects.toMatchObject({
      code: 'AuditUnavailable',
      message: 'The audit record cannot be kept: ENOSPC',
    });
    expect(audit.open('u1')).toEqual([]);
    expect(audit.problem()).toBe('the audit sink fails: ENOSPC');
    sink.failure = undefined;
    await audit.record(intent('u1', 'mint', 1));
    expect(audit.problem()).toBeUndefined();
    expect(told(sink.text)).toEqual(['intent mint 1 u1']);
    expect(audit.counts).toEqual({ kept: 1, failed: 1 });
  });
});

it('needs no sink for what it has kept already', async () => {
  const { audit, sink } = setUp();
  await audit.record(intent('u1', 'mint', 1));
  sink.failure = new Error('gone');
  sink.prepare = () => Promise.reject(sink.failure);
  await audit.record(intent('u1', 'mint', 1));
});

describe('a sink that hangs', () => {
  const options = { timeoutMilliseconds: 30, queueLimit: 3 };

  it('fails the record in a bounded time, and says so', async () => {
    const { audit, sink } = setUp(options);
    sink.hang();
    await expect(audit.record(intent('u1', 'mint', 1))).rejects.toMatchObject({ code: 'AuditTimeout' });
    await turn();
    expect(audit.problem()).toBe('the audit sink does not answer');
  });

  it('has kept what it had begun when it answers late: a second try writes nothing twice', async () => {
    const { audit, sink } = setUp(options);
    sink.hang();
    await expect(audit.record(intent('u1', 'mint', 1))).rejects.toThrow();
    const again = audit.record(intent('u1', 'mint', 1));
    sink.answer();
    await again;
    expect(audit.open('u1')).toHaveLength(1);
    expect(told(sink.text)).toEqual(['intent mint 1 u1']);
  });

  it('never gets what was given up before it had begun', async () => {
    const { audit, sink } = setUp(options);
    sink.hang();
    const result = settled([audit.record(intent('u1', 'mint', 1))]);
    await turn();
    const late = settled([audit.record(intent('u2', 'mint', 1))]);
    expect(await result).toEqual(['rejected']);
    expect(await late).toEqual(['rejected']);
    sink.answer();
    await turn();
    expect(told(sink.text)).toEqual(['intent mint 1 u1']);
    await audit.record(intent('u2', 'mint', 1));
    expect(told(sink.text)).toEqual(['intent mint 1 u1', 'intent mint 1 u2']);
  });

  it('is not given more than a bounded number to wait for', async () => {
    const { audit, sink } = setUp(options);
    sink.hang();
    const results = Array.from({ length: 5 }, (_, i) => audit.record(intent(`u${i}`, 'mint', 1)));
    const reasons = (await Promise.allSettled(results)).map((result) =>
      result.status === 'rejected' ? result.reason.code : 'kept',
    );
    expect(reasons).toEqual(['AuditTimeout', 'AuditTimeout', 'AuditTimeout', 'AuditQueueFull', 'AuditQueueFull']);
  });

  it('does not hold up close for ever', async () => {
    const { audit, sink } = setUp(options);
    sink.hang();
    const result = settled([audit.record(intent('u1', 'mint', 1))]);
    await expect(audit.close()).rejects.toMatchObject({ code: 'AuditTimeout' });
    await result;
  });
});

describe('close', () => {
  it('writes what waits, closes the sink and takes no more', async () => {
    const { audit, sink } = setUp();
    const last = audit.record(intent('u1', 'mint', 1));
    await audit.close();
    await last;
    expect([told(sink.text), sink.closed]).toEqual([['intent mint 1 u1'], true]);
    await expect(audit.record(intent('u2', 'mint', 1))).rejects.toMatchObject({ code: 'AuditClosed' });
    await expect(audit.refresh()).rejects.toMatchObject({ code: 'AuditClosed' });
    await audit.close();
  });
});

it('prepares the sink when asked to refresh, without a record', async () => {
  const { audit, sink } = setUp();
  await Promise.all([audit.refresh(), audit.refresh()]);
  expect([sink.prepared, sink.appends]).toEqual([1, 0]);
});
