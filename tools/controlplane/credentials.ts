import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { createAuthority, createSigningKey, type KeyedCertificate } from './x509.ts';

/** A certificate, its key and the authority to trust, as files. */
export interface TlsFiles {
  caFile: string;
  certFile: string;
  keyFile: string;
}

/** Where everything lies that the processes prove themselves with. */
export interface Credentials {
  /** Trust root of the API server; it also signs client certificates. */
  authority: { certFile: string; keyFile: string };
  apiServer: TlsFiles;
  etcdServer: TlsFiles;
  /** The one client that etcd lets in. */
  etcdClient: TlsFiles;
  serviceAccounts: { publicFile: string; privateFile: string };
  kubeconfigs: { admin: string; controllerManager: string; scheduler: string; kwok: string };
}

/** The first address of the service range: what pods would call the API server by. */
const serviceAddress = '10.96.0.1';

function kubeconfig(server: string, ca: string, user: string, pair: KeyedCertificate): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  // data and not paths: such a file still works when it is copied
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'tokenwright', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [
      {
        name: user,
        user: { 'client-certificate-data': base64(pair.certificate), 'client-key-data': base64(pair.privateKey) },
      },
    ],
    contexts: [{ name: 'tokenwright', context: { cluster: 'tokenwright', user } }],
    'current-context': 'tokenwright',
  });
}

/** Writes all keys, certificates and kubeconfigs of one control plane, readable by this user only. */
export async function writeCredentials(directory: string, server: string): Promise<Credentials> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const put = async (file: string, content: string) => {
    const path = join(directory, file);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const putPair = async (name: string, caFile: string, pair: KeyedCertificate): Promise<TlsFiles> => ({
    caFile,
    certFile: await put(`${name}.crt`, pair.certificate),
    keyFile: await put(`${name}.key`, pair.privateKey),
  });

  const cluster = createAuthority('tokenwright-cluster');
  // an authority of its own, or every user of the cluster could read etcd
  const etcd = createAuthority('tokenwright-etcd');
  const clusterCa = await put('ca.crt', cluster.certificate);
  const etcdCa = await put('etcd-ca.crt', etcd.certificate);
  const tokens = createSigningKey();
  const client = (user: string, groups: string[] = []) => {
    const pair = cluster.issue({ commonName: user, organizations: groups, usages: ['client'] });
    return kubeconfig(server, cluster.certificate, user, pair);
  };
  const own = ['localhost', '127.0.0.1'];
  const inCluster = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];

  return {
    authority: { certFile: clusterCa, keyFile: await put('ca.key', cluster.privateKey) },
    apiServer: await putPair(
      'apiserver',
      clusterCa,
      cluster.issue({
        commonName: 'kube-apiserver',
        hosts: [...own, ...inCluster, serviceAddress],
        usages: ['server'],
      }),
    ),
    etcdServer: await putPair(
      'etcd',
      etcdCa,
      etcd.issue({ commonName: 'etcd', hosts: own, usages: ['server', 'client'] }),
    ),
    etcdClient: await putPair('etcd-client', etcdCa, etcd.issue({ commonName: 'etcd-client', usages: ['client'] })),
    serviceAccounts: {
      publicFile: await put('service-accounts.pub', tokens.publicKey),
      privateFile: await put('service-accounts.key', tokens.privateKey),
    },
    kubeconfigs: {
      admin: await put('admin.kubeconfig', client('admin', ['system:masters'])),
      controllerManager: await put('controller-manager.kubeconfig', client('system:kube-controller-manager')),
      scheduler: await put('scheduler.kubeconfig', client('system:kube-scheduler')),
      kwok: await put('kwok.kubeconfig', client('kwok', ['system:masters'])),
    },
  };
}
