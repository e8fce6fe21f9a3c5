import { beforeEach, describe, expect, it } from 'vitest';
import { reconcile } from '../../../src/reconcile/apitoken/reconcile.ts';
import { SECRETS } from '../../../src/reconcile/apitoken/secret.ts';
import { KEY, Stage } from './stage.ts';

let stage: Stage;

beforeEach(async () => {
  stage = await Stage.withToken();
});

describe('a first issue', () => {
  it('takes one read and three writes', async () => {
    await reconcile(stage.deps, KEY);
    expect(stage.condition('Ready')?.status).toBe('True');
    expect(stage.calls).toEqual(['get Secret', 'replace ApiToken', 'create Secret', 'replace ApiToken']);
  });

  it('reads live where the watch has told nothing, or was told already', async () => {
    stage.told = undefined;
    await reconcile(stage.deps, KEY);
    expect(stage.condition('Ready')?.status).toBe('True');
    expect(stage.calls.slice(0, 2)).toEqual(['get ApiToken', 'get Secret']);
  });

  it('leaves no value in memory once the Secret has it', async () => {
    await reconcile(stage.deps, KEY);
    expect(stage.token.status?.versions).toHaveLength(1);
    expect(stage.deps.values.digests(stage.token.metadata.uid)).toEqual(new Set());
  });

  it('meets a conflict with what the watch told too late, and then reads live', async () => {
    stage.edit(({ spec }) => Object.assign(spec, { purpose: 'Sell' }));
    const { requeueAt } = await reconcile(stage.deps, KEY);
    expect(requeueAt).toBeGreaterThan(stage.deps.clock.now());
    expect(stage.calls).toEqual(['get Secret', 'replace ApiToken']);
    expect(stage.token.status).toBeUndefined();

    await reconcile(stage.deps, KEY);
    expect(stage.calls[2]).toBe('get ApiToken');
    expect(stage.condition('Ready')?.status).toBe('True');
    expect(stage.token.spec.purpose).toBe('Sell');
    expect(stage.token.status?.lastVersion).toBe(1);
  });

  it('reads live where a Secret of that name is there', async () => {
    await stage.api.client().create(SECRETS, { metadata: { name: 'agent', namespace: 'shop' }, data: {} });
    await reconcile(stage.deps, KEY);
    expect(stage.calls).toEqual(['get Secret', 'get ApiToken', 'get Secret', 'replace ApiToken']);
    expect(stage.condition('Ready')?.reason).toBe('SecretConflict');
    expect(stage.records).toEqual([]);
  });
});
