import { describe, expect, it } from 'vitest';
import type { ApiToken } from '../../../src/api/apitoken.ts';
import type { Revocation } from '../../../src/domain/revocation.ts';
import type { ListOptions } from '../../../src/ports.ts';
import { isGoverned, type ProofDeps, proveSealed } from '../../../src/reconcile/tokenrevocation/proof.ts';
import { revocation, token } from './samples.ts';

type Match = Revocation['spec']['match'] & { namespaceNames?: string[] };

const NAMESPACES = new Map([
  ['support', { tier: 'prod' }],
  ['sales', { tier: 'prod' }],
  ['lab', { tier: 'test' }],
]);

const tier = (value: string) => ({ namespaces: { matchLabels: { tier: value } } }) as Match;

describe('an operator', () => {
  it.each<[string, string[], Match, boolean]>([
    ['that governs all vouches for everything', [], { name: 'a' }, true],
    ['that governs some does not vouch for what names no namespace', ['support'], { name: 'a' }, false],
    ['vouches for its own by name', ['support', 'lab'], { namespaceNames: ['support'] }, true],
    ['does not vouch where one name is another’s', ['support'], { namespaceNames: ['support', 'sales'] }, false],
    ['vouches for its own by label', ['lab'], tier('test'), true],
    ['does not vouch where one with the label is another’s', ['support', 'lab'], tier('prod'), false],
    ['does not vouch for what reaches nobody', ['support'], tier('none'), false],
    [
      'vouches where names and labels leave its own',
      ['support'],
      { ...tier('prod'), namespaceNames: ['support'] },
      true,
    ],
  ])('%s', (_sentence, governed, match, expected) => {
    expect(isGoverned({ match }, governed, NAMESPACES)).toBe(expected);
  });

  it('vouches for every order of a namespace that it sees', () => {
    expect(isGoverned({ namespace: 'support', match: { name: 'a' } }, ['support'], new Map())).toBe(true);
  });
});

function fake(tokens: ApiToken[], governed: string[] = []): ProofDeps & { asked: ListOptions[]; listed: number } {
  const deps = {
    governed,
    asked: [] as ListOptions[],
    listed: 0,
    client: {
      list: async () => {
        deps.listed += 1;
        return [...NAMESPACES].map(([name, labels]) => ({ metadata: { name, labels } })) as never;
      },
    },
    async *tokenPages(options: ListOptions) {
      deps.asked.push(options);
      for (const one of tokens)
        if (options.namespace === undefined || options.namespace === one.metadata.namespace) yield [one];
    },
  };
  return deps;
}

describe('the proof', () => {
  it('counts who matches, and names who is left', async () => {
    const handled = ['uid-leak'];
    const deps = fake([token('support/a', { handled }), token('support/b'), token('sales/a')]);
    const proof = await proveSealed(deps, revocation('leak', { spec: { match: { name: 'a' } } }));
    expect(proof).toEqual({ matched: 2, left: ['sales/a'] });
  });

  it.each<[string, string, string[], Match, ListOptions[]]>([
    ['its own namespace', 'support/leak', [], { environment: 'production' }, [{ namespace: 'support' }]],
    ['one name', 'support/leak', [], { name: 'a' }, [{ namespace: 'support', fieldSelector: 'metadata.name=a' }]],
    ['one token id', 'leak', [], { tokenID: '7Yx3kQ2m' }, [{ fieldSelector: 'status.tokenID=7Yx3kQ2m' }]],
    [
      'the namespaces it names',
      'leak',
      [],
      { namespaceNames: ['lab', 'sales'] },
      [{ namespace: 'lab' }, { namespace: 'sales' }],
    ],
    ['the namespaces that are governed', 'leak', ['lab'], tier('test'), [{ namespace: 'lab' }]],
    ['the cluster', 'leak', [], { subject: 'agent:a' }, [{}]],
  ])('asks for as few as it can: %s', async (_what, key, governed, match, expected) => {
    const deps = fake([], governed);
    await proveSealed(deps, revocation(key, { spec: { match } }));
    expect(deps.asked).toEqual(expected);
  });

  it('goes by the labels of namespaces as they are, and asks for them only where they matter', async () => {
    const deps = fake([token('support/a'), token('lab/a')]);
    expect(await proveSealed(deps, revocation('tier', { spec: { match: tier('prod') } }))).toEqual({
      matched: 1,
      left: ['support/a'],
    });
    expect(deps.listed).toBe(1);
    await proveSealed(deps, revocation('leak'));
    expect(deps.listed).toBe(1);
  });

  it('is not given where a namespace of another has come under the order', async () => {
    const deps = fake([token('support/a')], ['support']);
    expect(await proveSealed(deps, revocation('tier', { spec: { match: tier('prod') } }))).toBeUndefined();
    expect(deps.asked).toEqual([]);
  });
});
