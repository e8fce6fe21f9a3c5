import { describe, expect, it } from 'vitest';
import { conditionsOf, FOUND_FOR, nextStep, type RevocationSeen } from '../../src/domain/revocation-steps.ts';

const NOW = 1_000_000;
const RETENTION = 3600;

const UNSEALED: RevocationSeen = {
  deleting: false,
  createdTime: NOW,
  held: true,
  labelled: true,
  lasts: false,
  left: 0,
};
const SEALED: RevocationSeen = { ...UNSEALED, sealedTime: NOW };
const RELEASED: RevocationSeen = { ...SEALED, held: false, labelled: false };

const TABLE: [string, RevocationSeen, number, object][] = [
  ['is held first', { ...UNSEALED, held: false, left: 1 }, NOW, { do: 'hold' }],
  ['is marked first', { ...UNSEALED, labelled: false }, NOW, { do: 'hold' }],
  [
    'cannot be held while it is deleted',
    { ...UNSEALED, held: false, deleting: true, left: 1 },
    NOW + 9,
    { do: 'report' },
  ],
  ['is sealed at once where nobody is left', UNSEALED, NOW, { do: 'seal' }],
  ['is sealed also while somebody waits for its deletion', { ...UNSEALED, deleting: true }, NOW, { do: 'seal' }],
  ['says nothing before it takes long', { ...UNSEALED, left: 1 }, NOW + 4, { do: 'wait', until: NOW + 5 }],
  ['says how many match when it takes long', { ...UNSEALED, left: 1 }, NOW + 5, { do: 'report' }],
  ['can be found for a while', SEALED, NOW + 29, { do: 'wait', until: NOW + FOUND_FOR }],
  ['is let go after that', SEALED, NOW + 30, { do: 'release' }],
  ['is let go where only the label is left', { ...RELEASED, labelled: true }, NOW + 30, { do: 'release' }],
  ['is not let go at once by its deletion', { ...SEALED, deleting: true }, NOW + 29, { do: 'wait', until: NOW + 30 }],
  ['is let go by its deletion after that', { ...SEALED, deleting: true }, NOW + 30, { do: 'release' }],
  ['is kept for the retention', RELEASED, NOW + 3599, { do: 'wait', until: NOW + RETENTION }],
  ['is deleted after that', RELEASED, NOW + RETENTION, { do: 'delete' }],
  ['is not deleted while it is held', SEALED, NOW + 29, { do: 'wait', until: NOW + FOUND_FOR }],
  ['is never deleted where it lasts', { ...RELEASED, lasts: true }, NOW + 10 * RETENTION, { do: 'wait' }],
  ['is let go where it lasts, too', { ...SEALED, lasts: true }, NOW + 30, { do: 'release' }],
  ['is deleted once', { ...RELEASED, deleting: true }, NOW + RETENTION, { do: 'wait' }],
];

describe('a revocation', () => {
  it.each(TABLE)('%s', (_sentence, seen, now, expected) => {
    expect(nextStep(seen, now, RETENTION)).toEqual(expected);
  });

  it('is let go before it is deleted, however short the retention', () => {
    expect(nextStep(SEALED, NOW + 30, 1)).toEqual({ do: 'release' });
  });
});

describe('its conditions', () => {
  const said = (...args: Parameters<typeof conditionsOf>) =>
    conditionsOf(...args).map(({ type, status, reason }) => `${type}=${status} ${reason}`);

  it('are as kstatus reads them', () => {
    expect(said(3, false, false)).toEqual(['Ready=False Sealing', 'Reconciling=True Sealing']);
    expect(said(3, true, false)).toEqual(['Ready=True Sealed']);
  });

  it.each([
    [0, false, 'no ApiToken matches'],
    [1, false, '1 ApiToken matches'],
    [3, false, '3 ApiTokens match'],
    [3, true, 'until this object is deleted'],
  ])('say of %i (lasting: %s) that %s', (matched, lasts, text) => {
    expect(conditionsOf(matched, true, lasts)[0]?.message).toContain(text);
  });
});
