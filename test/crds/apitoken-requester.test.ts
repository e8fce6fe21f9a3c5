import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  REQUESTED_BY_ANNOTATION as CREATED_BY,
  ROTATE_REQUESTED_AT_ANNOTATION as ROTATE_AT,
  ROTATE_REQUESTED_BY_ANNOTATION as ROTATE_BY,
} from '../../src/api/names.ts';
import { type Answer, type ApiServer, canMark, expectOk, sentences, until } from './api-server.ts';
import { kubectl } from './kubectl.ts';
import { Policies } from './policies.ts';

type Json = Record<string, unknown>;

const GROUPS = ['system:masters', 'system:authenticated'];
const JANE = { name: 'jane', groups: GROUPS };
const KIM = { name: 'kim', groups: GROUPS };

let policies: Policies;
let jane: ApiServer;
let kim: ApiServer;
let marks: boolean;
let count = 0;

beforeAll(async () => {
  policies = await Policies.open('requester');
  await policies.namespace('team');
  jane = policies.admin.as(JANE);
  kim = policies.admin.as(KIM);
  marks = await canMark(policies.admin);
});
afterAll(() => policies?.close());

const fresh = () => {
  count += 1;
  return `token-${count}`;
};
const at = (name: string) => `${policies.tokens('team')}/${name}`;

/** The name of a new one of Jane's. */
async function existing(annotations: Json = {}): Promise<string> {
  const name = fresh();
  expectOk(await jane.create(policies.tokens('team'), policies.token({}, { name, annotations })));
  return name;
}

async function notes(name: string): Promise<Json> {
  const { annotations = {} } = expectOk(await policies.admin.get(at(name))).body.metadata as { annotations?: Json };
  return { created: annotations[CREATED_BY], rotates: annotations[ROTATE_BY] };
}

/** What is noted where the API server can; elsewhere nothing is. */
const noted = (created: string, rotates?: string) =>
  marks ? { created, rotates } : { created: undefined, rotates: undefined };
const annotate = (who: ApiServer, name: string, annotations: Json) =>
  who.mergePatch(at(name), { metadata: { annotations } });

describe('who creates an ApiToken', () => {
  it('is noted, and stays so whoever edits it', async () => {
    const name = await existing();
    expectOk(await kim.mergePatch(at(name), { spec: { owner: 'kim' } }));
    expectOk(await kim.apply(at(name), policies.token({ owner: 'kim' }, { name }), 'gitops'));
    expect(await notes(name)).toEqual(noted('jane'));
  });

  it.each<[string, (name: string) => Promise<Answer>]>([
    ['another is named', (name) => annotate(kim, name, { [CREATED_BY]: 'kim' })],
    [
      'server-side apply names another',
      (name) => kim.apply(at(name), policies.token({}, { name, annotations: { [CREATED_BY]: 'kim' } })),
    ],
  ])('cannot be changed: %s', async (_, act) => {
    const name = await existing();
    expect(sentences(await act(name))).toEqual([
      `${marks ? 'keep' : 'leave out'} the annotation ${CREATED_BY}, which names who creates the ApiToken`,
    ]);
    expect(await notes(name)).toEqual(noted('jane'));
  });

  it('cannot be set by hand', async () => {
    const name = fresh();
    const answer = await jane.create(
      policies.tokens('team'),
      policies.token({}, { name, annotations: { [CREATED_BY]: 'kim' } }),
    );
    // what can note overwrites it
    expect(sentences(answer)).toEqual(
      marks ? [] : [`leave out the annotation ${CREATED_BY}, which names who creates the ApiToken`],
    );
    if (marks) expect(await notes(name)).toEqual(noted('jane'));
  });

  it.each([
    ['removed', (name: string) => annotate(kim, name, { [CREATED_BY]: null })],
    ['replaced without it', (name: string) => replaced(name)],
  ])('outlives that it is %s', async (_, act) => {
    const name = await existing();
    expect(sentences(await act(name))).toEqual([]);
    expect(await notes(name)).toEqual(noted('jane'));
  });

  async function replaced(name: string): Promise<Answer> {
    const { resourceVersion } = expectOk(await kim.get(at(name))).body.metadata as Json;
    return kim.replace(at(name), policies.token({}, { name, resourceVersion }));
  }
});

