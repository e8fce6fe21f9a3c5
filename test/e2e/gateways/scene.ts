/** What the gateways of one test file stand in: an operator that mints, verifiers, the API behind, and the address that leads to verifiers. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAuthority } from '../../../tools/controlplane/x509.ts';
import { expectOk } from '../../crds/api-server.ts';
import { cluster } from '../cluster.ts';
import { kubeconfigThrough } from '../harness/kubeconfig.ts';
import { ENVIRONMENT } from '../harness/manifests.ts';
import { SCRATCH } from '../harness/operator.ts';
import { ApiProxy } from '../harness/proxy.ts';
import { keyOfSecret, OPERATOR_NAMESPACE, type Stage, Theatre } from '../harness/stage.ts';
import { VerifierProcess } from '../harness/verifier.ts';
import { Backend } from './backend.ts';
import { type Surroundings, VERIFIER_HOST } from './doors.ts';
import { Impostor } from './impostor.ts';
import { Switchboard } from './switchboard.ts';

const AUDIENCES = '/apis/tokenwright.dev/v1alpha1/tokenaudiences';
const UPSTREAM_SECRET = 'provider';

/** Spec of ApiTokens by name. */
const TOKENS = {
  chat: { scopes: ['chat:write', 'reports:read'], owner: 'team-support@example.com' },
  models: { scopes: ['models:read'] },
  // a window that no test outlives
  limited: { scopes: ['chat:write'], rateLimits: [{ requests: 1, per: '1h' }] },
};

const ROUTES = [
  { methods: ['POST'], path: '/v1/chat/*', scopes: ['chat:write'] },
  { methods: ['GET', 'POST'], path: '/v1/models/*', scopes: ['models:read'] },
];

export interface Upstream {
  header: string;
  value: string;
}

export class Scene {
  readonly #theatre: Theatre;
  readonly #stage: Stage;
  readonly #proxy: ApiProxy;
  readonly #verifiers: { live: VerifierProcess; stale: VerifierProcess };
  readonly #switches: { http: Switchboard; grpc: Switchboard };
  readonly #impostor: Impostor;
  readonly backend: Backend;
  readonly audience: string;
  readonly #caFile: string;

  private constructor(parts: {
    theatre: Theatre;
    stage: Stage;
    proxy: ApiProxy;
    verifiers: { live: VerifierProcess; stale: VerifierProcess };
    switches: { http: Switchboard; grpc: Switchboard };
    impostor: Impostor;
    backend: Backend;
    caFile: string;
  }) {
    this.#theatre = parts.theatre;
    this.#stage = parts.stage;
    this.#proxy = parts.proxy;
    this.#verifiers = parts.verifiers;
    this.#switches = parts.switches;
    this.#impostor = parts.impostor;
    this.backend = parts.backend;
    this.audience = parts.stage.namespace;
    this.#caFile = parts.caFile;
  }

  static async open(): Promise<Scene> {
    const theatre = await Theatre.open('gateways');
    const stage = await theatre.stage();
    await stage.start();
    const { namespace, server } = stage;
    for (const [name, spec] of Object.entries(TOKENS)) await stage.issue(name, { audiences: [namespace], ...spec });
    // the namespace of the stage serves as the one for providers' keys, and its name as the audience
    expectOk(await server.create(AUDIENCES, audience(namespace, '1s')));
    const tls = await certificate();
    const flags = {
      environment: ENVIRONMENT,
      namespace: OPERATOR_NAMESPACE,
      'upstream-namespace': namespace,
      'bind-address': '127.0.0.1:0',
      'grpc-bind-address': '127.0.0.1:0',
      'metrics-bind-address': '127.0.0.1:0',
      'tls-cert-file': tls.certFile,
      'tls-key-file': tls.keyFile,
      'trusted-proxy': '127.0.0.1/32',
    };
    const proxy = await ApiProxy.open(stage.timeline.connection);
    const files = join(cluster().records, namespace);
    const stale = await VerifierProcess.start(
      { ...flags, kubeconfig: await kubeconfigThrough(proxy) },
      `${files}.stale`,
    );
    // cut off, it goes by the bound that it knows
    proxy.cut();
    expectOk(await server.mergePatch(`${AUDIENCES}/${namespace}`, { spec: { staleness: { max: '1h' } } }));
    const live = await VerifierProcess.start({ ...flags, kubeconfig: cluster().kubeconfig }, `${files}.live`);
    for (const name of Object.keys(TOKENS)) await stage.untilDelivered(name, 1);
    return new Scene({
      theatre,
      stage,
      proxy,
      verifiers: { live, stale },
      switches: { http: await Switchboard.open(), grpc: await Switchboard.open() },
      impostor: await Impostor.start(VERIFIER_HOST),
      backend: await Backend.start(),
      caFile: tls.caFile,
    });
  }

