/** The cluster that somebody chose by flags and kubeconfig. */
import { Failure } from '../cli/failure.ts';
import { ApiServerClient } from '../kube/client.ts';
import { ClusterConnection } from '../kube/connection.ts';
import { type KubeConfigFlags, loadKubeConfig } from '../kube/kubeconfig.ts';
import type { KubeClient } from '../ports.ts';
import { VERSION } from '../version.ts';

export interface Cluster {
  client: KubeClient;
  /** Its address. */
  server: string;
  /** Of the context. */
  namespace: string;
  close(): Promise<void>;
}

/** @throws Failure where the kubeconfig is of no use */
export async function openCluster({ kubeconfig, context }: KubeConfigFlags): Promise<Cluster> {
  try {
    const config = loadKubeConfig({ kubeconfig, context });
    const connection = await ClusterConnection.open(config, VERSION);
    return {
      client: new ApiServerClient({ connection }),
      server: connection.origin,
      namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
      close: () => connection.close(),
    };
  } catch (error) {
    const said = error instanceof Error ? error.message : 'the cluster cannot be reached';
    throw new Failure(
      `${said}. Name a kubeconfig by --kubeconfig or KUBECONFIG, and one of its contexts by --context.`,
    );
  }
}
