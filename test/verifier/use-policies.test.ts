import { beforeEach, expect, it } from 'vitest';
import { UsePolicies } from '../../src/verifier/use-policies.ts';
import { IN_PROD, policy } from '../reconcile/tokenpolicy/samples.ts';

let labels: Map<string, Record<string, string>>;
let policies: UsePolicies;

beforeEach(() => {
  labels = new Map([
    ['shop', { tier: 'prod' }],
    ['lab', { tier: 'test' }],
  ]);
  policies = new UsePolicies((namespace) => labels.get(namespace));
});

const scopes = (...allowed: string[]) => ({ allow: { scopes: allowed } });
/** Whether every policy leaves the scope. */
const leaves = (scope: string, namespace = 'shop') =>
  policies.limitsOf(namespace).every((limits) => limits.allowsScope(scope));

it('limits nothing where there is no policy, and keeps nothing for it', () => {
  expect(policies.limitsOf('shop')).toBe(policies.limitsOf('lab'));
  expect(policies.limitsOf('shop')).toEqual([]);
});

it('limits the namespaces that a policy in mode Enforce matches', () => {
  policies.put(policy('prod', { match: IN_PROD, ...scopes('chat:*') }));
  policies.put(policy('watched', { mode: 'Audit', ...scopes('none') }));
  expect([leaves('chat:write'), leaves('admin'), leaves('admin', 'lab')]).toEqual([true, false, true]);
});

it('gives the same array until something changes', () => {
  policies.put(policy('prod', scopes('a')));
  const [shop, lab] = [policies.limitsOf('shop'), policies.limitsOf('lab')];
  policies.put(policy('prod', scopes('a'), { resourceVersion: '2' }));
  expect(policies.limitsOf('shop')).toBe(shop);
  policies.namespaceChanged('lab');
  expect(policies.limitsOf('shop')).toBe(shop);
  expect(policies.limitsOf('lab')).not.toBe(lab);
  policies.put(policy('prod', scopes('b'), { generation: 2 }));
  expect(policies.limitsOf('shop')).not.toBe(shop);
  expect(leaves('b')).toBe(true);
});

it('follows the labels of a namespace, and one that is not known counts as matched', () => {
  policies.put(policy('prod', { match: IN_PROD, ...scopes('a') }));
  expect([leaves('b', 'fresh'), leaves('b', 'lab')]).toEqual([false, true]);
  labels.set('fresh', { tier: 'test' }).set('lab', { tier: 'prod' });
  for (const namespace of ['fresh', 'lab']) policies.namespaceChanged(namespace);
  expect([leaves('b', 'fresh'), leaves('b', 'lab')]).toEqual([true, false]);
});

it('keeps what stood before a policy that cannot be compiled, until it can or is gone', () => {
  expect(policies.put(policy('prod', scopes('a')))).toBeUndefined();
  expect(policies.put(policy('prod', scopes('a*b'), { generation: 2 }))).toContain('a*b');
  expect([leaves('a'), leaves('b')]).toEqual([true, false]);
  policies.put(policy('prod', scopes('b'), { generation: 3 }));
  expect([leaves('a'), leaves('b')]).toEqual([false, true]);
  policies.remove('prod');
  expect(leaves('a')).toBe(true);
});

it('refuses all use where a policy cannot be read and nothing stood before it', () => {
  policies.put(policy('prod', scopes('a*b')));
  expect(leaves('a')).toBe(false);
});

it('takes nothing over from another policy of that name', () => {
  policies.put(policy('prod', scopes('a')));
  policies.put(policy('prod', scopes('a*b'), { uid: 'another' }));
  expect(leaves('a')).toBe(false);
});
