import { describe, expect, it } from 'vitest';
import { fromFailure, fromRefusal, fromWatchError, isConnectionReset } from '../../src/kube/errors.ts';
import { TransportFailure } from '../../src/kube/transport.ts';
import type { ResourceType } from '../../src/ports.ts';

const widgets: ResourceType = {
  group: 'example.dev',
  version: 'v1',
  plural: 'widgets',
  kind: 'Widget',
  namespaced: true,
};
const secrets: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const reviews: ResourceType = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'tokenreviews',
  kind: 'TokenReview',
  namespaced: false,
};
const key = { namespace: 'team', name: 'x' };

function refusal(status: number, body: object | string = {}, type = widgets, sent?: object) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fromRefusal({ verb: 'update', type, key }, { status, text, sent: sent && JSON.stringify(sent) });
}

describe('the reason', () => {
  it.each([
    [400, undefined, 'BadRequest', false],
    [401, 'Unauthorized', 'Unauthorized', false],
    [403, 'Forbidden', 'Forbidden', false],
    [404, 'NotFound', 'NotFound', false],
    [409, 'Conflict', 'Conflict', false],
    [409, 'AlreadyExists', 'AlreadyExists', false],
    [410, 'Gone', 'Gone', false],
    [410, 'Expired', 'Gone', false],
    [422, 'Invalid', 'Invalid', false],
    [429, 'TooManyRequests', 'TooManyRequests', true],
    [500, 'InternalError', 'Unknown', true],
    [500, 'ServerTimeout', 'Timeout', true],
    [502, undefined, 'Unavailable', true],
    [503, 'ServiceUnavailable', 'Unavailable', true],
    [504, 'Timeout', 'Timeout', true],
    [415, 'UnsupportedMediaType', 'Unknown', false],
  ] as const)('of %i %s is %s, transient: %s', (status, reason, expected, transient) => {
    const error = refusal(status, { kind: 'Status', reason });
    expect(error).toMatchObject({ name: 'KubeError', reason: expected, status, transient });
  });

  it('comes from the status when the body is not a Status', () => {
    expect(refusal(404, '404 page not found\n').reason).toBe('NotFound');
    expect(refusal(502, '<html>').reason).toBe('Unavailable');
    expect(refusal(409, 'null').reason).toBe('Conflict');
  });

  it('of no answer tells timeouts from the rest', () => {
    const reason = (failure: unknown) => fromFailure({ verb: 'get', type: widgets, key }, failure).reason;
    expect(reason(new TransportFailure('DEADLINE'))).toBe('Timeout');
    expect(reason(new TransportFailure('SILENT'))).toBe('Timeout');
    expect(reason(Object.assign(new Error(), { code: 'ECONNREFUSED' }))).toBe('Unavailable');
    expect(reason(new TypeError())).toBe('Unavailable');
  });

  it('of an answer that is too large is not worth another try', () => {
    const error = fromFailure({ verb: 'list', type: widgets }, new TransportFailure('TOO_LARGE'));
    expect(error).toMatchObject({ transient: false, message: 'list widgets: no answer (TOO_LARGE)' });
  });

  it('of an error in a watch is that of its code', () => {
    const error = fromWatchError({ verb: 'watch', type: widgets }, { kind: 'Status', code: 410, reason: 'Expired' });
    expect(error).toMatchObject({ reason: 'Gone', status: 410, message: 'watch widgets: 410 Gone' });
    expect(fromWatchError({ verb: 'watch', type: widgets }, undefined)).toMatchObject({ status: 500, transient: true });
  });
});

describe('the message', () => {
  it('holds verb, kind, key, status and reason', () => {
    expect(refusal(409, { reason: 'Conflict', message: 'the body' }).message).toBe(
      'update widgets team/x: 409 Conflict',
    );
  });

  it.each([403, 422])('of %i has the sentence of the admission policy', (status) => {
    expect(refusal(status, { message: 'ttl is at most 24h' }).message).toMatch(/: \d+ \w+: ttl is at most 24h$/);
  });

  it('cuts a long sentence', () => {
    expect(refusal(422, { message: 'x'.repeat(10_000) }).message.length).toBeLessThan(600);
  });

  it('of no answer has a code and nothing of the text', () => {
    const failure = Object.assign(new Error('connect to hunter2'), { code: 'ECONNRESET' });
    const error = fromFailure({ verb: 'get', type: secrets, key }, failure);
    expect(error.message).toBe('get secrets team/x: no answer (ECONNRESET)');
    expect(error.cause).toBeUndefined();
    expect(fromFailure({ verb: 'get', type: secrets }, { code: 'hunter2' }).message).not.toContain('hunter2');
    expect(fromFailure({ verb: 'get', type: secrets }, Object.assign(new Error(), { code: 'hunter2!' })).message).toBe(
      'get secrets: no answer (UNKNOWN)',
    );
  });
});

describe('no value', () => {
  const value = 'hunter2-hunter2-hunter2';
  const encoded = Buffer.from(value).toString('base64');

  function leaks(error: Error): boolean {
    const text = `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;
    return text.includes('hunter2') || text.includes(encoded.slice(0, 10));
  }

  it.each([400, 401, 404, 409, 410, 422, 429, 500, 503])('of a Secret comes out of a %i', (status) => {
    const error = refusal(status, { message: `data: Invalid value: "${value}"`, reason: value }, secrets);
    expect(leaks(error)).toBe(false);
  });

  it.each([
    ['the value', value],
    ['the value in base64', encoded],
    ['a piece of the value', value.slice(5, 15)],
  ])('comes out of a webhook that refuses a Secret and repeats %s', (_what, echoed) => {
    const message = `admission webhook "w" denied the request: ${echoed} looks weak`;
    expect(leaks(refusal(403, { message }, secrets, { data: { token: encoded } }))).toBe(false);
    expect(leaks(refusal(403, { message }, secrets, { stringData: { token: value } }))).toBe(false);
  });

  it('but the sentence, when a Secret is refused for another reason', () => {
    const error = refusal(403, { message: 'exceeded quota: secrets=10' }, secrets, { data: { token: encoded } });
    expect(error.message).toContain('exceeded quota');
  });

  it('of a short key comes out either', () => {
    const error = refusal(403, { message: 'weak: abc1' }, secrets, { stringData: { token: 'abc1' } });
    expect(error.message).toBe('update secrets team/x: 403 Forbidden');
  });

  it('of a presented token comes out of a review', () => {
    const error = refusal(422, { message: `spec.token: Invalid value: "${value}"` }, reviews, {
      spec: { token: value },
    });
    expect(leaks(error)).toBe(false);
  });
});

describe('Retry-After', () => {
  it.each([
    ['7', {}, 7],
    [undefined, { details: { retryAfterSeconds: 3 } }, 3],
    ['soon', {}, undefined],
    [undefined, {}, undefined],
    ['0', {}, undefined],
  ])('of header %j and body %j is %s', (retryAfter, body, seconds) => {
    const error = fromRefusal({ verb: 'get', type: widgets }, { status: 429, text: JSON.stringify(body), retryAfter });
    expect(error.retryAfterSeconds).toBe(seconds);
  });
});

describe('a connection reset', () => {
  it('is told from a refusal to connect and from a timeout', () => {
    const coded = (code: string) => Object.assign(new Error(), { code });
    expect(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].map((code) => isConnectionReset(coded(code)))).toEqual([
      true,
      true,
      true,
    ]);
    expect(isConnectionReset(coded('ECONNREFUSED'))).toBe(false);
    expect(isConnectionReset(new TransportFailure('DEADLINE'))).toBe(false);
  });
});
