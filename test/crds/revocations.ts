/** Revocations that a test makes and no operator carries out, in a namespace of its own. */
import { cluster } from '../e2e/cluster.ts';
import { API, ApiServer, expectOk, installApi, OPERATOR, until, VERIFIER } from './api-server.ts';
import { least } from './revocation-tables.ts';

type Json = Record<string, unknown>;

export interface Metadata {
  name: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
}

export const PENDING = 'tokenwright.dev/pending';
export const FINALIZER = 'tokenwright.dev/revocation';
export const REQUESTER = 'tokenwright.dev/requested-by';
export const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases';

export type RevocationKind = 'TokenRevocation' | 'ClusterTokenRevocation';
export const KINDS: readonly RevocationKind[] = ['TokenRevocation', 'ClusterTokenRevocation'];

/** May do everything, but is neither the operator nor a verifier. */
export const REQUESTING = { name: 'revocation-requester', groups: ['system:masters', 'system:authenticated'] };

export class Revocations {
  readonly admin: ApiServer;
  readonly user: ApiServer;
  readonly operator: ApiServer;
  /** In the name of each object, since those of the cluster are seen by all tests. */
  readonly run: string;
  readonly namespace: string;
  #count = 0;

  private constructor(admin: ApiServer, name: string) {
    this.admin = admin;
    this.user = admin.as(REQUESTING);
    this.operator = admin.as(OPERATOR);
    this.run = `${name}-${process.pid}-${Date.now().toString(36)}`;
    this.namespace = this.run;
  }

  /** Installs the API, and waits until its policies are enforced. */
  static async open(name: string): Promise<Revocations> {
    const made = new Revocations(await ApiServer.open(cluster().kubeconfig), name);
    await installApi(made.admin);
    expectOk(await made.admin.create('/api/v1/namespaces', { metadata: { name: made.namespace } }));
    await made.#enforced();
    return made;
  }

  path(kind: RevocationKind): string {
    return kind === 'TokenRevocation'
      ? `${API}/namespaces/${this.namespace}/tokenrevocations`
      : `${API}/clustertokenrevocations`;
  }

  manifest(kind: RevocationKind, spec: Json = least, metadata: Partial<Metadata> = {}) {
    this.#count += 1;
    const name = `revocation-${this.run}-${this.#count}`;
    return { apiVersion: 'tokenwright.dev/v1alpha1', kind, metadata: { name, ...metadata }, spec };
  }

  /** The path of a new one, marked as the operator leaves it on any API server. */
  async existing(kind: RevocationKind): Promise<string> {
    const object = this.manifest(kind, least, { annotations: { [REQUESTER]: REQUESTING.name } });
    expectOk(await this.user.create(this.path(kind), object));
    const at = `${this.path(kind)}/${object.metadata.name}`;
    const metadata = { labels: { [PENDING]: 'true' }, finalizers: [FINALIZER] };
    expectOk(await this.operator.mergePatch(at, { metadata }));
    return at;
  }

  async metadataOf(at: string): Promise<Metadata> {
    return expectOk(await this.admin.get(at)).body.metadata as Metadata;
  }

  async close(): Promise<void> {
    for (const kind of KINDS) {
      const { items } = expectOk(await this.admin.get(this.path(kind))).body as unknown as {
        items: { metadata: Metadata }[];
      };
      for (const { metadata } of items.filter((item) => item.metadata.name.includes(this.run))) {
        const at = `${this.path(kind)}/${metadata.name}`;
        expectOk(await this.operator.mergePatch(at, { metadata: { finalizers: null } }));
        expectOk(await this.operator.delete(at));
      }
    }
    await this.admin.delete(`/api/v1/namespaces/${this.namespace}`);
    await this.admin.close();
  }

  async #enforced(): Promise<void> {
    const at = await this.existing('TokenRevocation');
    await until('the policies are enforced', async () => {
      const answers = await Promise.all([
        this.user.mergePatch(`${at}?dryRun=All`, { metadata: { labels: { [PENDING]: 'x' } } }),
        this.user.mergePatch(`${at}/status?dryRun=All`, { status: { matched: 1 } }),
        this.admin.as(VERIFIER).create(`${LEASES}?dryRun=All`, { metadata: { name: 'x' } }),
      ]);
      return answers.every(({ status }) => status === 403);
    });
  }
}
