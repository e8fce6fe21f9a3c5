/** Specs of TokenPolicies, good and bad, with what the user reads. */
import { domain253, invalid, invalidAll, many, record } from './rows.ts';

type Spec = Record<string, unknown>;

export const LEAST: Spec = { match: { everything: true } };
const SELECTED = { matchLabels: { tier: 'prod' } };
const match = (more: Spec): Spec => ({ match: more });
const allow = (more: Spec): Spec => ({ allow: more });
const bounds = (more: Spec): Spec => ({ bounds: more });
const cidrs = (...sourceCIDRs: string[]): Spec => ({ conditionsOfUse: { sourceCIDRs } });
const span = (more: Spec = {}): Spec => ({ days: ['Mon'], from: '06:00', to: '20:00', ...more });
const hours = (more: Spec): Spec => ({ conditionsOfUse: { hours: [span(more)] } });
const RULE: Spec = {
  name: 'team',
  expression: 'has(token.metadata.labels.team)',
  message: 'label the ApiToken with team',
};
const rule = (more: Spec): Spec => ({ rules: [{ ...RULE, ...more }] });
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** What is added to LEAST; undefined takes a field away. */
export const GOOD: readonly (readonly [sentence: string, patch: Spec])[] = [
  ['the least there is', {}],
  ['namespaces by label', match({ namespaces: SELECTED })],
  [
    'as large a selector as may be',
    match({
      namespaces: {
        matchLabels: record(32, 'v'.repeat(63)),
        matchExpressions: many(16, (i) => ({ key: `k${i}`, operator: 'In', values: many(32, (j) => `v${j}`) })),
      },
    }),
  ],
  ['mode Audit', { mode: 'Audit' }],
  [
    'lists as long as may be',
    {
      allow: {
        environments: many(64, (i) => `${i}`.padStart(24, 'e')),
        audiences: many(64, (i) => `${`${i}`.padStart(2, '0')}${domain253.slice(2)}`),
        subjects: many(64, (i) => `agent:${`${i}`.padStart(122, 'a')}`),
        scopes: many(64, (i) => `${i}`.padStart(64, 's')),
      },
      deny: { scopes: many(64, (i) => `${i}`.padStart(64, 's')) },
    },
  ],
  ...['agent:*', '*:billing', '*:*', 'agent:sum*', 'ag*:sum*', 'agent:a-*'].map(
    (one) => [`the subjects ${one}`, allow({ subjects: [one] })] as const,
  ),
  ...['*', 'chat:*', '*:admin', 'models:gpt-4*', 'a:*:c', 'a*:b*', 'org/repo:*', 'a::b'].map(
    (one) => [`the scopes ${one}`, { allow: { scopes: [one] }, deny: { scopes: [one] } }] as const,
  ),
  ['everything required', { require: ['Owner', 'RateLimits', 'AutomaticRotation'] }],
  [
    'all bounds',
    bounds({
      ttl: { min: '1m', max: '8760h' },
      maxOverlap: '1s',
      maxGrantLifetime: '87600h',
      maxRequests: { requests: 1_000_000_000, per: '24h' },
      purposeMinLength: 1024,
    }),
  ],
  ['one ttl', bounds({ ttl: { min: '60m', max: '1h' } })],
  ...['10.0.0.0/8', '0.0.0.0/0', '192.0.2.7/32', '::/0', '2001:db8::/32', 'fe80::1/128'].map(
    (one) => [`the network ${one}`, cidrs(one)] as const,
  ),
  [
    'hours past midnight',
    hours({ days: DAYS, from: '22:00', to: '06:00', timeZone: 'America/Argentina/Buenos_Aires' }),
  ],
  ['the whole day', hours({ from: '00:00', to: '00:00' })],
  ['16 spans', { conditionsOfUse: { hours: many(16, () => span({ days: DAYS, from: '23:59' })) } }],
  [
    '16 rules as large as may be',
    {
      rules: many(16, (i) => ({
        name: `${i}`.padStart(63, 'r'),
        expression: 'x'.repeat(1024),
        message: 'é'.repeat(128),
      })),
    },
  ],
];