  get surroundings(): Surroundings {
    const { http, grpc } = this.#switches;
    return {
      audience: this.audience,
      caFile: this.#caFile,
      verifier: { port: http.port, grpcPort: grpc.port },
      backend: this.backend,
    };
  }

  get verifier(): VerifierProcess {
    return this.#verifiers.live;
  }

  get namespace(): string {
    return this.#stage.namespace;
  }

  token(name: keyof typeof TOKENS): string {
    const value = keyOfSecret(this.#stage.secret(name), 'token');
    if (value === undefined) throw new Error(`${name} has no value`);
    return value;
  }

  tokenID(name: keyof typeof TOKENS): string {
    return this.#stage.token(name)?.status?.tokenID ?? '';
  }

  use(which: 'live' | 'stale'): void {
    this.#switches.http.connectTo(this.#verifiers[which].port);
    this.#switches.grpc.connectTo(this.#verifiers[which].grpcPort);
  }

  /** One who says yes to everything. */
  useImpostor(): void {
    for (const one of Object.values(this.#switches)) one.connectTo(this.#impostor.port);
  }

  loseVerifier(how: 'refuse' | 'fallSilent'): void {
    this.#switches.http[how]();
    this.#switches.grpc[how]();
  }

  async undeclareAudience(): Promise<void> {
    expectOk(await this.#stage.server.delete(`${AUDIENCES}/${this.audience}`));
  }

  async declareAudience(): Promise<void> {
    expectOk(await this.#stage.server.create(AUDIENCES, audience(this.audience, '1h')));
  }

  async setUpstream(upstream: Upstream | null): Promise<void> {
    const spec = { upstream: upstream && { ...upstream, secretRef: { name: UPSTREAM_SECRET, key: 'key' } } };
    expectOk(await this.#stage.server.mergePatch(`${AUDIENCES}/${this.audience}`, { spec }));
  }

  async setProviderKey(key: string): Promise<void> {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: UPSTREAM_SECRET }, stringData: { key } };
    expectOk(await this.#stage.server.apply(this.#stage.path('secrets', UPSTREAM_SECRET), secret));
  }

  async removeProviderKey(): Promise<void> {
    await this.#stage.remove('secrets', UPSTREAM_SECRET);
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#verifiers).map((verifier) => verifier.stop()));
    await this.#stage.server.delete(`${AUDIENCES}/${this.audience}`);
    await Promise.all(Object.values(this.#switches).map((one) => one.close()));
    await this.#impostor.close();
    await this.backend.close();
    await this.#proxy.close();
    await this.#theatre.close();
  }
}

function audience(name: string, staleness: string) {
  return {
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind: 'TokenAudience',
    metadata: { name },
    spec: { environments: [ENVIRONMENT], routes: ROUTES, staleness: { max: staleness } },
  };
}

/** Of a verifier, as the documented gateways expect it. */
export async function certificate(): Promise<{ caFile: string; certFile: string; keyFile: string }> {
  const authority = createAuthority('verifiers');
  const pair = authority.issue({ commonName: VERIFIER_HOST, hosts: [VERIFIER_HOST], usages: ['server'] });
  const put = async (name: string, text: string) => {
    const file = join(SCRATCH, name);
    await writeFile(file, text, { mode: 0o600 });
    return file;
  };
  return {
    caFile: await put('verifier-ca.crt', authority.certificate),
    certFile: await put('verifier.crt', pair.certificate),
    keyFile: await put('verifier.key', pair.privateKey),
  };
}