describe('kubectl', () => {
  it.each([
    ['apply', ['apply'], ['apply']],
    ['apply --server-side', ['apply', '--server-side'], ['apply', '--server-side']],
    ['replace', ['create'], ['replace']],
    ['replace --force', ['create'], ['replace', '--force']],
    ['apply after server-side apply', ['apply', '--server-side'], ['apply']],
  ])('is not disturbed by the note: %s', async (_, first, then) => {
    const name = fresh();
    const namespace = `${policies.run}-team`;
    for (const [args, owner] of [
      [first, 'a'],
      [then, 'b'],
      [then, 'c'],
    ] as const) {
      const manifest = JSON.stringify(policies.token({ owner }, { name }));
      const { stdout, stderr } = await kubectl(namespace, [...args, '-f', '-'], manifest);
      // kubectl warns once of an object that it did not apply before
      expect([stdout, stderr.replace(/^Warning: resource .*missing the kubectl.*\n/, '')]).toEqual([
        expect.stringContaining(name),
        '',
      ]);
      expect(expectOk(await policies.admin.get(at(name))).body.spec).toMatchObject({ owner });
    }
    // of who the kubeconfig is
    expect(await notes(name)).toEqual(noted('admin'));
  });
});

describe('who asks for a rotation', () => {
  it('is noted with each request, and with none other', async () => {
    const name = await existing();
    expectOk(await annotate(kim, name, { [ROTATE_AT]: '1' }));
    expect(await notes(name)).toEqual(noted('jane', 'kim'));
    expectOk(await jane.mergePatch(at(name), { spec: { owner: 'jane' } }));
    expect(await notes(name)).toEqual(noted('jane', 'kim'));
    expectOk(await annotate(jane, name, { [ROTATE_AT]: '2' }));
    expect(await notes(name)).toEqual(noted('jane', 'jane'));
    expectOk(await annotate(kim, name, { [ROTATE_AT]: null }));
    expect(await notes(name)).toEqual(noted('jane', 'jane'));
  });

  it('is noted where the request comes with the ApiToken', async () => {
    expect(await notes(await existing({ [ROTATE_AT]: '1' }))).toEqual(noted('jane', 'jane'));
  });

  it('cannot be named by another', async () => {
    const name = await existing();
    expectOk(await annotate(jane, name, { [ROTATE_AT]: '1' }));
    const says = [`leave out the annotation ${ROTATE_BY}, which names who asks for a rotation`];
    expect(sentences(await annotate(kim, name, { [ROTATE_BY]: 'kim' }))).toEqual(says);
    // what can note overwrites it
    expect(sentences(await annotate(kim, name, { [ROTATE_AT]: '2', [ROTATE_BY]: 'jane' }))).toEqual(marks ? [] : says);
    expect(await notes(name)).toEqual(noted('jane', 'kim'));
  });

  it('outlives that it is removed, as long as the request stands', async () => {
    const name = await existing({ [ROTATE_AT]: '1' });
    expectOk(await annotate(kim, name, { [ROTATE_BY]: null }));
    expect(await notes(name)).toEqual(noted('jane', 'jane'));
  });
});

describe('the right to rotate', () => {
  const lee = () => `requester-${policies.run}`;
  const roles = () => `/apis/rbac.authorization.k8s.io/v1/namespaces/${policies.run}-team`;
  const grant = async (name: string, rule: Json) => {
    const metadata = { name };
    expectOk(
      await policies.admin.create(`${roles()}/roles`, {
        metadata,
        rules: [{ apiGroups: ['tokenwright.dev'], ...rule }],
      }),
    );
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name };
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: lee() }];
    expectOk(await policies.admin.create(`${roles()}/rolebindings`, { metadata, roleRef, subjects }));
  };
  const ask = (name: string, value: string | null = 'now') =>
    annotate(policies.admin.as({ name: lee() }), name, { [ROTATE_AT]: value });
  let own: string;
  let other: string;

  beforeAll(async () => {
    own = await existing();
    other = await existing({ [ROTATE_AT]: '1' });
    await grant('patch', { resources: ['apitokens'], verbs: ['patch'] });
    await grant('rotate', { resources: ['apitokens'], resourceNames: [own], verbs: ['rotate'] });
    await until('the roles are known', async () => (await ask(own)).status === 200);
  });

  it('is asked for besides that to patch, by the name of the ApiToken', async () => {
    expect(sentences(await ask(own, 'again'))).toEqual([]);
    expect(sentences(await ask(other))).toEqual([
      `get the verb rotate on apitokens first, or leave the annotation ${ROTATE_AT} as it is`,
    ]);
  });

  it('is not asked for where nothing is rotated', async () => {
    const patch = { metadata: { annotations: { note: 'x' } }, spec: { state: 'Suspended' } };
    expect(sentences(await policies.admin.as({ name: lee() }).mergePatch(at(other), patch))).toEqual([]);
    expect(sentences(await ask(other, null))).toEqual([]);
  });
});
