/** Specs of revocations, good and bad, with what the user reads. */
import { invalid, invalidAll, many, record } from './rows.ts';

export type Spec = Record<string, unknown>;
type Good = readonly (readonly [sentence: string, spec: Spec])[];
type Bad = readonly (readonly [sentence: string, spec: Spec, says: readonly string[]])[];

const REASONS = ['Compromised', 'Superseded', 'OwnerLeft', 'PolicyViolation', 'Decommissioned'];
const LEAKED_VALUE = `twk_production_7Yx3kQ2m${'0'.repeat(49)}`;

/** Of a name that no test's ApiToken has, since some are kept, in a cluster that all tests share. */
export const least: Spec = { match: { name: 'no-such-token' }, reason: 'Compromised' };
const spec = (more: Spec): Spec => ({ ...least, ...more });
const match = (fields: Spec): Spec => spec({ match: fields });

/** What the API server takes for both kinds. */
export const GOOD: Good = [
  ['the least there is', least],
  [
    'every field at once',
    {
      match: {
        name: 'summarizer',
        tokenID: '7Yx3kQ2m',
        subject: 'agent:summarizer',
        environment: 'production',
        tokens: { matchLabels: { team: 'support' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] },
      },
      versions: 'Listed',
      versionNumbers: [3, 1],
      reason: 'Compromised',
      note: 'seen in a public repository',
      afterwards: 'Replace',
    },
  ],
  ...REASONS.map((reason) => [`the reason ${reason}`, spec({ reason })] as const),
  ['a name of 63 characters', match({ name: 'n'.repeat(63) })],
  ['a token id', match({ tokenID: '7Yx3kQ2m' })],
  ['a subject of 128 characters', match({ subject: `${'k'.repeat(32)}:${'n'.repeat(95)}` })],
  ['an environment of 24 characters', match({ environment: 'eu-west-1-production-042' })],
  ['32 labels of 63 characters', match({ tokens: { matchLabels: record(32, 'v'.repeat(63)) } })],
  ['a label that must be empty', match({ tokens: { matchLabels: { 'example.com/leaked': '' } } })],
  [
    '16 conditions on labels with 32 values each',
    match({
      tokens: {
        matchExpressions: many(16, (i) => ({
          key: `key-${i}`,
          operator: i % 2 === 0 ? 'In' : 'NotIn',
          values: many(32, (j) => `${j}`.padStart(63, 'v')),
        })),
      },
    }),
  ],
  ['a label that must be missing', match({ tokens: { matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] } })],
  ['all versions, said in words', spec({ versions: 'All' })],
  ['the Previous versions', spec({ versions: 'Previous' })],
  [
    '32 listed versions of a token id',
    { ...match({ tokenID: '7Yx3kQ2m' }), versions: 'Listed', versionNumbers: many(32, (i) => i + 1) },
  ],
  ['the highest version there can be', spec({ versions: 'Listed', versionNumbers: [Number.MAX_SAFE_INTEGER] })],
  ['a note of 1024 characters', spec({ note: 'ä'.repeat(1024) })],
  ['a note that names the token by its id', spec({ note: 'twk_production_7Yx3kQ2m… was in a log' })],
  ['a block', spec({ afterwards: 'Block' })],
  ['a block of all versions, said in words', spec({ versions: 'All', afterwards: 'Block' })],
];

export const CLUSTER_GOOD: Good = [
  ['a namespace', match({ namespaceNames: ['support'] })],
  ['64 namespaces of 63 characters', match({ namespaceNames: many(64, (i) => `${i}`.padStart(63, 'n')) })],
  ['namespaces by label', match({ namespaces: { matchLabels: { tier: 'prod' } } })],
  [
    'namespaces by conditions, and what is in them by more fields',
    match({
      namespaces: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['prod'] }] },
      environment: 'production',
      tokens: { matchLabels: { team: 'support' } },
    }),
  ],
  ['everything', match({ everything: true })],
  ['everything, and for good', spec({ match: { everything: true }, afterwards: 'Block' })],
];

const SELECTOR = 'give matchLabels or matchExpressions, since an empty selector would choose all';
const NEEDS_VALUES = 'Required value: give values beside the operators In and NotIn';
const NO_VALUES = 'Forbidden: leave values out beside the operators Exists and DoesNotExist';
const LABEL_KEYS = 'write each label key as <name> or <domain>/<name>, the name being at most 63 characters';
const LABEL_KEY = 'write a label key as <name> or <domain>/<name>, the name being at most 63 characters';
const LABEL_VALUE =
  'write a label value in letters, digits, hyphens, underscores and dots that starts and ends with a letter or digit';
