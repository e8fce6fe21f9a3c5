/** Specs of TokenAudiences, good and bad, with what the user reads. */
import { domain253, invalid, many } from './rows.ts';

type Spec = Record<string, unknown>;

export const LEAST: Spec = { environments: ['production'] };
const route = (more: Spec = {}): Spec => ({ methods: ['POST'], path: '/v1/chat', scopes: ['chat:write'], ...more });
const routes = (more: Spec): Spec => ({ routes: [route(more)] });
const path = (at: string): Spec => routes({ path: at });
const UPSTREAM = {
  secretRef: { name: 'ai-provider', key: 'api-key' },
  header: 'authorization',
  value: 'Bearer $(key)',
};
const upstream = (more: Spec): Spec => ({ upstream: { ...UPSTREAM, ...more } });
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'];

/** What is added to LEAST; undefined takes a field away. */
export const GOOD: readonly (readonly [sentence: string, patch: Spec])[] = [
  ['the least there is', {}],
  ['32 environments of 24 characters', { environments: many(32, (i) => `${i}`.padStart(24, 'e')) }],
  ['128 routes', { routes: many(128, (i) => route({ path: `/v1/${i}` })) }],
  [
    'a route as large as may be',
    routes({
      methods: METHODS,
      path: `/${'p'.repeat(511)}`,
      scopes: many(64, (i) => `${i}`.padStart(64, 's')),
    }),
  ],
  [
    '128 routes as large as may be',
    {
      routes: many(128, (i) =>
        route({ methods: METHODS, path: `/${i}/`.padEnd(512, 'p'), scopes: many(64, (j) => `${j}`.padStart(64, 's')) }),
      ),
    },
  ],
  ['a route that needs no scope', routes({ scopes: undefined })],
  ...[
    '/',
    '/v1',
    '/v1/',
    '/*',
    '/v1/chat/*',
    '/v1/*/chat',
    '/v1/*/',
    "/-._~!$&'()+,=:@",
    '/v1/.well-known',
    '/...',
    '/v1/a..b',
  ].map((at) => [`the path ${at}`, path(at)] as const),
  ['an empty staleness', { staleness: {} }],
  ['a staleness of 1s', { staleness: { max: '1s' } }],
  ['a staleness of 1h', { staleness: { max: '60m' } }],
  ['an upstream', upstream({})],
  [
    'an upstream as large as may be',
    upstream({
      secretRef: { name: domain253, key: 'k'.repeat(253) },
      header: 'h'.repeat(64),
      value: `${'x'.repeat(1018)}$(key)`,
    }),
  ],
  ['an upstream whose header is the key', upstream({ header: 'x-api-key', value: '$(key)' })],
  ['an upstream with dollar signs that begin no reference', upstream({ value: '$5 $(key) $' })],
];

const PATH =
  'write path from the root without empty segments, dot segments, a query and percent-encoding, and with * as a whole segment only, such as /v1/chat/*';
const ENVIRONMENT = 'write environment as 1 to 24 lower-case letters, digits and hyphens, such as production';
const SCOPE =
  'write a scope in letters, digits and : . _ / @ - without a colon at either end, such as chat:write, one item for each scope and without wildcards';
const MAX = 'write max in whole hours, minutes and seconds, such as 5s, 30s or 5m';
const RANGE = 'choose a max from 1s to 1h';
const SECRET_NAME = 'name the Secret in lower-case letters, digits, hyphens and dots, such as ai-provider';
const SECRET_KEY = 'name the key in letters, digits, hyphens, underscores and dots, such as api-key';
const HEADER = 'write header in lower-case letters, digits and hyphens, such as authorization';
const KEY_HEADER = 'choose the header of a key, which none is that frames the request or begins with x-tokenwright-';
const PRINTABLE = 'write value in printable ASCII without spaces at either end';
const REFERENCE = 'write $(key) once where the key comes, and no other reference, such as Bearer $(key)';

const long = (field: string, most: number) => `${field}: Too long: may not be more than ${most} bytes`;
const none = (field: string) => `${field}: Invalid value: 0: ${field} in body should have at least 1 items`;
const more = (field: string, count: number, most: number) =>
  `${field}: Too many: ${count}: must have at most ${most} items`;

