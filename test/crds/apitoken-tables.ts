/** Manifests of ApiTokens, good and bad, with what the user reads. */
import type { ApiTokenSpec } from '../../src/api/apitoken.ts';
import { domain253, invalid, invalidAll, many, record } from './rows.ts';

type Spec = Record<string, unknown>;

export const LEAST = {
  subject: 'agent:summarizer',
  purpose: 'Summarise incoming tickets',
  environment: 'production',
  audiences: ['ai-gateway'],
  ttl: '24h',
} satisfies ApiTokenSpec;

const FULL = {
  ...LEAST,
  scopes: ['chat:write', 'models:gpt-4o'],
  owner: 'team-support@example.com',
  notAfter: '2099-01-31T00:00:00Z',
  rotation: { mode: 'Automatic', renewBefore: '8h', schedule: '0 3 * * *', timeZone: 'Europe/Berlin', overlap: '30m' },
  secret: {
    name: 'summarizer-token',
    includePrevious: false,
    template: {
      data: { HEADER: 'Bearer $(token)' },
      metadata: { labels: { team: 'support' }, annotations: { note: 'x' } },
    },
  },
  restart: 'Auto',
  rateLimits: [{ requests: 600, per: '1m' }],
  state: 'Active',
} satisfies ApiTokenSpec;

const data = (entries: Record<string, string>): Spec => ({ secret: { template: { data: entries } } });
const labels = (entries: Record<string, string>): Spec => ({ secret: { template: { metadata: { labels: entries } } } });
const annotations = (entries: Record<string, string>): Spec => ({
  secret: { template: { metadata: { annotations: entries } } },
});

/** What is added to LEAST; undefined takes a field away. */
export const GOOD: readonly (readonly [sentence: string, patch: Spec])[] = [
  ['the least there is', {}],
  ['every field at once', FULL],
  ['a subject of one character each', { subject: 'a:b' }],
  ['a subject of a 32-character kind and 128 characters in all', { subject: `${'k'.repeat(32)}:${'n'.repeat(95)}` }],
  ['a subject with dots, hyphens and underscores', { subject: 'service-account:billing.v2_eu-west' }],
  ['a purpose of 1024 characters', { purpose: 'ä'.repeat(1024) }],
  ['a purpose of several lines', { purpose: 'Summarise\nincoming tickets\n' }],
  ['an environment of one character', { environment: 'p' }],
  ['an environment of 24 characters', { environment: 'eu-west-1-production-042' }],
  [
    '32 audiences of 253 characters',
    { audiences: many(32, (i) => `${String(i).padStart(2, '0')}${domain253.slice(2)}`) },
  ],
  ['an audience with dots', { audiences: ['api.example.com'] }],
  ['no scopes as an empty list', { scopes: [] }],
  ['64 scopes of 64 characters', { scopes: many(64, (i) => `${String(i).padStart(2, '0')}:${'s'.repeat(61)}`) }],
  [
    'a scope with an empty segment, as names of fine-tuned models have',
    { scopes: ['models:ft:gpt-4o:acme::7p4lURel'] },
  ],
  ['a scope that is a URL', { scopes: ['https://api.example.com/auth/cloud.read'] }],
  ['a scope with a version after @', { scopes: ['models:gpt-4o@2026-01'] }],
  ['an owner of 253 characters', { owner: 'o'.repeat(253) }],
  ['an owner with spaces inside', { owner: 'Support <support@example.com>' }],
  ['a ttl of 1m', { ttl: '1m' }],
  ['a ttl of 60s', { ttl: '60s' }],
  ['a ttl of 8760h', { ttl: '8760h' }],
  ['a ttl of several units', { ttl: '1h30m15s' }],
  ['a ttl in any order, as Go reads it', { ttl: '5m1h' }],
  ['a notAfter with an offset', { notAfter: '2099-01-31T00:00:00+02:00' }],
  ['a notAfter in lower case', { notAfter: '2099-01-31t00:00:00z' }],
  ['an empty rotation', { rotation: {} }],
  ['mode Manual', { rotation: { mode: 'Manual' } }],
  ['a renewBefore of 1s', { rotation: { renewBefore: '1s' } }],
  ['a renewBefore just short of ttl', { rotation: { renewBefore: '23h59m59s' } }],
  ['a schedule of 100 characters', { rotation: { schedule: `${'0,'.repeat(46)}0 3 * * *`.slice(-100) } }],
  ['a schedule that only the controller can refuse', { rotation: { schedule: 'every now and then' } }],
  ['a time zone that only the controller can refuse', { rotation: { timeZone: 'Mars/Olympus_Mons' } }],
  ['a time zone with a sign', { rotation: { timeZone: 'Etc/GMT+5' } }],
  ['an overlap equal to renewBefore', { rotation: { renewBefore: '8h', overlap: '480m' } }],
  ['an overlap of a third of ttl without renewBefore', { rotation: { overlap: '8h' } }],
  ['an overlap of 1s', { rotation: { overlap: '1s' } }],
  ['a Secret name of 253 characters', { secret: { name: domain253 } }],
  ['the previous value in the Secret', { secret: { includePrevious: true } }],
  ['every reference in a template', data({ all: '$(token) $(tokenID) $(version) $(expirationTime)' })],
  ['an escaped reference to anything', data({ escaped: '$$(anything) $$$(token) $$' })],
  ['dollar signs that begin no reference', data({ price: '5$, $x, $ (token) $' })],
  ['a template of several lines', data({ 'config.ini': '[auth]\ntoken = $(token)\n' })],
  ['32 template keys, one of 253 characters', data({ ...record(31, '$(token)'), ['k'.repeat(253)]: '' })],
  ['a template value of 4096 characters', data({ long: 'x'.repeat(4096) })],
  ['template keys with dots, hyphens and underscores', data({ '.env': 'x', 'a.b-c_D': 'x' })],
  ['32 labels of 63 characters', labels(record(32, 'v'.repeat(63)))],
  ['an empty label value', labels({ 'example.com/on': '' })],
  ['labels that refer to the version', labels({ version: 'v$(version)', id: '$(tokenID)' })],
  ['32 annotations', annotations(record(32, 'any text: "$(version)" until $(expirationTime), $$(token)'))],
  ['an annotation of 4096 characters', annotations({ 'example.com/note': 'x'.repeat(4096) })],
  ['restart Always', { restart: 'Always' }],
  ['restart Never', { restart: 'Never' }],
  ['8 rate limits', { rateLimits: many(8, (i) => ({ requests: 1 + i, per: `${1 + i}m` })) }],
  [
    'rate limits at their bounds',
    {
      rateLimits: [
        { requests: 1, per: '1s' },
        { requests: 1_000_000_000, per: '24h' },
      ],
    },
  ],
  ['no rate limits as an empty list', { rateLimits: [] }],
  ['state Suspended', { state: 'Suspended' }],
];

