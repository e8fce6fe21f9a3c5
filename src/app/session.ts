/** Joins the parts of the commands that people run: their cluster, their terminal, and how they end. */

import { explain, Failure } from '../cli/failure.ts';
import type { Session } from '../cli/session.ts';
import { type Terminal, terminalOf } from '../cli/terminal.ts';
import { ApiServerClient } from '../kube/client.ts';
import { ClusterConnection } from '../kube/connection.ts';
import { loadKubeConfig } from '../kube/kubeconfig.ts';
import { VERSION } from '../version.ts';
import { onlyOn, optional, withDefault } from './command.ts';
import { anyText, duration, namespaceName } from './flags.ts';

export const terminal: Terminal = terminalOf(process.stdout, process.stderr);

// biome-ignore format: a table
export const CLUSTER_FLAGS = {
  'namespace': optional('NAME', namespaceName, "Namespace. The context's own unless given.", 'n'),
  'kubeconfig': optional('FILE', anyText, 'How to reach the API server. KUBECONFIG or ~/.kube/config unless given.'),
  'context': optional('NAME', anyText, 'Context of the kubeconfig. Its current one unless given.'),
};

export const ALL_NAMESPACES = onlyOn('In all namespaces.', 'A');

export const TIMEOUT = withDefault('DURATION', duration(1, 86_400), '5m', 'How long --wait waits at most, 1s to 24h.');

export interface ClusterChoice {
  namespace: string | undefined;
  kubeconfig: string | undefined;
  context: string | undefined;
}

/**
 * Runs a command against the cluster that its flags choose.
 * @throws Failure where the cluster cannot be reached or refuses
 */
export async function withSession<T>(choice: ClusterChoice, run: (session: Session) => Promise<T>): Promise<T> {
  const { connection, namespace, server } = await open(choice);
  const session: Session = {
    client: new ApiServerClient({ connection }),
    server,
    namespace: choice.namespace ?? namespace,
    terminal,
    now: () => Date.now() / 1000,
  };
  try {
    return await run(session);
  } catch (error) {
    throw explain(error, session);
  } finally {
    await connection.close();
  }
}

async function open({ kubeconfig, context }: ClusterChoice) {
  try {
    const config = loadKubeConfig({ kubeconfig, context });
    const connection = await ClusterConnection.open(config, VERSION);
    const namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
    return { connection, namespace, server: connection.origin };
  } catch (error) {
    const said = error instanceof Error ? error.message : 'the cluster cannot be reached';
    throw new Failure(
      `${said}. Name a kubeconfig by --kubeconfig or KUBECONFIG, and one of its contexts by --context.`,
    );
  }
}
