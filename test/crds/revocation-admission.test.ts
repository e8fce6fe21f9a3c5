import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cluster } from '../e2e/cluster.ts';
import {
  API,
  ApiServer,
  asShown,
  canMark,
  expectOk,
  installApi,
  OPERATOR,
  sentences,
  until,
  VERIFIER,
} from './api-server.ts';
import { FULL_STATUS, receipt, STATUS_CHANGES } from './revocation-status-tables.ts';
import { least } from './revocation-tables.ts';
import { release } from './revocations.ts';

type Json = Record<string, unknown>;
interface Metadata {
  name: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
}

const PENDING = 'tokenwright.dev/pending';
const FINALIZER = 'tokenwright.dev/revocation';
const REQUESTER = 'tokenwright.dev/requested-by';

const run = `${process.pid}-${Date.now().toString(36)}`;
const namespace = `revoking-${run}`;
const paths = {
  TokenRevocation: `${API}/namespaces/${namespace}/tokenrevocations`,
  ClusterTokenRevocation: `${API}/clustertokenrevocations`,
};
/** May do everything, but is neither the operator nor a verifier. */
const requester = { name: 'revoking-requester', groups: ['system:masters', 'system:authenticated'] };
let admin: ApiServer;
let user: ApiServer;
let operator: ApiServer;
let marks: boolean;
let showsValues = true;
let count = 0;
const freshName = () => {
  count += 1;
  return `revocation-${run}-${count}`;
};

beforeAll(async () => {
  admin = await ApiServer.open(cluster().kubeconfig);
  user = admin.as(requester);
  operator = admin.as(OPERATOR);
  await installApi(admin);
  marks = await canMark(admin);
  expectOk(await admin.create('/api/v1/namespaces', { metadata: { name: namespace } }));
  const probe = manifest('TokenRevocation');
  expectOk(await user.create(paths.TokenRevocation, probe));
  const at = `${paths.TokenRevocation}/${probe.metadata.name}`;
  await until('the policies are enforced', async () => {
    const label = await user.mergePatch(`${at}?dryRun=All`, { metadata: { labels: { [PENDING]: 'x' } } });
    const status = await user.mergePatch(`${at}/status?dryRun=All`, { status: { matched: 1 } });
    const all = await admin.as({ name: 'nobody' }).create(`${paths.ClusterTokenRevocation}?dryRun=All`, probe);
    const lease = await admin.as(VERIFIER).create(`${leases}?dryRun=All`, { metadata: { name: 'x' } });
    return [label, status, all, lease].every(({ status: code }) => code === 403);
  });
  showsValues = (
    await operator.mergePatch(`${at}/status`, { status: { receipts: [receipt('NO')] } })
  ).body.message.includes('"NO"');
});

afterAll(async () => {
  for (const path of Object.values(paths)) await release(admin, path, ({ name }) => name.includes(run));
  await admin?.delete(`/api/v1/namespaces/${namespace}`);
  await admin?.close();
});

const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
function manifest(kind: string, metadata: Partial<Metadata> = {}, spec: Json = least) {
  return { apiVersion: 'tokenwright.dev/v1alpha1', kind, metadata: { name: freshName(), ...metadata }, spec };
}