const DURATION = (field: string, examples: string) =>
  `write ${field} in whole hours, minutes and seconds, such as ${examples}`;
const AUDIENCE = 'name a TokenAudience in lower-case letters, digits, hyphens and dots, such as ai-gateway';
const SUBJECT = 'write subject in lower case as <kind>:<name>, such as agent:summarizer';
const ENVIRONMENT = 'write environment as 1 to 24 lower-case letters, digits and hyphens, such as production';
const SCOPE =
  'write a scope in letters, digits and : . _ / @ - without a colon at either end, such as chat:write, one item for each scope and without wildcards';
const OWNER = 'name the owner in printable ASCII without spaces at either end, such as team-support@example.com';
const ZONE = 'name an IANA time zone such as Europe/Berlin, or leave timeZone out for UTC';
const SECRET_NAME = 'name the Secret in lower-case letters, digits, hyphens and dots, such as summarizer-token';
const KEY =
  'name each key in at most 253 letters, digits, hyphens, underscores and dots, and not starting with two dots, as Secrets demand';
const OWN_KEYS =
  'choose other keys than token, token-id, version, expiration-time and previous-token, which Tokenwright writes itself';
const REFERENCE =
  'refer only to $(token), $(tokenID), $(version) and $(expirationTime), and write $$( for a literal $(';
const ANNOTATION_REFERENCE =
  'refer only to $(tokenID), $(version) and $(expirationTime) in an annotation, and write $$( for a literal $(';
const LABEL_KEY = 'write each label key as <name> or <domain>/<name>, the name being at most 63 characters';
const ANNOTATION_KEY = 'write each annotation key as <name> or <domain>/<name>, the name being at most 63 characters';
const OWN_LABELS =
  'choose label keys outside tokenwright.dev/ and other than app.kubernetes.io/managed-by, which Tokenwright writes itself';
