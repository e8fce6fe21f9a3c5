/** The operator and the verifiers of one stage as a cluster knows them: by tokens of their ServiceAccounts, with the rights of deploy/rbac. */
import { join } from 'node:path';
import {
  type ApiServer,
  expectOk,
  type Manifest,
  manifests,
  OPERATOR,
  type User,
  VERIFIER,
} from '../../crds/api-server.ts';
import { type Account, kubeconfig, tokenOf } from './kubeconfig.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';

interface Rights extends Manifest {
  metadata: { name: string; namespace?: string };
  rules?: { resourceNames?: string[] }[];
  roleRef?: { name: string };
}

interface Owned {
  uid: string;
  ownerReferences?: object[];
}

/** `system:serviceaccount:<namespace>:<name>` */
function accountOf({ name: user }: User): Account {
  const [, , namespace = '', name = ''] = user.split(':');
  return { namespace, name };
}

const [operator, verifier] = [accountOf(OPERATOR), accountOf(VERIFIER)];

export class Accounts {
  readonly #server: ApiServer;
  /** Of the stage. */
  readonly #namespace: string;
  /** In all that is made here: where the stage's namespace goes, the cluster's garbage collector takes it away. */
  #ownerReferences: readonly object[] = [];

  constructor(server: ApiServer, namespace: string) {
    this.#server = server;
    this.#namespace = namespace;
  }

  /** Once the stage's namespace is there. The API server learns of rights a moment later, as where somebody installs Tokenwright. */
  async make(): Promise<void> {
    const { uid } = expectOk(await this.#server.get(`/api/v1/namespaces/${this.#namespace}`)).body.metadata as Owned;
    this.#ownerReferences = [{ apiVersion: 'v1', kind: 'Namespace', name: this.#namespace, uid }];
    for (const account of [operator, verifier]) await this.#share(account);
    for (const object of await manifests(join(import.meta.dirname, '../../../deploy/rbac')))
      if (/Role(Binding)?$/.test(object.kind)) await this.#copy(object);
  }

  /** A kubeconfig. */
  async operator(): Promise<string> {
    const token = await tokenOf(this.#server, operator);
    return kubeconfig(`${this.#namespace}-operator`, { user: { token } });
  }

  /** A kubeconfig, with a token that is bound to a Pod of this name: it writes the Lease and the receipts of no other. */
  async verifier(name: string): Promise<string> {
    const made = await this.#server.create(`/api/v1/namespaces/${verifier.namespace}/pods`, {
      metadata: { name, ownerReferences: this.#ownerReferences },
      spec: { serviceAccountName: verifier.name, containers: [{ name: 'verifier', image: 'verifier' }] },
    });
    const { uid } = expectOk(made).body.metadata as Owned;
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, uid };
    return kubeconfig(name, { user: { token: await tokenOf(this.#server, verifier, { boundObjectRef }) } });
  }

  /** Stages share it, and it goes with the last of them. One that was there before the tests has no owner, and stays. */
  async #share({ namespace, name }: Account): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`;
    const { status, body } = await this.#server.get(path);
    if (status === 200 && (body.metadata as Owned).ownerReferences === undefined) return;
    const metadata = { name, ownerReferences: this.#ownerReferences };
    expectOk(await this.#server.apply(path, { apiVersion: 'v1', kind: 'ServiceAccount', metadata }, this.#namespace));
  }

  /**
   * Under a name of the stage's own, and as its flags are: the stage's namespace holds the keys of upstreams, and its operator's Lease has
   * the same name. Without labels, which would add some of it to the cluster's own roles.
   */
  async #copy({ kind, metadata: { name, namespace }, rules, roleRef, ...rest }: Rights): Promise<void> {
    const place = namespace === 'tokenwright-upstreams' ? this.#namespace : namespace;
    const own = (name: string) => `${this.#namespace}-${name}`;
    const lease = (name: string) => (name === 'tokenwright-operator' ? this.#namespace : name);
    const object = {
      ...rest,
      kind,
      metadata: { name: own(name), ownerReferences: this.#ownerReferences },
      rules: rules?.map((rule) => ({ ...rule, resourceNames: rule.resourceNames?.map(lease) })),
      roleRef: roleRef && { ...roleRef, name: own(roleRef.name) },
    };
    const plural = `${kind.toLowerCase()}s`;
    const path = place === undefined ? `${RBAC}/${plural}` : `${RBAC}/namespaces/${place}/${plural}`;
    expectOk(await this.#server.create(path, object));
  }
}
