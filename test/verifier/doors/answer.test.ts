import { validateHeaderName, validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OUTCOMES, type Outcome } from '../../../src/domain/verdict/outcome.ts';
import type { Call, Decision } from '../../../src/verifier/call.ts';
import { answerFor, IDENTITY_HEADERS } from '../../../src/verifier/doors/answer.ts';
import { indexed, type Wanted } from '../tokens.ts';

const DOORS = ['authorize', 'envoy-http'] as const;

function callOf(more: Partial<Call> = {}): Call {
  const needs = { audience: 'ai-gateway', scopes: ['chat:write', 'files:read'] };
  return { door: 'authorize', token: { text: 'x' }, needs, source: undefined, traceparent: undefined, ...more };
}

function decided(outcome: Outcome, wanted: Wanted = {}, more: Partial<Decision> = {}): Decision {
  const token = indexed(wanted);
  const [version] = token.versions;
  return { outcome, token, ...(version && { version }), ...more };
}

const allowed = (wanted: Wanted = {}, more: Partial<Decision> = {}) =>
  decided('Allowed', wanted, { scopes: ['chat:write', 'files:read'], ...more });

const ALL = Object.keys(OUTCOMES) as Outcome[];
const withStatus = (...statuses: number[]) => ALL.filter((outcome) => statuses.includes(OUTCOMES[outcome].status));

describe('an answer', () => {
  it.each(ALL)('to %s has the status that is documented, and no cache keeps it', (outcome) => {
    const { status, headers, body } = answerFor(callOf(), decided(outcome));
    expect([status, headers['cache-control'], headers['content-length']]).toEqual([
      OUTCOMES[outcome].status,
      'no-store',
      String(Buffer.byteLength(body)),
    ]);
  });

  it.each(DOORS)('at %s is byte for byte the same for whatever is wrong with a token', (door) => {
    const alike = withStatus(401).filter((outcome) => outcome !== 'TokenMissing');
    const answers = alike.flatMap((outcome) => [
      answerFor(callOf({ door }), { outcome }),
      answerFor(callOf({ door }), decided(outcome, { name: 'other', spec: { purpose: 'another' } })),
    ]);
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toHaveLength(1);
  });

  it.each(withStatus(500, 503))('to %s says to whoever runs the gateway what to mend', (outcome) => {
    const { body, headers } = answerFor(callOf(), { outcome, hint: 'do this' });
    expect(JSON.parse(body)).toEqual({ error: outcome, hint: 'do this' });
    expect(headers['www-authenticate']).toBeUndefined();
  });

  it.each(withStatus(400, 401, 403, 429))('to %s says nothing but what a stranger may know', (outcome) => {
    const { body, headers } = answerFor(callOf(), { ...decided(outcome), hint: 'the true reason' });
    const text = JSON.stringify([headers, body]);
    expect(text).not.toMatch(/true reason|support|summar|7Yx|x-tokenwright/);
    expect(outcome === 'RateLimited' || !text.includes(outcome)).toBe(true);
  });

  it.each(withStatus(503))('to %s says when to come again', (outcome) => {
    expect(answerFor(callOf(), { outcome }).headers['retry-after']).toBe('1');
  });
});

describe('a challenge (RFC 6750, section 3)', () => {
  it.each<[outcome: Outcome, challenge: string | undefined]>([
    ['TokenMissing', 'Bearer realm="tokenwright"'],
    ['TokenAmbiguous', 'Bearer realm="tokenwright", error="invalid_request"'],
    ['Expired', 'Bearer realm="tokenwright", error="invalid_token"'],
    ['ScopeMissing', 'Bearer realm="tokenwright", error="insufficient_scope", scope="chat:write files:read"'],
    ['RateLimited', undefined],
    ['Stale', undefined],
    ['Allowed', undefined],
  ])('to %s is %s', (outcome, challenge) => {
    expect(answerFor(callOf(), decided(outcome)).headers['www-authenticate']).toBe(challenge);
  });

  it('names no scope where the route was not found', () => {
    const needs = { audience: 'ai-gateway', scopes: { method: 'GET', path: '/"' } };
    const { headers } = answerFor(callOf({ needs }), decided('RouteUnknown'));
    expect(headers['www-authenticate']).toBe('Bearer realm="tokenwright", error="insufficient_scope"');
  });
});

describe('the rate limit', () => {
  const quota = { limit: 600, windowSeconds: 60, remaining: 3, resetSeconds: 21 };
  const told = { 'ratelimit-policy': '"token";q=600;w=60', ratelimit: '"token";r=3;t=21' };

  it('is told with a yes', () => {
    expect(answerFor(callOf(), allowed({}, { quota })).headers).toMatchObject(told);
  });

  it('is told with a no, and when to come again', () => {
    expect(answerFor(callOf(), decided('RateLimited', {}, { quota })).headers).toMatchObject({
      ...told,
      'retry-after': '21',
    });
  });

  it('never says to come again at once', () => {
    const none = { ...quota, resetSeconds: 0 };
    expect(answerFor(callOf(), decided('RateLimited', {}, { quota: none })).headers['retry-after']).toBe('1');
  });

  it('is not told where there is none', () => {
    expect(Object.keys(answerFor(callOf(), allowed()).headers).filter((name) => name.startsWith('ratelimit'))).toEqual(
      [],
    );
  });
});

