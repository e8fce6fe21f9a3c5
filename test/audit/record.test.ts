import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRecord, parseLine, parseRecord } from '../../src/audit/record.ts';
import type { AuditRecord } from '../../src/domain/audit.ts';
import { composeValue, tokenIDOf } from '../../src/domain/value.ts';
import { abandoned, intent, outcome } from './records.ts';

const VALUE = composeValue('production', tokenIDOf('uid'), new Uint8Array(32).fill(7)).reveal();

function readBack(line: string): AuditRecord | undefined {
  return parseRecord(parseLine(line) ?? {});
}

describe('a line of the audit log', () => {
  it.each([
    intent('u1', 'rotate', 3),
    { ...intent('u1', 'revoke', 3), requester: 'jane@example.com' },
    outcome('u1', 'delete', 0),
    abandoned('u2', 'heal', 7),
  ])('reads back as the record that was written ($phase)', (record) => {
    expect(readBack(formatRecord(record))).toEqual(record);
  });

  it('is one line whatever the purpose holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3_000 }), (purpose) => {
        const line = formatRecord({ ...intent('u1', 'mint', 1), purpose });
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(readBack(line)).toBeDefined();
      }),
    );
  });

  it('carries no field that it does not know', () => {
    const line = formatRecord({ ...intent('u1', 'mint', 1), value: 'x', token: VALUE } as AuditRecord);
    expect(line).not.toContain(VALUE);
    expect(Object.keys(JSON.parse(line))).not.toContain('value');
  });

  it.each(['purpose', 'detail', 'requester'])(
    'cleans the free text %s of a value, and cuts it, rather than to stop a rotation',
    (field) => {
      const line = formatRecord({ ...abandoned('u1', 'mint', 1), [field]: `${VALUE} ${'x'.repeat(100_000)}` });
      expect(line).not.toContain(VALUE.slice(-20));
      expect(line).toContain('[redacted]');
      expect(line.length).toBeLessThan(4_000);
    },
  );

  it.each<[string, Record<string, unknown>]>([
    ['a value as actor', { actor: `operator:${VALUE}` }],
    ['a value in the identity', { identity: `support/${VALUE}` }],
    ['an unknown operation', { operation: 'sell' }],
    ['an unknown phase', { phase: 'done' }],
    ['a version that is no whole number', { version: 1.5 }],
    ['a version below 0', { version: -1 }],
    ['a name of two lines', { name: 'a\nb' }],
    ['an actor of two lines', { actor: 'a\nb' }],
    ['an actor without end', { actor: 'a'.repeat(300) }],
    ['a time that is not in whole seconds', { time: '2026-11-23T10:00:00.123Z' }],
    ['a token id that is none', { tokenID: 'short' }],
    ['no uid', { uid: undefined }],
    ['the id of another operation', { id: intent('u1', 'mint', 2).id }],
  ])('is refused for %s, and the refusal does not quote it', (_, fields) => {
    const write = () => formatRecord({ ...intent('u1', 'mint', 1), ...fields } as AuditRecord);
    expect(write).toThrow(expect.objectContaining({ code: 'AuditInvalid' }));
    expect(write).not.toThrow(VALUE);
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '"text"',
    '{}',
    '{"schema":"tokenwright.dev/audit/v1"}',
    '{"schema":"other","phase":"intent"}',
  ])('is not what %j is', (line) => {
    expect(readBack(line)).toBeUndefined();
  });
});
