/** What a call needs, at the doors where a gateway says so: whatever is not said exactly once is unclear, and never "nothing". */
import { describe, expect, it } from 'vitest';
import { authorizeCall } from '../../../src/verifier/doors/authorize.ts';
import { envoyCall } from '../../../src/verifier/doors/envoy-http.ts';
import type { RawHeaders } from '../../../src/verifier/doors/presented.ts';
import { tokenValue } from '../tokens.ts';

const UNCLEAR = { unclear: expect.any(String) };

const needsOf = (query: string, headers: RawHeaders = []) =>
  authorizeCall(`/authorize${query}`, headers, undefined).needs;

describe('/authorize', () => {
  it.each<[sentence: string, query: string, scopes: string[]]>([
    ['one scope', '?audience=ai&scope=chat:write', ['chat:write']],
    ['several, with commas', '?audience=ai&scope=a,b', ['a', 'b']],
    ['several, with spaces', '?audience=ai&scope=a%20b', ['a', 'b']],
    ['several, with plus signs', '?audience=ai&scope=a+b', ['a', 'b']],
    ['several, with more of them than needed', '?audience=ai&scope=,a,%20b,', ['a', 'b']],
    ['an encoded scope', '?audience=ai&scope=chat%3Awrite', ['chat:write']],
    ['any token at all', '?audience=ai&scope=-', []],
    ['the same in another order', '?scope=a&audience=ai', ['a']],
  ])('reads %s', (_, query, scopes) => {
    expect(needsOf(query)).toEqual({ audience: 'ai', scopes });
  });

  it.each([
    ['no query', ''],
    ['an empty query', '?'],
    ['no audience', '?scope=a'],
    ['an empty audience', '?audience=&scope=a'],
    ['two audiences', '?audience=ai&audience=b&scope=a'],
    ['the same audience twice', '?audience=ai&audience=ai&scope=a'],
    ['neither scope nor routes', '?audience=ai'],
    ['both scope and routes', '?audience=ai&scope=a&routes=original'],
    ['an empty scope', '?audience=ai&scope='],
    ['a scope of separators', '?audience=ai&scope=,%20,'],
    ['two scopes', '?audience=ai&scope=a&scope=-'],
    ['routes of another kind', '?audience=ai&routes=client'],
    ['routes twice', '?audience=ai&routes=original&routes=forwarded'],
    ['a parameter that it does not know', '?audience=ai&scope=a&scopes=b'],
    ['a parameter in another case', '?Audience=ai&scope=a'],
    ['what a client appended', '?audience=ai&scope=a&access_token=x'],
    ['a line feed in a scope', '?audience=ai&scope=a%0d%0aset-cookie:x'],
    ['a quotation mark in a scope', '?audience=ai&scope=a%22'],
    ['a backslash in a scope', '?audience=ai&scope=a%5c'],
    ['other alphabets in a scope', '?audience=ai&scope=%E6%97%A5'],
    ['more than a gateway would say', `?audience=ai&scope=${'a,'.repeat(5000)}`],
  ])('is unclear with %s', (_, query) => {
    expect(needsOf(query)).toEqual(UNCLEAR);
    // and again, from memory
    expect(needsOf(query)).toEqual(UNCLEAR);
  });

  it('remembers no needs for those of another query', () => {
    expect(needsOf('?audience=ai&scope=a')).toBe(needsOf('?scope=a&audience=ai'));
    const told = ['a', 'b', '-', 'a'].map((scope) => needsOf(`?audience=ai&scope=${scope}`));
    expect(told.map((needs) => 'scopes' in needs && needs.scopes)).toEqual([['a'], ['b'], [], ['a']]);
  });

  it('stays right when a stranger has it remember thousands', () => {
    for (let i = 0; i < 3000; i++) needsOf(`?audience=ai&scope=s${i}`);
    expect(needsOf('?audience=ai&scope=s1')).toEqual({ audience: 'ai', scopes: ['s1'] });
  });
});

const PAIRS = [
  ['forwarded', ['x-forwarded-method', 'x-forwarded-uri'], ['x-original-method', 'x-original-uri']],
  ['original', ['x-original-method', 'x-original-uri'], ['x-forwarded-method', 'x-forwarded-uri']],
] as const;

