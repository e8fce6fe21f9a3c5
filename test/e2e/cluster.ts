import { resolve } from 'node:path';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { resolveBinaries } from '../../tools/controlplane/binaries.ts';
import { startControlPlane } from '../../tools/controlplane/control-plane.ts';
import { chooseVersions } from '../../tools/controlplane/releases.ts';

/** What a test file knows of the cluster that all of them share; each works in namespaces of its own. */
export interface TestCluster {
  /** A kubeconfig with every right. */
  kubeconfig: string;
  /** Absolute directory that holds kubectl and helm, and on our own control plane the rest too. */
  binDirectory: string;
  /**
   * Set on our own control plane only: how to read etcd raw (see tools/controlplane/etcd-dump.ts). On a cluster that was
   * there before (TOKENWRIGHT_TEST_KUBECONFIG) nobody can.
   */
  etcd?: { endpoint: string; caFile: string; certFile: string; keyFile: string };
}

declare module 'vitest' {
  export interface ProvidedContext {
    cluster: TestCluster;
  }
}

/** The cluster of this run, for test files. */
export function cluster(): TestCluster {
  return inject('cluster');
}

/** vitest's globalSetup: one control plane for the run, or the cluster in TOKENWRIGHT_TEST_KUBECONFIG. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const log = (line: string) => void process.stderr.write(`${line}\n`);
  const existing = process.env.TOKENWRIGHT_TEST_KUBECONFIG;
  if (existing !== undefined && existing !== '') {
    const names = ['kubectl', 'helm'] as const;
    const { directory } = await resolveBinaries({ versions: chooseVersions(undefined), names, log });
    project.provide('cluster', { kubeconfig: resolve(existing), binDirectory: directory });
    return async () => {};
  }
  const plane = await startControlPlane({ log });
  project.provide('cluster', {
    kubeconfig: plane.kubeconfig,
    binDirectory: plane.binDirectory,
    etcd: plane.etcd,
  });
  return () => plane.stop();
}
