import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AuditSink } from '../../src/audit/sink.ts';
import { formatVerdict, VerdictLog } from '../../src/audit/verdict-log.ts';
import type { VerdictLine, VerdictRecord } from '../../src/domain/verdict/record.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Each append waits while `gate` is closed, and fails while `failure` is set. */
class Sink implements AuditSink {
  readonly appends: string[] = [];
  gate: PromiseWithResolvers<void> | undefined;
  failure: Error | undefined;
  prepared = 0;
  closed = 0;

  async prepare(): Promise<void> {
    this.prepared += 1;
  }

  async append(lines: string): Promise<void> {
    await this.gate?.promise;
    if (this.failure) throw this.failure;
    this.appends.push(lines);
  }

  async close(): Promise<void> {
    this.closed += 1;
  }

  /** What was written, by the numbers of the records. */
  get told(): number[] {
    const lines = this.appends.join('').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line).version);
  }
}

function record(version: number, more: Partial<VerdictLine> = {}): VerdictRecord {
  const { method, path, source, traceparent, ...rest } = more;
  const base = { outcome: 'Allowed', verifier: 'v-1', door: 'authorize', environment: 'production' } as const;
  const subject = { ...base, version, ...rest };
  return { time: '2026-11-23T10:00:00.000Z', method, path, source, traceparent, subject };
}

const noSpace = () => Object.assign(new Error('no space left'), { code: 'ENOSPC' });
/** How long a record waits for others, unless told otherwise. */
const LINGER = 100;
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

