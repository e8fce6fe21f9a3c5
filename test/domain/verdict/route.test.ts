import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scopesFor } from '../../../src/domain/verdict/route.ts';

const route = (path: string, scope = 'ok') => ({ methods: ['GET'], path, scopes: [scope] });
const passes = (pattern: string, path: string, method = 'GET') =>
  scopesFor({ method, path }, [route(pattern)]) !== undefined;

const PATTERNS: [sentence: string, pattern: string, path: string, does: boolean][] = [
  ['the same path', '/v1/chat', '/v1/chat', true],
  ['not a longer one', '/v1/chat', '/v1/chat/x', false],
  ['not a shorter one', '/v1/chat', '/v1', false],
  ['not one that begins alike', '/v1/chat', '/v1/chats', false],
  ['not another case', '/v1/chat', '/v1/Chat', false],
  ['not one with a slash more at the end', '/v1/chat', '/v1/chat/', false],
  ['a slash at the end where the route has one', '/v1/chat/', '/v1/chat/', true],
  ['not one without the slash that the route has', '/v1/chat/', '/v1/chat', false],
  ['the root', '/', '/', true],
  ['the path without its query', '/v1/chat', '/v1/chat?a=/../b#c', true],
  ['the path before an empty query', '/v1/chat', '/v1/chat?', true],
  ['by * one segment', '/v1/*/info', '/v1/x/info', true],
  ['by * not two segments in the middle', '/v1/*/info', '/v1/x/y/info', false],
  ['by * not an empty segment in the middle', '/v1/*/info', '/v1//info', false],
  ['by * at the end one segment', '/v1/*', '/v1/x', true],
  ['by * at the end all that follows', '/v1/*', '/v1/x/y/z', true],
  ['by * at the end a slash at the end too', '/v1/*', '/v1/x/', true],
  ['by * at the end not nothing', '/v1/*', '/v1/', false],
  ['by * at the end not the path above', '/v1/*', '/v1', false],
  ['by two * two segments and what follows', '/v1/*/x/*', '/v1/a/x/b/c', true],
  ['by * alone every path but the root', '/*', '/a/b', true],
  ['by * alone not the root', '/*', '/', false],
  ['a star that was sent, by *', '/v1/*/info', '/v1/*/info', true],
  ['a star that was sent not as a wildcard', '/v1/x/info', '/v1/*/info', false],
  ['an encoded star not as a wildcard', '/v1/x/info', '/v1/%2A/info', false],
  ['what stands encoded as what it means', '/v1/chat', '/v1/%63h%61t', true],
  ['encoded sub-delimiters as what they mean', '/v1/models/a:run', '/v1/models/a%3Arun', true],
  ['encoded sub-delimiters in lower case too', '/v1/models/a:run', '/v1/models/a%3arun', true],
  ['other alphabets by *', '/v1/*', '/v1/%E6%97%A5%E6%9C%AC', true],
  ['a space by *', '/v1/*', '/v1/a%20b', true],
  ['a dot within a segment', '/v1/a.b', '/v1/a.b', true],
  ['three dots, which mean nothing', '/v1/*', '/v1/...', true],
];

