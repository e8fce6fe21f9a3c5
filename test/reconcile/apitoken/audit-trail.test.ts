import { beforeEach, describe, expect, it } from 'vitest';
import type { AuditIntent, AuditRecord } from '../../../src/domain/audit.ts';
import { EMPTY_STATUS, type TokenStatus } from '../../../src/domain/lifecycle/seen.ts';
import { type AuditTrail, auditTrail } from '../../../src/reconcile/apitoken/audit-trail.ts';
import { version } from '../../domain/lifecycle/looks.ts';
import { token } from '../tokenrevocation/samples.ts';

const TOKEN = token('support/a');
const { uid } = TOKEN.metadata;
const NOW = 1_000_000;

let records: AuditRecord[];
let trail: AuditTrail;

beforeEach(() => {
  records = [];
  trail = auditTrail(
    {
      record: async (record) => void records.push(record),
      open: () => {
        const closed = records.filter(({ phase }) => phase !== 'intent').map(({ id }) => id);
        return records.filter(
          (record): record is AuditIntent => record.phase === 'intent' && !closed.includes(record.id),
        );
      },
      living: () => [],
      close: async () => {},
    },
    'operator:test',
  );
});

const status = (...versions: TokenStatus['versions']): TokenStatus => ({ ...EMPTY_STATUS, lastVersion: 2, versions });
const told = () => records.map(({ phase, operation, version }) => `${phase} ${operation} ${version}`);

describe('a revocation in the audit log', () => {
  beforeEach(() => trail.intent(TOKEN, 'revoke', 2, 'Compromised', NOW, 'jane'));

  it('says why, and who asked for it, before and after', async () => {
    await trail.settle(uid, status(), NOW);
    expect(told()).toEqual(['intent revoke 2', 'outcome revoke 2']);
    for (const record of records) expect(record).toMatchObject({ cause: 'Compromised', requester: 'jane' });
  });

  it('is open as long as the version stands', async () => {
    await trail.settle(uid, status(version(2, 'Current')), NOW);
    expect(told()).toEqual(['intent revoke 2']);
  });

  it('is beside the mint of the same version, which took effect for a time', async () => {
    await trail.intent(TOKEN, 'mint', 2, 'Requested', NOW);
    await trail.settle(uid, status(), NOW);
    expect(told().slice(2).sort()).toEqual(['outcome mint 2', 'outcome revoke 2']);
  });

  it('has taken effect where the ApiToken is gone', async () => {
    const gone = { ...TOKEN.metadata, identity: 'support/agent:a', purpose: '', tokenID: '' };
    await trail.departed(gone, NOW);
    expect(told()).toEqual(['intent revoke 2', 'outcome revoke 2', 'intent delete 0', 'outcome delete 0']);
  });
});

it('names nobody where nobody is known to have asked', async () => {
  await trail.intent(TOKEN, 'revoke', 1, 'OwnerLeft', NOW);
  expect(records[0]).not.toHaveProperty('requester');
});
