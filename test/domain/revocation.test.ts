import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matches, orderOf, type Reach, type Revocation, strikes, type Target } from '../../src/domain/revocation.ts';

const TARGET: Target = {
  namespace: 'support',
  name: 'summarizer',
  tokenID: '7Yx3kQ2m',
  subject: 'agent:summarizer',
  environment: 'production',
  labels: { team: 'support', tier: 'gold' },
};
const NAMESPACE = { 'kubernetes.io/metadata.name': 'support', tier: 'prod' };

type Match = Reach['match'];
type Condition = NonNullable<NonNullable<Match['tokens']>['matchExpressions']>[number];

const where = (...matchExpressions: Condition[]): Match => ({ tokens: { matchExpressions } });

const TABLE: [string, Match, boolean][] = [
  ['nothing by an empty match', {}, false],
  ['by name', { name: 'summarizer' }, true],
  ['not by another name', { name: 'summarizer-2' }, false],
  ['not by the start of a name', { name: 'summ' }, false],
  ['not by an empty name', { name: '' }, false],
  ['by token id', { tokenID: '7Yx3kQ2m' }, true],
  ['not by a token id in another case', { tokenID: '7yx3kq2m' }, false],
  ['by subject', { subject: 'agent:summarizer' }, true],
  ['not by another subject', { subject: 'agent:*' }, false],
  ['by environment', { environment: 'production' }, true],
  ['not by another environment', { environment: 'prod' }, false],
  ['where all fields hold', { name: 'summarizer', environment: 'production', subject: 'agent:summarizer' }, true],
  ['not where one of several fields fails', { name: 'summarizer', environment: 'staging' }, false],
  ['nothing by an empty selector', { tokens: {} }, false],
  ['nothing by empty matchLabels', { tokens: { matchLabels: {} } }, false],
  ['nothing by empty matchExpressions', { tokens: { matchExpressions: [] } }, false],
  ['nothing by an empty selector beside a field that holds', { name: 'summarizer', tokens: {} }, false],
  ['by a label', { tokens: { matchLabels: { team: 'support' } } }, true],
  ['not where a label has another value', { tokens: { matchLabels: { team: 'sales' } } }, false],
  ['not where one label is missing', { tokens: { matchLabels: { team: 'support', zone: 'a' } } }, false],
  ['not by a key that every object inherits', { tokens: { matchLabels: { constructor: '' } } }, false],
  ['In: one of the values', where({ key: 'tier', operator: 'In', values: ['silver', 'gold'] }), true],
  ['In: none of the values', where({ key: 'tier', operator: 'In', values: ['silver'] }), false],
  ['In: a missing label', where({ key: 'zone', operator: 'In', values: ['a'] }), false],
  ['In: no values', where({ key: 'tier', operator: 'In' }), false],
  ['NotIn: none of the values', where({ key: 'tier', operator: 'NotIn', values: ['silver'] }), true],
  ['NotIn: a missing label', where({ key: 'zone', operator: 'NotIn', values: ['a'] }), true],
  ['NotIn: one of the values', where({ key: 'tier', operator: 'NotIn', values: ['gold'] }), false],
  ['NotIn: no values', where({ key: 'tier', operator: 'NotIn', values: [] }), false],
  ['Exists: there', where({ key: 'tier', operator: 'Exists' }), true],
  ['Exists: missing', where({ key: 'zone', operator: 'Exists' }), false],
  ['Exists: a key that every object inherits', where({ key: 'toString', operator: 'Exists' }), false],
  ['DoesNotExist: missing', where({ key: 'zone', operator: 'DoesNotExist' }), true],
  ['DoesNotExist: there', where({ key: 'tier', operator: 'DoesNotExist' }), false],
  ['an operator that is not known', where({ key: 'tier', operator: 'Like' } as unknown as Condition), false],
  [
    'not where one of several conditions fails',
    where({ key: 'tier', operator: 'Exists' }, { key: 'team', operator: 'DoesNotExist' }),
    false,
  ],
  [
    'not where labels hold and a condition fails',
    { tokens: { matchLabels: { tier: 'gold' }, matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] } },
    false,
  ],
  ['by labels of the namespace', { namespaces: { matchLabels: { tier: 'prod' } } }, true],
  ['not by labels of the token where the namespace is asked', { namespaces: { matchLabels: { tier: 'gold' } } }, false],
  ['by the name of the namespace', { namespaceNames: ['sales', 'support'] }, true],
  ['not by the name of another namespace', { namespaceNames: ['sales'] }, false],
  ['nothing by no names', { namespaceNames: [] }, false],
  ['everything', { everything: true }, true],
  ['nothing by everything: false', { everything: false }, false],
  ['by no field that is not known', { name: 'summarizer', owner: 'x' } as Match, false],
];