const NAME = 'name an ApiToken in lower-case letters, digits and hyphens, such as summarizer';
const TOKEN_ID = 'write tokenID as 8 base62 characters, which follow the environment in the value';
const SUBJECT = 'write subject in lower case as <kind>:<name>, such as agent:summarizer';
const ENVIRONMENT = 'write environment as 1 to 24 lower-case letters, digits and hyphens, such as production';
const NOT_LISTED = 'spec.versionNumbers: Forbidden: leave versionNumbers out, or write "versions: Listed"';
const NOTHING_LISTED = 'spec.versionNumbers: Required value: list the versions to revoke, or choose All or Previous';
const WHOSE_VERSIONS =
  'spec.match: Forbidden: name the ApiToken by name or tokenID, since each counts versions of its own';
const BLOCKS_ALL = 'spec.afterwards: Forbidden: choose Replace, or revoke All versions, since Block leaves none';
const NO_VALUE_IN_NOTE =
  'spec.note: Forbidden: leave the token itself out of the note, which more people read than may know it';

const short = (field: string, what: string) =>
  `${field}: Invalid value: 0: ${field} in body should have at least 1 ${what}`;
const long = (field: string, most: number) => `${field}: Too long: may not be more than ${most} bytes`;
const manyOf = (field: string, count: number, most: number) =>
  `${field}: Too many: ${count}: must have at most ${most} items`;

/** Selectors that are refused wherever one stands. */
const badSelectors = (field: 'tokens' | 'namespaces'): Bad => {
  const at = `spec.match.${field}`;
  const condition = (more: Spec): Spec =>
    match({ [field]: { matchExpressions: [{ key: 'a', operator: 'In', values: ['b'], ...more }] } });
  const labels = (matchLabels: Spec): Spec => match({ [field]: { matchLabels } });
  return [
    ['an empty selector', match({ [field]: {} }), [invalidAll(at, SELECTOR)]],
    ['no labels', labels({}), [short(`${at}.matchLabels`, 'properties')]],
    ['no conditions', match({ [field]: { matchExpressions: [] } }), [short(`${at}.matchExpressions`, 'items')]],
    ['33 labels', labels(record(33, 'v')), [manyOf(`${at}.matchLabels`, 33, 32)]],
    ['a label key with a space', labels({ 'a b': 'c' }), [invalidAll(`${at}.matchLabels`, LABEL_KEYS)]],
    ['a label value of a space', labels({ a: ' ' }), [invalid(`${at}.matchLabels[a]`, ' ', LABEL_VALUE)]],
    ['a label value of 64 characters', labels({ a: 'v'.repeat(64) }), [long(`${at}.matchLabels.a`, 63)]],
    [
      '17 conditions',
      match({ [field]: { matchExpressions: many(17, (i) => ({ key: `k${i}`, operator: 'Exists' })) } }),
      [manyOf(`${at}.matchExpressions`, 17, 16)],
    ],
    ['a condition without a key', condition({ key: undefined }), [`${at}.matchExpressions[0].key: Required value`]],
    [
      'a condition on a key that none can be',
      condition({ key: '-' }),
      [invalid(`${at}.matchExpressions[0].key`, '-', LABEL_KEY)],
    ],
    [
      'a condition on a key of 318 characters',
      condition({ key: 'k'.repeat(318) }),
      [long(`${at}.matchExpressions[0].key`, 317)],
    ],
    [
      'an unknown operator',
      condition({ operator: 'Like' }),
      [
        `${at}.matchExpressions[0].operator: Unsupported value: "Like": supported values: "In", "NotIn", "Exists", "DoesNotExist"`,
      ],
    ],
    ['In without values', condition({ values: undefined }), [`${at}.matchExpressions[0].values: ${NEEDS_VALUES}`]],
    [
      'NotIn without values, which would choose all',
      condition({ operator: 'NotIn', values: undefined }),
      [`${at}.matchExpressions[0].values: ${NEEDS_VALUES}`],
    ],
    [
      'NotIn of nothing',
      condition({ operator: 'NotIn', values: [] }),
      [short(`${at}.matchExpressions[0].values`, 'items')],
    ],
    ['Exists with values', condition({ operator: 'Exists' }), [`${at}.matchExpressions[0].values: ${NO_VALUES}`]],
    [
      'DoesNotExist with values',
      condition({ operator: 'DoesNotExist' }),
      [`${at}.matchExpressions[0].values: ${NO_VALUES}`],
    ],
    ['33 values', condition({ values: many(33, String) }), [manyOf(`${at}.matchExpressions[0].values`, 33, 32)]],
    [
      'one value twice',
      condition({ values: ['b', 'b'] }),
      [`${at}.matchExpressions[0].values[1]: Duplicate value: "b"`],
    ],
    [
      'a value with a slash',
      condition({ values: ['a/b'] }),
      [invalid(`${at}.matchExpressions[0].values[0]`, 'a/b', LABEL_VALUE)],
    ],
  ].map(([sentence, ...rest]) => [`${sentence} in ${field}`, ...rest]) as unknown as Bad;
};

