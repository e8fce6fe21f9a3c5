/**
 * Which Secrets a pod reads, and how; whether a workload is fully rolled out. Pure functions of Kubernetes objects
 * as the API server returns them (core/v1, apps/v1).
 */

interface VolumeMount {
  name: string;
  subPath?: string;
  subPathExpr?: string;
}

interface Container {
  env?: { valueFrom?: { secretKeyRef?: { name?: string } } }[];
  envFrom?: { secretRef?: { name?: string } }[];
  volumeMounts?: VolumeMount[];
}

interface Volume {
  name: string;
  secret?: { secretName?: string };
  projected?: { sources?: { secret?: { name?: string } }[] };
}

export interface PodSpec {
  containers?: Container[];
  initContainers?: (Container & { restartPolicy?: string })[];
  volumes?: Volume[];
}

/** `fixed`: keeps for its life what it read at start. `refreshing`: the kubelet renews the mounted files. */
export type Reads = 'fixed' | 'refreshing';

/** Every Secret that the pod reads into a container, by name. Image pull secrets are not read by a container. */
export function secretsRead(pod: PodSpec): Map<string, Reads> {
  const reads = new Map<string, Reads>();
  const note = (name: string | undefined, how: Reads) => {
    if (name !== undefined && reads.get(name) !== 'fixed') reads.set(name, how);
  };
  const volumes = new Map((pod.volumes ?? []).map((v) => [v.name, secretsOfVolume(v)]));
  const visit = (container: Container, once: boolean) => {
    for (const { valueFrom } of container.env ?? []) note(valueFrom?.secretKeyRef?.name, 'fixed');
    for (const { secretRef } of container.envFrom ?? []) note(secretRef?.name, 'fixed');
    for (const mount of container.volumeMounts ?? []) {
      const fixed = once || mount.subPath !== undefined || mount.subPathExpr !== undefined;
      for (const name of volumes.get(mount.name) ?? []) note(name, fixed ? 'fixed' : 'refreshing');
    }
  };
  // An init container runs once and may hand on what it read; one that restarts always is a sidecar (KEP-753).
  for (const container of pod.initContainers ?? []) visit(container, container.restartPolicy !== 'Always');
  for (const container of pod.containers ?? []) visit(container, false);
  return reads;
}

function secretsOfVolume(volume: Volume): string[] {
  const names = [volume.secret?.secretName, ...(volume.projected?.sources ?? []).map((s) => s.secret?.name)];
  return names.filter((n) => n !== undefined);
}

export interface WorkloadStatus {
  kind: string;
  generation: number;
  spec: {
    replicas?: number;
    paused?: boolean;
    strategy?: { type?: string };
    updateStrategy?: { type?: string; rollingUpdate?: { partition?: number } };
  };
  status: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    availableReplicas?: number;
    desiredNumberScheduled?: number;
    updatedNumberScheduled?: number;
    numberAvailable?: number;
  };
}

/** Pods of it are replaced only by hand. */
export function replacesNoPod(workload: WorkloadStatus): boolean {
  return workload.spec.paused === true || workload.spec.updateStrategy?.type === 'OnDelete';
}

/** No rollout is under way: every pod is of the newest template and available. What `kubectl rollout status` waits for. */
export function isRolledOut(workload: WorkloadStatus): boolean {
  const { kind, generation, spec, status } = workload;
  if ((status.observedGeneration ?? 0) < generation) return false;
  const byHand = spec.updateStrategy?.type === 'OnDelete';
  if (kind === 'DaemonSet') {
    const wanted = status.desiredNumberScheduled ?? 0;
    return (byHand || (status.updatedNumberScheduled ?? 0) >= wanted) && (status.numberAvailable ?? 0) >= wanted;
  }
  const wanted = spec.replicas ?? 1;
  const available = (status.availableReplicas ?? 0) >= wanted;
  if (kind === 'StatefulSet') {
    const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0;
    return (byHand || (status.updatedReplicas ?? 0) >= wanted - partition) && available;
  }
  return (
    spec.paused !== true && (status.updatedReplicas ?? 0) >= wanted && (status.replicas ?? 0) <= wanted && available
  );
}

export interface PodSeen {
  metadata: { creationTimestamp?: string; deletionTimestamp?: string };
  status?: {
    phase?: string;
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
}

interface ContainerStatus {
  state?: { running?: { startedAt?: string }; terminated?: { startedAt?: string } };
}

/** A pod that still runs, or will: finished and terminating ones hold no value that matters. */
export function isLive(pod: PodSeen): boolean {
  return (
    pod.metadata.deletionTimestamp === undefined && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'
  );
}

/** Created in the second `since` or before: timestamps of pods have whole seconds, so the doubtful second counts as before. */
export function isStale(pod: PodSeen, since: number): boolean {
  return secondsOf(pod.metadata.creationTimestamp) <= since;
}

/** A container of the pod has started, in the second `since` or before. */
export function startedBefore(pod: PodSeen, since: number): boolean {
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  return statuses.some(({ state }) => {
    const startedAt = state?.running?.startedAt ?? state?.terminated?.startedAt;
    return startedAt !== undefined && secondsOf(startedAt) <= since;
  });
}

function secondsOf(timestamp: string | undefined): number {
  const milliseconds = Date.parse(timestamp ?? '');
  return Number.isNaN(milliseconds) ? 0 : Math.floor(milliseconds / 1000);
}