const OWN_ANNOTATIONS = 'choose annotation keys outside tokenwright.dev/, which Tokenwright writes itself';
const LABEL_VALUE =
  'write a label value in letters, digits, hyphens, underscores and dots that starts and ends with a letter or digit, and refer only to $(tokenID) and $(version) in it';
const ONE_LIMIT = 'give one rate limit for each length of per, since 60s and 1m are the same';

const DATA = 'spec.secret.template.data';
const LABELS = 'spec.secret.template.metadata.labels';
const ANNOTATIONS = 'spec.secret.template.metadata.annotations';

/** What the API server refuses, with each sentence in the order of the alphabet. */
export const BAD: readonly (readonly [sentence: string, patch: Spec, says: readonly string[]])[] = [
  ['no subject', { subject: undefined }, ['spec.subject: Required value']],
  ['an empty subject', { subject: '' }, [invalid('spec.subject', '', SUBJECT)]],
  ['a subject without a kind', { subject: 'summarizer' }, [invalid('spec.subject', 'summarizer', SUBJECT)]],
  ['a subject without a name', { subject: 'agent:' }, [invalid('spec.subject', 'agent:', SUBJECT)]],
  ['a subject of three parts', { subject: 'agent:a:b' }, [invalid('spec.subject', 'agent:a:b', SUBJECT)]],
  ['a subject in capitals', { subject: 'Agent:a' }, [invalid('spec.subject', 'Agent:a', SUBJECT)]],
  [
    'a subject with a slash, which an identity has',
    { subject: 'agent:a/b' },
    [invalid('spec.subject', 'agent:a/b', SUBJECT)],
  ],
  ['a subject with a wildcard', { subject: 'agent:*' }, [invalid('spec.subject', 'agent:*', SUBJECT)]],
  ['a subject with a line break', { subject: 'agent:a\n' }, [invalid('spec.subject', 'agent:a\\n', SUBJECT)]],
  [
    'a kind of 33 characters',
    { subject: `${'k'.repeat(33)}:n` },
    [invalid('spec.subject', `${'k'.repeat(33)}:n`, SUBJECT)],
  ],
  [
    'a subject of 129 characters',
    { subject: `a:${'n'.repeat(127)}` },
    ['spec.subject: Too long: may not be more than 128 bytes'],
  ],

  ['no purpose', { purpose: undefined }, ['spec.purpose: Required value']],
  ['an empty purpose', { purpose: '' }, [invalid('spec.purpose', '', 'say in words what the token is for')]],
  ['a purpose of spaces', { purpose: ' \n' }, [invalid('spec.purpose', ' \\n', 'say in words what the token is for')]],
  [
    'a purpose of 1025 characters',
    { purpose: 'p'.repeat(1025) },
    ['spec.purpose: Too long: may not be more than 1024 bytes'],
  ],

  ['no environment', { environment: undefined }, ['spec.environment: Required value']],
  ['an empty environment', { environment: '' }, [invalid('spec.environment', '', ENVIRONMENT)]],
  ['an environment in capitals', { environment: 'Prod' }, [invalid('spec.environment', 'Prod', ENVIRONMENT)]],
  [
    'an environment with an underscore, which ends it in the value',
    { environment: 'a_b' },
    [invalid('spec.environment', 'a_b', ENVIRONMENT)],
  ],
  [
    'an environment of 25 characters',
    { environment: 'e'.repeat(25) },
    ['spec.environment: Too long: may not be more than 24 bytes'],
  ],

  ['no audiences', { audiences: undefined }, ['spec.audiences: Required value']],
  [
    'an empty list of audiences',
    { audiences: [] },
    ['spec.audiences: Invalid value: 0: spec.audiences in body should have at least 1 items'],
  ],
  [
    '33 audiences',
    { audiences: many(33, (i) => `a${i}`) },
    ['spec.audiences: Too many: 33: must have at most 32 items'],
  ],
  ['an audience in capitals', { audiences: ['ok', 'AI'] }, [invalid('spec.audiences[1]', 'AI', AUDIENCE)]],
  ['an empty audience', { audiences: [''] }, [invalid('spec.audiences[0]', '', AUDIENCE)]],
  ['an audience with two dots', { audiences: ['a..b'] }, [invalid('spec.audiences[0]', 'a..b', AUDIENCE)]],
  ['an audience that ends in a hyphen', { audiences: ['a-'] }, [invalid('spec.audiences[0]', 'a-', AUDIENCE)]],
  ['an audience with a wildcard', { audiences: ['*'] }, [invalid('spec.audiences[0]', '*', AUDIENCE)]],
  [
    'an audience of 254 characters',
    { audiences: [`${domain253}b`] },
    ['spec.audiences[0]: Too long: may not be more than 253 bytes'],
  ],

  ['65 scopes', { scopes: many(65, (i) => `s${i}`) }, ['spec.scopes: Too many: 65: must have at most 64 items']],
  [
    'a scope of 65 characters',
    { scopes: ['s'.repeat(65)] },
    ['spec.scopes[0]: Too long: may not be more than 64 bytes'],
  ],
  ['an empty scope', { scopes: [''] }, [invalid('spec.scopes[0]', '', SCOPE)]],
  ['a scope with a wildcard', { scopes: ['chat:*'] }, [invalid('spec.scopes[0]', 'chat:*', SCOPE)]],
  ['two scopes in one', { scopes: ['a b'] }, [invalid('spec.scopes[0]', 'a b', SCOPE)]],
  ['scopes with a comma', { scopes: ['a,b'] }, [invalid('spec.scopes[0]', 'a,b', SCOPE)]],
  ['a scope in quotes', { scopes: ["'a'"] }, [invalid('spec.scopes[0]', "'a'", SCOPE)]],
  ['a scope with a backslash', { scopes: ['a\\b'] }, [invalid('spec.scopes[0]', 'a\\\\b', SCOPE)]],
  ['a scope that starts with a colon', { scopes: [':a'] }, [invalid('spec.scopes[0]', ':a', SCOPE)]],
  ['a scope that ends with a colon', { scopes: ['chat:'] }, [invalid('spec.scopes[0]', 'chat:', SCOPE)]],
  ['a scope that is not ASCII', { scopes: ['chât'] }, [invalid('spec.scopes[0]', 'chât', SCOPE)]],

  ['an empty owner', { owner: '' }, [invalid('spec.owner', '', OWNER)]],
  ['an owner with a space at the end', { owner: 'a ' }, [invalid('spec.owner', 'a ', OWNER)]],
  ['an owner with a line break, which would end a header', { owner: 'a\nb' }, [invalid('spec.owner', 'a\\nb', OWNER)]],
  ['an owner of 254 characters', { owner: 'o'.repeat(254) }, ['spec.owner: Too long: may not be more than 253 bytes']],

  ['no ttl', { ttl: undefined }, ['spec.ttl: Required value']],
  ['an empty ttl', { ttl: '' }, [invalid('spec.ttl', '', DURATION('ttl', '24h, 90m or 1h30m'))]],
  ['a ttl in years', { ttl: '1y' }, [invalid('spec.ttl', '1y', DURATION('ttl', '24h, 90m or 1h30m'))]],
  ['a ttl in days', { ttl: '1d' }, [invalid('spec.ttl', '1d', DURATION('ttl', '24h, 90m or 1h30m'))]],
  ['a ttl without a unit', { ttl: '3600' }, [invalid('spec.ttl', '3600', DURATION('ttl', '24h, 90m or 1h30m'))]],
  ['a ttl with a fraction', { ttl: '1.5h' }, [invalid('spec.ttl', '1.5h', DURATION('ttl', '24h, 90m or 1h30m'))]],
  ['a negative ttl', { ttl: '-1h' }, [invalid('spec.ttl', '-1h', DURATION('ttl', '24h, 90m or 1h30m'))]],
  ['a ttl in milliseconds', { ttl: '60000ms' }, [invalid('spec.ttl', '60000ms', DURATION('ttl', '24h, 90m or 1h30m'))]],
  ['a ttl of 59s', { ttl: '59s' }, [invalid('spec.ttl', '59s', 'choose a ttl from 1m to 8760h')]],
  [
    'a ttl of a second over 8760h',
    { ttl: '8760h1s' },
    [invalid('spec.ttl', '8760h1s', 'choose a ttl from 1m to 8760h')],
  ],
  ['a ttl of 25 characters', { ttl: `${'0'.repeat(24)}h` }, ['spec.ttl: Too long: may not be more than 24 bytes']],

  [
    'a notAfter that is no time',
    { notAfter: 'tomorrow' },
    ['spec.notAfter: Invalid value: "tomorrow": spec.notAfter in body must be of type date-time: "tomorrow"'],
  ],
  [
    'a notAfter that is only a date',
    { notAfter: '2099-01-31' },
    ['spec.notAfter: Invalid value: "2099-01-31": spec.notAfter in body must be of type date-time: "2099-01-31"'],
  ],
  [
    'a notAfter in the past',
    { notAfter: '2020-01-31T00:00:00Z' },
    ['choose a notAfter in the future instead of 2020-01-31T00:00:00Z, or leave it out'],
  ],
  [
    'a notAfter in the past in lower case',
    { notAfter: '2020-01-31t00:00:00z' },
    ['choose a notAfter in the future instead of 2020-01-31t00:00:00z, or leave it out'],
  ],

  [
    'an unknown mode',
    { rotation: { mode: 'Never' } },
    ['spec.rotation.mode: Unsupported value: "Never": supported values: "Automatic", "Manual"'],
  ],
  [
    'a renewBefore that is no duration',
    { rotation: { renewBefore: 'soon' } },
    [invalid('spec.rotation.renewBefore', 'soon', DURATION('renewBefore', '8h, 90m or 1h30m'))],
  ],
  [
    'a renewBefore of nothing',
    { rotation: { renewBefore: '0s' } },
    [invalid('spec.rotation.renewBefore', '0s', 'choose a renewBefore of at least 1s')],
  ],
  [
    'a renewBefore equal to ttl',
    { rotation: { renewBefore: '1440m' } },
    ['spec.rotation.renewBefore: Forbidden: make renewBefore (1440m) shorter than ttl (24h)'],
  ],
  [
    'a renewBefore longer than ttl',
    { rotation: { renewBefore: '25h' } },
    ['spec.rotation.renewBefore: Forbidden: make renewBefore (25h) shorter than ttl (24h)'],
  ],
  [
    'an overlap that is no duration',
    { rotation: { overlap: '1 hour' } },
    [invalid('spec.rotation.overlap', '1 hour', DURATION('overlap', '1h, 30m or 1h30m'))],
  ],
  [
    'an overlap of nothing',
    { rotation: { overlap: '0h0m0s' } },
    [invalid('spec.rotation.overlap', '0h0m0s', 'choose an overlap of at least 1s')],
  ],
  [
    'an overlap longer than renewBefore',
    { rotation: { renewBefore: '1h', overlap: '61m' } },
    ['spec.rotation.overlap: Forbidden: make overlap (61m) at most renewBefore (1h)'],
  ],
  [
    'an overlap longer than a third of ttl without renewBefore',
    { rotation: { overlap: '8h1s' } },
    [
      'spec.rotation.overlap: Forbidden: make overlap (8h1s) at most a third of ttl (24h), which renewBefore is unless given, or give a longer renewBefore',
    ],
  ],
  [
    'an empty schedule',
    { rotation: { schedule: ' ' } },
    [invalid('spec.rotation.schedule', ' ', 'write schedule as a cron expression such as 0 3 * * *, or leave it out')],
  ],
  [
    'a schedule with its own time zone',
    { rotation: { schedule: 'CRON_TZ=UTC 0 3 * * *' } },
    [invalid('spec.rotation.schedule', 'CRON_TZ=UTC 0 3 * * *', 'give the time zone in timeZone and not in schedule')],
  ],
  [
    'a schedule of 101 characters',
    { rotation: { schedule: '0'.repeat(101) } },
    ['spec.rotation.schedule: Too long: may not be more than 100 bytes'],
  ],
  ['an empty time zone', { rotation: { timeZone: '' } }, [invalid('spec.rotation.timeZone', '', ZONE)]],
  [
    'a time zone with spaces',
    { rotation: { timeZone: 'New York' } },
    [invalid('spec.rotation.timeZone', 'New York', ZONE)],
  ],
  [
    'a time zone of 65 characters',
    { rotation: { timeZone: 'z'.repeat(65) } },
    ['spec.rotation.timeZone: Too long: may not be more than 64 bytes'],
  ],

  ['an empty Secret name', { secret: { name: '' } }, [invalid('spec.secret.name', '', SECRET_NAME)]],
  ['a Secret name in capitals', { secret: { name: 'Token' } }, [invalid('spec.secret.name', 'Token', SECRET_NAME)]],
  [
    'a Secret name with a slash',
    { secret: { name: 'other/token' } },
    [invalid('spec.secret.name', 'other/token', SECRET_NAME)],
  ],
  [
    'a Secret name of 254 characters',
    { secret: { name: `${domain253}b` } },
    ['spec.secret.name: Too long: may not be more than 253 bytes'],
  ],
  ...['token', 'token-id', 'version', 'expiration-time', 'previous-token'].map(
    (key) => [`the template key ${key}, which is ours`, data({ [key]: 'x' }), [invalidAll(DATA, OWN_KEYS)]] as const,
  ),
  ['a template key with a slash', data({ 'a/b': 'x' }), [invalidAll(DATA, KEY)]],
  ['an empty template key', data({ '': 'x' }), [invalidAll(DATA, KEY)]],
  ['a template key of one dot', data({ '.': 'x' }), [invalidAll(DATA, KEY)]],
  ['a template key that starts with two dots', data({ '..data': 'x' }), [invalidAll(DATA, KEY)]],
  ['a template key of 254 characters', data({ ['k'.repeat(254)]: 'x' }), [invalidAll(DATA, KEY)]],
  ['33 template keys', data(record(33, 'x')), [`${DATA}: Too many: 33: must have at most 32 items`]],
  ['a reference to something else', data({ a: '$(password)' }), [invalid(`${DATA}[a]`, '$(password)', REFERENCE)]],
  ['a reference in capitals', data({ a: '$(TOKEN)' }), [invalid(`${DATA}[a]`, '$(TOKEN)', REFERENCE)]],
  [
    'a reference that does not end',
    data({ a: 'Bearer $(token' }),
    [invalid(`${DATA}[a]`, 'Bearer $(token', REFERENCE)],
  ],
  ['an empty reference', data({ a: '$()' }), [invalid(`${DATA}[a]`, '$()', REFERENCE)]],
  ['a reference after an escaped dollar sign', data({ a: '$$$(x)' }), [invalid(`${DATA}[a]`, '$$$(x)', REFERENCE)]],
  [
    'a template value of 4097 characters',
    data({ a: 'x'.repeat(4097) }),
    [`${DATA}.a: Too long: may not be more than 4096 bytes`],
  ],
  ['33 labels', labels(record(33, 'x')), [`${LABELS}: Too many: 33: must have at most 32 items`]],
  ['a label of tokenwright.dev', labels({ 'tokenwright.dev/token-id': 'x' }), [invalidAll(LABELS, OWN_LABELS)]],
  ['a label below tokenwright.dev', labels({ 'version.tokenwright.dev/a': 'x' }), [invalidAll(LABELS, OWN_LABELS)]],
  [
    'the label that says who manages',
    labels({ 'app.kubernetes.io/managed-by': 'me' }),
    [invalidAll(LABELS, OWN_LABELS)],
  ],
  ['a label key with a space', labels({ 'a b': 'x' }), [invalidAll(LABELS, LABEL_KEY)]],
  ['a label name of 64 characters', labels({ ['n'.repeat(64)]: 'x' }), [invalidAll(LABELS, LABEL_KEY)]],
  [
    'a label value of 64 characters',
    labels({ a: 'x'.repeat(64) }),
    [`${LABELS}.a: Too long: may not be more than 63 bytes`],
  ],
  ['a label value with a space', labels({ a: 'x y' }), [invalid(`${LABELS}[a]`, 'x y', LABEL_VALUE)]],
  ['the value in a label', labels({ a: '$(token)' }), [invalid(`${LABELS}[a]`, '$(token)', LABEL_VALUE)]],
  ['33 annotations', annotations(record(33, 'x')), [`${ANNOTATIONS}: Too many: 33: must have at most 32 items`]],
  [
    'an annotation of tokenwright.dev',
    annotations({ 'tokenwright.dev/settled': '9' }),
    [invalidAll(ANNOTATIONS, OWN_ANNOTATIONS)],
  ],
  ['an annotation key with two slashes', annotations({ 'a/b/c': 'x' }), [invalidAll(ANNOTATIONS, ANNOTATION_KEY)]],
  [
    'an annotation of 4097 characters',
    annotations({ a: 'x'.repeat(4097) }),
    [`${ANNOTATIONS}.a: Too long: may not be more than 4096 bytes`],
  ],
  [
    'the value in an annotation',
    annotations({ a: '$(token)' }),
    [invalid(`${ANNOTATIONS}[a]`, '$(token)', ANNOTATION_REFERENCE)],
  ],

  [
    'an unknown restart',
    { restart: 'Sometimes' },
    ['spec.restart: Unsupported value: "Sometimes": supported values: "Auto", "Always", "Never"'],
  ],
  [
    'a state in lower case',
    { state: 'suspended' },
    ['spec.state: Unsupported value: "suspended": supported values: "Active", "Suspended"'],
  ],
  [
    '9 rate limits',
    { rateLimits: many(9, (i) => ({ requests: 1, per: `${1 + i}m` })) },
    ['spec.rateLimits: Too many: 9: must have at most 8 items'],
  ],
  [
    'two rate limits for spans that are equal',
    {
      rateLimits: [
        { requests: 1, per: '60s' },
        { requests: 2, per: '1m' },
      ],
    },
    [invalidAll('spec.rateLimits', ONE_LIMIT)],
  ],
  [
    'a rate limit of 0 requests',
    { rateLimits: [{ requests: 0, per: '1m' }] },
    [
      'spec.rateLimits[0].requests: Invalid value: 0: spec.rateLimits[0].requests in body should be greater than or equal to 1',
    ],
  ],
  [
    'a rate limit of over 1000000000 requests',
    { rateLimits: [{ requests: 1_000_000_001, per: '1m' }] },
    [
      'spec.rateLimits[0].requests: Invalid value: 1000000001: spec.rateLimits[0].requests in body should be less than or equal to 1000000000',
    ],
  ],
  [
    'a rate limit for no time',
    { rateLimits: [{ requests: 1, per: '0s' }] },
    [invalid('spec.rateLimits[0].per', '0s', 'choose a per from 1s to 24h')],
  ],
  [
    'a rate limit for over 24h',
    { rateLimits: [{ requests: 1, per: '24h1s' }] },
    [invalid('spec.rateLimits[0].per', '24h1s', 'choose a per from 1s to 24h')],
  ],
  [
    'a rate limit by the word',
    { rateLimits: [{ requests: 1, per: 'minute' }] },
    [invalid('spec.rateLimits[0].per', 'minute', DURATION('per', '1s, 1m or 1h'))],
  ],
  [
    'several mistakes at once, each with its sentence',
    { ttl: '1y', scopes: ['*'], rotation: { overlap: 'x' } },
    [
      invalid('spec.rotation.overlap', 'x', DURATION('overlap', '1h, 30m or 1h30m')),
      invalid('spec.scopes[0]', '*', SCOPE),
      invalid('spec.ttl', '1y', DURATION('ttl', '24h, 90m or 1h30m')),
    ],
  ],
];