describe('a revocation matches', () => {
  it.each(TABLE)('%s', (_sentence, match, expected) => {
    expect(matches({ match }, TARGET, NAMESPACE)).toBe(expected);
  });

  it.each(TABLE)('in its own namespace no other: %s', (_sentence, match, expected) => {
    expect(matches({ namespace: 'support', match }, TARGET, NAMESPACE)).toBe(expected);
    expect(matches({ namespace: 'sales', match }, TARGET, NAMESPACE)).toBe(false);
  });

  it.each<[string, Match]>([
    ['In', { namespaces: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['prod'] }] } }],
    ['NotIn', { namespaces: { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['prod'] }] } }],
    ['DoesNotExist', { namespaces: { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] } }],
  ])('no namespace whose labels are not known: %s', (_operator, match) => {
    expect(matches({ match }, TARGET, undefined)).toBe(false);
  });

  it('the fewer, the more it asks', () => {
    const fields = fc.record<Match>(
      {
        name: fc.constantFrom('summarizer', 'x'),
        environment: fc.constantFrom('production', 'x'),
        namespaceNames: fc.subarray(['support', 'sales'], { minLength: 1 }),
        tokens: fc.record({
          matchLabels: fc.dictionary(fc.constantFrom('team', 'tier'), fc.constantFrom('gold', 'x')),
        }),
        everything: fc.constant(true),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fields,
        fc.subarray(['name', 'environment', 'namespaceNames', 'tokens', 'everything']),
        (match, kept) => {
          const fewer = Object.fromEntries(Object.entries(match).filter(([field]) => kept.includes(field)));
          const isLess = Object.keys(fewer).length > 0 && matches({ match }, TARGET, NAMESPACE);
          if (isLess) expect(matches({ match: fewer }, TARGET, NAMESPACE)).toBe(true);
        },
      ),
    );
  });
});

describe('versions', () => {
  it.each([
    ['All', 3, 'Next', true],
    ['All', 2, 'Current', true],
    ['All', 1, 'Previous', true],
    ['Previous', 1, 'Previous', true],
    ['Previous', 2, 'Current', false],
    ['Previous', 3, 'Next', false],
    [[2, 3], 2, 'Current', true],
    [[2, 3], 3, 'Next', true],
    [[2, 3], 1, 'Previous', false],
  ] as const)('%j end version %i, which is %s: %s', (versions, version, state, expected) => {
    expect(strikes(versions, { version, state })).toBe(expected);
  });
});

describe('an order', () => {
  const metadata = { name: 'leak', namespace: 'support', uid: 'u', resourceVersion: '1', generation: 1 };
  const revocation = (spec: Partial<Revocation['spec']>, more: object = {}) =>
    ({
      apiVersion: 'tokenwright.dev/v1alpha1',
      kind: 'TokenRevocation',
      metadata: { ...metadata, ...more },
      spec: { match: { name: 'a' }, reason: 'Compromised', ...spec },
    }) as Revocation;

  it('means All and Replace unless it says otherwise', () => {
    expect(orderOf(revocation({}))).toEqual({
      uid: 'u',
      name: 'TokenRevocation support/leak',
      versions: 'All',
      afterwards: 'Replace',
      reason: 'Compromised',
      sealed: false,
    });
  });

  it('says what was asked, and by whom', () => {
    const asked = revocation(
      { versions: 'Listed', versionNumbers: [2, 4], afterwards: 'Replace', reason: 'OwnerLeft' },
      { annotations: { 'tokenwright.dev/requested-by': 'jane' } },
    );
    expect(orderOf(asked)).toMatchObject({ versions: [2, 4], reason: 'OwnerLeft', requester: 'jane' });
    expect(orderOf({ ...asked, status: { sealed: true } }).sealed).toBe(true);
  });

  it('of the cluster has no namespace in its name', () => {
    const order = orderOf({
      ...revocation({}, { namespace: undefined }),
      kind: 'ClusterTokenRevocation',
    } as Revocation);
    expect(order.name).toBe('ClusterTokenRevocation leak');
  });
});