/** What the API server refuses for both kinds. */
export const BAD: Bad = [
  ['no match', spec({ match: undefined }), ['spec.match: Required value']],
  ['a name in capitals', match({ name: 'Summarizer' }), [invalid('spec.match.name', 'Summarizer', NAME)]],
  ['an empty name', match({ name: '' }), [invalid('spec.match.name', '', NAME)]],
  ['a name with a wildcard', match({ name: '*' }), [invalid('spec.match.name', '*', NAME)]],
  ['a name of 64 characters', match({ name: 'n'.repeat(64) }), [long('spec.match.name', 63)]],
  ['an empty token id', match({ tokenID: '' }), [invalid('spec.match.tokenID', '', TOKEN_ID)]],
  ['a token id of 7 characters', match({ tokenID: '7Yx3kQ2' }), [invalid('spec.match.tokenID', '7Yx3kQ2', TOKEN_ID)]],
  ['a value where the token id should be', match({ tokenID: LEAKED_VALUE }), [long('spec.match.tokenID', 8)]],
  ['an empty subject', match({ subject: '' }), [invalid('spec.match.subject', '', SUBJECT)]],
  ['a subject with a wildcard', match({ subject: 'agent:*' }), [invalid('spec.match.subject', 'agent:*', SUBJECT)]],
  ['a subject of 129 characters', match({ subject: `a:${'n'.repeat(127)}` }), [long('spec.match.subject', 128)]],
  ['an empty environment', match({ environment: '' }), [invalid('spec.match.environment', '', ENVIRONMENT)]],
  ['an environment of 25 characters', match({ environment: 'e'.repeat(25) }), [long('spec.match.environment', 24)]],
  ...badSelectors('tokens'),
  ['no reason', spec({ reason: undefined }), ['spec.reason: Required value']],
  [
    'a reason in words',
    spec({ reason: 'leaked' }),
    [
      'spec.reason: Unsupported value: "leaked": supported values: "Compromised", "Superseded", "OwnerLeft", "PolicyViolation", "Decommissioned"',
    ],
  ],
  [
    'unknown versions',
    spec({ versions: 'Current' }),
    ['spec.versions: Unsupported value: "Current": supported values: "All", "Previous", "Listed"'],
  ],
  ['version numbers alone', spec({ versionNumbers: [1] }), [NOT_LISTED]],
  ['version numbers beside All', spec({ versions: 'All', versionNumbers: [1] }), [NOT_LISTED]],
  ['version numbers beside Previous', spec({ versions: 'Previous', versionNumbers: [1] }), [NOT_LISTED]],
  ['Listed without numbers', spec({ versions: 'Listed' }), [NOTHING_LISTED]],
  [
    'an empty list of numbers',
    spec({ versions: 'Listed', versionNumbers: [] }),
    [short('spec.versionNumbers', 'items')],
  ],
  [
    '33 numbers',
    spec({ versions: 'Listed', versionNumbers: many(33, (i) => i + 1) }),
    [manyOf('spec.versionNumbers', 33, 32)],
  ],
  [
    'one number twice',
    spec({ versions: 'Listed', versionNumbers: [2, 2] }),
    ['spec.versionNumbers[1]: Duplicate value: 2'],
  ],
  [
    'version 0',
    spec({ versions: 'Listed', versionNumbers: [0] }),
    ['spec.versionNumbers[0]: Invalid value: 0: spec.versionNumbers[0] in body should be greater than or equal to 1'],
  ],
  [
    'a version that JavaScript cannot count to',
    spec({ versions: 'Listed', versionNumbers: [2 ** 53] }),
    [
      'spec.versionNumbers[0]: Invalid value: 9007199254740992: spec.versionNumbers[0] in body should be less than or equal to 9007199254740991',
    ],
  ],
  [
    'listed versions of whoever has a subject',
    { ...match({ subject: 'agent:a' }), versions: 'Listed', versionNumbers: [1] },
    [WHOSE_VERSIONS],
  ],
  ['a note of 1025 characters', spec({ note: 'n'.repeat(1025) }), [long('spec.note', 1024)]],
  ['the value in the note, which is not shown', spec({ note: `found ${LEAKED_VALUE}.` }), [NO_VALUE_IN_NOTE]],
  [
    'an unknown end',
    spec({ afterwards: 'Suspend' }),
    ['spec.afterwards: Unsupported value: "Suspend": supported values: "Replace", "Block"'],
  ],
  ['a block of Previous only', spec({ versions: 'Previous', afterwards: 'Block' }), [BLOCKS_ALL]],
  ['a block of listed versions', spec({ versions: 'Listed', versionNumbers: [1], afterwards: 'Block' }), [BLOCKS_ALL]],
];

