import { describe, expect, test } from 'vitest';
import { assetOf, readChecksum } from '../../tools/controlplane/release-assets.ts';
import {
  type BinaryName,
  chooseVersions,
  defaultVersions,
  type Platform,
  thisPlatform,
} from '../../tools/controlplane/releases.ts';

const linux: Platform = { os: 'linux', arch: 'amd64' };
const mac: Platform = { os: 'darwin', arch: 'arm64' };
const releases = 'https://github.com';

describe('the address of', () => {
  test.each<[BinaryName, Platform, string, string, string | undefined]>([
    [
      'kube-apiserver',
      linux,
      'https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kube-apiserver',
      'https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kube-apiserver.sha256',
      undefined,
    ],
    [
      'kubectl',
      mac,
      'https://dl.k8s.io/release/v1.36.3/bin/darwin/arm64/kubectl',
      'https://dl.k8s.io/release/v1.36.3/bin/darwin/arm64/kubectl.sha256',
      undefined,
    ],
    [
      'etcd',
      linux,
      `${releases}/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-amd64.tar.gz`,
      `${releases}/etcd-io/etcd/releases/download/v3.6.8/SHA256SUMS`,
      'etcd-v3.6.8-linux-amd64/etcd',
    ],
    [
      'etcd',
      mac,
      `${releases}/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-darwin-arm64.zip`,
      `${releases}/etcd-io/etcd/releases/download/v3.6.8/SHA256SUMS`,
      'etcd-v3.6.8-darwin-arm64/etcd',
    ],
    [
      'kwok',
      linux,
      `${releases}/kubernetes-sigs/kwok/releases/download/v0.8.0/kwok-linux-amd64`,
      'https://api.github.com/repos/kubernetes-sigs/kwok/releases/tags/v0.8.0',
      undefined,
    ],
    [
      'helm',
      mac,
      'https://get.helm.sh/helm-v3.22.0-darwin-arm64.tar.gz',
      'https://get.helm.sh/helm-v3.22.0-darwin-arm64.tar.gz.sha256sum',
      'darwin-arm64/helm',
    ],
  ])('%s for %o', (name, platform, url, checksumUrl, member) => {
    expect(assetOf(name, defaultVersions, platform, {})).toEqual({
      url,
      checksumUrl,
      ...(member === undefined ? {} : { member }),
    });
  });
});

const digest = 'a'.repeat(64);
const other = 'b'.repeat(64);

describe('a checksum is read from', () => {
  test.each([
    ['a bare digest', digest],
    ['a bare digest with a line end', `${digest}\n`],
    ['a line that names the file', `${digest}  file.tar.gz\n`],
    ['a line in binary mode', `${digest} *file.tar.gz\n`],
    ['its line among others', `${other}  file.tar.gz.asc\n${digest}  file.tar.gz\n${other}  file\n`],
    [
      'a GitHub release',
      JSON.stringify({
        assets: [
          { name: 'x', digest: `sha256:${other}` },
          { name: 'file.tar.gz', digest: `sha256:${digest}` },
        ],
      }),
    ],
  ])('%s', (_, document) => {
    expect(readChecksum(document, 'file.tar.gz')).toBe(digest);
  });

  test.each([
    ['an empty file', ''],
    ['a page', '<html>404</html>'],
    ['a digest of another kind', 'c'.repeat(128)],
    ['a list without the file', `${other}  other.tar.gz\n`],
    ['a release without digests', JSON.stringify({ assets: [{ name: 'file.tar.gz', digest: null }] })],
    [
      'a release with another kind of digest',
      JSON.stringify({ assets: [{ name: 'file.tar.gz', digest: 'sha512:00' }] }),
    ],
    ['an error of the API', JSON.stringify({ message: 'API rate limit exceeded' })],
  ])('but not from %s', (_, document) => {
    expect(readChecksum(document, 'file.tar.gz')).toBeUndefined();
  });
});

describe('the Kubernetes version', () => {
  test.each([
    [undefined, {}, 'v1.36.3'],
    [undefined, { TOKENWRIGHT_K8S_VERSION: '1.34.4' }, 'v1.34.4'],
    [undefined, { TOKENWRIGHT_K8S_VERSION: '' }, 'v1.36.3'],
    ['v1.35.4', { TOKENWRIGHT_K8S_VERSION: '1.34.4' }, 'v1.35.4'],
  ])('asked for as %s with %o is %s', (asked, env, version) => {
    expect(chooseVersions(asked, env).kubernetes).toBe(version);
  });
  test.each(['1.36', 'latest', '1.36.3-rc.0', '../../x'])('%s is refused', (asked) => {
    expect(() => chooseVersions(asked, {})).toThrow(`"${asked}" is not a Kubernetes version`);
  });
});

test.each([
  ['linux', 'x64', { os: 'linux', arch: 'amd64' }],
  ['linux', 'arm64', { os: 'linux', arch: 'arm64' }],
  ['darwin', 'arm64', { os: 'darwin', arch: 'arm64' }],
])('%s on %s is a platform', (os, arch, platform) => {
  expect(thisPlatform(os, arch)).toEqual(platform);
});

test.each([
  ['win32', 'x64'],
  ['linux', 'ia32'],
])('%s on %s is none', (os, arch) => {
  expect(() => thisPlatform(os, arch)).toThrow(`this is ${os} ${arch}`);
});
