import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiServer, canMark, expectOk, sentences, until, VERIFIER } from './api-server.ts';
import { least } from './revocation-tables.ts';
import { FINALIZER, KINDS, LEASES, type Metadata, PENDING, REQUESTER, REQUESTING, Revocations } from './revocations.ts';

type Json = Record<string, unknown>;

let revocations: Revocations;
let admin: ApiServer;
let user: ApiServer;
let operator: ApiServer;
let marks: boolean;

beforeAll(async () => {
  revocations = await Revocations.open('marks');
  ({ admin, user, operator } = revocations);
  marks = await canMark(admin);
});

afterAll(() => revocations?.close());

describe.each(KINDS)('a %s', (kind) => {
  it('is marked when it is created, where the API server can', async () => {
    const object = revocations.manifest(kind);
    const { labels, annotations, finalizers } = expectOk(await user.create(revocations.path(kind), object)).body
      .metadata as Metadata;
    expect({ labels, annotations, finalizers }).toEqual(
      marks
        ? { labels: { [PENDING]: 'true' }, annotations: { [REQUESTER]: REQUESTING.name }, finalizers: [FINALIZER] }
        : {},
    );
  });

  const PENDING_SAYS =
    "leave the label tokenwright.dev/pending to Tokenwright's operator, which takes it away after the revocation is sealed";
  const FINALIZER_SAYS =
    "leave the finalizer tokenwright.dev/revocation to Tokenwright's operator, which takes it away once the revocation is sealed";
  const requesterSays = (verb: string) =>
    `${verb} the annotation tokenwright.dev/requested-by, which names who creates the revocation`;

  it.each([
    ['in the name of another', { annotations: { [REQUESTER]: 'somebody-else' } }, requesterSays('leave out')],
    ['as if it were pending no more', { labels: { [PENDING]: 'false' } }, PENDING_SAYS],
  ])('cannot be created %s', async (_, metadata, says) => {
    const created = await user.create(revocations.path(kind), revocations.manifest(kind, least, metadata));
    // what can mark overwrites it
    expect(sentences(created)).toEqual(marks ? [] : [says]);
    if (!marks) return;
    const { labels, annotations } = created.body.metadata as Metadata;
    expect([labels?.[PENDING], annotations?.[REQUESTER]]).toEqual(['true', REQUESTING.name]);
  });

  it('can be created again from what was exported', async () => {
    const { labels, finalizers } = await revocations.metadataOf(await revocations.existing(kind));
    expect(
      sentences(
        await user.create(
          revocations.path(kind),
          revocations.manifest(kind, least, { labels: labels ?? {}, finalizers: finalizers ?? [] }),
        ),
      ),
    ).toEqual([]);
  });

  it.each<[string, Json, string]>([
    ['take its label', { labels: { [PENDING]: null } }, PENDING_SAYS],
    ['change its label', { labels: { [PENDING]: 'false' } }, PENDING_SAYS],
    ['take its finalizer', { finalizers: null }, FINALIZER_SAYS],
    ['put another finalizer in its place', { finalizers: ['example.com/hold'] }, FINALIZER_SAYS],
    ['change its requester', { annotations: { [REQUESTER]: 'somebody-else' } }, requesterSays('keep')],
  ])('stays as it is when others %s', async (_, metadata, says) => {
    const at = await revocations.existing(kind);
    const before = await revocations.metadataOf(at);
    expect(sentences(await user.mergePatch(at, { metadata }))).toEqual([says]);
    expect(sentences(await admin.as({ ...VERIFIER, pod: 'verifier-0' }).mergePatch(at, { metadata }))).toEqual([says]);
    expect(await revocations.metadataOf(at)).toEqual(before);
  });

  it('takes neither label nor finalizer from others once the operator took them away', async () => {
    const at = await revocations.existing(kind);
    const taken = { labels: { [PENDING]: null }, finalizers: null };
    expect(sentences(await operator.mergePatch(at, { metadata: taken }))).toEqual([]);
    expect(sentences(await user.mergePatch(at, { metadata: { labels: { [PENDING]: 'true' } } }))).toEqual([
      PENDING_SAYS,
    ]);
    expect(sentences(await user.mergePatch(at, { metadata: { finalizers: [FINALIZER] } }))).toEqual([FINALIZER_SAYS]);
  });

  it('keeps its requester, whoever replaces it without one', async () => {
    const at = await revocations.existing(kind);
    for (const who of [user, operator]) {
      const { body } = expectOk(await admin.get(at));
      const { annotations: _, ...metadata } = body.metadata as Metadata;
      expect(sentences(await who.replace(at, { ...body, metadata }))).toEqual(marks ? [] : [requesterSays('keep')]);
    }
    expect((await revocations.metadataOf(at)).annotations?.[REQUESTER]).toBe(REQUESTING.name);
  });

  it('can be labelled and annotated by others, and deleted, yet is held until the operator lets it go', async () => {
    const at = await revocations.existing(kind);
    const metadata = {
      labels: { team: 'security' },
      annotations: { note: 'x' },
      finalizers: [FINALIZER, 'example.com/hold'],
    };
    expect(sentences(await user.mergePatch(at, { metadata }))).toEqual([]);
    expect(sentences(await user.delete(at))).toEqual([]);
    expect(sentences(await user.mergePatch(at, { metadata: { finalizers: [FINALIZER] } }))).toEqual([]);
    expect(sentences(await user.mergePatch(at, { metadata: { finalizers: null } }))).toEqual([FINALIZER_SAYS]);
    expect(sentences(await operator.mergePatch(at, { metadata: { finalizers: null } }))).toEqual([]);
    expect((await admin.get(at)).status).toBe(404);
  });
});

