/** What verifiers do with theirs. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { freePort } from '../../../tools/controlplane/free-port.ts';
import { createAuthority } from '../../../tools/controlplane/x509.ts';
import { chart, root } from '../binaries.ts';
import { ask, type Gateway } from '../gateway.ts';
import {
  accountKubeconfig,
  apply,
  exists,
  folder,
  get,
  helm,
  kubectl,
  OWN,
  type Revocation,
  settings,
  startVerifier,
  until,
  verifier,
  waited,
} from '../installation.ts';
import type { Manifest } from '../manifests.ts';

export function verifiersOfProduction(): void {
  const PROVIDER_KEY = 'of-the-provider';
  const servername = `tokenwright-verifier-production.${OWN}.svc`;
  const authority = createAuthority('tests');
  let pod: string;
  let gateway: Gateway;
  /** Of who may ask a verifier about everything, and of who may not. */
  let caller: string;
  let stranger: string;

  const secretToken = async () => {
    const secret = await get<Manifest & { data: { token: string } }>('secret/summarizer-token', '-n', 'support');
    return Buffer.from(secret.data.token, 'base64').toString();
  };
  const authorize = (token: string) => ask(gateway, '/authorize?audience=ai-gateway&scope=chat:write', token);

  async function callerToken(name: string, ...roles: string[]): Promise<string> {
    await kubectl('create', 'serviceaccount', name, '-n', 'support');
    for (const role of roles) {
      const [from, to] = [`--clusterrole=tokenwright-${role}`, `--serviceaccount=support:${name}`];
      await kubectl('create', 'clusterrolebinding', `${name}-${role}`, from, to);
    }
    return (await kubectl('create', 'token', name, '-n', 'support', '--audience=tokenwright.dev')).trim();
  }

  test('are installed by an upgrade', async () => {
    const { certificate, privateKey } = authority.issue({
      commonName: servername,
      hosts: [servername],
      usages: ['server'],
    });
    const tls = join(folder, 'tls');
    await mkdir(tls);
    await writeFile(join(tls, 'tls.crt'), certificate);
    await writeFile(join(tls, 'tls.key'), privateKey, { mode: 0o600 });
    const files = [`--cert=${join(tls, 'tls.crt')}`, `--key=${join(tls, 'tls.key')}`];
    await kubectl('create', 'secret', 'tls', 'verifier-tls', '-n', OWN, ...files);
    await kubectl(
      'create',
      'secret',
      'generic',
      'ai-provider',
      '-n',
      'tokenwright-upstreams',
      `--from-literal=api-key=${PROVIDER_KEY}`,
    );
    gateway = { port: await freePort(), servername, ca: authority.certificate };
    settings.push(
      '--set=verifiers.production.tls.secretName=verifier-tls',
      `--set=verifiers.production.port=${gateway.port}`,
      `--set=verifiers.production.metricsPort=${await freePort()}`,
    );
    await helm('upgrade', 'tokenwright', chart, ...waited, ...settings);
    const selector = 'app.kubernetes.io/component=verifier,tokenwright.dev/environment=production';
    const { items } = await get<Manifest & { items: Manifest[] }>('pods', '-n', OWN, '-l', selector);
    expect(items).toHaveLength(2);
    pod = items[0]?.metadata.name ?? '';
  });

  test("become ready by a token that is bound to their pod, and keep the pod's Lease", async () => {
    const bound = ['--bound-object-kind=Pod', `--bound-object-name=${pod}`];
    const kubeconfig = await accountKubeconfig('tokenwright-verifier', ...bound);
    const volumes = { tls: join(folder, 'tls') };
    await startVerifier('deployment/tokenwright-verifier-production', { kubeconfig, pod, volumes });
    await until('its Lease is there', () => exists(`lease/tokenwright-verifier-${pod}`, '-n', OWN));
  });

  test("say yes to a token that the operator minted, and put the provider's key in its place", async () => {
    expect(await authorize(await secretToken())).toMatchObject({
      status: 200,
      headers: { 'x-tokenwright-subject': 'agent:summarizer', authorization: `Bearer ${PROVIDER_KEY}` },
    });
    expect(await authorize('twk_production_unknown')).toMatchObject({ status: 401 });
  });

  test('answer who has the roles for it, and nobody else', async () => {
    caller = await callerToken('caller', 'introspector', 'metrics-reader', 'last-use-reader');
    stranger = await callerToken('stranger');
    const { uid } = (await get<Manifest & { metadata: { uid: string } }>('apitoken/summarizer', '-n', 'support'))
      .metadata;
    const form = { token: await secretToken(), audience: 'ai-gateway' };
    const introspect = (by: string) => ask(gateway, '/introspect', by, form);
    const lastUse = (by: string) => ask(gateway, `/last-use?uid=${uid}`, by);
    expect(JSON.parse((await introspect(caller)).body)).toMatchObject({
      active: true,
      sub: 'support/agent:summarizer',
    });
    expect(JSON.parse((await lastUse(caller)).body)).toMatchObject({ versions: [{ uid }] });
    expect(await verifier?.metrics(caller)).toContain('tokenwright_verdicts_total');
    expect([await introspect(stranger), await lastUse(stranger)]).toMatchObject([{ status: 403 }, { status: 403 }]);
    expect(await verifier?.metrics(stranger)).toBe('403');
  });

  test('refuse what is revoked, and leave a receipt in the name of their pod', async () => {
    const leaked = await secretToken();
    await apply({
      apiVersion: 'tokenwright.dev/v1alpha1',
      kind: 'TokenRevocation',
      metadata: { name: 'at-the-gateway', namespace: 'support' },
      spec: { match: { name: 'summarizer' }, reason: 'Compromised' },
    });
    await until('the token is refused', async () => (await authorize(leaked)).status === 401);
    await until('the receipt is there', async () => {
      const { status } = await get<Revocation>('tokenrevocation/at-the-gateway', '-n', 'support');
      return (
        status?.receipts?.some((receipt) => receipt.verifier === pod && receipt.environment === 'production') ?? false
      );
    });
    await until('its successor is taken', async () => (await authorize(await secretToken())).status === 200);
  });

  test('are refused nothing by the API server, have what the alerts ask for, and end in peace', async () => {
    const metrics = await verifier?.metrics(caller);
    expect(metrics).toMatch(/tokenwright_api_calls_total\{[^}]*code="20[01]"/);
    expect(metrics).not.toMatch(/tokenwright_api_calls_total\{[^}]*code="40[13]"/);
    expect(verifier?.stderr).not.toMatch(/Forbidden/);
    const rules = parse(await readFile(join(root, 'deploy/alerts/tokenwright.rules.yaml'), 'utf8'));
    const [asked] = rules.groups.filter(({ name }: { name: string }) => name === 'tokenwright-verifier');
    for (const name of JSON.stringify(asked).match(/tokenwright_\w+/g) ?? [])
      expect(metrics).toContain(`# TYPE ${name} `);
    expect(verifier?.stdout).toContain('"outcome":"Allowed"');
    expect(await verifier?.stop()).toBe(0);
  });
}
