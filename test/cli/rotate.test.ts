import { describe, expect, it } from 'vitest';
import type { ApiToken, ApiTokenCondition, ApiTokenStatus } from '../../src/api/apitoken.ts';
import { progressOf, rotate } from '../../src/cli/rotate.ts';
import type { Session } from '../../src/cli/session.ts';

function token(status: ApiTokenStatus, change: (token: ApiToken) => void = () => {}): ApiToken {
  const found: ApiToken = {
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind: 'ApiToken',
    metadata: { name: 'a', namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' },
    spec: { subject: 'agent:a', purpose: '', environment: 'e', audiences: ['b'], ttl: '1h' },
    status,
  };
  change(found);
  return found;
}

function condition(type: string, status: 'True' | 'False', reason: string, message: string): ApiTokenCondition {
  return { type, status, reason, message, lastTransitionTime: '' };
}

const version = (number: number, state: 'Next' | 'Current' | 'Previous') => ({
  version: number,
  state,
  digest: '',
  issueTime: '',
  expirationTime: '',
  grant: { subject: '', environment: '', audiences: [] },
});
const ready = condition('Ready', 'True', 'Rotated', 'fine');

/** Asked when 3 was the last version. */
describe('a rotation', () => {
  it.each<[string, ApiToken, ReturnType<typeof progressOf>]>([
    [
      'waits for the operator',
      token({ lastVersion: 3, versions: [version(3, 'Current')], conditions: [ready] }),
      { is: 'underway', says: 'the request waits for the operator', ifLate: 'Does an operator run that watches ns/a?' },
    ],
    [
      'has been minted',
      token({ lastVersion: 4, versions: [version(3, 'Current'), version(4, 'Next')], conditions: [ready] }),
      { is: 'underway', says: 'version 4 is minted, and on its way to the Secret' },
    ],
    [
      'failed, and is tried again',
      token({ lastVersion: 3, versions: [version(3, 'Current')], failures: { count: 1, message: 'the disk is full' } }),
      { is: 'underway', says: 'it failed and is tried again: the disk is full' },
    ],
    [
      'rolls out',
      token({
        lastVersion: 4,
        versions: [version(4, 'Current')],
        restarts: { version: 4, pending: 2 },
        conditions: [ready, condition('RolledOut', 'False', 'RollingOut', '2 workloads have yet to run')],
      }),
      { is: 'underway', says: '2 workloads have yet to run' },
    ],
    [
      'is not done by what was rolled out before it',
      token({
        lastVersion: 4,
        versions: [version(4, 'Current')],
        restarts: { version: 3, pending: 0 },
        conditions: [ready, condition('RolledOut', 'True', 'RolledOut', 'all run with version 3')],
      }),
      { is: 'underway', says: 'all run with version 3' },
    ],
    [
      'is done',
      token({
        lastVersion: 4,
        versions: [version(4, 'Current')],
        restarts: { version: 4, pending: 0 },
        conditions: [ready, condition('RolledOut', 'True', 'NoConsumers', 'none')],
      }),
      { is: 'done' },
    ],
    [
      'cannot be while suspended',
      token({ lastVersion: 3 }, ({ spec }) => {
        spec.state = 'Suspended';
      }),
      { is: 'hopeless', says: 'ns/a is suspended, and nothing is minted for it. Set spec.state to Active first.' },
    ],
    [
      'cannot be while the Secret is someone else’s',
      token({ conditions: [condition('Stalled', 'True', 'SecretConflict', 'the Secret belongs to b')] }),
      { is: 'hopeless', says: 'ns/a is stalled: the Secret belongs to b.' },
    ],
    [
      'cannot be while it is blocked',
      token({ conditions: [condition('Ready', 'False', 'Blocked', 'delete the order')] }),
      { is: 'hopeless', says: 'ns/a: delete the order.' },
    ],
    [
      'cannot be of what is being deleted',
      token({}, ({ metadata }) => {
        metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
      }),
      { is: 'hopeless', says: 'ns/a is being deleted.' },
    ],
    [
      'is not that of another ApiToken of the same name',
      token({}, ({ metadata }) => {
        metadata.uid = 'v';
      }),
      { is: 'hopeless', says: 'ns/a was deleted and made anew meanwhile.' },
    ],
  ])('%s', (_, seen, expected) => {
    expect(progressOf(seen, 'u', 3)).toEqual(expected);
  });
});

it('the request names nobody: who asked last time is not who asks now', async () => {
  const patches: object[] = [];
  const client = {
    get: async () => token({}),
    mergePatch: async (_type: unknown, _key: unknown, patch: object) => {
      patches.push(patch);
      return token({});
    },
  };
  const session = { client, namespace: 'ns', now: () => 1, terminal: { print: () => {} } } as unknown as Session;
  await rotate(session, { name: 'a', wait: false, timeoutSeconds: 1 });
  const annotations = {
    'tokenwright.dev/rotate-requested-at': '1970-01-01T00:00:01.000Z',
    'tokenwright.dev/rotate-requested-by': null,
  };
  expect(patches).toEqual([{ metadata: { annotations } }]);
});
