/** Joins the parts of the commands that people run: their cluster, their terminal, and how they end. */

import { explain } from '../cli/failure.ts';
import type { Session } from '../cli/session.ts';
import { type Terminal, terminalOf } from '../cli/terminal.ts';
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
  // loaded when it is needed: --help, log and completion scripts are there at once
  const { openCluster } = await import('./cluster.ts');
  const { client, server, namespace, close } = await openCluster(choice);
  const session: Session = {
    client,
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
    await close();
  }
}
