import { existsSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node';

const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token';

export interface KubeConfigFlags {
  /** Path of a kubeconfig file. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

/**
 * Where the cluster is and who we are there: the flags, else KUBECONFIG, else the pod's ServiceAccount, else
 * ~/.kube/config. Throws an Error with a sentence for the user. It never quotes the file, which may hold a key.
 *
 * The package's root is imported on purpose: esbuild drops its generated clients, and its inner paths are not promised.
 */
export function loadKubeConfig(flags: KubeConfigFlags = {}): KubeConfig {
  const config = new KubeConfig();
  const { KUBECONFIG, KUBERNETES_SERVICE_HOST } = process.env;
  if (flags.kubeconfig !== undefined) {
    const path = flags.kubeconfig;
    readable(`kubeconfig ${path}`, () => config.loadFromFile(path));
  } else if (KUBECONFIG) {
    readable(`KUBECONFIG ${KUBECONFIG}`, () => config.loadFromDefault());
  } else if (KUBERNETES_SERVICE_HOST && existsSync(serviceAccountToken)) {
    config.loadFromCluster();
  } else {
    readable('kubeconfig ~/.kube/config', () => config.loadFromDefault());
  }
  if (flags.context !== undefined) {
    if (!config.getContexts().some(({ name }) => name === flags.context)) {
      throw new Error(`the kubeconfig has no context ${flags.context}`);
    }
    config.setCurrentContext(flags.context);
  }
  if (config.getCurrentCluster() === null) {
    throw new Error('no cluster is known: give a kubeconfig with a current context, or run in a pod');
  }
  return config;
}

function readable(source: string, load: () => void): void {
  try {
    load();
  } catch (error) {
    // js-yaml's message quotes the lines around the fault.
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new Error(`${source} cannot be read${code}`);
  }
}
