import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cluster } from '../e2e/cluster.ts';

/** kubectl as its users see it: a refusal is an answer too. */
export function kubectl(
  namespace: string,
  args: readonly string[],
  stdin = '',
): Promise<{ stdout: string; stderr: string }> {
  const { binDirectory, kubeconfig } = cluster();
  const all = ['--kubeconfig', kubeconfig, '-n', namespace, ...args];
  const child = promisify(execFile)(join(binDirectory, 'kubectl'), all);
  child.child.stdin?.end(stdin);
  return child.catch((error: { stdout: string; stderr: string }) => error);
}

/** The cells of what `kubectl get` prints, one line each. */
export const cells = (stdout: string): string[][] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));
