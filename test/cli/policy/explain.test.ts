/** `tokenwright policy explain`, offline. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { tokenwright } from '../built.ts';
import { documents, namespace, policy, SPEC, token } from './manifests.ts';

const AT_NIGHT = { days: ['Mon' as const, 'Sun' as const], from: '22:00', to: '06:00', timeZone: 'Europe/Berlin' };
const GIVEN = documents(
  namespace('support', { tier: 'prod', team: 'a' }),
  policy('wide', {
    allow: { scopes: ['chat:*', 'models:*'] },
    conditionsOfUse: { sourceCIDRs: ['10.0.0.0/8', '192.168.0.0/16'] },
  }),
  policy('narrow', {
    match: {
      namespaces: {
        matchLabels: { tier: 'prod' },
        matchExpressions: [
          { key: 'team', operator: 'In', values: ['a', 'b'] },
          { key: 'old', operator: 'DoesNotExist' },
        ],
      },
    },
    allow: { audiences: ['ai-gateway'] },
    deny: { scopes: ['models:*'] },
    conditionsOfUse: { sourceCIDRs: ['10.1.0.0/16'], hours: [AT_NIGHT] },
  }),
  policy('watched', { mode: 'Audit', require: ['Owner'] }),
  policy('elsewhere', { match: { namespaces: { matchLabels: { tier: 'dev' } } } }),
  token('summarizer', { audiences: ['ai-gateway', 'billing'], scopes: ['chat:write', 'models:gpt-4o', 'files:read'] }),
  token('lonely', {}, { namespace: 'nowhere' }),
);

const explain = (args: readonly string[], input = GIVEN) =>
  tokenwright(['policy', 'explain', '-f', '-', ...args], { input });

describe('tokenwright policy explain', () => {
  it('tells what each policy allows and forbids, and what is left', async () => {
    const { code, stdout, stderr } = await explain(['support/summarizer']);
    expect(stdout.replace(/\n {16}not now\n$/, '\n')).toBe(`\
ApiToken support/summarizer may not be minted

TokenPolicy narrow, Enforce, matches namespaces with tier=prod,team in (a,b),!old
  allows        environments production; audiences ai-gateway; scopes chat:write, files:read
  forbids       TokenPolicy narrow, rule Audiences: asked for billing; allowed: ai-gateway
                TokenPolicy narrow, rule DeniedScopes: asked for models:gpt-4o; denied: models:*
  only from     10.1.0.0/16
  only at       Mon Sun 22:00 to 06:00 Europe/Berlin

TokenPolicy watched, Audit, matches every namespace
  allows        environments production; audiences ai-gateway, billing; scopes chat:write, models:gpt-4o, files:read
  forbids       TokenPolicy watched, rule Owner: asked without an owner; allowed: with spec.owner

TokenPolicy wide, Enforce, matches every namespace
  allows        environments production; audiences ai-gateway, billing; scopes chat:write, models:gpt-4o
  forbids       TokenPolicy wide, rule Scopes: asked for files:read; allowed: chat:*, models:*
  only from     10.0.0.0/8, 192.168.0.0/16

Does not match: elsewhere

What is left of it for use, of living tokens too
  environments  production
  audiences     ai-gateway
  scopes        chat:write
  sources       10.1.0.0/16 (narrow)
  and           10.0.0.0/8, 192.168.0.0/16 (wide)
  hours         Mon Sun 22:00 to 06:00 Europe/Berlin (narrow)
`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('gives the same as an object', async () => {
    const { stdout } = await explain(['-n', 'support', 'summarizer', '-o', 'json']);
    const told = JSON.parse(stdout);
    expect(told).toMatchObject({
      namespace: 'support',
      name: 'summarizer',
      mayBeMinted: false,
      doNotMatch: ['elsewhere'],
    });
    expect(told.violations.map(({ policy, rule }: { policy: string; rule: string }) => `${policy}/${rule}`)).toEqual([
      'narrow/Audiences',
      'narrow/DeniedScopes',
      'wide/Scopes',
    ]);
    expect(told.left).toEqual({
      environments: ['production'],
      audiences: ['ai-gateway'],
      scopes: ['chat:write'],
      sources: [
        { policy: 'narrow', anyOf: ['10.1.0.0/16'] },
        { policy: 'wide', anyOf: ['10.0.0.0/8', '192.168.0.0/16'] },
      ],
      hours: [{ policy: 'narrow', anyOf: ['Mon Sun 22:00 to 06:00 Europe/Berlin'] }],
      now: expect.any(Boolean),
    });
    expect(parse((await explain(['support/summarizer', '-o', 'yaml'])).stdout)).toEqual(told);
  });

  it('says of a namespace that no policy matches that it takes one', async () => {
    const only = documents(
      policy('a', { match: { namespaces: { matchLabels: { tier: 'dev' } } } }),
      token('lonely', {}, { namespace: 'nowhere' }),
    );
    const { stdout, stderr } = await explain(['nowhere/lonely'], only);
    expect(stdout).toContain(
      'nowhere/lonely may not be minted\n                no TokenPolicy in mode Enforce matches namespace nowhere',
    );
    expect(stderr).toMatch(/^No labels are known of the namespace nowhere, /);
    const allowed = await explain(['nowhere/lonely', '--default-policy=Allow'], only);
    expect(allowed.stdout).toMatch(/^ApiToken nowhere\/lonely may be minted\n/);
  });

  it('leaves nothing where the environment is not allowed', async () => {
    const given = documents(policy('a', { allow: { environments: ['staging'] } }), token('a'));
    const { stdout } = await explain(['support/a', '-o', 'json'], given);
    expect(JSON.parse(stdout).left).toMatchObject({ environments: [], audiences: [], scopes: [] });
    expect((await explain(['support/a'], given)).stdout).toContain('  allows        nothing of it\n');
  });

  it.each<[string[], number, RegExp]>([
    [['support/none'], 1, /^The files declare no ApiToken support\/none\.\n$/],
    [['summarizer'], 1, /^The files declare no ApiToken default\/summarizer\.\n$/],
    [['a/b/c'], 2, /^NAME must be the name of an ApiToken, or NAMESPACE\/NAME, not "a\/b\/c"\.\n/],
    [[], 2, /^NAME is missing\.\n/],
  ])('%j ends with %i', async (args, code, says) => {
    expect(await explain(args)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(says) });
  });

  it.each([
    [
      'that is there twice',
      documents(policy('p'), token('a'), token('a')),
      'The files declare ApiToken support/a at stdin:4, stdin:6: give one of them.\n',
    ],
    ['that is none', documents(policy('p'), token('a', { ttl: undefined })), 'stdin:4: spec.ttl is missing.\n'],
  ])('fails for one %s', async (_, input, stderr) => {
    expect(await explain(['support/a'], input)).toEqual({ code: 1, stdout: '', stderr });
  });

  it('takes no field that is null for one that is given', async () => {
    const given = documents(
      policy('p', { require: ['Owner'], deny: null as never }),
      token('a', { ...SPEC, owner: null }),
    );
    expect((await explain(['support/a'], given)).stdout).toContain('rule Owner: asked without an owner');
  });
});