describe('a record of a verdict', () => {
  it('is written with those that come soon after, in their order and in one write', async () => {
    const sink = new Sink();
    const log = new VerdictLog(sink);
    expect([1, 2, 3].map((version) => log.record(record(version)))).toEqual([true, true, true]);
    await pass(LINGER);
    expect([sink.told, sink.appends.length, log.counts]).toEqual([[1, 2, 3], 1, { kept: 3, dropped: 0 }]);
  });

  it('waits no longer for others than until they make 64 KiB', async () => {
    const sink = new Sink();
    const log = new VerdictLog(sink);
    const path = 'x'.repeat(1000);
    let taken = 0;
    while (sink.prepared === 0 && taken < 1000) log.record(record(taken++, { method: 'GET', path }));
    await pass(0);
    const size = sink.appends.join('').length;
    expect([sink.appends.length, sink.told.length, size >= 64 << 10, size < 66 << 10]).toEqual([1, taken, true, true]);
  });

  it('waits no longer than it was told to', async () => {
    const sink = new Sink();
    const log = new VerdictLog(sink, { lingerMilliseconds: 5 });
    log.record(record(1));
    await pass(4);
    const before = sink.told;
    await pass(1);
    expect([before, sink.told]).toEqual([[], [1]]);
  });

  it('that comes while the sink is slow is written after it, without anybody waiting', async () => {
    const sink = new Sink();
    sink.gate = Promise.withResolvers();
    const log = new VerdictLog(sink);
    log.record(record(1));
    await pass(LINGER);
    for (const version of [2, 3]) log.record(record(version));
    const { gate } = sink;
    sink.gate = undefined;
    gate.resolve();
    await pass(0);
    expect([sink.told, sink.appends.length]).toEqual([[1, 2, 3], 2]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])(
    'is not forgotten where it comes %i steps after a write has ended',
    async (steps) => {
      const sink = new Sink();
      sink.gate = Promise.withResolvers();
      const log = new VerdictLog(sink);
      log.record(record(1));
      await pass(LINGER);
      sink.gate.resolve();
      for (let step = 0; step < steps; step++) await Promise.resolve();
      log.record(record(2));
      await pass(1000);
      expect(sink.told).toEqual([1, 2]);
    },
  );
});

describe('a sink that fails', () => {
  it('is tried again, and nothing is lost or told in another order', async () => {
    const sink = new Sink();
    sink.failure = noSpace();
    const log = new VerdictLog(sink);
    log.record(record(1));
    await pass(1000);
    log.record(record(2));
    const before = { told: sink.told, problem: log.problem() };
    sink.failure = undefined;
    await pass(1000);
    expect([before, sink.told, log.problem()]).toEqual([
      { told: [], problem: 'the audit sink fails: ENOSPC' },
      [1, 2],
      undefined,
    ]);
  });

  it('is made ready anew before each try', async () => {
    const sink = new Sink();
    sink.failure = noSpace();
    const log = new VerdictLog(sink);
    log.record(record(1));
    await pass(LINGER + 250 + 250);
    expect(sink.prepared).toBe(3);
  });
});

describe('a sink that does not answer', () => {
  it('is told of after ten seconds, and no more once it does', async () => {
    const sink = new Sink();
    sink.gate = Promise.withResolvers();
    const log = new VerdictLog(sink);
    log.record(record(1));
    await pass(LINGER + 10_000);
    const before = log.problem();
    await pass(1);
    const then = log.problem();
    sink.gate.resolve();
    await pass(0);
    expect([before, then, log.problem()]).toEqual([undefined, 'the audit sink does not answer', undefined]);
  });
});

describe('a full buffer', () => {
  const LINE = formatVerdict(record(1)).length;

  it('takes no more, counts what it did not take, and takes again once there is room', async () => {
    const sink = new Sink();
    sink.gate = Promise.withResolvers();
    const log = new VerdictLog(sink, { bufferLimit: 3 * LINE });
    const first = [1, 2, 3, 4].map((version) => log.record(record(version)));
    // what is being written still counts
    await pass(LINGER);
    const second = log.record(record(5));
    sink.gate.resolve();
    await pass(0);
    const third = log.record(record(6));
    await pass(LINGER);
    expect([first, second, third, sink.told, log.counts]).toEqual([
      [true, true, true, false],
      false,
      true,
      [1, 2, 3, 6],
      { kept: 4, dropped: 2 },
    ]);
  });

  it('is no fuller for a sink that fails', async () => {
    const sink = new Sink();
    sink.failure = noSpace();
    const log = new VerdictLog(sink, { bufferLimit: 2 * LINE });
    log.record(record(1));
    await pass(10_000);
    expect([2, 3].map((version) => log.record(record(version)))).toEqual([true, false]);
    sink.failure = undefined;
    await pass(1000);
    expect(sink.told).toEqual([1, 2]);
  });
});

describe('closing', () => {
  it('writes what waits, closes the sink once, and takes no more', async () => {
    const sink = new Sink();
    const log = new VerdictLog(sink);
    log.record(record(1));
    await log.close();
    await log.close();
    expect([log.record(record(2)), sink.told, sink.closed, log.counts]).toEqual([
      false,
      [1],
      1,
      { kept: 1, dropped: 1 },
    ]);
  });

  it('with nothing to write closes at once', async () => {
    const sink = new Sink();
    await new VerdictLog(sink).close();
    expect([sink.closed, sink.prepared, vi.getTimerCount()]).toEqual([1, 0, 0]);
  });

  it('waits no longer than five seconds for a sink that does not answer', async () => {
    const sink = new Sink();
    sink.gate = Promise.withResolvers();
    const log = new VerdictLog(sink);
    log.record(record(1));
    const closing = log.close();
    await pass(4_999);
    const before = sink.closed;
    await pass(1);
    await closing;
    expect([before, sink.closed]).toEqual([0, 1]);
  });

  it('counts what a sink that fails did not take', async () => {
    const sink = new Sink();
    sink.failure = noSpace();
    const log = new VerdictLog(sink);
    for (const version of [1, 2]) log.record(record(version));
    const closing = log.close();
    await pass(5_000);
    await closing;
    expect([sink.told, log.counts]).toEqual([[], { kept: 0, dropped: 2 }]);
  });
});

const VALUE = `twk_production_${'a'.repeat(57)}`;

describe('a line', () => {
  const line = (more: Partial<VerdictLine>) => JSON.parse(formatVerdict(record(1, more)));

  it('says what it is, and ends in one newline', () => {
    const text = formatVerdict(record(1));
    expect(JSON.parse(text)).toMatchObject({ schema: 'tokenwright.dev/verdict/v1', outcome: 'Allowed' });
    expect(text.indexOf('\n')).toBe(text.length - 1);
  });

  it.each([
    ['path', { path: `/v1/${VALUE}/x` }],
    ['purpose', { purpose: `use ${VALUE}` }],
    ['method', { method: VALUE }],
    ['traceparent', { traceparent: VALUE }],
    ['audience', { audience: VALUE }],
    ['scopes', { scopes: ['a', VALUE] }],
  ])('holds no token’s value in its %s', (field, more) => {
    const text = formatVerdict(record(1, more));
    expect(text).not.toContain('aaaa');
    expect(JSON.stringify(JSON.parse(text)[field])).toContain('[redacted]');
  });

  it('holds no token’s value that was cut in two', () => {
    expect(formatVerdict(record(1, { path: `/${'x'.repeat(990)}${VALUE}` }))).not.toContain('aaaa');
  });

  it('leaves out the query of the call, which is nobody’s to keep', () => {
    expect(line({ path: '/v1/chat?patient=jones&key=secret' }).path).toBe('/v1/chat');
  });

  it.each([
    ['path', { path: `/${'x'.repeat(40_000)}` }],
    ['audience', { audience: 'x'.repeat(8_000) }],
    ['purpose', { purpose: '💥'.repeat(2_000) }],
  ])('holds no more than so much of its %s', (field, more) => {
    const text = line(more)[field];
    expect([text.length <= 1024, text.endsWith('…'), text.isWellFormed()]).toEqual([true, true, true]);
  });

  it('is one line whatever was written', () => {
    const text = formatVerdict(record(1, { purpose: 'a\nb\r\u2028c"\\', path: '/\n' }));
    expect(text.split('\n')).toHaveLength(2);
    expect(JSON.parse(text).purpose).toBe('a\nb\r\u2028c"\\');
  });
});
