/** What a control plane is made of, and the two clients that tests use on it. */
export const binaryNames = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
  'kwok',
  'helm',
] as const;

export type BinaryName = (typeof binaryNames)[number];

/** Which release of each project; all begin with `v`. */
export interface Versions {
  kubernetes: string;
  etcd: string;
  kwok: string;
  helm: string;
}

export const defaultVersions: Versions = { kubernetes: 'v1.36.3', etcd: 'v3.6.8', kwok: 'v0.8.0', helm: 'v3.22.0' };

export type Project = keyof Versions;

export function projectOf(name: BinaryName): Project {
  return name === 'etcd' || name === 'kwok' || name === 'helm' ? name : 'kubernetes';
}

/** `1.34.4` or `v1.34.4`, as given by a user, in the form with `v`; throws on anything else. */
export function parseVersion(text: string): string {
  const match = /^v?(\d+\.\d+\.\d+)$/.exec(text.trim());
  if (match === null) throw new Error(`"${text}" is not a Kubernetes version such as 1.36.3`);
  return `v${match[1]}`;
}

/** The versions to use: what the caller says, else TOKENWRIGHT_K8S_VERSION, else the default. */
export function chooseVersions(asked: string | undefined, env: NodeJS.ProcessEnv = process.env): Versions {
  const kubernetes = asked ?? env.TOKENWRIGHT_K8S_VERSION;
  return kubernetes === undefined || kubernetes === ''
    ? defaultVersions
    : { ...defaultVersions, kubernetes: parseVersion(kubernetes) };
}

/** The minor number of a Kubernetes version: 36 for v1.36.3. */
export function minorOf(version: string): number {
  return Number(version.split('.')[1]);
}

/** Operating system and processor in Go's words. */
export interface Platform {
  os: 'linux' | 'darwin';
  arch: 'amd64' | 'arm64';
}

/** Throws where no control plane can run (Windows, 32-bit machines). */
export function thisPlatform(os: string = process.platform, arch: string = process.arch): Platform {
  const goArch = ({ x64: 'amd64', arm64: 'arm64' } as const)[arch];
  if ((os !== 'linux' && os !== 'darwin') || goArch === undefined) {
    throw new Error(`the local control plane runs on linux and darwin, amd64 and arm64; this is ${os} ${arch}`);
  }
  return { os, arch: goArch };
}
