import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Revocation } from '../../src/domain/revocation.ts';
import { writeReceipt } from '../../src/verifier/receipts.ts';
import { type ApiServer, asShown, expectOk, sentences, VERIFIER } from './api-server.ts';
import { cells, kubectl } from './kubectl.ts';
import { FULL_STATUS, receipt, STATUS_CHANGES } from './revocation-status-tables.ts';
import { KINDS, REQUESTING, Revocations } from './revocations.ts';

type Json = Record<string, unknown>;

let revocations: Revocations;
let admin: ApiServer;
let user: ApiServer;
let operator: ApiServer;
let showsValues = true;

beforeAll(async () => {
  revocations = await Revocations.open('status');
  ({ admin, user, operator } = revocations);
  const at = await revocations.existing('TokenRevocation');
  const shown = await operator.mergePatch(`${at}/status`, { status: { receipts: [receipt('NO')] } });
  showsValues = shown.body.message.includes('"NO"');
});

afterAll(() => revocations?.close());

describe.each(KINDS)('the status of a %s', (kind) => {
  const ALONE = "leave the status alone, since only Tokenwright's operator and verifiers write that of a revocation";
  const ONLY_RECEIPTS = 'write only to status.receipts, since a verifier has no word on the rest of the status';
  const only = (name: string) => `write only the receipt of ${name} and leave those of other verifiers as they are`;
  const asPod = (pod: string) => admin.as({ ...VERIFIER, pod });
  const withStatus = async (status: Json = FULL_STATUS): Promise<string> => {
    const at = await revocations.existing(kind);
    expectOk(await operator.mergePatch(`${at}/status`, { status }));
    return at;
  };
  const statusOf = async (at: string) => expectOk(await admin.get(at)).body.status as Json;
  const applied = (at: string, status: Json) => ({
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind,
    metadata: { name: at.split('/').at(-1) },
    status,
  });

  it.each(
    STATUS_CHANGES.map(
      ([sentence, status, says]) => [says.length > 0 ? 'refuses' : 'takes', sentence, status, says] as const,
    ),
  )('%s %s from the operator', async (_, __, status, says) => {
    const at = await revocations.existing(kind);
    const { body } = expectOk(await admin.get(at));
    expect(sentences(await operator.replace(`${at}/status`, { ...body, status }))).toEqual(asShown(says, showsValues));
  });

  it.each([
    ['whoever may do everything', () => user],
    [
      'an account of the same name in another namespace',
      () => admin.as({ ...VERIFIER, name: 'system:serviceaccount:other:tokenwright-verifier' }),
    ],
  ])('refuses %s', async (_, who) => {
    const at = await withStatus();
    const { body } = await admin.get(at);
    const status = { ...FULL_STATUS, sealed: false };
    expect(sentences(await who().mergePatch(`${at}/status`, { status: { sealed: false } }))).toEqual([ALONE]);
    expect(sentences(await who().mergePatch(`${at}/status`, { status: null }))).toEqual([ALONE]);
    expect(sentences(await who().replace(`${at}/status`, { ...body, status }))).toEqual([ALONE]);
    expect(sentences(await who().apply(`${at}/status`, applied(at, { receipts: [receipt('x')] })))).toEqual([ALONE]);
    expect(await statusOf(at)).toEqual(FULL_STATUS);
  });

  it('keeps no receipt of an order that was deleted and made anew since', async () => {
    const at = await revocations.existing(kind);
    const { body: before } = expectOk(await admin.get(at));
    const { name, namespace } = before.metadata as Json;
    expectOk(await operator.mergePatch(at, { metadata: { finalizers: null } }));
    expectOk(await admin.delete(at));
    expectOk(await admin.create(at.slice(0, at.lastIndexOf('/')), { ...before, metadata: { name, namespace } }));
    const verifier = asPod('verifier-0');
    const statuses: unknown[] = [];
    const apply = async (_: unknown, { metadata, ...rest }: Json, { fieldManager }: { fieldManager: string }) => {
      const { body } = expectOk(await verifier.apply(`${at}/status`, { ...applied(at, {}), ...rest }, fieldManager));
      statuses.push(body.status);
      return body;
    };
    const writing = { apply } as unknown as Parameters<typeof writeReceipt>[0];
    await writeReceipt(writing, before as unknown as Revocation, receipt('verifier-0') as never);
    expect(statuses).toEqual([{ receipts: [receipt('verifier-0')] }, undefined]);
  });

  it('takes the receipt of each verifier by server-side apply, and drops none', async () => {
    const at = await revocations.existing(kind);
    for (const pod of ['verifier-0', 'verifier-1', 'verifier-0']) {
      const answer = await asPod(pod).apply(
        `${at}/status`,
        applied(at, { receipts: [receipt(pod)] }),
        `tokenwright-verifier-${pod}`,
      );
      expect(sentences(answer)).toEqual([]);
    }
    expect(sentences(await operator.mergePatch(`${at}/status`, { status: { matched: 1, sealed: true } }))).toEqual([]);
    const again = applied(at, { receipts: [receipt('verifier-1', { afterMilliseconds: 9 })] });
    expect(
      sentences(await asPod('verifier-1').apply(`${at}/status`, again, 'tokenwright-verifier-verifier-1')),
    ).toEqual([]);
    expect(await statusOf(at)).toEqual({
      matched: 1,
      sealed: true,
      receipts: [receipt('verifier-0'), receipt('verifier-1', { afterMilliseconds: 9 })],
    });
  });

  const others = [receipt('verifier-1'), receipt('verifier-2')];
  it.each<[string, Json, string]>([
    ['say that it is sealed', { sealed: true }, ONLY_RECEIPTS],
    ['take back that it is not', { sealed: null }, ONLY_RECEIPTS],
    ['count what it matched', { matched: 0 }, ONLY_RECEIPTS],
    ['change conditions', { conditions: [] }, ONLY_RECEIPTS],
    ['say more beside its receipt', { receipts: [...others, receipt('verifier-0')], sealed: true }, ONLY_RECEIPTS],
    ['drop the receipts of others', { receipts: null }, only('verifier-0')],
    ['drop that of one', { receipts: others.slice(1) }, only('verifier-0')],
    [
      'change that of another',
      { receipts: [receipt('verifier-1', { afterMilliseconds: 9 }), others[1]] },
      only('verifier-0'),
    ],
    ['write one for another', { receipts: [...others, receipt('verifier-3')] }, only('verifier-0')],
    ['write two', { receipts: [...others, receipt('verifier-0'), receipt('verifier-3')] }, only('verifier-0')],
  ])('does not let a verifier %s', async (_, status, says) => {
    const before = { ...FULL_STATUS, sealed: false, receipts: others };
    const at = await withStatus(before);
    expect(sentences(await asPod('verifier-0').mergePatch(`${at}/status`, { status }))).toEqual([says]);
    expect(await statusOf(at)).toEqual(before);
  });

  it('takes one receipt at a time from a verifier whose token names no pod', async () => {
    const at = await withStatus({ receipts: others });
    const verifier = admin.as(VERIFIER);
    const write = (...receipts: Json[]) => verifier.mergePatch(`${at}/status`, { status: { receipts } });
    expect(sentences(await write(...others, receipt('elsewhere')))).toEqual([]);
    expect(sentences(await write(...others, receipt('elsewhere', { afterMilliseconds: 9 })))).toEqual([]);
    expect(sentences(await write(...others, receipt('a'), receipt('b')))).toEqual([only('a')]);
  });

  it('has room for 64 receipts, among which a verifier finds its own', async () => {
    const at = await withStatus({ receipts: Array.from({ length: 63 }, (_, i) => receipt(`verifier-${i}`)) });
    const last = applied(at, { receipts: [receipt('verifier-63')] });
    expect(sentences(await asPod('verifier-63').apply(`${at}/status`, last, 'tokenwright-verifier-63'))).toEqual([]);
    const more = applied(at, { receipts: [receipt('verifier-64')] });
    expect(sentences(await asPod('verifier-64').apply(`${at}/status`, more, 'tokenwright-verifier-64'))).toEqual([
      'status.receipts: Too many: 65: must have at most 64 items',
    ]);
  });

  it('answers whether it is sealed, how many it matched and who asked', async () => {
    const name = (await withStatus()).split('/').at(-1) ?? '';
    const short = kind === 'TokenRevocation' ? 'trev' : 'ctrev';
    const shown = await kubectl(revocations.namespace, ['get', short, name, '-o', 'wide']);
    const [header, row] = cells(shown.stdout);
    expect(header).toEqual([
      'NAME',
      'SEALED',
      'MATCHED',
      'REASON',
      'AFTERWARDS',
      'AGE',
      'VERSIONS',
      'SEALED AT',
      'STATUS',
      'REQUESTED BY',
    ]);
    expect(row?.slice(0, 4)).toEqual([name, 'true', '2', 'Compromised']);
    expect(row?.at(-1)).toBe(REQUESTING.name);
  });
});