const MATCH = 'choose namespaces by their labels, or all of them by "everything: true", and not both';
const EVERYTHING = 'write "everything: true", or leave everything out';
const SELECTOR = 'give matchLabels or matchExpressions, since an empty selector would choose all';
const ENVIRONMENT =
  'name an environment in lower-case letters, digits and hyphens and without wildcards, such as production';
const AUDIENCE =
  'name a TokenAudience in lower-case letters, digits, hyphens and dots and without wildcards, such as ai-gateway';
const SUBJECT =
  'write a pattern of subjects in lower case as <kind>:<name>, with * as a whole segment or at the end of one, such as agent:* or service:billing-*';
const SCOPE =
  'write a pattern of scopes in letters, digits and : . _ / @ - without a colon at either end, and with * as a whole segment or at the end of one, such as chat:* or models:gpt-4*';
const CIDR = 'write a network in CIDR notation, such as 10.0.0.0/8 or 2001:db8::/32';
const MASKED = 'write the network by its first address, such as 10.0.0.0/8 and not 10.1.2.3/8';
const ONE_LINE = 'say in one line, without spaces at either end, what to do where the rule does not hold';
const RULE_NAME = 'name the rule in lower-case letters, digits and hyphens, such as team-label';

const long = (field: string, most: number) => `${field}: Too long: may not be more than ${most} bytes`;
const none = (field: string) => `${field}: Invalid value: 0: ${field} in body should have at least 1 items`;
const more = (field: string, count: number, most: number) =>
  `${field}: Too many: ${count}: must have at most ${most} items`;
const time = (name: string) =>
  `write ${name} as HH:MM between 00:00 and 23:59, such as ${name === 'from' ? '06:00' : '20:00'}`;
const at = (field: string) => `spec.conditionsOfUse.hours[0].${field}`;

