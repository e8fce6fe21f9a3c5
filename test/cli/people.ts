/** Kubeconfigs of people who may do less than everything. */
import { expectOk } from '../crds/api-server.ts';
import { kubeconfig, tokenOf } from '../e2e/harness/kubeconfig.ts';
import type { Stage } from '../e2e/harness/stage.ts';

/** Of an account in the stage's namespace that has this ClusterRole there, or no role at all. */
export async function kubeconfigOf({ server, namespace }: Stage, name: string, clusterRole?: string): Promise<string> {
  expectOk(await server.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } }));
  if (clusterRole !== undefined) {
    expectOk(
      await server.create(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: clusterRole },
        subjects: [{ kind: 'ServiceAccount', name, namespace }],
      }),
    );
  }
  const token = await tokenOf(server, { namespace, name });
  return kubeconfig(`${namespace}-${name}`, { user: { token }, namespace });
}
