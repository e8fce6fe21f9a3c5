import { describe, expect, it } from 'vitest';
import { manifestOf, type OrderOptions, searchOf, typeOf } from '../../src/cli/order.ts';

const NOBODY: OrderOptions = {
  name: undefined,
  tokenID: undefined,
  subject: undefined,
  environment: undefined,
  labels: undefined,
  reason: 'Compromised',
  versions: 'All',
  block: false,
  note: undefined,
};
const drawn = { suffix: 'x7k2p', time: new Date('2026-01-01T00:00:00.123Z') };

describe('an order', () => {
  it.each<[string, Partial<OrderOptions>, object]>([
    ['by name', { name: 'a' }, { match: { name: 'a' }, reason: 'Compromised' }],
    [
      'by all that there is',
      { name: 'a', tokenID: '7Yx3kQ2m', subject: 'agent:a', environment: 'e', labels: { team: 'b' } },
      {
        match: {
          name: 'a',
          tokenID: '7Yx3kQ2m',
          subject: 'agent:a',
          environment: 'e',
          tokens: { matchLabels: { team: 'b' } },
        },
        reason: 'Compromised',
      },
    ],
    [
      'for Previous',
      { name: 'a', versions: 'Previous' },
      { match: { name: 'a' }, versions: 'Previous', reason: 'Compromised' },
    ],
    [
      'for listed versions',
      { name: 'a', versions: [2, 3] },
      { match: { name: 'a' }, versions: 'Listed', versionNumbers: [2, 3], reason: 'Compromised' },
    ],
    [
      'that blocks, with a note',
      { name: 'a', block: true, note: 'why' },
      { match: { name: 'a' }, reason: 'Compromised', afterwards: 'Block', note: 'why' },
    ],
  ])('%s has what was said and no more', (_, options, spec) => {
    expect(manifestOf({ ...NOBODY, ...options }, 'ns', drawn).spec).toEqual(spec);
  });

  it('tells when it was asked for, to the millisecond', () => {
    expect(manifestOf({ ...NOBODY, name: 'a' }, 'ns', drawn).metadata).toEqual({
      name: 'a-x7k2p',
      namespace: 'ns',
      annotations: { 'tokenwright.dev/requested-at': '2026-01-01T00:00:00.123Z' },
    });
  });

  it('for the whole cluster is of another kind, and looks everywhere', () => {
    const order = manifestOf({ ...NOBODY, tokenID: '7Yx3kQ2m' }, undefined, drawn);
    expect(order).toMatchObject({ kind: 'ClusterTokenRevocation', metadata: { name: 'revocation-x7k2p' } });
    expect(order.metadata).not.toHaveProperty('namespace');
    expect(typeOf(order).plural).toBe('clustertokenrevocations');
    expect(searchOf(order)).toEqual({ fieldSelector: 'status.tokenID=7Yx3kQ2m' });
  });
});
