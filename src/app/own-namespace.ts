/** The namespace that a process of Tokenwright belongs to. */
import { readFileSync } from 'node:fs';
import type { Environment } from './command.ts';
import { namespaceName } from './flags.ts';

const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
const DEFAULT_NAMESPACE = 'tokenwright-system';

/** POD_NAMESPACE, else the pod's own, else tokenwright-system. */
export function ownNamespace(env: Environment, readFile: (path: string) => string | undefined): string {
  for (const candidate of [env.POD_NAMESPACE, readFile(NAMESPACE_FILE)]) {
    const name = candidate?.trim();
    if (name && 'value' in namespaceName(name)) return name;
  }
  return DEFAULT_NAMESPACE;
}

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