export const BAD: readonly (readonly [sentence: string, patch: Spec, says: readonly string[]])[] = [
  ['no match', { match: undefined }, ['spec.match: Required value']],
  ['an empty match', match({}), [invalidAll('spec.match', MATCH)]],
  ['namespaces and everything', match({ namespaces: SELECTED, everything: true }), [invalidAll('spec.match', MATCH)]],
  ['everything that is false', match({ everything: false }), [`spec.match.everything: Forbidden: ${EVERYTHING}`]],
  ['an empty selector', match({ namespaces: {} }), [invalidAll('spec.match.namespaces', SELECTOR)]],
  ['another mode', { mode: 'Warn' }, ['spec.mode: Unsupported value: "Warn": supported values: "Enforce", "Audit"']],
  [
    'an empty allow',
    allow({}),
    [invalidAll('spec.allow', 'list environments, audiences, subjects or scopes, or leave allow out')],
  ],
  ...['environments', 'audiences', 'subjects', 'scopes'].flatMap((name) => [
    [`an empty list of ${name}, which would refuse all`, allow({ [name]: [] }), [none(`spec.allow.${name}`)]] as const,
    [
      `65 ${name}`,
      allow({ [name]: many(65, (i) => (name === 'subjects' ? `a:a${i}` : `a${i}`)) }),
      [more(`spec.allow.${name}`, 65, 64)],
    ] as const,
  ]),
  ['one scope twice', allow({ scopes: ['a', 'a'] }), ['spec.allow.scopes[1]: Duplicate value: "a"']],
  [
    'an environment with a wildcard',
    allow({ environments: ['prod*'] }),
    [invalid('spec.allow.environments[0]', 'prod*', ENVIRONMENT)],
  ],
  ['an audience with a wildcard', allow({ audiences: ['*'] }), [invalid('spec.allow.audiences[0]', '*', AUDIENCE)]],
  ...['*', 'agent', 'agent:', ':a', 'agent:*x', 'agent:**', 'Agent:*', 'a:b:c', 'agent:a.'].map(
    (one) =>
      [`the subjects ${one}`, allow({ subjects: [one] }), [invalid('spec.allow.subjects[0]', one, SUBJECT)]] as const,
  ),
  ['subjects of 129 characters', allow({ subjects: [`a:${'a'.repeat(127)}`] }), [long('spec.allow.subjects[0]', 128)]],
  ...['', ':a', 'a:', '**', '*a', 'a*b', 'a:*b:c', 'a b', 'a,b', '[a]', 'a?'].flatMap((one) => [
    [`the scopes "${one}"`, allow({ scopes: [one] }), [invalid('spec.allow.scopes[0]', one, SCOPE)]] as const,
    [`the denied scopes "${one}"`, { deny: { scopes: [one] } }, [invalid('spec.deny.scopes[0]', one, SCOPE)]] as const,
  ]),
  ['scopes of 65 characters', allow({ scopes: ['s'.repeat(65)] }), [long('spec.allow.scopes[0]', 64)]],
  ['an empty deny', { deny: {} }, ['spec.deny.scopes: Required value']],
  ['an empty list of denied scopes', { deny: { scopes: [] } }, [none('spec.deny.scopes')]],
  ['an empty require', { require: [] }, [none('spec.require')]],
  [
    'what cannot be required',
    { require: ['Purpose'] },
    ['spec.require[0]: Unsupported value: "Purpose": supported values: "Owner", "RateLimits", "AutomaticRotation"'],
  ],
  ['one requirement twice', { require: ['Owner', 'Owner'] }, ['spec.require[1]: Duplicate value: "Owner"']],

  [
    'empty bounds',
    bounds({}),
    [
      invalidAll(
        'spec.bounds',
        'give ttl, maxOverlap, maxGrantLifetime, maxRequests or purposeMinLength, or leave bounds out',
      ),
    ],
  ],
  ['an empty ttl', bounds({ ttl: {} }), [invalidAll('spec.bounds.ttl', 'give min or max, or leave ttl out')]],
  [
    'a ttl in days',
    bounds({ ttl: { max: '1d' } }),
    [invalid('spec.bounds.ttl.max', '1d', 'write max in whole hours, minutes and seconds, such as 24h, 90m or 1h30m')],
  ],
  [
    'a ttl that no ApiToken has',
    bounds({ ttl: { min: '59s' } }),
    [invalid('spec.bounds.ttl.min', '59s', 'choose a min from 1m to 8760h')],
  ],
  [
    'a least ttl over the longest',
    bounds({ ttl: { min: '61m', max: '1h' } }),
    ['spec.bounds.ttl.min: Forbidden: make min (61m) at most max (1h)'],
  ],
  [
    'no overlap at all',
    bounds({ maxOverlap: '0s' }),
    [invalid('spec.bounds.maxOverlap', '0s', 'choose a maxOverlap from 1s to 8760h')],
  ],
  [
    'a lifetime of grants over ten years',
    bounds({ maxGrantLifetime: '87600h1s' }),
    [invalid('spec.bounds.maxGrantLifetime', '87600h1s', 'choose a maxGrantLifetime from 1m to 87600h')],
  ],
  [
    'requests without a span',
    bounds({ maxRequests: { requests: 1 } }),
    ['spec.bounds.maxRequests.per: Required value'],
  ],
  [
    'no requests',
    bounds({ maxRequests: { requests: 0, per: '1m' } }),
    [
      'spec.bounds.maxRequests.requests: Invalid value: 0: spec.bounds.maxRequests.requests in body should be greater than or equal to 1',
    ],
  ],
  [
    'requests in over a day',
    bounds({ maxRequests: { requests: 1, per: '25h' } }),
    [invalid('spec.bounds.maxRequests.per', '25h', 'choose a per from 1s to 24h')],
  ],
  [
    'a purpose longer than may be',
    bounds({ purposeMinLength: 1025 }),
    [
      'spec.bounds.purposeMinLength: Invalid value: 1025: spec.bounds.purposeMinLength in body should be less than or equal to 1024',
    ],
  ],

  [
    'empty conditions of use',
    { conditionsOfUse: {} },
    [invalidAll('spec.conditionsOfUse', 'give sourceCIDRs or hours, or leave conditionsOfUse out')],
  ],
  ['no networks', { conditionsOfUse: { sourceCIDRs: [] } }, [none('spec.conditionsOfUse.sourceCIDRs')]],
  ...['10.0.0.1', '10.0.0.0/33', '10.0.0/8', '::ffff:10.0.0.0/104', '10.0.0.0/8 ', 'all', 'fe80::%eth0/64'].map(
    (one) => [`the network ${one}`, cidrs(one), [invalid('spec.conditionsOfUse.sourceCIDRs[0]', one, CIDR)]] as const,
  ),
  ...['10.1.2.3/8', '2001:db8::1/32'].map(
    (one) => [`the network ${one}`, cidrs(one), [invalid('spec.conditionsOfUse.sourceCIDRs[0]', one, MASKED)]] as const,
  ),
  ['no spans', { conditionsOfUse: { hours: [] } }, [none('spec.conditionsOfUse.hours')]],
  ['17 spans', { conditionsOfUse: { hours: many(17, () => span()) } }, [more('spec.conditionsOfUse.hours', 17, 16)]],
  ['a span on no day', hours({ days: [] }), [none(at('days'))]],
  [
    'a span on a day in full',
    hours({ days: ['Monday'] }),
    [`${at('days[0]')}: Unsupported value: "Monday": supported values: ${DAYS.map((day) => `"${day}"`).join(', ')}`],
  ],
  ['a span without an end', hours({ to: undefined }), [`${at('to')}: Required value`]],
  ...['6:00', '24:00', '12:60', '1200', ''].flatMap((one) =>
    ['from', 'to'].map(
      (name) => [`${name} "${one}"`, hours({ [name]: one }), [invalid(at(name), one, time(name))]] as const,
    ),
  ),
  [
    'an offset for a time zone',
    hours({ timeZone: '+02:00' }),
    [invalid(at('timeZone'), '+02:00', 'name an IANA time zone such as Europe/Berlin, or leave timeZone out for UTC')],
  ],

  ['no rules', { rules: [] }, [none('spec.rules')]],
  ['17 rules', { rules: many(17, (i) => ({ ...RULE, name: `r${i}` })) }, [more('spec.rules', 17, 16)]],
  ['two rules of one name', { rules: [RULE, RULE] }, ['spec.rules[1]: Duplicate value: {"name":"team"}']],
  ['a rule without a message', rule({ message: undefined }), ['spec.rules[0].message: Required value']],
  ['a rule with the name of ours', rule({ name: 'Owner' }), [invalid('spec.rules[0].name', 'Owner', RULE_NAME)]],
  [
    'an expression of spaces',
    rule({ expression: '  ' }),
    [invalid('spec.rules[0].expression', '  ', 'write a CEL expression such as has(token.metadata.labels.team)')],
  ],
  [
    'an expression of 1025 characters',
    rule({ expression: 'x'.repeat(1025) }),
    [long('spec.rules[0].expression', 1024)],
  ],
  ['a message with a line break', rule({ message: 'a\nb' }), [invalid('spec.rules[0].message', 'a\\nb', ONE_LINE)]],
  ['a message with a space at its end', rule({ message: 'a ' }), [invalid('spec.rules[0].message', 'a ', ONE_LINE)]],
  ['a message of 257 characters', rule({ message: 'm'.repeat(257) }), [long('spec.rules[0].message', 256)]],
];