/** Where clients that apply and clients that create are told in different words, before any rule is asked. */
export const MISTYPED: readonly (readonly [
  sentence: string,
  patch: Spec,
  created: readonly string[],
  applied: readonly string[],
])[] = [
  [
    'a number for ttl',
    { ttl: 24 },
    ['spec.ttl: Invalid value: "integer": spec.ttl in body must be of type string: "integer"'],
    ['.spec.ttl: expected string, got &value.valueUnstructured{Value:24}'],
  ],
  [
    'a string for audiences',
    { audiences: 'ai-gateway' },
    ['spec.audiences: Invalid value: "string": spec.audiences in body must be of type array: "string"'],
    ['.spec.audiences: expected list, got &{ai-gateway}'],
  ],
  [
    'an audience named twice',
    { audiences: ['a', 'a'] },
    ['spec.audiences[1]: Duplicate value: "a"'],
    ['.spec.audiences: duplicate entries for key [="a"]'],
  ],
  [
    'a scope named twice',
    { scopes: ['a', 'a'] },
    ['spec.scopes[1]: Duplicate value: "a"'],
    ['.spec.scopes: duplicate entries for key [="a"]'],
  ],
  [
    'two rate limits for one span',
    {
      rateLimits: [
        { requests: 1, per: '1m' },
        { requests: 2, per: '1m' },
      ],
    },
    [invalidAll('spec.rateLimits', ONE_LIMIT), 'spec.rateLimits[1]: Duplicate value: {"per":"1m"}'],
    ['.spec.rateLimits: duplicate entries for key [per="1m"]'],
  ],
];

