import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TokenPolicySpec } from '../../src/api/token-policy.ts';
import { tokenwright } from '../cli/built.ts';
import { kubeconfig } from '../e2e/harness/kubeconfig.ts';
import { type Answer, API, type ApiServer, expectOk, OPERATOR, sentences, VERIFIER } from './api-server.ts';
import { kubectl } from './kubectl.ts';
import { Policies, warned } from './policies.ts';

type Json = Record<string, unknown>;

/** May do everything, but is not the operator. */
const REQUESTING = { name: 'policy-requester', groups: ['system:masters', 'system:authenticated'] };

let policies: Policies;
let user: ApiServer;
let count = 0;

beforeAll(async () => {
  policies = await Policies.open('governed');
  user = policies.admin.as(REQUESTING);
  for (const name of ['support', 'audited', 'narrowed', 'elsewhere']) await policies.namespace(name, { team: name });
  await policies.enforce(
    policies.manifest('support', {
      match: policies.match({ team: 'support' }),
      allow: {
        environments: ['production', 'staging'],
        subjects: ['agent:*'],
        audiences: ['ai-gateway'],
        scopes: ['chat:*'],
      },
      bounds: { ttl: { max: '24h' } },
    }),
    // more than the one above allows, and less
    policies.manifest('wider', { match: policies.match({ team: 'support' }), allow: { scopes: ['*', '*:*'] } }),
    policies.manifest('limits', { match: policies.match({ team: 'support' }), require: ['RateLimits'] }),
  );
});
afterAll(() => policies?.close());

const ALLOWED = { scopes: ['chat:write'], rateLimits: [{ requests: 60, per: '1m' }] };
const says = (policy: string, sentence: string) => `TokenPolicy ${policies.run}-${policy}, rule ${sentence}`;
const ADMIN_SCOPE = () => [says('support', 'Scopes: asked for admin:all; allowed: chat:*')];

/** The path of a new one. */
async function existing(spec: Json = ALLOWED, namespace = 'support'): Promise<string> {
  count += 1;
  const name = `token-${count}`;
  expectOk(await user.create(policies.tokens(namespace), policies.token(spec, { name })));
  return `${policies.tokens(namespace)}/${name}`;
}

