import { beforeEach, expect, it } from 'vitest';
import type { EventNote } from '../../../src/ports.ts';
import { reconcile } from '../../../src/reconcile/apitoken/reconcile.ts';
import { KEY, Stage } from './stage.ts';

let stage: Stage;
let events: string[];
let failures: string[];

beforeEach(async () => {
  stage = await Stage.withToken();
  events = [];
  failures = [];
  stage.deps.events = { event: (_, { type, reason }: EventNote) => events.push(`${type} ${reason}`) };
  const { metrics } = stage.deps;
  stage.deps.metrics = new Proxy(metrics, {
    get: (target, name) => (name === 'failed' ? (reason: string) => failures.push(reason) : Reflect.get(target, name)),
  });
});

const forbid = () => {
  stage.compliance = { allows: false, reason: 'PolicyViolated', message: 'the policy forbids it' };
};
const allow = () => {
  stage.compliance = { allows: true, reason: 'PolicySatisfied', message: 'the policies allow it' };
};

it('mints nothing that is forbidden, says so once, and rests', async () => {
  forbid();
  const { requeueAt = 0 } = await reconcile(stage.deps, KEY);
  expect(stage.condition('Ready')).toMatchObject({ status: 'False', reason: 'PolicyViolated' });
  expect(stage.records).toEqual([]);
  expect(events).toEqual(['Warning PolicyViolated']);
  expect(failures).toEqual([]);
  expect(requeueAt).toBeGreaterThanOrEqual(stage.deps.clock.now() + 600_000);
  stage.calls.length = 0;
  await reconcile(stage.deps, KEY);
  expect(stage.calls).toEqual(['get ApiToken', 'get Secret']);
  expect(events).toHaveLength(1);
});

it('mints it as soon as it is allowed, and says that too', async () => {
  forbid();
  await reconcile(stage.deps, KEY);
  allow();
  await reconcile(stage.deps, KEY);
  expect(stage.condition('Ready')?.status).toBe('True');
  expect(stage.condition('Stalled')).toBeUndefined();
  expect(events).toEqual(['Warning PolicyViolated', 'Normal PolicySatisfied', 'Normal Issued']);
});

it('announces a rotation that is forbidden beside the violation', async () => {
  await reconcile(stage.deps, KEY);
  forbid();
  stage.edit(({ metadata }) => {
    metadata.annotations = { 'tokenwright.dev/rotate-requested-at': 'now' };
  });
  await reconcile(stage.deps, KEY);
  expect(stage.token.status?.lastVersion).toBe(1);
  expect(events).toEqual(['Normal Issued', 'Warning PolicyViolated', 'Warning RotationForbidden']);
  expect(failures).toEqual(['RotationForbidden']);
});
