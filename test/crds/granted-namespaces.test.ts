/** What the API server makes of grants beyond those that policy-agreement.test.ts compares with the evaluator. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MAX_CHARACTERS, MAX_LINES } from '../../src/domain/policy/grants.ts';
import { sentences } from './api-server.ts';
import { GrantsByTest, ungranted } from './grants.ts';
import { Policies } from './policies.ts';

let policies: Policies;
let grants: GrantsByTest;
let namespace: string;

beforeAll(async () => {
  policies = await Policies.open('grants');
  grants = await GrantsByTest.open(policies);
  ({ name: namespace } = await policies.namespace('shop', { tier: 'prod', ...grants.labels }));
});
afterAll(async () => {
  await grants?.close();
  await policies?.close();
});

const answer = async () => sentences(await policies.tryToken('shop', {}));
const refused = () => [ungranted(namespace)];

it('refuses where as many conditions, of as many values, as are told do not hold, and admits where the last does', async () => {
  const room = Math.floor(MAX_CHARACTERS / MAX_LINES);
  const line = (index: number) => {
    const [name, start] = [`policy-${index}`, 'kubernetes.io/metadata.name In '];
    // the shortest values are the most
    return [name, `${start}${'x,'.repeat((room - name.length - start.length) / 2)}x`];
  };
  const all = Object.fromEntries(Array.from({ length: MAX_LINES - 1 }, (_, index) => line(index)));
  await grants.write(all);
  expect(await answer()).toEqual(refused());
  await grants.write({ ...all, 'policy-0': 'tier In test,prod' });
  expect(await answer()).toEqual([]);
});

it('admits what it cannot judge, since the operator judges again', async () => {
  await grants.write({ nonsense: 'nonsense' });
  expect(await answer()).toEqual([]);
});
