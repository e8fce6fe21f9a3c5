import { type BinaryName, type Platform, projectOf, type Versions } from './releases.ts';

/** Where the project publishes one binary, and how it vouches for it. */
export interface Asset {
  url: string;
  /** Says the SHA-256 of the file at `url`. */
  checksumUrl: string;
  /** The path of the binary within the file, where that is an archive. */
  member?: string;
}

/** Where the releases are, unless the environment names a mirror with the same layout. */
function bases(env: NodeJS.ProcessEnv) {
  return {
    kubernetes: env.TOKENWRIGHT_KUBERNETES_URL || 'https://dl.k8s.io/release',
    etcd: env.TOKENWRIGHT_ETCD_URL || 'https://github.com/etcd-io/etcd/releases/download',
    kwok: env.TOKENWRIGHT_KWOK_URL || 'https://github.com/kubernetes-sigs/kwok/releases/download',
    kwokApi: env.TOKENWRIGHT_KWOK_API_URL || 'https://api.github.com/repos/kubernetes-sigs/kwok/releases/tags',
    helm: env.TOKENWRIGHT_HELM_URL || 'https://get.helm.sh',
  };
}

export function assetOf(name: BinaryName, versions: Versions, { os, arch }: Platform, env: NodeJS.ProcessEnv): Asset {
  const base = bases(env);
  const version = versions[projectOf(name)];
  switch (name) {
    case 'etcd': {
      const stem = `etcd-${version}-${os}-${arch}`;
      const file = `${stem}.${os === 'darwin' ? 'zip' : 'tar.gz'}`;
      const directory = `${base.etcd}/${version}`;
      return { url: `${directory}/${file}`, checksumUrl: `${directory}/SHA256SUMS`, member: `${stem}/etcd` };
    }
    case 'kwok':
      // kwok publishes no checksum files; GitHub states the digest of each file it keeps
      return { url: `${base.kwok}/${version}/kwok-${os}-${arch}`, checksumUrl: `${base.kwokApi}/${version}` };
    case 'helm': {
      const url = `${base.helm}/helm-${version}-${os}-${arch}.tar.gz`;
      return { url, checksumUrl: `${url}.sha256sum`, member: `${os}-${arch}/helm` };
    }
    default: {
      const url = `${base.kubernetes}/${version}/bin/${os}/${arch}/${name}`;
      return { url, checksumUrl: `${url}.sha256` };
    }
  }
}

const sha256 = /^[0-9a-f]{64}$/;

interface GithubRelease {
  assets?: { name?: string; digest?: string }[];
}

/**
 * The SHA-256 of `file` out of a checksum document: a bare digest, lines of `<digest>  <file>`, or the JSON in which
 * GitHub describes a release. Undefined when it does not speak of that file.
 */
export function readChecksum(document: string, file: string): string | undefined {
  if (document.trimStart().startsWith('{')) {
    const release: GithubRelease = JSON.parse(document);
    const digest = release.assets?.find((asset) => asset.name === file)?.digest?.replace(/^sha256:/, '');
    return digest !== undefined && sha256.test(digest) ? digest : undefined;
  }
  for (const line of document.split('\n')) {
    const [digest = '', named] = line.trim().split(/\s+/);
    if (sha256.test(digest) && (named === undefined || named.replace(/^\*/, '') === file)) return digest;
  }
  return undefined;
}