describe.each(PAIRS)('/authorize with routes=%s', (routes, [method, uri], [otherMethod, otherURI]) => {
  const query = `?audience=ai&routes=${routes}`;
  const stated = [method, 'POST', uri, '/v1/chat?a=b'];

  it('takes method and path from the headers that the gateway sets', () => {
    expect(needsOf(query, stated)).toEqual({ audience: 'ai', scopes: { method: 'POST', path: '/v1/chat?a=b' } });
  });

  it('takes nothing from the pair that the gateway lets through as a client sent it', () => {
    const both = [otherMethod, 'GET', otherURI, '/free', ...stated];
    expect(needsOf(query, both)).toEqual({ audience: 'ai', scopes: { method: 'POST', path: '/v1/chat?a=b' } });
  });

  it.each<[sentence: string, headers: string[]]>([
    ['neither', []],
    ['the other pair alone', [otherMethod, 'GET', otherURI, '/free']],
    ['no method', [uri, '/v1/chat']],
    ['no path', [method, 'POST']],
    ['the path twice', [...stated, uri, '/free']],
    ['the path twice, before and in another case', [uri.toUpperCase(), '/free', ...stated]],
    ['the method twice', [...stated, method, 'GET']],
    ['half of each pair', [method, 'POST', otherURI, '/free']],
  ])('is unclear with %s', (_, headers) => {
    expect(needsOf(query, headers)).toEqual(UNCLEAR);
  });
});

const AUDIENCE = 'x-tokenwright-need-audience';
const SCOPE = 'x-tokenwright-need-scope';

describe('/envoy', () => {
  const needs = (headers: RawHeaders, target = '/envoy/v1/chat', method = 'POST') =>
    envoyCall(method, target, headers, undefined).needs;

  it.each<[sentence: string, scope: string, scopes: unknown]>([
    ['one scope', 'chat:write', ['chat:write']],
    ['several', 'a b', ['a', 'b']],
    ['any token at all', '-', []],
    ['the route of the call', 'routes', { method: 'POST', path: '/v1/chat' }],
  ])('reads %s', (_, scope, scopes) => {
    expect(needs([AUDIENCE, 'ai', SCOPE, scope])).toEqual({ audience: 'ai', scopes });
  });

  it.each<[sentence: string, headers: string[]]>([
    ['no needs', []],
    ['no audience', [SCOPE, 'a']],
    ['an empty audience', [AUDIENCE, '', SCOPE, 'a']],
    ['no scope', [AUDIENCE, 'ai']],
    ['an empty scope', [AUDIENCE, 'ai', SCOPE, '']],
    ['two audiences, one from a client', [AUDIENCE, 'free', AUDIENCE, 'ai', SCOPE, 'a']],
    ['two scopes, one from a client', [AUDIENCE, 'ai', SCOPE, '-', 'X-Tokenwright-Need-Scope', 'a']],
  ])('is unclear with %s', (_, headers) => {
    expect(needs(headers)).toEqual(UNCLEAR);
  });

  it('takes nothing from the query, which is the client’s', () => {
    expect(needs([], '/envoy/v1?audience=ai&scope=-')).toEqual(UNCLEAR);
    const target = '/envoy/v1?audience=free&scope=-&routes=original';
    expect(needs([AUDIENCE, 'ai', SCOPE, 'a'], target)).toEqual({ audience: 'ai', scopes: ['a'] });
  });

  it.each([
    ['/envoy/v1/chat?a=b', '/v1/chat?a=b'],
    ['/envoy//v1', '//v1'],
    ['/envoy/envoy/v1', '/envoy/v1'],
    ['/envoy', ''],
    ['/envoy?a', '?a'],
  ])('takes all that follows %s for the path of the call, as it is', (target, path) => {
    expect(needs([AUDIENCE, 'ai', SCOPE, 'routes'], target)).toEqual({
      audience: 'ai',
      scopes: { method: 'POST', path },
    });
  });

  it('takes nothing from headers that mean something at another door', () => {
    const others = ['x-original-uri', '/free', 'x-original-method', 'GET', 'x-forwarded-uri', '/free'];
    expect(needs([...others, AUDIENCE, 'ai', SCOPE, 'routes'])).toEqual({
      audience: 'ai',
      scopes: { method: 'POST', path: '/v1/chat' },
    });
  });
});

describe('a token in the URL of the call', () => {
  const bearer = ['authorization', `Bearer ${tokenValue('uid-1')}`];
  const inURL = '/v1?access_token=x';

  it.each([
    [
      'as Caddy and Traefik tell it',
      () => authorizeCall('/authorize', [...bearer, 'x-forwarded-uri', inURL], undefined),
    ],
    [
      'as the nginx configuration tells it',
      () => authorizeCall('/authorize', [...bearer, 'x-original-uri', inURL], undefined),
    ],
    ['as Envoy tells it', () => envoyCall('GET', `/envoy${inURL}`, bearer, undefined)],
  ])('is refused even beside a good one, %s', (_, call) => {
    expect(call().token).toBe('ambiguous');
  });
});

describe('a trace', () => {
  it('is followed where there is one, and only one', () => {
    const trace = ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'];
    const calls = [trace, [...trace, ...trace], []].map((headers) => authorizeCall('/authorize', headers, undefined));
    expect(calls.map(({ traceparent }) => traceparent)).toEqual([trace[1], undefined, undefined]);
  });
});