describe('a route matches', () => {
  it.each(PATTERNS)('%s: %s and %s', (_, pattern, path, does) => {
    expect(passes(pattern, path)).toBe(does);
  });

  it('its methods only, as they are written', () => {
    expect(['GET', 'get', 'HEAD', '', 'GET '].map((method) => passes('/v1', '/v1', method))).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  it('where it is the first to match', () => {
    const routes = [route('/v1/models/secret:run', 'high'), route('/v1/models/*', 'low'), route('/*', 'lowest')];
    const scopes = ['/v1/models/secret:run', '/v1/models/secret%3arun', '/v1/models/x', '/v2'].map((path) =>
      scopesFor({ method: 'GET', path }, routes),
    );
    expect(scopes).toEqual([['high'], ['high'], ['low'], ['lowest']]);
  });

  it('and may need no scope', () => {
    expect(scopesFor({ method: 'GET', path: '/' }, [{ methods: ['GET'], path: '/', scopes: [] }])).toEqual([]);
  });

  it('nothing where there is none', () => {
    expect(scopesFor({ method: 'GET', path: '/' }, [])).toBeUndefined();
  });
});

/** Each could be read as /admin, or as another path than the one that would be matched. */
const TRICKS: [sentence: string, path: string][] = [
  ['a dot segment', '/v1/./x'],
  ['a dot segment at the end', '/v1/.'],
  ['a way up', '/v1/../admin'],
  ['a way up at the end', '/v1/x/..'],
  ['an empty segment', '/v1//x'],
  ['two slashes at the start', '//host/x'],
  ['an encoded slash', '/v1/..%2fadmin'],
  ['an encoded slash in upper case', '/v1/x%2Fy'],
  ['encoded dots', '/v1/%2e%2e/admin'],
  ['half encoded dots', '/v1/.%2E/admin'],
  ['an encoded dot in a segment', '/v1/a%2eb'],
  ['a backslash', '/v1/..\\admin'],
  ['an encoded backslash', '/v1/..%5cadmin'],
  ['an encoded backslash in upper case', '/v1/..%5Cadmin'],
  ['parameters', '/v1/x;a=b'],
  ['parameters on a way up', '/v1/..;/admin'],
  ['encoded parameters', '/v1/..%3b/admin'],
  ['a percent sign, encoded', '/v1/%252e%252e/admin'],
  ['a percent sign, encoded twice', '/v1/%25252e'],
  ['an encoded question mark', '/v1/x%3Fa'],
  ['an encoded number sign', '/v1/x%23a'],
  ['a fragment, which some take for a part of the path', '/v1/x#/../admin'],
  ['a zero byte', '/v1/x%00.png'],
  ['a line feed', '/v1/x%0aHost:'],
  ['a delete character', '/v1/x%7f'],
  ['a control character beyond ASCII', '/v1/x%C2%85'],
  ['an overlong dot', '/v1/%c0%ae%c0%ae/admin'],
  ['an overlong slash', '/v1/..%c0%afadmin'],
  ['an overlong slash of three bytes', '/v1/..%e0%80%afadmin'],
  ['half a surrogate pair', '/v1/%ed%a0%80'],
  ['a byte that is no UTF-8', '/v1/%ff'],
  ['a character cut in two', '/v1/%e6%97/%a5'],
  ['a full-width slash', '/v1/..%EF%BC%8Fadmin'],
  ['a full-width dot', '/v1/%EF%BC%8E%EF%BC%8E/admin'],
  ['two dots in one character', '/v1/%E2%80%A5/admin'],
  ['a small backslash', '/v1/..%EF%B9%A8admin'],
  ['a broken escape', '/v1/%2'],
  ['an escape that is none', '/v1/%zz'],
  ['an escape of another kind', '/v1/%u002e%u002e/admin'],
  ['what should be encoded', '/v1/日本'],
  ['a space', '/v1/a b'],
  ['a line feed that was sent', '/v1/a\n'],
  ['the absolute form', 'http://host/v1/x'],
  ['the authority form', 'host:443'],
  ['the asterisk form', '*'],
  ['no slash at the start', 'v1/x'],
  ['nothing', ''],
  ['a query alone', '?/v1/x'],
  ['more than gateways take', `/v1/${'x'.repeat(8192)}`],
];

describe('no route matches', () => {
  it.each(TRICKS)('%s: %j', (_, path) => {
    expect([passes('/v1/*', path), passes('/*', path), passes('/', path)]).toEqual([false, false, false]);
  });
});

/** As careless as a backend can be: decodes first, takes overlong sequences and look-alikes, then cuts, resolves and splits. */
function carelessly(target: string): string {
  const bytes = [...target.matchAll(/%([0-9A-Fa-f]{2})|(.)/gsu)].flatMap(([, hex, other = '']) =>
    hex === undefined ? [...Buffer.from(other)] : [Number.parseInt(hex, 16)],
  );
  const characters: number[] = [];
  for (const byte of bytes) {
    const before = characters.at(-1) ?? 0;
    if (byte >= 0xc0) characters.push((byte & (byte >= 0xf0 ? 0x07 : byte >= 0xe0 ? 0x0f : 0x1f)) + 0x200_000);
    else if (byte >= 0x80 && before >= 0x200_000)
      characters.push(((characters.pop() ?? 0) - 0x200_000) * 64 + (byte & 0x3f) + 0x200_000);
    else characters.push(byte);
  }
  const text = characters
    .map((one) => String.fromCodePoint((one >= 0x200_000 ? one - 0x200_000 : one) % 0x110_000))
    .join('');
  const [path = ''] = text
    .normalize('NFKC')
    .replaceAll('\\', '/')
    .split(/[?#\0]/);
  const resolved: string[] = [];
  for (const segment of path.split('/').slice(1)) {
    const [name = ''] = segment.split(';');
    if (name === '..') resolved.pop();
    else if (name !== '.') resolved.push(name);
  }
  return `/${resolved.join('/')}`;
}

const SPELLINGS = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('/', '/', 'a', 'b', 'admin') },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          ...[
            '%61',
            '%41',
            '.',
            '..',
            '...',
            '%2e',
            '%2E',
            '%2f',
            '%5c',
            '\\',
            ';',
            '%3b',
            '%25',
            '%252f',
            '%00',
            '%0a',
            '*',
            '%2a',
          ],
          ...[
            ':',
            '%3a',
            '?',
            '#',
            '%3f',
            '%23',
            'é',
            '%C3%A9',
            '%c0%ae',
            '%c0%af',
            '%e0%80%af',
            '%EF%BC%8F',
            '%E2%80%A5',
            '+',
            '%20',
            '~',
          ],
        ),
      },
    ),
    { maxLength: 8 },
  )
  .map((pieces) => `/${pieces.join('')}`);

describe('a path that passes', () => {
  it('is read by the most careless backend as the path that was matched', () => {
    let passed = 0;
    fc.assert(
      fc.property(SPELLINGS, (spelling) => {
        const path = carelessly(spelling);
        if (!passes('/*', spelling)) return;
        passed += 1;
        // as a route: so what was matched is this path, and no other
        expect(passes(path, spelling)).toBe(true);
      }),
      { numRuns: 5000 },
    );
    expect(passed).toBeGreaterThan(100);
  });

  it('matches a route if and only if the path that the backend reads does', () => {
    const patterns = ['/a', '/a/*', '/*/admin', '/admin', '/a/*/b', '/a:b', '/a/'];
    fc.assert(
      fc.property(SPELLINGS, fc.constantFrom(...patterns), (spelling, pattern) => {
        if (!passes('/*', spelling)) return;
        const parts = pattern
          .split('/')
          .map((part, i, all) => (part !== '*' ? part : i === all.length - 1 ? '[^/].*' : '[^/]+'));
        const literally = new RegExp(`^${parts.join('/')}$`, 's');
        expect(passes(pattern, spelling)).toBe(literally.test(carelessly(spelling)));
      }),
      { numRuns: 5000 },
    );
  });
});
