/** Kubeconfigs that differ from the administrator's in who uses them, or in the address. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { type ApiServer, expectOk } from '../../crds/api-server.ts';
import { cluster } from '../cluster.ts';
import { SCRATCH } from './operator.ts';
import type { ApiProxy } from './proxy.ts';

/** A file. Without `user`, of the administrator. */
export async function kubeconfig(
  file: string,
  { user, namespace, address }: { user?: object; namespace?: string; address?: string },
): Promise<string> {
  const admin = new KubeConfig();
  admin.loadFromFile(cluster().kubeconfig);
  const config = JSON.parse(admin.exportConfig());
  if (user !== undefined) config.users = config.users.map(({ name }: { name: string }) => ({ name, user }));
  for (const { context } of config.contexts) context.namespace = namespace;
  if (address !== undefined) {
    // of another address the CA says nothing, and without TLS there is nothing to verify
    for (const named of config.clusters) named.cluster = { server: address, 'insecure-skip-tls-verify': true };
  }
  const path = join(SCRATCH, `${file}.kubeconfig`);
  await writeFile(path, JSON.stringify(config));
  return path;
}

/** Whoever uses it is whom the proxy speaks for. */
export function kubeconfigThrough({ url }: ApiProxy): Promise<string> {
  return kubeconfig(new URL(url).port, { user: {}, address: url });
}

export interface Account {
  namespace: string;
  name: string;
}

/** Of a ServiceAccount, as TokenRequest gives it. */
export async function tokenOf(
  server: ApiServer,
  { namespace, name }: Account,
  spec: { audiences?: string[]; boundObjectRef?: object } = {},
): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
  const { token } = expectOk(await server.create(path, request)).body.status as { token: string };
  return token;
}
