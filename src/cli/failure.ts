/** How a command fails: a sentence that says what to do, and an exit code. */
import { KubeError } from '../ports.ts';
import type { Session } from './session.ts';

export const EXIT = {
  /** It could not be done, or the answer is no. */
  failed: 1,
  /** --wait: asked for, and not done in time. */
  late: 3,
  /** A policy does not allow it. */
  violated: 4,
} as const;

export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exitCode: number;

  constructor(sentence: string, exitCode: number = EXIT.failed) {
    super(sentence);
    this.exitCode = exitCode;
  }
}

/** What a refusal of the cluster means to who asked. Other errors come back as they are. */
export function explain(error: unknown, { server, namespace }: Pick<Session, 'server' | 'namespace'>): unknown {
  if (!(error instanceof KubeError)) return error;
  const said = error.message;
  switch (error.reason) {
    case 'Unauthorized':
      return new Failure(
        `${server} does not accept your credentials (${said}). Log in again, or choose others by --context.`,
      );
    case 'Forbidden':
      return new Failure(/ cannot \w+ resource /.test(said) ? `${said}. ${advice(said, namespace)}` : said);
    case 'NotFound':
      return new Failure(
        `${server} serves no such kind (${said}). Install Tokenwright there: kubectl apply -k deploy/`,
      );
    default:
      if (error.status !== 0 || !error.transient) return new Failure(said);
      return new Failure(
        `${server} does not answer (${said}). Is the cluster up? Choose another by --context or --kubeconfig.`,
      );
  }
}

function advice(said: string, namespace: string): string {
  const role = / cannot (get|list|watch) /.test(said) ? 'view' : said.includes('revocation') ? 'admin' : 'edit';
  return said.includes('at the cluster scope')
    ? 'Leave out --all-namespaces, or ask for a ClusterRoleBinding.'
    : `Ask for a RoleBinding to the ClusterRole "${role}" in the namespace ${namespace}.`;
}
