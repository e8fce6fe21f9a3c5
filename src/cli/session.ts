/** What a command has to work with. */
import type { KubeClient } from '../ports.ts';
import type { Terminal } from './terminal.ts';

export interface Session {
  readonly client: KubeClient;
  /** Where the cluster is, for sentences. */
  readonly server: string;
  /** Given by --namespace, else by the context. */
  readonly namespace: string;
  readonly terminal: Terminal;
  /** Epoch seconds. */
  readonly now: () => number;
}