describe('an ApiToken that asks for more than policies allow is refused', () => {
  it.each<[string, Json, string, string]>([
    [
      'for the subject of another team',
      { subject: 'service:billing' },
      'support',
      'Subjects: asked for service:billing; allowed: agent:*',
    ],
    [
      'for an environment that it invents',
      { environment: 'prod' },
      'support',
      'Environments: asked for prod; allowed: production, staging',
    ],
    [
      'though another policy allows it',
      { scopes: ['chat:x', 'admin:all'] },
      'support',
      'Scopes: asked for admin:all; allowed: chat:*',
    ],
    [
      'with an empty list, as without the field',
      { rateLimits: [] },
      'limits',
      'RateLimits: asked without rate limits; allowed: with spec.rateLimits',
    ],
  ])('%s', async (_, spec, policy, sentence) => {
    expect(sentences(await policies.tryToken('support', { ...ALLOWED, ...spec }))).toEqual([says(policy, sentence)]);
  });

  it('without the field, as with an empty list', async () => {
    const { rateLimits: _, ...without } = ALLOWED;
    expect(sentences(await policies.tryToken('support', without))).toEqual([
      says('limits', 'RateLimits: asked without rate limits; allowed: with spec.rateLimits'),
    ]);
  });

  it('yet may ask for no scopes at all', async () => {
    for (const scopes of [[], undefined])
      expect(sentences(await policies.tryToken('support', { ...ALLOWED, scopes }))).toEqual([]);
  });

  it('and so is one of the same words in another namespace not', async () => {
    expect(sentences(await policies.tryToken('elsewhere', { ...ALLOWED, scopes: ['admin:all'] }))).toEqual([]);
  });

  const WIDER = { ...ALLOWED, scopes: ['admin:all'] };
  it.each<[string, () => Promise<Answer>]>([
    ['created', () => user.create(policies.tokens('support'), policies.token(WIDER, { name: 'wider' }))],
    ['created under a generated name', () => policies.tryToken('support', WIDER, { generateName: 'wider-' })],
    [
      'created by server-side apply',
      () => user.apply(`${policies.tokens('support')}/wider`, policies.token(WIDER, { name: 'wider' })),
    ],
    [
      'created by the operator',
      () => policies.admin.as(OPERATOR).create(policies.tokens('support'), policies.token(WIDER)),
    ],
    [
      'labelled as its namespace is not',
      () => policies.tryToken('support', WIDER, { name: 'wider', labels: { team: 'elsewhere' } }),
    ],
    ['created suspended', () => policies.tryToken('support', { ...WIDER, state: 'Suspended' })],
    ['edited after it was created', async () => user.mergePatch(await existing(), { spec: { scopes: ['admin:all'] } })],
    [
      'suspended and widened at once',
      async () => user.mergePatch(await existing(), { spec: { scopes: ['admin:all'], state: 'Suspended' } }),
    ],
    [
      'edited by JSON patch',
      async () => user.jsonPatch(await existing(), [{ op: 'replace', path: '/spec/scopes/0', value: 'admin:all' }]),
    ],
    [
      'joined by another manager, whose scopes are added',
      async () => {
        const at = await existing();
        const name = at.split('/').at(-1);
        const spec = { scopes: ['admin:all'] };
        return user.apply(
          at,
          { apiVersion: 'tokenwright.dev/v1alpha1', kind: 'ApiToken', metadata: { name }, spec },
          'other',
        );
      },
    ],
    [
      'replaced',
      async () => {
        const at = await existing();
        const { body } = expectOk(await user.get(at));
        return user.replace(at, { ...body, spec: { ...(body.spec as Json), scopes: ['admin:all'] } });
      },
    ],
  ])('%s', async (_, act) => {
    expect(sentences(await act())).toEqual(ADMIN_SCOPE());
  });

  it('by kubectl, which shows the sentence', async () => {
    const at = await existing();
    const namespace = `${policies.run}-support`;
    const manifest = JSON.stringify(policies.token(WIDER, { name: at.split('/').at(-1) }));
    for (const args of [
      ['replace'],
      ['apply'],
      ['apply', '--server-side', '--force-conflicts'],
      ['apply', '--dry-run=server'],
    ]) {
      const { stderr } = await kubectl(namespace, [...args, '-f', '-'], manifest);
      expect([args, stderr]).toEqual([args, expect.stringContaining(ADMIN_SCOPE()[0] ?? '')]);
    }
  });

  it('in the sentence of `tokenwright policy check`', async () => {
    const namespace = `${policies.run}-support`;
    const env = { KUBECONFIG: await kubeconfig(namespace, { namespace }) };
    const input = JSON.stringify(policies.token(WIDER));
    const { code, stdout } = await tokenwright(['policy', 'check', '-f', '-'], { env, input });
    expect({ code, stdout }).toEqual({
      code: 4,
      stdout: `stdin:1: ApiToken ${namespace}/token\n  error    ${ADMIN_SCOPE()[0]}\n`,
    });
  });

  it('and its status opens nothing, since only the operator writes it', async () => {
    const at = await existing();
    for (const one of [user, policies.admin.as(VERIFIER)])
      expect(sentences(await one.mergePatch(`${at}/status`, { status: { lastVersion: 1 } }))).toEqual([
        "change the spec of the ApiToken instead, since only Tokenwright's operator writes its status",
      ]);
    // the spec in a write of the status is left as it is
    expectOk(await policies.admin.as(OPERATOR).mergePatch(`${at}/status`, { spec: WIDER }));
    expect(expectOk(await user.get(at)).body.spec).toMatchObject(ALLOWED);
  });
});

describe('the status of a TokenPolicy', () => {
  const ALONE = "change the spec of the TokenPolicy instead, since only Tokenwright's operator writes its status";
  const status = { tokens: 3, violating: 0 };
  let at: string;
  beforeAll(() => {
    at = `${API}/tokenpolicies/${policies.run}-limits`;
  });

  it.each<[string, () => ApiServer]>([
    ['whoever may do everything', () => user],
    ['a verifier', () => policies.admin.as(VERIFIER)],
    [
      'an account of the same name in another namespace',
      () => policies.admin.as({ ...OPERATOR, name: 'system:serviceaccount:other:tokenwright-operator' }),
    ],
  ])('is not written by %s', async (_, who) => {
    const { body } = expectOk(await user.get(at));
    const { apiVersion, kind, metadata } = policies.manifest('limits', {});
    expect(sentences(await who().mergePatch(`${at}/status`, { status }))).toEqual([ALONE]);
    expect(sentences(await who().replace(`${at}/status`, { ...body, status }))).toEqual([ALONE]);
    expect(sentences(await who().apply(`${at}/status`, { apiVersion, kind, metadata, status }))).toEqual([ALONE]);
  });

  it('is written by the operator, and stays when others write the spec', async () => {
    expectOk(await policies.admin.as(OPERATOR).mergePatch(`${at}/status`, { status }));
    const { body } = expectOk(await user.mergePatch(at, { status: { tokens: 0 }, metadata: { labels: { a: 'b' } } }));
    expect(body.status).toEqual(status);
  });
});

