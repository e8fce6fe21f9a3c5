import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { resolveBinaries } from '../../tools/controlplane/binaries.ts';
import { startControlPlane } from '../../tools/controlplane/control-plane.ts';
import { chooseVersions } from '../../tools/controlplane/releases.ts';
import { search } from './harness/leaks.ts';

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
  /** The folder of what operators write: logs, audit files, metrics. Searched for leaked values when the run is over. */
  records: string;
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

const log = (line: string) => void process.stderr.write(`${line}\n`);

/**
 * vitest's globalSetup: one control plane for the run, or the cluster in TOKENWRIGHT_TEST_KUBECONFIG. When the run is over,
 * everything that it leaves behind is searched for values, and one that is not in its own Secret fails the run.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { cluster, stop } = await open();
  project.provide('cluster', cluster);
  return async () => {
    // until the search has ended well: vitest waits only so long for a teardown
    const { exitCode } = process;
    process.exitCode = 1;
    try {
      await expectNoLeak(cluster);
      process.exitCode = exitCode;
      await rm(cluster.records, { recursive: true });
    } finally {
      await stop();
    }
  };
}

async function open(): Promise<{ cluster: TestCluster; stop(): Promise<void> }> {
  const existing = process.env.TOKENWRIGHT_TEST_KUBECONFIG;
  if (existing !== undefined && existing !== '') {
    const names = ['kubectl', 'helm'] as const;
    const { directory } = await resolveBinaries({ versions: chooseVersions(undefined), names, log });
    const cluster = { kubeconfig: resolve(existing), binDirectory: directory, records: await newRecords() };
    return { cluster, stop: async () => {} };
  }
  const plane = await startControlPlane({ log });
  const { kubeconfig, binDirectory, etcd } = plane;
  return { cluster: { kubeconfig, binDirectory, etcd, records: await newRecords() }, stop: () => plane.stop() };
}

const newRecords = () => mkdtemp(join(tmpdir(), 'tokenwright-records-'));

async function expectNoLeak(cluster: TestCluster): Promise<void> {
  const { leaks, inPlace } = await search(cluster);
  if (leaks.length > 0) throw new Error(`Values leaked; see ${cluster.records}:\n${leaks.join('\n')}`);
  if (!cluster.etcd) return log('no value leaked into objects or files; etcd cannot be searched on this cluster');
  const files = await readdir(cluster.records);
  const missing = ['.log', '.audit.jsonl', '.metrics'].filter((kind) => !files.some((file) => file.endsWith(kind)));
  if (inPlace > 0 && missing.length > 0)
    throw new Error(`Operators wrote no ${missing.join(', ')} into ${cluster.records}, where values are searched for`);
  log(`no value leaked: ${inPlace} in their Secrets, none elsewhere in objects, etcd and ${files.length} files`);
}
