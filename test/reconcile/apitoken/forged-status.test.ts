import { expect, it } from 'vitest';
import type { ApiToken } from '../../../src/api/apitoken.ts';
import { checkSeal } from '../../../src/domain/seal.ts';
import { sealContentOf, statusOf } from '../../../src/reconcile/apitoken/parse.ts';
import { reconcile } from '../../../src/reconcile/apitoken/reconcile.ts';
import { KEY, Stage } from './stage.ts';

const FORGED = 'a'.repeat(64);

const STANDSTILLS: readonly [string, (stage: Stage) => void][] = [
  ['is suspended', (stage) => stage.edit(({ spec }) => Object.assign(spec, { state: 'Suspended' }))],
  [
    'has a spec that cannot be read',
    (stage) => stage.edit(({ spec }) => Object.assign(spec, { rotation: { schedule: 'often' } })),
  ],
  [
    'has a Secret that belongs to someone else',
    (stage) => stage.api.edit('Secret', 'agent', ({ metadata }) => Object.assign(metadata, { ownerReferences: [] })),
  ],
];

function forge({ status }: ApiToken): void {
  for (const version of status?.versions ?? []) Object.assign(version, { digest: FORGED });
}

function vouchesForForgery({ deps, token }: Stage): boolean {
  const status = statusOf(token);
  const { seal, versions } = status;
  const content = sealContentOf(token.metadata.uid, status, seal?.sequence ?? 0);
  const isValid = seal !== undefined && checkSeal(content, seal, deps.sealKeys.trusted()) === 'valid';
  return isValid && versions.some(({ digest }) => digest === FORGED);
}

it.each(STANDSTILLS)('does not seal a status edited by hand while the ApiToken %s', async (_, stand) => {
  const stage = await Stage.withToken();
  await reconcile(stage.deps, KEY);
  stand(stage);
  stage.edit((token) => {
    token.metadata.generation += 1;
    forge(token);
  });
  await reconcile(stage.deps, KEY);
  expect(stage.condition('Ready')?.status).toBe('False');
  expect(vouchesForForgery(stage)).toBe(false);
});

it('does not seal one whose seal was removed', async () => {
  const stage = await Stage.withToken();
  await reconcile(stage.deps, KEY);
  stage.edit(({ spec, status }) => {
    Object.assign(spec, { state: 'Suspended' });
    delete status?.seal;
  });
  stage.edit(forge);
  await reconcile(stage.deps, KEY);
  expect(stage.condition('Ready')?.reason).toBe('Suspended');
  expect(vouchesForForgery(stage)).toBe(false);
});

it('mints anew where it may', async () => {
  const stage = await Stage.withToken();
  await reconcile(stage.deps, KEY);
  stage.edit(forge);
  await reconcile(stage.deps, KEY);
  expect(stage.token.status?.versions?.map(({ version, state }) => `${version} ${state}`)).toEqual(['2 Current']);
  expect(vouchesForForgery(stage)).toBe(false);
});
