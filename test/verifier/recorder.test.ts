import { beforeEach, describe, expect, it } from 'vitest';
import { OUTCOMES, type Outcome } from '../../src/domain/verdict/outcome.ts';
import type { VerdictLine } from '../../src/domain/verdict/record.ts';
import type { Call, Decision } from '../../src/verifier/call.ts';
import { LastUse } from '../../src/verifier/last-use.ts';
import { Recorder, type RecorderOptions } from '../../src/verifier/recorder.ts';
import { indexed, tokenValue } from './tokens.ts';

const NOW = Date.parse('2026-11-23T10:00:00.500Z');

let records: VerdictLine[];
let counted: [Outcome, string | undefined][];
let hasRoom: boolean;
let lastUse: LastUse;
beforeEach(() => {
  records = [];
  counted = [];
  hasRoom = true;
  lastUse = new LastUse();
});

function recorder(more: Partial<RecorderOptions> = {}): Recorder {
  return new Recorder({
    verifier: 'v-1',
    environment: 'production',
    audit: { level: 'all' },
    whenSlow: 'drop',
    log: {
      record: ({ subject, ...call }) => {
        if (hasRoom) records.push(structuredClone({ ...call, ...subject }));
        return hasRoom;
      },
    },
    metrics: { verdict: (outcome, audience) => counted.push([outcome, audience]) },
    lastUse,
    now: () => NOW,
    ...more,
  });
}

const call = (more: Partial<Call> = {}): Call => ({
  door: 'authorize',
  token: { text: tokenValue('uid-1') },
  needs: { audience: 'ai-gateway', scopes: ['chat:write'] },
  source: '192.0.2.7',
  traceparent: '00-a-b-01',
  ...more,
});

function decision(outcome: Outcome = 'Allowed', uid = 'uid-1'): Decision {
  const token = indexed({ uid });
  const [version] = token.versions;
  return { outcome, token, ...(version && { version }) };
}

const told = () => records.map(({ outcome, count = 1 }) => `${count} ${outcome}`);

describe('a record', () => {
  it('says who asked for what, and how it ended', () => {
    recorder().verdict(call(), decision('ScopeMissing'), 0.001);
    expect(records).toEqual([
      {
        time: '2026-11-23T10:00:00.500Z',
        outcome: 'ScopeMissing',
        verifier: 'v-1',
        door: 'authorize',
        environment: 'production',
        audience: 'ai-gateway',
        scopes: ['chat:write'],
        method: undefined,
        path: undefined,
        source: '192.0.2.7',
        traceparent: '00-a-b-01',
        tokenID: indexed().tokenID,
        uid: 'uid-1',
        namespace: 'support',
        name: 'summarizer',
        identity: 'support/agent:summarizer',
        purpose: 'Summarise incoming tickets',
        version: 3,
      },
    ]);
  });

  it('tells of the route where the gateway left the scopes to it', () => {
    const needs = { audience: 'ai-gateway', scopes: { method: 'POST', path: '/v1/chat' } };
    recorder().verdict(call({ needs }), decision('RouteUnknown'), 0.001);
    expect(records[0]).toMatchObject({ method: 'POST', path: '/v1/chat' });
    expect(records[0]).not.toHaveProperty('scopes');
  });

  it('tells the token id that was claimed where nobody has it', () => {
    recorder().verdict(call(), { outcome: 'TokenUnknown', tokenID: '0000000a' }, 0.001);
    expect(records).toMatchObject([{ outcome: 'TokenUnknown', tokenID: '0000000a', uid: undefined }]);
  });

  it('holds nothing of the value', () => {
    for (const outcome of Object.keys(OUTCOMES) as Outcome[]) recorder().verdict(call(), decision(outcome), 0.001);
    expect(JSON.stringify(records)).not.toContain('twk_');
  });

  it('is there where nobody is known', () => {
    recorder().verdict(call({ token: 'missing' }), { outcome: 'TokenMissing' }, 0.001);
    recorder().verdict(call({ needs: { unclear: 'why' } }), { outcome: 'NeedsUnclear' }, 0.001);
    expect(records.map(({ outcome, audience, uid, identity }) => [outcome, audience, uid, identity])).toEqual([
      ['TokenMissing', 'ai-gateway', undefined, undefined],
      ['NeedsUnclear', undefined, undefined, undefined],
    ]);
  });
});