describe.each(Object.entries(paths))('a %s', (kind, path) => {
  /** As the operator leaves one that is new, on any API server. */
  const existing = async (): Promise<string> => {
    const object = manifest(kind, { annotations: { [REQUESTER]: requester.name } });
    expectOk(await user.create(path, object));
    const at = `${path}/${object.metadata.name}`;
    const marked = { labels: { [PENDING]: 'true' }, finalizers: [FINALIZER] };
    expectOk(await operator.mergePatch(at, { metadata: marked }));
    return at;
  };
  const metadataOf = async (at: string) => expectOk(await admin.get(at)).body.metadata as Metadata;

  it('is marked when it is created, where the API server can', async () => {
    const object = manifest(kind);
    const { labels, annotations, finalizers } = expectOk(await user.create(path, object)).body.metadata as Metadata;
    expect({ labels, annotations, finalizers }).toEqual(
      marks
        ? { labels: { [PENDING]: 'true' }, annotations: { [REQUESTER]: requester.name }, finalizers: [FINALIZER] }
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
    const created = await user.create(path, manifest(kind, metadata));
    // what can mark overwrites it
    expect(sentences(created)).toEqual(marks ? [] : [says]);
    if (!marks) return;
    const { labels, annotations } = created.body.metadata as Metadata;
    expect([labels?.[PENDING], annotations?.[REQUESTER]]).toEqual(['true', requester.name]);
  });

  it('can be created again from what was exported', async () => {
    const { labels, finalizers } = await metadataOf(await existing());
    expect(
      sentences(await user.create(path, manifest(kind, { labels: labels ?? {}, finalizers: finalizers ?? [] }))),
    ).toEqual([]);
  });

  it.each<[string, Json, string]>([
    ['take its label', { labels: { [PENDING]: null } }, PENDING_SAYS],
    ['change its label', { labels: { [PENDING]: 'false' } }, PENDING_SAYS],
    ['take its finalizer', { finalizers: null }, FINALIZER_SAYS],
    ['put another finalizer in its place', { finalizers: ['example.com/hold'] }, FINALIZER_SAYS],
    ['change its requester', { annotations: { [REQUESTER]: 'somebody-else' } }, requesterSays('keep')],
  ])('stays as it is when others %s', async (_, metadata, says) => {
    const at = await existing();
    const before = await metadataOf(at);
    expect(sentences(await user.mergePatch(at, { metadata }))).toEqual([says]);
    expect(sentences(await admin.as({ ...VERIFIER, pod: 'verifier-0' }).mergePatch(at, { metadata }))).toEqual([says]);
    expect(await metadataOf(at)).toEqual(before);
  });

  it('takes neither label nor finalizer from others once the operator took them away', async () => {
    const at = await existing();
    const taken = { labels: { [PENDING]: null }, finalizers: null };
    expect(sentences(await operator.mergePatch(at, { metadata: taken }))).toEqual([]);
    expect(sentences(await user.mergePatch(at, { metadata: { labels: { [PENDING]: 'true' } } }))).toEqual([
      PENDING_SAYS,
    ]);
    expect(sentences(await user.mergePatch(at, { metadata: { finalizers: [FINALIZER] } }))).toEqual([FINALIZER_SAYS]);
  });

  it('keeps its requester, whoever replaces it without one', async () => {
    const at = await existing();
    for (const who of [user, operator]) {
      const { body } = expectOk(await admin.get(at));
      const { annotations: _, ...metadata } = body.metadata as Metadata;
      expect(sentences(await who.replace(at, { ...body, metadata }))).toEqual(marks ? [] : [requesterSays('keep')]);
    }
    expect((await metadataOf(at)).annotations?.[REQUESTER]).toBe(requester.name);
  });

  it('can be labelled and annotated by others, and deleted, yet is held until the operator lets it go', async () => {
    const at = await existing();
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

  describe('has a status that', () => {
    const ALONE = "leave the status alone, since only Tokenwright's operator and verifiers write that of a revocation";
    const ONLY_RECEIPTS = 'write only to status.receipts, since a verifier has no word on the rest of the status';
    const only = (name: string) => `write only the receipt of ${name} and leave those of other verifiers as they are`;
    const asPod = (pod: string) => admin.as({ ...VERIFIER, pod });
    const withStatus = async (status: Json = FULL_STATUS): Promise<string> => {
      const at = await existing();
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
      const at = await existing();
      const { body } = expectOk(await admin.get(at));
      expect(sentences(await operator.replace(`${at}/status`, { ...body, status }))).toEqual(
        asShown(says, showsValues),
      );
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

    it('takes the receipt of each verifier by server-side apply, and drops none', async () => {
      const at = await existing();
      for (const pod of ['verifier-0', 'verifier-1', 'verifier-0']) {
        const answer = await asPod(pod).apply(
          `${at}/status`,
          applied(at, { receipts: [receipt(pod)] }),
          `tokenwright-verifier-${pod}`,
        );
        expect(sentences(answer)).toEqual([]);
      }
      expect(sentences(await operator.mergePatch(`${at}/status`, { status: { matched: 1, sealed: true } }))).toEqual(
        [],
      );
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
  });
});

describe('a ClusterTokenRevocation of everything', () => {
  const roles = '/apis/rbac.authorization.k8s.io/v1';
  const bold = { name: `revoking-bold-${run}` };
  const shy = { name: `revoking-shy-${run}` };
  const everything = (more: Json = {}) =>
    manifest('ClusterTokenRevocation', {}, { ...least, match: { everything: true }, ...more });
  // kept nowhere, since it would mean the tokens of every test
  const create = (who: { name: string }, object: object) =>
    admin.as(who).create(`${paths.ClusterTokenRevocation}?dryRun=All`, object);

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
    await until('the roles are known', async () => {
      const some = manifest('ClusterTokenRevocation');
      return (await Promise.all([shy, bold].map((who) => create(who, some)))).every(({ status }) => status === 201);
    });
  });
  afterAll(async () => {
    for (const kind of ['clusterroles', 'clusterrolebindings'])
      for (const { name } of [bold, shy]) await admin.delete(`${roles}/${kind}/${name}`);
  });

  const says = ['get the verb revoke-everything on clustertokenrevocations first, or match less than everything'];
  it.each([
    ['is refused without the verb', shy, everything(), says],
    ['is refused without the verb, as a block too', shy, everything({ afterwards: 'Block' }), says],
    ['is created with the verb', bold, everything(), []],
    [
      'is not needed to revoke a namespace',
      shy,
      manifest('ClusterTokenRevocation', {}, { ...least, match: { namespaceNames: ['a'] } }),
      [],
    ],
  ])('%s', async (_, who, object, expected) => {
    expect(sentences(await create(who, object))).toEqual(expected);
  });
});

describe('a Lease', () => {
  const OWN = 'name the Lease of a verifier tokenwright-verifier-<name>, since verifiers write no others';
  it('of another is not written by a verifier, whatever RBAC says', async () => {
    const verifier = admin.as({ ...VERIFIER, pod: 'verifier-0' });
    const theirs = `tokenwright-operator-${run}`;
    expectOk(await admin.create(leases, { metadata: { name: theirs } }));
    const take = { spec: { holderIdentity: 'verifier' } };
    expect(sentences(await verifier.create(leases, { metadata: { name: `${theirs}-2` } }))).toEqual([OWN]);
    expect(sentences(await verifier.mergePatch(`${leases}/${theirs}`, take))).toEqual([OWN]);
    expect(sentences(await verifier.delete(`${leases}/${theirs}`))).toEqual([OWN]);
    const mine = `tokenwright-verifier-${run}`;
    expect(sentences(await verifier.create(leases, { metadata: { name: mine } }))).toEqual([]);
    expect(sentences(await verifier.mergePatch(`${leases}/${mine}`, take))).toEqual([]);
    for (const name of [theirs, mine]) expectOk(await admin.delete(`${leases}/${name}`));
  });
});