export const NAMESPACED_BAD: Bad = [
  [
    'an empty match',
    match({}),
    [invalidAll('spec.match', 'say which tokens by name, tokenID, subject, environment or tokens')],
  ],
];

const ALONE =
  'spec.match.everything: Forbidden: leave the other fields of match out beside everything, or leave everything out';
const NAMESPACE = 'name a namespace in lower-case letters, digits and hyphens, such as support';

export const CLUSTER_BAD: Bad = [
  [
    'an empty match',
    match({}),
    [
      invalidAll(
        'spec.match',
        'say which tokens by name, tokenID, subject, environment, tokens, namespaces or namespaceNames, or revoke all by "everything: true"',
      ),
    ],
  ],
  ...badSelectors('namespaces'),
  ['no namespaces', match({ namespaceNames: [] }), [short('spec.match.namespaceNames', 'items')]],
  ['65 namespaces', match({ namespaceNames: many(65, (i) => `n${i}`) }), [manyOf('spec.match.namespaceNames', 65, 64)]],
  [
    'one namespace twice',
    match({ namespaceNames: ['a', 'a'] }),
    ['spec.match.namespaceNames[1]: Duplicate value: "a"'],
  ],
  [
    'a namespace with a wildcard',
    match({ namespaceNames: ['team-*'] }),
    [invalid('spec.match.namespaceNames[0]', 'team-*', NAMESPACE)],
  ],
  [
    'a namespace of 64 characters',
    match({ namespaceNames: ['n'.repeat(64)] }),
    [long('spec.match.namespaceNames[0]', 63)],
  ],
  [
    'namespaces by label and by name',
    match({ namespaces: { matchLabels: { a: 'b' } }, namespaceNames: ['a'] }),
    ['spec.match.namespaceNames: Forbidden: give namespaces or namespaceNames, and not both'],
  ],
  [
    'everything: false',
    match({ everything: false }),
    ['spec.match.everything: Forbidden: write "everything: true", or leave everything out'],
  ],
  ...(
    [
      { name: 'a' },
      { tokenID: '7Yx3kQ2m' },
      { subject: 'agent:a' },
      { environment: 'production' },
      { tokens: { matchLabels: { a: 'b' } } },
      { namespaces: { matchLabels: { a: 'b' } } },
      { namespaceNames: ['a'] },
    ] as const
  ).map(
    (other) => [`everything beside ${Object.keys(other)[0]}`, match({ everything: true, ...other }), [ALONE]] as const,
  ),
  [
    'listed versions of everything',
    { ...match({ everything: true }), versions: 'Listed', versionNumbers: [1] },
    [WHOSE_VERSIONS],
  ],
];

/** From one spec to another, on an object that exists; none may. */
export const CHANGES: readonly (readonly [sentence: string, before: Spec, after: Spec])[] = [
  ['another name', least, match({ name: 'other' })],
  ['one more field in match', least, match({ name: 'no-such-token', environment: 'production' })],
  ['one field less in match', match({ name: 'no-such-token', environment: 'production' }), least],
  ['another reason', least, spec({ reason: 'Superseded' })],
  ['versions added', least, spec({ versions: 'Previous' })],
  ['versions removed', spec({ versions: 'Previous' }), least],
  [
    'a number added',
    spec({ versions: 'Listed', versionNumbers: [1] }),
    spec({ versions: 'Listed', versionNumbers: [1, 2] }),
  ],
  ['a note added', least, spec({ note: 'x' })],
  ['a note changed', spec({ note: 'x' }), spec({ note: 'y' })],
  ['a note removed', spec({ note: 'x' }), least],
  ['a block added', least, spec({ afterwards: 'Block' })],
  ['a block removed', spec({ afterwards: 'Block' }), least],
  ['a default written out', least, spec({ versions: 'All' })],
];
