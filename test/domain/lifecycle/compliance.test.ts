import { describe, expect, it } from 'vitest';
import { type Compliance, complianceOf } from '../../../src/domain/lifecycle/compliance.ts';
import { type Described, describe as described } from '../../../src/domain/lifecycle/describe.ts';
import type { Violation } from '../../../src/domain/policy/evaluate.ts';
import { CURRENT, HOLDS_1, NOW, seen } from './looks.ts';

const violation = (rule: string, message = `sentence of ${rule}`): Violation => ({ policy: 'p', rule, message });
const judged = (violations: Violation[], audited: Violation[] = []) =>
  complianceOf({ violations, audited, governedBy: ['p'] });

describe('what the policies say of an ApiToken', () => {
  it.each<[string, Violation[], string]>([
    ['allow it', [], 'PolicySatisfied'],
    ['forbid it', [violation('TTL')], 'PolicyViolated'],
    ['are none', [violation('NoPolicy')], 'NoPolicy'],
    ['are broken', [violation('Broken'), violation('Broken')], 'PolicyBroken'],
    ['forbid it, and one is broken', [violation('Broken'), violation('TTL')], 'PolicyViolated'],
  ])('has a reason where they %s', (_, violations, reason) => {
    expect(judged(violations)).toMatchObject({ reason, allows: violations.length === 0 });
  });

  it('has their sentences', () => {
    expect(judged([violation('TTL'), violation('Owner')]).message).toBe('sentence of TTL; sentence of Owner');
  });

  it('has those of policies that only watch, and is allowed all the same', () => {
    const { allows, message } = judged([], [violation('TTL')]);
    expect([allows, message]).toEqual([
      true,
      'the policies allow what the spec asks for; not enforced: sentence of TTL',
    ]);
  });

  it('is bounded, however many there are and however long', () => {
    const many = Array.from({ length: 40 }, () => violation('Scopes', '😀'.repeat(3000)));
    const { message } = judged(many);
    expect(message.length).toBeLessThan(3000);
    expect(message).toMatch(/…; and 35 more$/);
    expect(message.isWellFormed()).toBe(true);
  });
});

describe('the conditions of an ApiToken that is forbidden', () => {
  const FORBIDS: Compliance = { allows: false, reason: 'PolicyViolated', message: 'p forbids it' };
  const conditions = (change: Partial<Described>) => {
    const { uid, generation, spec, status } = seen();
    const subject = { uid, generation, spec, status, secret: HOLDS_1, compliance: FORBIDS, ...change };
    return Object.fromEntries(
      described(subject, NOW).conditions.map(({ type, status, reason, message }) => [type, [status, reason, message]]),
    );
  };

  it('say that the living version stands, and that nothing follows it', () => {
    const { Ready, Compliant, Stalled } = conditions({});
    expect(Ready).toEqual(['True', 'Issued', expect.stringMatching(/expires at .*; nothing is minted: p forbids it$/)]);
    expect(Compliant).toEqual(['False', 'PolicyViolated', 'p forbids it']);
    expect(Stalled).toBeUndefined();
  });

  it('announce its end once its rotation is due', () => {
    const { Ready, Stalled } = conditions({ standstill: { why: 'Forbidden' } });
    expect(Ready?.[0]).toBe('True');
    const sentence = /^version 1 expires at .* and no other takes its place: p forbids it$/;
    expect(Stalled).toEqual(['True', 'RotationForbidden', expect.stringMatching(sentence)]);
  });

  it('say why there is no value', () => {
    const { status } = seen({ status: { versions: [] } });
    const { Ready, Stalled } = conditions({ status, secret: { is: 'absent' }, standstill: { why: 'Forbidden' } });
    expect(Ready).toEqual(['False', 'PolicyViolated', 'nothing is minted: p forbids it']);
    expect(Stalled).toEqual(['True', 'PolicyViolated', 'nothing is minted: p forbids it']);
  });

  it('say why a Secret that is gone stays so', () => {
    const { Ready } = conditions({ secret: { is: 'absent' }, standstill: { why: 'Forbidden' } });
    expect(Ready).toEqual([
      'False',
      'PolicyViolated',
      expect.stringMatching(/does not hold version 1; nothing is minted/),
    ]);
  });

  it('say why an expired version has no successor', () => {
    const { status } = seen({ status: { versions: [{ ...CURRENT, expirationTime: NOW }] } });
    const { Ready } = conditions({ status, standstill: { why: 'Forbidden' } });
    expect(Ready).toEqual([
      'False',
      'Expired',
      expect.stringMatching(/expired at .*; nothing is minted: p forbids it$/),
    ]);
  });
});