describe('a policy in mode Audit', () => {
  const audit = (name: string, spec: Partial<TokenPolicySpec>) =>
    policies.manifest(name, { match: policies.match({ team: 'audited' }), mode: 'Audit', ...spec });

  it('admits what it warns of, in the sentence in which it would refuse', async () => {
    await policies.enforce(
      audit('audit', { require: ['Owner'] }),
      audit('audit-ttl', { bounds: { ttl: { max: '1h' } } }),
    );
    const answer = await user.create(policies.tokens('audited'), policies.token());
    expect(sentences(answer)).toEqual([]);
    expect(warned(answer)).toEqual([
      says('audit', 'Owner: asked without an owner; allowed: with spec.owner'),
      says('audit-ttl', 'TTL: asked for a ttl of 24h; allowed: at most 1h'),
    ]);
    expect(warned(await policies.tryToken('audited', { owner: 'team', ttl: '1h' }))).toEqual([]);
  });

  it('warns who uses kubectl', async () => {
    const { stdout, stderr } = await kubectl(
      `${policies.run}-audited`,
      ['create', '-f', '-'],
      JSON.stringify(policies.token({}, { name: 'kubectl' })),
    );
    expect(stderr).toContain(says('audit', 'Owner: asked without an owner; allowed: with spec.owner'));
    expect(stdout).toContain('created');
  });
});

describe('a policy that was narrowed', () => {
  let refusal: string[];
  const narrowed: Json = { scopes: ['chat:write', 'models:list'], ttl: '24h' };
  beforeAll(() => {
    refusal = [says('narrowed', 'Scopes: asked for chat:write, models:list; allowed: search:*')];
  });
  /** Of a token that the policy allowed once. */
  const victim = async (spec: Json = {}) => {
    await policies.enforce(policies.manifest('narrowed', { match: policies.match({ team: 'elsewhere' }) }));
    const at = await existing({ ...narrowed, ...spec }, 'narrowed');
    const match = policies.match({ team: 'narrowed' });
    await policies.enforce(policies.manifest('narrowed', { match, allow: { scopes: ['search:*'] } }));
    return at;
  };

  it.each<[string, (at: string) => Promise<Answer>]>([
    ['suspending', (at) => user.mergePatch(at, { spec: { state: 'Suspended' } })],
    ['annotating', (at) => user.mergePatch(at, { metadata: { annotations: { note: 'x' } } })],
    ['labelling', (at) => user.mergePatch(at, { metadata: { labels: { team: 'x' } } })],
    [
      'asking for a rotation',
      (at) => user.mergePatch(at, { metadata: { annotations: { 'tokenwright.dev/rotate-requested-at': 'x' } } }),
    ],
    ['letting a finalizer go', (at) => user.mergePatch(at, { metadata: { finalizers: null } })],
    ['applying it again as it is', async (at) => user.replace(at, expectOk(await user.get(at)).body)],
    ['deleting', (at) => user.delete(at)],
  ])('locks nobody out of %s', async (_, act) => {
    expect(sentences(await act(await victim()))).toEqual([]);
  });

  it('locks nobody out of ending what is held by a finalizer', async () => {
    const at = await victim();
    expectOk(await user.mergePatch(at, { metadata: { finalizers: ['example.com/hold'] } }));
    expectOk(await user.delete(at));
    expect(sentences(await user.mergePatch(at, { metadata: { finalizers: null }, spec: { ttl: '2h' } }))).toEqual([]);
    expect((await user.get(at)).status).toBe(404);
  });

  it.each<[string, Json, Json]>([
    ['narrows, and still asks for too much', {}, { ttl: '1h' }],
    ['takes an empty list of rate limits away', { rateLimits: [] }, { rateLimits: null }],
    ['resumes', { state: 'Suspended' }, { state: 'Active' }],
    ['resumes by leaving the state out', { state: 'Suspended' }, { state: null }],
  ])('refuses an edit that %s', async (_, before, spec) => {
    expect(sentences(await user.mergePatch(await victim(before), { spec }))).toEqual(refusal);
  });

  it('admits an edit that asks for what it allows', async () => {
    expect(sentences(await user.mergePatch(await victim(), { spec: { scopes: ['search:read'] } }))).toEqual([]);
  });
});