describe('a yes', () => {
  it('says who calls, for what, and with what', () => {
    const wanted = { spec: { owner: 'team@example.com' } };
    const { headers, body } = answerFor(callOf(), allowed(wanted));
    expect(body).toBe('');
    expect(headers).toMatchObject({
      'x-tokenwright-identity': 'support/agent:summarizer',
      'x-tokenwright-namespace': 'support',
      'x-tokenwright-subject': 'agent:summarizer',
      'x-tokenwright-purpose': 'Summarise incoming tickets',
      'x-tokenwright-owner': 'team@example.com',
      'x-tokenwright-environment': 'production',
      'x-tokenwright-audience': 'ai-gateway',
      'x-tokenwright-scopes': 'chat:write files:read',
      'x-tokenwright-token-id': indexed().tokenID,
      'x-tokenwright-version': '3',
    });
  });

  it.each(DOORS)('at %s has every identity header, even an empty one, so that a forged one is overwritten', (door) => {
    const decision = allowed({ spec: { owner: undefined } as never }, { scopes: [] });
    const { headers } = answerFor(callOf({ door, needs: { audience: 'ai-gateway', scopes: [] } }), decision);
    for (const name of IDENTITY_HEADERS) expect(headers[name]).toBeTypeOf('string');
    expect([headers['x-tokenwright-owner'], headers['x-tokenwright-scopes']]).toEqual(['', '']);
  });

  it('names the subject as it was sealed at mint, whatever the spec says now', () => {
    const { headers } = answerFor(callOf(), allowed({ spec: { subject: 'agent:root' } }));
    expect([headers['x-tokenwright-subject'], headers['x-tokenwright-identity']]).toEqual([
      'agent:summarizer',
      'support/agent:summarizer',
    ]);
  });

  it('lets the governed token go no further, wherever it stood', () => {
    const { headers } = answerFor(callOf(), allowed());
    expect([headers.authorization, headers['x-api-key']]).toEqual(['', '']);
    const envoy = answerFor(callOf({ door: 'envoy-http' }), allowed());
    expect(envoy.headers['x-envoy-auth-headers-to-remove']).toBe('authorization,x-api-key');
  });

  it.each([
    ['authorization', 'Bearer key', { authorization: 'Bearer key', 'x-api-key': '' }, 'x-api-key'],
    ['x-api-key', 'key', { authorization: '', 'x-api-key': 'key' }, 'authorization'],
    [
      'x-goog-api-key',
      'key',
      { authorization: '', 'x-api-key': '', 'x-goog-api-key': 'key' },
      'authorization,x-api-key',
    ],
  ])('hands over the key of the provider in %s, in place of the token', (header, value, headers, removed) => {
    const decision = allowed({}, { upstream: { header, value } });
    expect(answerFor(callOf(), decision).headers).toMatchObject(headers);
    const envoy = answerFor(callOf({ door: 'envoy-http' }), decision).headers;
    expect([envoy[header], envoy['x-envoy-auth-headers-to-remove']]).toEqual([value, removed]);
  });

  it('alone hands over the key of the provider', () => {
    const upstream = { header: 'authorization', value: 'Bearer key' };
    for (const outcome of ALL.filter((one) => one !== 'Allowed')) {
      expect(JSON.stringify(answerFor(callOf(), decided(outcome, {}, { upstream })))).not.toContain('key');
    }
  });

  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom('a\r\nset-cookie: x', ' a ', ' ', '%0d%0a', '100 %', 'Tickets für 日本', '💥', '\0', '\t', ''),
  );

  it('holds no header that another could hide in, and what was written can be read back', () => {
    fc.assert(
      fc.property(texts, texts, texts, (purpose, owner, subject) => {
        const wanted = { spec: { purpose, owner }, versions: [{ grant: { subject } }] };
        const { headers } = answerFor(callOf(), allowed(wanted));
        for (const [name, value] of Object.entries(headers)) {
          validateHeaderName(name);
          validateHeaderValue(name, value);
          expect(value).toMatch(/^(?:[!-~](?:[ -~]*[!-~])?)?$/);
        }
        const read = ['purpose', 'owner', 'subject'].map((name) =>
          decodeURIComponent(headers[`x-tokenwright-${name}`] ?? ''),
        );
        expect(read).toEqual([purpose, owner, subject]);
      }),
    );
  });

  it('survives half a surrogate pair', () => {
    // a seal cannot hold one, but a purpose is not sealed
    const { headers } = answerFor(callOf(), allowed({ spec: { purpose: 'a\ud800b' } }));
    expect(decodeURIComponent(headers['x-tokenwright-purpose'] ?? '')).toBe('a\ufffdb');
  });
});
