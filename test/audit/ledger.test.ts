import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger } from '../../src/audit/ledger.ts';
import type { AuditRecord } from '../../src/domain/audit.ts';
import { abandoned, intent, outcome } from './records.ts';

function ledgerOf(...records: AuditRecord[]): Ledger {
  const ledger = new Ledger();
  for (const record of records) ledger.apply(record);
  return ledger;
}

function reopened(ledger: Ledger): Ledger {
  const next = new Ledger();
  for (const line of ledger.checkpoint()) expect(next.applyLine(line)).toBe(true);
  return next;
}

const uidsOf = (ledger: Ledger) => ledger.living().map(({ uid }) => uid);

describe('open', () => {
  it('is an intent until its outcome', () => {
    const ledger = ledgerOf(intent('u1', 'rotate', 2), intent('u1', 'retire', 1), outcome('u1', 'rotate', 2));
    expect(ledger.open('u1')).toEqual([intent('u1', 'retire', 1)]);
    expect(ledger.open('u2')).toEqual([]);
  });

  it('is no intent that was abandoned, whichever word the second try used for it', () => {
    expect(ledgerOf(intent('u1', 'rotate', 2), abandoned('u1', 'heal', 2)).open('u1')).toEqual([]);
  });

  it('outlives the record of the deletion', () => {
    const ledger = ledgerOf(intent('u1', 'mint', 1), intent('u1', 'delete', 0), outcome('u1', 'delete', 0));
    expect(ledger.open('u1')).toEqual([intent('u1', 'mint', 1)]);
  });
});

describe('living', () => {
  it.each<[string, AuditRecord[], string[]]>([
    ['one that was minted for', [intent('u1', 'mint', 1), outcome('u1', 'mint', 1)], ['u1']],
    ['one that may have been minted for', [intent('u1', 'mint', 1)], ['u1']],
    ['not one whose only mint was abandoned', [intent('u1', 'mint', 1), abandoned('u1', 'mint', 1)], []],
    [
      'one whose later mint was abandoned',
      [outcome('u1', 'mint', 1), intent('u1', 'heal', 2), abandoned('u1', 'heal', 2)],
      ['u1'],
    ],
    ['one that is about to be deleted', [outcome('u1', 'mint', 1), intent('u1', 'delete', 0)], ['u1']],
    [
      'not one whose deletion is on record',
      [outcome('u1', 'mint', 1), intent('u1', 'delete', 0), outcome('u1', 'delete', 0)],
      [],
    ],
  ])('is %s', (_, records, living) => {
    const ledger = ledgerOf(...records);
    expect(uidsOf(ledger)).toEqual(living);
    expect(uidsOf(reopened(ledger))).toEqual(living);
  });

  it('says the purpose as it was told last', () => {
    const ledger = ledgerOf(outcome('u1', 'mint', 1), { ...intent('u1', 'rotate', 2), purpose: 'Another' });
    expect(ledger.living()[0]?.purpose).toBe('Another');
  });
});

describe('has', () => {
  it('knows an outcome for the abandonment of the same operation: one end each', () => {
    expect(ledgerOf(intent('u1', 'mint', 1), outcome('u1', 'mint', 1)).has(abandoned('u1', 'mint', 1))).toBe(true);
  });

  it('tells retirements apart that end in another order than they began', () => {
    const ledger = ledgerOf(outcome('u1', 'retire', 5));
    expect(ledger.has(intent('u1', 'retire', 4))).toBe(false);
    ledger.apply(outcome('u1', 'retire', 4));
    expect(ledger.has(intent('u1', 'retire', 4))).toBe(true);
    expect(ledger.has(intent('u1', 'retire', 3))).toBe(false);
  });

  it('would rather tell an old operation twice than not at all', () => {
    const ledger = ledgerOf(outcome('u1', 'retire', 100));
    for (let version = 0; version < 100; version++) expect(ledger.has(intent('u1', 'retire', version))).toBe(false);
  });

  const records = fc.record({
    make: fc.constantFrom(intent, outcome, abandoned),
    uid: fc.constantFrom('u1', 'u2'),
    operation: fc.constantFrom(
      'mint' as const,
      'rotate' as const,
      'heal' as const,
      'retire' as const,
      'delete' as const,
    ),
    version: fc.nat(28),
  });

  it('says the same as a list of all that was kept, checkpoints included', () => {
    fc.assert(
      fc.property(fc.array(records, { maxLength: 60 }), fc.nat(60), (steps, restartAt) => {
        let ledger = new Ledger();
        const kept = new Set<string>();
        for (const [index, { make, uid, operation, version }] of steps.entries()) {
          if (index === restartAt) ledger = reopened(ledger);
          const record = make(uid, operation, version);
          const ended = kept.has(`${record.id} end`);
          const expected = record.phase === 'intent' ? ended || kept.has(`${record.id} intent`) : ended;
          expect(ledger.has(record)).toBe(expected);
          ledger.apply(record);
          kept.add(`${record.id} ${record.phase === 'intent' ? 'intent' : 'end'}`);
        }
      }),
    );
  });
});

describe('memory', () => {
  it('holds no more for a thousand rotations than for one', () => {
    const ledger = new Ledger();
    for (let version = 1; version <= 1_000; version++) {
      ledger.apply(intent('u1', 'rotate', version));
      ledger.apply(outcome('u1', 'rotate', version));
    }
    expect([...ledger.checkpoint()].join('').length).toBeLessThan(500);
  });

  it('forgets the deleted in the end, and never the living', () => {
    const ledger = ledgerOf(outcome('alive', 'mint', 1));
    for (let i = 0; i < 6_000; i++) {
      ledger.apply(outcome(`u${i}`, 'mint', 1));
      ledger.apply(outcome(`u${i}`, 'delete', 0));
    }
    expect([...ledger.checkpoint()].length).toBeLessThan(5_000);
    expect(uidsOf(ledger)).toEqual(['alive']);
    expect(ledger.has(intent('u5999', 'delete', 0))).toBe(true);
  });
});

describe('applyLine', () => {
  it.each(['', 'not json', '{}', '{"schema":"tokenwright.dev/audit-checkpoint/v1","uid":"u1"}'])(
    'does not take %j',
    (line) => {
      expect(new Ledger().applyLine(line)).toBe(false);
    },
  );
});
