/** What the API server knows of grants, in a test: of the namespaces that it chooses, by an object that no other test's operator writes. */
import { join } from 'node:path';
import { GRANTED_NAMESPACES_NAME } from '../../src/api/granted-namespaces.ts';
import type { Grants } from '../../src/domain/policy/grants.ts';
import { API, type ApiServer, expectOk, manifests, sentences, until } from './api-server.ts';
import type { Policies } from './policies.ts';

const BINDINGS = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings';
const ADMISSION = join(import.meta.dirname, '../../deploy/admission');

/** What an ApiToken in a namespace without a grant is told. */
export const ungranted = (namespace: string) =>
  `no TokenPolicy in mode Enforce matches namespace ${namespace}: ask those who run the cluster for one`;

export interface Bound {
  /** Of the binding. */
  name: string;
  /** Of the namespaces that are judged. */
  matchLabels: Record<string, string>;
  /** Where the object is. */
  namespace: string;
}

/** The shipped binding, for these namespaces alone. Returns how to take it away. */
export async function bindGrants(
  admin: ApiServer,
  { name, matchLabels, namespace }: Bound,
): Promise<() => Promise<unknown>> {
  const shipped = (await manifests(ADMISSION)).find(
    ({ kind, metadata }) =>
      kind === 'ValidatingAdmissionPolicyBinding' && metadata.name === 'granted-namespaces.tokenwright.dev',
  ) as { spec: { paramRef: object } } | undefined;
  if (!shipped) throw new Error('deploy/admission has no binding for the granted namespaces');
  const spec = {
    ...shipped.spec,
    paramRef: { ...shipped.spec.paramRef, namespace },
    matchResources: { namespaceSelector: { matchLabels } },
  };
  expectOk(await admin.apply(`${BINDINGS}/${name}`, { ...shipped, metadata: { name }, spec }));
  return () => admin.delete(`${BINDINGS}/${name}`);
}

const GRANTING = 'test.tokenwright.dev/granting';

/** In place of the operator. */
export class GrantsByTest {
  /** On every namespace that is judged. */
  readonly labels: Record<string, string>;
  readonly #policies: Policies;
  readonly #end: () => Promise<unknown>;
  readonly #namespace: string;

  private constructor(policies: Policies, namespace: string, end: () => Promise<unknown>) {
    this.labels = { [GRANTING]: policies.run };
    this.#policies = policies;
    this.#namespace = namespace;
    this.#end = end;
  }

  static async open(policies: Policies): Promise<GrantsByTest> {
    const matchLabels = { [GRANTING]: policies.run };
    const { name: namespace } = await policies.namespace('probe', {
      ...matchLabels,
      'test.tokenwright.dev/run': 'none',
    });
    const end = await bindGrants(policies.admin, { name: `grants-${policies.run}`, matchLabels, namespace });
    return new GrantsByTest(policies, namespace, end);
  }

  /** Writes them, and waits until the API server judges by them: it learns of none at all first, and then of a probe among them. */
  async write(grants: Grants): Promise<void> {
    const probe = `kubernetes.io/metadata.name In ${this.#namespace}`;
    for (const known of [{}, { ...grants, probe }]) {
      const { admin } = this.#policies;
      const path = `${API}/namespaces/${this.#namespace}/grantednamespaces`;
      const spec = { grants: known };
      const metadata = { name: GRANTED_NAMESPACES_NAME };
      const object = { apiVersion: 'tokenwright.dev/v1alpha1', kind: 'GrantedNamespaces', metadata, spec };
      expectOk(await admin.apply(`${path}/${GRANTED_NAMESPACES_NAME}`, object));
      await until('the grants are known', async () => {
        const [sentence] = sentences(await this.#policies.tryToken('probe', {}));
        return (sentence === ungranted(this.#namespace)) !== 'probe' in known;
      });
    }
  }

  close(): Promise<unknown> {
    return this.#end();
  }
}
