/** TokenPolicies that a test makes, for namespaces of its own: the API server is shared, and no test is hit by another's policies. */
import type { TokenPolicyManifest, TokenPolicyMatch, TokenPolicySpec } from '../../src/api/token-policy.ts';
import type { Namespace } from '../../src/domain/policy/policy.ts';
import { cluster } from '../e2e/cluster.ts';
import { type Answer, API, ApiServer, expectOk, installApi, sentences, UNGOVERNED, until } from './api-server.ts';
import { LEAST } from './apitoken-tables.ts';

type Json = Record<string, unknown>;

const RUN = 'test.tokenwright.dev/run';
const TOKEN_POLICIES = `${API}/tokenpolicies`;

export class Policies {
  readonly admin: ApiServer;
  /** In every name. */
  readonly run: string;
  readonly #names = new Set<string>();
  readonly #namespaces: string[] = [];
  #rounds = 0;

  private constructor(admin: ApiServer, name: string) {
    this.admin = admin;
    this.run = `${name}-${process.pid}-${Date.now().toString(36)}`;
  }

  static async open(name: string): Promise<Policies> {
    const made = new Policies(await ApiServer.open(cluster().kubeconfig), name);
    await installApi(made.admin);
    await made.namespace('sentinel', { [`${RUN}-sentinel`]: made.run });
    return made;
  }

  /** Its labels are as the API server has them. */
  async namespace(name: string, labels: Record<string, string> = {}): Promise<Namespace> {
    // what the whole suite is governed by leaves it alone
    const metadata = { name: `${this.run}-${name}`, labels: { [UNGOVERNED]: '', [RUN]: this.run, ...labels } };
    const { body } = expectOk(await this.admin.create('/api/v1/namespaces', { metadata }));
    this.#namespaces.push(metadata.name);
    return body.metadata as Namespace;
  }

  /** Of this test's namespaces, those with the labels. */
  match(matchLabels: Record<string, string> = {}): TokenPolicyMatch {
    return { namespaces: { matchLabels: { [RUN]: this.run, ...matchLabels } } };
  }

  manifest(name: string, spec: Partial<TokenPolicySpec>): TokenPolicyManifest {
    return {
      apiVersion: 'tokenwright.dev/v1alpha1',
      kind: 'TokenPolicy',
      metadata: { name: `${this.run}-${name}` },
      spec: { match: this.match(), ...spec },
    };
  }

  /** Writes them, and waits until the API server judges by them: it learns of policies in the order in which they were written. */
  async enforce(...manifests: readonly TokenPolicyManifest[]): Promise<void> {
    this.#rounds += 1;
    const round = `round:${this.#rounds}`;
    const match = { namespaces: { matchLabels: { [`${RUN}-sentinel`]: this.run } } };
    for (const policy of manifests) await this.#write(policy);
    await this.#write(this.manifest('sentinel', { match, deny: { scopes: [round] } }));
    await until('the policies are enforced', async () => {
      const answer = await this.tryToken('sentinel', { scopes: [round] });
      return sentences(answer).some((sentence) => sentence.endsWith(`denied: ${round}`));
    });
  }

  tokens(namespace: string): string {
    return `${API}/namespaces/${this.run}-${namespace}/apitokens`;
  }

  token(spec: Json = {}, metadata: Json = { name: 'token' }): Json {
    return { apiVersion: 'tokenwright.dev/v1alpha1', kind: 'ApiToken', metadata, spec: { ...LEAST, ...spec } };
  }

  /** Creates nothing. */
  tryToken(namespace: string, spec: Json, metadata?: Json): Promise<Answer> {
    return this.admin.create(`${this.tokens(namespace)}?dryRun=All`, this.token(spec, metadata));
  }

  async close(): Promise<void> {
    for (const name of this.#names) await this.admin.delete(`${TOKEN_POLICIES}/${name}`);
    for (const name of this.#namespaces) await this.admin.delete(`/api/v1/namespaces/${name}`);
    await this.admin.close();
  }

  async #write(policy: TokenPolicyManifest): Promise<void> {
    this.#names.add(policy.metadata.name);
    expectOk(await this.admin.apply(`${TOKEN_POLICIES}/${policy.metadata.name}`, policy));
  }
}

/** The sentences in the warnings of policies in mode Audit. */
export function warned({ warnings }: Answer): string[] {
  const found = warnings.map(
    (line) => /^Validation failed for .*'tokenpolicy-audit[^']*': (.*)$/.exec(line)?.[1] ?? line,
  );
  return found.sort();
}
