import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Credentials, TlsFiles } from './credentials.ts';
import { minorOf, type Versions } from './releases.ts';

// The command lines. Everything listens on loopback only; what needs no port has none.

export function etcdArguments(dataDirectory: string, port: number, peerPort: number, tls: TlsFiles): string[] {
  const client = `https://127.0.0.1:${port}`;
  const peer = `https://127.0.0.1:${peerPort}`;
  return [
    '--name=default',
    `--data-dir=${dataDirectory}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--client-cert-auth',
    `--trusted-ca-file=${tls.caFile}`,
    `--cert-file=${tls.certFile}`,
    `--key-file=${tls.keyFile}`,
    '--peer-client-cert-auth',
    `--peer-trusted-ca-file=${tls.caFile}`,
    `--peer-cert-file=${tls.certFile}`,
    `--peer-key-file=${tls.keyFile}`,
    '--unsafe-no-fsync', // the data dies with the process anyway
    '--quota-backend-bytes=8589934592',
    '--log-level=warn',
  ];
}

/** MutatingAdmissionPolicy is on by itself from 1.36; before, it hides behind a gate and an older API version. */
function admissionPolicyArguments(minor: number): string[] {
  if (minor >= 36 || minor < 32) return [];
  const version = minor >= 34 ? 'v1beta1' : 'v1alpha1';
  return [
    '--feature-gates=MutatingAdmissionPolicy=true',
    `--runtime-config=admissionregistration.k8s.io/${version}=true`,
  ];
}

export function apiServerArguments(
  versions: Versions,
  port: number,
  etcdPort: number,
  { apiServer, etcdClient, serviceAccounts }: Credentials,
): string[] {
  return [
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--tls-cert-file=${apiServer.certFile}`,
    `--tls-private-key-file=${apiServer.keyFile}`,
    `--client-ca-file=${apiServer.caFile}`,
    `--etcd-servers=https://127.0.0.1:${etcdPort}`,
    `--etcd-cafile=${etcdClient.caFile}`,
    `--etcd-certfile=${etcdClient.certFile}`,
    `--etcd-keyfile=${etcdClient.keyFile}`,
    '--authorization-mode=Node,RBAC',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${serviceAccounts.publicFile}`,
    `--service-account-signing-key-file=${serviceAccounts.privateFile}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    '--endpoint-reconciler-type=none', // a loopback address is refused as an endpoint, again and again
    '--allow-privileged=true',
    '--profiling=false',
    ...admissionPolicyArguments(minorOf(versions.kubernetes)),
  ];
}

export function controllerManagerArguments({ kubeconfigs, authority, serviceAccounts }: Credentials): string[] {
  return [
    `--kubeconfig=${kubeconfigs.controllerManager}`,
    '--use-service-account-credentials=true', // requests come from the accounts they come from in real clusters
    '--leader-elect=false',
    '--secure-port=0',
    `--root-ca-file=${authority.certFile}`,
    `--service-account-private-key-file=${serviceAccounts.privateFile}`,
    `--cluster-signing-cert-file=${authority.certFile}`,
    `--cluster-signing-key-file=${authority.keyFile}`,
    // the defaults (20 and 30) would make a parallel test suite wait for its pods
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
    '--profiling=false',
  ];
}

export async function writeSchedulerConfig(directory: string, kubeconfig: string): Promise<string> {
  const path = join(directory, 'scheduler.yaml');
  const config = {
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    clientConnection: { kubeconfig, qps: 500, burst: 1000 },
    leaderElection: { leaderElect: false },
    enableProfiling: false,
  };
  await writeFile(path, stringify(config));
  return path;
}

export function kwokArguments(kubeconfig: string, stages: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--config=${stages}`,
    '--manage-all-nodes=true',
    '--node-lease-duration-seconds=40',
    '--server-address=', // no port
  ];
}
