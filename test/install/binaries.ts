/** helm and kubectl, without a cluster. */
import { join } from 'node:path';
import { resolveBinaries } from '../../tools/controlplane/binaries.ts';
import { chooseVersions } from '../../tools/controlplane/releases.ts';

export const root = join(import.meta.dirname, '../..');
export const chart = join(root, 'charts/tokenwright');

export interface Clients {
  helm: string;
  kubectl: string;
  /** What helm is to render for: the version of the control plane. */
  kubeVersion: string;
}

export async function clients(): Promise<Clients> {
  const versions = chooseVersions(undefined);
  const log = (line: string) => void process.stderr.write(`${line}\n`);
  const { directory } = await resolveBinaries({ versions, names: ['helm', 'kubectl'], log });
  return { helm: join(directory, 'helm'), kubectl: join(directory, 'kubectl'), kubeVersion: versions.kubernetes };
}