export const BAD: readonly (readonly [sentence: string, patch: Spec, says: readonly string[]])[] = [
  ['no environments', { environments: undefined }, ['spec.environments: Required value']],
  ['an empty list of environments', { environments: [] }, [none('spec.environments')]],
  ['33 environments', { environments: many(33, (i) => `e${i}`) }, [more('spec.environments', 33, 32)]],
  ['one environment twice', { environments: ['a', 'a'] }, ['spec.environments[1]: Duplicate value: "a"']],
  ['an environment with a wildcard', { environments: ['*'] }, [invalid('spec.environments[0]', '*', ENVIRONMENT)]],
  ['an environment of 25 characters', { environments: ['e'.repeat(25)] }, [long('spec.environments[0]', 24)]],

  ['an empty list of routes, which would refuse all', { routes: [] }, [none('spec.routes')]],
  ['129 routes', { routes: many(129, () => route()) }, [more('spec.routes', 129, 128)]],
  ['a route without methods', routes({ methods: undefined }), ['spec.routes[0].methods: Required value']],
  ['a route of no methods', routes({ methods: [] }), [none('spec.routes[0].methods')]],
  [
    'a route of one method twice',
    routes({ methods: ['GET', 'GET'] }),
    ['spec.routes[0].methods[1]: Duplicate value: "GET"'],
  ],
  [
    'a method in lower case',
    routes({ methods: ['get'] }),
    [
      `spec.routes[0].methods[0]: Unsupported value: "get": supported values: ${METHODS.map((name) => `"${name}"`).join(', ')}`,
    ],
  ],
  ['a route without a path', routes({ path: undefined }), ['spec.routes[0].path: Required value']],
  ...[
    '',
    'v1',
    '//',
    '/v1//chat',
    '/v1/../admin',
    '/v1/..',
    '/./v1',
    '/v1?x=1',
    '/v1#x',
    '/v1%2fchat',
    '/v1/chat*',
    '/v1/*chat',
    '/v1/**',
    '/v1/{id}',
    '/v1/a b',
    '/v1;x=1',
    '/vé',
  ].map((at) => [`the path ${at}`, path(at), [invalid('spec.routes[0].path', at, PATH)]] as const),
  ['a path with a backslash', path('/v1\\..'), [invalid('spec.routes[0].path', '/v1\\\\..', PATH)]],
  ['a path with a line break', path('/v1\n'), [invalid('spec.routes[0].path', '/v1\\n', PATH)]],
  ['a path of 513 characters', path(`/${'p'.repeat(512)}`), [long('spec.routes[0].path', 512)]],
  ['a route of no scopes as an empty list', routes({ scopes: [] }), [none('spec.routes[0].scopes')]],
  ['65 scopes', routes({ scopes: many(65, String) }), [more('spec.routes[0].scopes', 65, 64)]],
  ['a scope of 65 characters', routes({ scopes: ['s'.repeat(65)] }), [long('spec.routes[0].scopes[0]', 64)]],
  ['a scope with a wildcard', routes({ scopes: ['chat:*'] }), [invalid('spec.routes[0].scopes[0]', 'chat:*', SCOPE)]],

  ['a staleness of nothing', { staleness: { max: '0s' } }, [invalid('spec.staleness.max', '0s', RANGE)]],
  ['a staleness over 1h', { staleness: { max: '60m1s' } }, [invalid('spec.staleness.max', '60m1s', RANGE)]],
  ['a staleness in days', { staleness: { max: '1d' } }, [invalid('spec.staleness.max', '1d', MAX)]],
  ['a staleness of 25 characters', { staleness: { max: `${'0'.repeat(24)}s` } }, [long('spec.staleness.max', 24)]],

  ['an upstream without a Secret', upstream({ secretRef: undefined }), ['spec.upstream.secretRef: Required value']],
  ['an upstream without a header', upstream({ header: undefined }), ['spec.upstream.header: Required value']],
  ['an upstream without a value', upstream({ value: undefined }), ['spec.upstream.value: Required value']],
  ['a Secret without a name', upstream({ secretRef: { key: 'a' } }), ['spec.upstream.secretRef.name: Required value']],
  ['a Secret without a key', upstream({ secretRef: { name: 'a' } }), ['spec.upstream.secretRef.key: Required value']],
  [
    'a Secret of another namespace',
    upstream({ secretRef: { name: 'other/a', key: 'a' } }),
    [invalid('spec.upstream.secretRef.name', 'other/a', SECRET_NAME)],
  ],
  [
    'a key with a slash',
    upstream({ secretRef: { name: 'a', key: 'a/b' } }),
    [invalid('spec.upstream.secretRef.key', 'a/b', SECRET_KEY)],
  ],
  [
    'a header in capitals',
    upstream({ header: 'Authorization' }),
    [invalid('spec.upstream.header', 'Authorization', HEADER)],
  ],
  ['a pseudo header', upstream({ header: ':path' }), [invalid('spec.upstream.header', ':path', HEADER)]],
  ['a header of 65 characters', upstream({ header: 'h'.repeat(65) }), [long('spec.upstream.header', 64)]],
  ...['host', 'content-length', 'transfer-encoding', 'connection', 'x-tokenwright-subject'].map(
    (header) =>
      [`the header ${header}`, upstream({ header }), [invalid('spec.upstream.header', header, KEY_HEADER)]] as const,
  ),
  ['a value without the key', upstream({ value: 'Bearer x' }), [invalid('spec.upstream.value', 'Bearer x', REFERENCE)]],
  ['the key twice', upstream({ value: '$(key)$(key)' }), [invalid('spec.upstream.value', '$(key)$(key)', REFERENCE)]],
  [
    'a reference to something else',
    upstream({ value: '$(key) $(token)' }),
    [invalid('spec.upstream.value', '$(key) $(token)', REFERENCE)],
  ],
  [
    'a value with a line break, which would end the header',
    upstream({ value: 'a\n$(key)' }),
    [invalid('spec.upstream.value', 'a\\n$(key)', PRINTABLE)],
  ],
  ['a value of 1025 characters', upstream({ value: `${'x'.repeat(1019)}$(key)` }), [long('spec.upstream.value', 1024)]],
];