describe('the level', () => {
  const calls = (one: Recorder) => {
    for (const outcome of ['Allowed', 'Expired', 'Allowed', 'Allowed', 'Allowed'] as const)
      one.verdict(call(), decision(outcome), 0.001);
  };

  it('all records each call', () => {
    calls(recorder({ audit: { level: 'all' } }));
    expect(told()).toEqual(['1 Allowed', '1 Expired', '1 Allowed', '1 Allowed', '1 Allowed']);
  });

  it('sampled records each denial, and one in so many of the allowed, which stands for the others', () => {
    calls(recorder({ audit: { level: 'sampled', oneIn: 2 } }));
    expect(told()).toEqual(['1 Expired', '2 Allowed', '2 Allowed']);
  });

  it('denials records each denial, and tells the allowed together', () => {
    const one = recorder({ audit: { level: 'denials' } });
    calls(one);
    const before = told();
    one.flush();
    one.flush();
    expect([before, told()]).toEqual([['1 Expired'], ['1 Expired', '4 Allowed']]);
  });

  it('denials tells apart whose calls, and for what', () => {
    const one = recorder({ audit: { level: 'denials' } });
    for (const uid of ['uid-1', 'uid-2', 'uid-1']) one.verdict(call(), decision('Allowed', uid), 0.001);
    one.verdict(call({ needs: { audience: 'search', scopes: [] } }), decision(), 0.001);
    one.verdict(call({ door: 'envoy-http' }), decision(), 0.001);
    one.flush();
    expect(records.map(({ uid, audience, door, count }) => [uid, audience, door, count])).toEqual([
      ['uid-1', 'ai-gateway', 'authorize', 2],
      ['uid-2', 'ai-gateway', 'authorize', 1],
      ['uid-1', 'search', 'authorize', 1],
      ['uid-1', 'ai-gateway', 'envoy-http', 1],
    ]);
  });

  it('denials says of the calls it tells together nothing that was of one of them', () => {
    const one = recorder({ audit: { level: 'denials' } });
    one.verdict(call({ needs: { audience: 'ai-gateway', scopes: ['chat:write'] } }), decision(), 0.001);
    one.flush();
    const [summary] = records;
    expect([summary?.source, summary?.traceparent, summary?.path, summary?.method, summary?.scopes]).toEqual(
      Array.from({ length: 5 }, () => undefined),
    );
  });

  it('denials keeps no more than so many to tell', () => {
    const one = recorder({ audit: { level: 'denials' } });
    const { token, version } = decision();
    for (let i = 0; i < 10_001; i++) {
      const needs = { audience: `audience-${i}`, scopes: [] };
      one.verdict(call({ needs }), { outcome: 'Allowed', ...(token && { token }), ...(version && { version }) }, 0.001);
    }
    expect(records.length).toBe(10_000);
  });
});

describe('a log without room', () => {
  const LEVELS = [{ level: 'all' }, { level: 'sampled', oneIn: 2 }, { level: 'denials' }] as const;
  beforeEach(() => {
    hasRoom = false;
  });

  it.each(LEVELS)('lets verdicts stand where they may go unrecorded: $level', (audit) => {
    const one = recorder({ audit, whenSlow: 'drop' });
    const stands = (['Allowed', 'Allowed', 'Expired'] as const).map((outcome) =>
      one.verdict(call(), decision(outcome), 0.001),
    );
    expect([stands, counted.map(([outcome]) => outcome)]).toEqual([
      [true, true, true],
      ['Allowed', 'Allowed', 'Expired'],
    ]);
  });

  it('lets none stand where they may not, and says so in the metrics', () => {
    const one = recorder({ whenSlow: 'refuse' });
    const stands = (['Allowed', 'Expired'] as const).map((outcome) => one.verdict(call(), decision(outcome), 0.001));
    expect([stands, counted.map(([outcome]) => outcome), lastUse.of('uid-1').size]).toEqual([
      [false, false],
      ['AuditUnavailable', 'AuditUnavailable'],
      0,
    ]);
  });

  it('loses no summary where verdicts need their record', () => {
    const one = recorder({ audit: { level: 'denials' }, whenSlow: 'refuse' });
    one.verdict(call(), decision(), 0.001);
    one.flush();
    one.verdict(call(), decision(), 0.001);
    hasRoom = true;
    one.flush();
    expect(told()).toEqual(['2 Allowed']);
  });

  it('lets no verdict stand that would need a summary too many', () => {
    const one = recorder({ audit: { level: 'denials' }, whenSlow: 'refuse' });
    const { token, version } = decision();
    const stands = Array.from({ length: 10_001 }, (_, i) =>
      one.verdict(
        call({ needs: { audience: `audience-${i}`, scopes: [] } }),
        { outcome: 'Allowed', ...(token && { token }), ...(version && { version }) },
        0.001,
      ),
    );
    expect([stands.indexOf(false), stands.lastIndexOf(true)]).toEqual([10_000, 9_999]);
  });

  it('drops summaries where they may be', () => {
    const one = recorder({ audit: { level: 'denials' }, whenSlow: 'drop' });
    one.verdict(call(), decision(), 0.001);
    one.flush();
    hasRoom = true;
    one.flush();
    expect(told()).toEqual([]);
  });
});

describe('the metrics', () => {
  it('count the outcome and the audience', () => {
    recorder().verdict(call(), decision('Expired'), 0.001);
    expect(counted).toEqual([['Expired', 'ai-gateway']]);
  });

  it('name no audience that nobody declared', () => {
    recorder().verdict(call({ needs: { audience: 'made-up', scopes: [] } }), { outcome: 'AudienceUnknown' }, 0.001);
    expect(counted).toEqual([['AudienceUnknown', undefined]]);
  });
});

describe('the last use', () => {
  it('is that of allowed calls, by version, in whole seconds', () => {
    recorder().verdict(call(), decision(), 0.001);
    recorder().verdict(call(), decision('ScopeMissing', 'uid-2'), 0.001);
    expect([[...lastUse.of('uid-1')], [...lastUse.of('uid-2')]]).toEqual([[[3, Math.floor(NOW / 1000)]], []]);
  });

  it('is forgotten with the ApiToken', () => {
    for (const version of [1, 2]) lastUse.used('uid-1', version, 5_000);
    const before = [...lastUse.of('uid-1').keys()];
    lastUse.forget('uid-1');
    expect([before, lastUse.of('uid-1').size]).toEqual([[1, 2], 0]);
  });

  it('is kept of the newest versions only, so that years of rotations leave nothing behind', () => {
    for (let version = 1; version <= 100; version++) for (const one of [version, 90]) lastUse.used('uid-1', one, 5_000);
    const kept = [...lastUse.of('uid-1').keys()].sort((a, b) => a - b);
    expect([kept.at(0), kept.at(-1), kept.includes(90), kept.length]).toEqual([85, 100, true, 16]);
  });
});