const KEEP = (name: string) =>
  `spec.secret.name: Forbidden: keep the Secret name ${name}, which cannot change, or create another ApiToken for another Secret`;

/** From one spec to another, of an ApiToken named NAME. Nothing said: it passes. */
export const CHANGES: readonly (readonly [sentence: string, before: Spec, after: Spec, says: readonly string[]])[] = [
  [
    'another subject',
    {},
    { subject: 'agent:other' },
    [
      invalid(
        'spec.subject',
        'agent:other',
        'keep subject agent:summarizer, which cannot change, or create another ApiToken for another subject',
      ),
    ],
  ],
  [
    'another environment',
    {},
    { environment: 'staging' },
    [
      invalid(
        'spec.environment',
        'staging',
        'keep environment production, which cannot change, or create another ApiToken for another environment',
      ),
    ],
  ],
  ['no subject any more', {}, { subject: undefined }, ['spec.subject: Required value']],
  ['no environment any more', {}, { environment: undefined }, ['spec.environment: Required value']],
  ['a Secret name where there was none', {}, { secret: { name: 'other' } }, [KEEP('NAME')]],
  ['another Secret name', { secret: { name: 'one' } }, { secret: { name: 'two' } }, [KEEP('one')]],
  [
    'no Secret name where there was one',
    { secret: { name: 'one' } },
    { secret: { includePrevious: true } },
    [KEEP('one')],
  ],
  ['no secret where there was a name', { secret: { name: 'one' } }, {}, [KEEP('one')]],
  ['the Secret name that it has anyway', {}, { secret: { name: 'NAME' } }, []],
  ['no Secret name where it was its own', { secret: { name: 'NAME' } }, {}, []],
  [
    'another template',
    { secret: { name: 'one' } },
    { secret: { name: 'one', template: { data: { A: '$(token)' } } } },
    [],
  ],
  ['another purpose and owner', { owner: 'a' }, { purpose: 'Something else', owner: 'b' }, []],
  ['other audiences and scopes', { scopes: ['a'] }, { audiences: ['b', 'c'], scopes: ['d'] }, []],
  ['another ttl', {}, { ttl: '1h' }, []],
  [
    'a ttl below renewBefore',
    { rotation: { renewBefore: '8h' } },
    { ttl: '8h', rotation: { renewBefore: '8h' } },
    ['spec.rotation.renewBefore: Forbidden: make renewBefore (8h) shorter than ttl (8h)'],
  ],
  [
    'no renewBefore where overlap leaned on it',
    { rotation: { renewBefore: '12h', overlap: '12h' } },
    { rotation: { overlap: '12h' } },
    [
      'spec.rotation.overlap: Forbidden: make overlap (12h) at most a third of ttl (24h), which renewBefore is unless given, or give a longer renewBefore',
    ],
  ],
  [
    'other rate limits',
    { rateLimits: [{ requests: 1, per: '1m' }] },
    { rateLimits: [{ requests: 2, per: '60s' }] },
    [],
  ],
  ['state Suspended', {}, { state: 'Suspended' }, []],
  ['state Active again', { state: 'Suspended' }, {}, []],
  ['a later end', { notAfter: '2098-01-01T00:00:00Z' }, { notAfter: '2099-01-01T00:00:00Z' }, []],
  ['an end where there was none', {}, { notAfter: '2099-01-01T00:00:00Z' }, []],
  ['no end where there was one', { notAfter: '2098-01-01T00:00:00Z' }, {}, []],
  [
    'an end in the past',
    { notAfter: '2098-01-01T00:00:00Z' },
    { notAfter: '2020-01-01T00:00:00Z' },
    ['choose a notAfter in the future instead of 2020-01-01T00:00:00Z, or leave it out'],
  ],
  [
    'an end in the past where there was none',
    {},
    { notAfter: '2020-01-01T00:00:00Z' },
    ['choose a notAfter in the future instead of 2020-01-01T00:00:00Z, or leave it out'],
  ],
];