describe('a ClusterTokenRevocation of everything', () => {
  const roles = '/apis/rbac.authorization.k8s.io/v1';
  const bold = { name: `revoking-bold-${process.pid}` };
  const shy = { name: `revoking-shy-${process.pid}` };
  const everything = { ...least, match: { everything: true } };
  // kept nowhere, since it would mean the tokens of every test
  const create = (who: { name: string }, spec: Json) =>
    admin
      .as(who)
      .create(
        `${revocations.path('ClusterTokenRevocation')}?dryRun=All`,
        revocations.manifest('ClusterTokenRevocation', spec),
      );

  beforeAll(async () => {
    for (const [who, verbs] of [
      [shy, ['create', 'patch', 'update', 'delete']],
      [bold, ['create', 'revoke-everything']],
    ] as const) {
      const rules = [{ apiGroups: ['tokenwright.dev'], resources: ['clustertokenrevocations'], verbs }];
      expectOk(await admin.create(`${roles}/clusterroles`, { metadata: { name: who.name }, rules }));
      expectOk(
        await admin.create(`${roles}/clusterrolebindings`, {
          metadata: { name: who.name },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: who.name },
          subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: who.name }],
        }),
      );
    }
    await until('the roles are known and the policy is enforced', async () => {
      const answers = [await create(shy, least), await create(bold, least), await create(shy, everything)];
      return answers.map(({ status }) => status).join() === '201,201,403';
    });
  });
  afterAll(async () => {
    for (const kind of ['clusterroles', 'clusterrolebindings'])
      for (const { name } of [bold, shy]) await admin.delete(`${roles}/${kind}/${name}`);
  });

  const says = ['get the verb revoke-everything on clustertokenrevocations first, or match less than everything'];
  it.each([
    ['is refused without the verb', shy, everything, says],
    ['is refused without the verb, as a block too', shy, { ...everything, afterwards: 'Block' }, says],
    ['is created with the verb', bold, everything, []],
    [
      'is not what revokes a namespace, which needs no such verb',
      shy,
      { ...least, match: { namespaceNames: ['a'] } },
      [],
    ],
  ])('%s', async (_, who, spec, expected) => {
    expect(sentences(await create(who, spec))).toEqual(expected);
  });
});

describe('a Lease', () => {
  const own = (name: string) => [`name the Lease of a verifier tokenwright-verifier-${name}, since it writes no other`];
  const POD = `pod-${process.pid}`;
  it.each([
    ["the operators'", 'tokenwright-operator', POD, own(POD)],
    ["another verifier's", `tokenwright-verifier-other-${POD}`, POD, own(POD)],
    ["the operators', with a token of no pod", 'tokenwright-operator', undefined, own('<name>')],
    ['its own', `tokenwright-verifier-${POD}`, POD, []],
    ['its own, with a token of no pod', `tokenwright-verifier-outside-${POD}`, undefined, []],
  ])('is written by a verifier or not: %s', async (_, name, pod, says) => {
    const verifier = admin.as({ ...VERIFIER, ...(pod !== undefined && { pod }) });
    const at = `${LEASES}/${name}`;
    expect(sentences(await verifier.create(LEASES, { metadata: { name } }))).toEqual(says);
    if (says.length > 0) expectOk(await admin.create(LEASES, { metadata: { name } }));
    expect(sentences(await verifier.mergePatch(at, { spec: { holderIdentity: 'x' } }))).toEqual(says);
    expect(sentences(await verifier.delete(at))).toEqual(says);
    if (says.length > 0) expectOk(await admin.delete(at));
  });
});
