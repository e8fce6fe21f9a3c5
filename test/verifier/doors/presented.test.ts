import { describe, expect, it } from 'vitest';
import { hasTokenInURL, onlyValueOf, presentedToken, valuesOf } from '../../../src/verifier/doors/presented.ts';
import { tokenValue } from '../tokens.ts';

const VALUE = tokenValue('uid-1');

describe('a field', () => {
  const headers = ['Accept', 'a', 'X-Twice', '1', 'x-twice', '2', 'X-TWICE', ''];

  it('is found whatever its case, as often as it was sent', () => {
    expect([valuesOf(headers, 'accept'), valuesOf(headers, 'x-twice'), valuesOf(headers, 'host')]).toEqual([
      ['a'],
      ['1', '2', ''],
      [],
    ]);
  });

  it('is not found by the value of another', () => {
    expect(valuesOf(['x', 'accept', 'accept', 'y'], 'accept')).toEqual(['y']);
  });

  it('counts alone only where it was sent once', () => {
    expect([onlyValueOf(headers, 'accept'), onlyValueOf(headers, 'x-twice'), onlyValueOf(headers, 'host')]).toEqual([
      'a',
      undefined,
      undefined,
    ]);
  });
});

describe('the token of a call', () => {
  it.each<[sentence: string, headers: string[], token: ReturnType<typeof presentedToken>]>([
    ['stands in Authorization', ['Authorization', `Bearer ${VALUE}`], { text: VALUE }],
    ['follows Bearer in any case', ['authorization', `bEARER ${VALUE}`], { text: VALUE }],
    ['may have more spaces before it, and behind', ['authorization', `Bearer   ${VALUE}  `], { text: VALUE }],
    ['may stand in x-api-key', ['X-Api-Key', VALUE], { text: VALUE }],
    ['is missing without either', ['cookie', VALUE], 'missing'],
    ['is missing with another scheme', ['authorization', `Basic ${VALUE}`], 'missing'],
    ['is missing without a scheme', ['authorization', VALUE], 'missing'],
    ['is missing where the scheme is all', ['authorization', 'Bearer'], 'missing'],
    ['is missing where the scheme only begins alike', ['authorization', `Bearers ${VALUE}`], 'missing'],
    ['is missing where two were joined', ['authorization', `Bearer ${VALUE}, Bearer ${VALUE}`], 'missing'],
    ['is missing where parameters follow', ['authorization', `Bearer ${VALUE} realm=x`], 'missing'],
    ['is missing where a tab stands for the space', ['authorization', `Bearer\t${VALUE}`], 'missing'],
    ['is missing where Authorization is empty', ['authorization', ''], 'missing'],
    ['is not looked for in Proxy-Authorization', ['proxy-authorization', `Bearer ${VALUE}`], 'missing'],
    [
      'is ambiguous in two Authorization fields',
      ['authorization', `Bearer ${VALUE}`, 'Authorization', 'Bearer x'],
      'ambiguous',
    ],
    [
      'is ambiguous twice the same',
      ['authorization', `Bearer ${VALUE}`, 'authorization', `Bearer ${VALUE}`],
      'ambiguous',
    ],
    ['is ambiguous beside an empty field', ['authorization', '', 'authorization', `Bearer ${VALUE}`], 'ambiguous'],
    ['is ambiguous in two x-api-key fields', ['x-api-key', VALUE, 'X-API-KEY', VALUE], 'ambiguous'],
    ['is ambiguous in both', ['authorization', `Bearer ${VALUE}`, 'x-api-key', VALUE], 'ambiguous'],
    ['is ambiguous beside another scheme', ['authorization', 'Basic eDp5', 'x-api-key', VALUE], 'ambiguous'],
  ])('%s', (_, headers, token) => {
    expect(presentedToken(headers)).toEqual(token);
  });
});

describe('a URL', () => {
  it.each([
    ['as access_token', '/v1?access_token=x'],
    ['as access_token after others', '/v1?a=b&access_token=x'],
    ['as access_token in another case', '/v1?Access_Token=x'],
    ['as an encoded access_token', '/v1?access%5Ftoken=x'],
    ['as api_key', '/v1?api_key=x'],
    ['as apikey', '/v1?apikey=x'],
    ['as api-key', '/v1?api-key=x'],
    ['as token', '/v1?token=x'],
    ['anywhere, by what it looks like', `/v1?q=${VALUE}`],
    ['in its path', `/v1/${VALUE}/x`],
    ['encoded in part', `/v1?q=${VALUE.replace('_', '%5F').replace('t', '%74')}`],
  ])('has a token %s', (_, target) => {
    expect(hasTokenInURL(target)).toBe(true);
  });

  it.each([
    ['a parameter that only ends alike', '/v1?next_access_tokens=x'],
    ['a parameter of another name', '/v1?page_token=x&tokens=2'],
    ['a path that is called so', '/token=/access_token'],
    ['a cut token', `/v1?q=${VALUE.slice(0, -1)}`],
    ['broken escapes', '/v1?q=%zz%4'],
    ['nothing', ''],
  ])('has none with %s', (_, target) => {
    expect(hasTokenInURL(target)).toBe(false);
  });
});
