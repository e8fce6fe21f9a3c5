import { describe, expect, it } from 'vitest';
import { composeValue, tokenIDOf } from '../../src/domain/value.ts';
import { KubeError } from '../../src/ports.ts';
import { createLogger, type LogOptions } from '../../src/telemetry/log.ts';

const VALUE = composeValue('production', tokenIDOf('uid'), new Uint8Array(32).fill(7)).reveal();

function recording(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = createLogger({
    level: 'info',
    format: 'json',
    destination: { write: (line) => lines.push(line) },
    ...options,
  });
  return { log, lines, first: (): Record<string, unknown> => JSON.parse(lines[0] ?? '{}') };
}

describe('the log in JSON', () => {
  it('is one object a line: level, time, facts and a constant text', () => {
    const { log, lines } = recording();
    log.child({ controller: 'apitoken' }).info({ token: 'support/summarizer', version: 3 }, 'token rotated');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith('}\n')).toBe(true);
    const { time, ...fields } = JSON.parse(lines[0] ?? '');
    expect(fields).toEqual({
      level: 'info',
      controller: 'apitoken',
      token: 'support/summarizer',
      version: 3,
      msg: 'token rotated',
    });
    expect(new Date(time).toISOString()).toBe(time);
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = recording({ level: 'warn' });
    log.info({}, 'no');
    log.warn({}, 'yes');
    expect(lines).toHaveLength(1);
  });

  it.each([
    ['a field', { note: `is ${VALUE}` }],
    ['a nested field', { a: { b: [VALUE] } }],
    ['the name of a field', { [VALUE]: 1 }],
    ['a Secret in base64', { data: { token: Buffer.from(VALUE).toString('base64') } }],
    ['an error', { err: new Error(`bad token ${VALUE}`) }],
    ['an error under another name', { problem: new Error(`bad token ${VALUE}`) }],
  ])('lets no value out in %s', (_, fields) => {
    for (const format of ['json', 'text'] as const) {
      const { log, lines } = recording({ format });
      log.info(fields, 'something happened');
      log.child(fields as Record<string, unknown>).info({}, VALUE);
      expect(lines).toHaveLength(2);
      expect(lines.join()).not.toContain(VALUE.slice(-30));
      expect(lines.join()).not.toContain(Buffer.from(VALUE).toString('base64').slice(12, 60));
      expect(lines.join()).toContain('[redacted]');
    }
  });

  it('says code, reason and status of an error, and nothing else that it carries', () => {
    const { log, first } = recording();
    const error = Object.assign(
      new KubeError({ reason: 'Conflict', status: 409, transient: false, message: 'PUT: 409 Conflict' }),
      {
        code: 'E1',
        headers: { authorization: 'Bearer abc' },
      },
    );
    log.error({ err: error }, 'write failed');
    expect(first().err).toEqual({
      name: 'KubeError',
      message: 'PUT: 409 Conflict',
      code: 'E1',
      reason: 'Conflict',
      status: 409,
    });
  });

  it.each(['err', 'error', 'why'])('withholds the message of an error that carries a response, under %s', (field) => {
    const { log, lines } = recording();
    const fields = { [field]: Object.assign(new Error('HTTP 500: {"data":"c2VjcmV0"}'), { body: 'c2VjcmV0' }) };
    log.error(fields, 'call failed');
    log.child(fields).error({}, 'call failed');
    for (const line of lines) {
      expect(line).not.toContain('c2VjcmV0');
      expect(JSON.parse(line)[field]).toMatchObject({ name: 'Error', message: expect.stringContaining('withheld') });
    }
    expect(lines).toHaveLength(2);
  });

  it('says where an error comes from that nobody foresaw, and what caused it', () => {
    const { log, first } = recording();
    log.error(
      { err: new TypeError('x is not a function', { cause: Object.assign(new Error('inner'), { code: 'ENOSPC' }) }) },
      'bug',
    );
    expect(first().err).toMatchObject({
      name: 'TypeError',
      at: expect.arrayContaining([expect.stringContaining('log.test.ts')]),
      cause: { message: 'inner', code: 'ENOSPC' },
    });
  });

  it('bounds the message of an error', () => {
    const { log, lines } = recording();
    log.error({ err: new Error('long '.repeat(10_000)) }, 'failed');
    expect(lines.join().length).toBeLessThan(2_500);
  });
});

describe('the log as text', () => {
  it('is a line that a person reads', () => {
    const { log, lines } = recording({ format: 'text', colours: false });
    log.info({ token: 'support/summarizer', version: 3 }, 'token rotated');
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} INFO {2}token rotated {2}token=support\/summarizer {2}version=3\n$/,
    );
  });

  it('is coloured only where that is wanted', () => {
    const [plain, coloured] = [false, true].map((colours) => {
      const { log, lines } = recording({ format: 'text', colours });
      log.error({}, 'failed');
      return lines.join();
    });
    expect(plain).not.toContain('\u001b');
    expect(coloured).toContain('\u001b[31mERROR\u001b[0m');
  });

  it.each(['two\nlines', 'escape \u001b[2J', 'c1 \u009b2J', 'turned \u202e round', 'fake=1 level=INFO'])(
    'cannot be forged by the field %j',
    (note) => {
      const { log, lines } = recording({ format: 'text', colours: false });
      log.info({ note }, 'seen');
      for (const control of '\u001b\u009b\u202e') expect(lines[0]).not.toContain(control);
      expect(lines[0]?.split('\n')).toHaveLength(2);
      expect(lines[0]).toContain(' note="');
    },
  );
});
