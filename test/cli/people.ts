/** Kubeconfigs of people who may do less than everything. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { expectOk } from '../crds/api-server.ts';
import { cluster } from '../e2e/cluster.ts';
import { SCRATCH } from '../e2e/harness/operator.ts';
import type { Stage } from '../e2e/harness/stage.ts';

/** Of an account in the stage's namespace that has this ClusterRole there, or no role at all. */
export async function kubeconfigOf({ server, namespace }: Stage, name: string, clusterRole?: string): Promise<string> {
  const account = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  expectOk(await server.create(account, { metadata: { name } }));
  if (clusterRole !== undefined) {
    expectOk(
      await server.create(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: clusterRole },
        subjects: [{ kind: 'ServiceAccount', name, namespace }],
      }),
    );
  }
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const { body } = expectOk(await server.create(`${account}/${name}/token`, request));
  const { token } = body.status as { token: string };
  return kubeconfig(`${namespace}-${name}`, { user: { token }, namespace });
}

/** Of the administrator, in that namespace, or at another address. */
export async function kubeconfig(
  file: string,
  { user, namespace, address }: { user?: object; namespace?: string; address?: string },
): Promise<string> {
  const admin = new KubeConfig();
  admin.loadFromFile(cluster().kubeconfig);
  const config = JSON.parse(admin.exportConfig());
  if (user !== undefined) config.users = config.users.map(({ name }: { name: string }) => ({ name, user }));
  for (const { context } of config.contexts) context.namespace = namespace;
  if (address !== undefined) for (const { cluster } of config.clusters) cluster.server = address;
  const path = join(SCRATCH, `${file}.kubeconfig`);
  await writeFile(path, JSON.stringify(config));
  return path;
}
