import { beforeEach, expect, it } from 'vitest';
import { ROTATE_REQUESTED_AT_ANNOTATION, ROTATE_REQUESTED_BY_ANNOTATION } from '../../../src/api/names.ts';
import { reconcile } from '../../../src/reconcile/apitoken/reconcile.ts';
import { KEY, Stage } from './stage.ts';

let stage: Stage;

beforeEach(async () => {
  stage = await Stage.withToken();
  await reconcile(stage.deps, KEY);
});

const annotate = (annotations: Record<string, string>) =>
  stage.edit(({ metadata }) => Object.assign(metadata, { annotations }));
const intents = () => stage.records.map(({ operation, cause, requester }) => [operation, cause, requester]);

it.each([
  ['names who asked for it', { [ROTATE_REQUESTED_BY_ANNOTATION]: 'jane' }, 'jane'],
  ['names nobody where the API server noted nobody', {}, undefined],
])('the record of a rotation out of turn %s', async (_, noted, requester) => {
  annotate({ [ROTATE_REQUESTED_AT_ANNOTATION]: 'now', ...noted });
  await reconcile(stage.deps, KEY);
  expect(intents()).toEqual([
    ['mint', 'Issued', undefined],
    ['rotate', 'Requested', requester],
  ]);
});

it('the record of another rotation names nobody, though somebody asked before', async () => {
  annotate({ [ROTATE_REQUESTED_AT_ANNOTATION]: 'now', [ROTATE_REQUESTED_BY_ANNOTATION]: 'jane' });
  await reconcile(stage.deps, KEY);
  stage.edit(({ spec }) => Object.assign(spec, { scopes: ['chat:write'] }));
  await reconcile(stage.deps, KEY);
  expect(intents().at(-1)).toEqual(['rotate', 'SpecChanged', undefined]);
});
