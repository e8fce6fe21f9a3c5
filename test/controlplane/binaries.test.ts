import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { resolveBinaries } from '../../tools/controlplane/binaries.ts';
import { Cache } from '../../tools/controlplane/cache.ts';
import { type BinaryName, binaryNames, defaultVersions, thisPlatform } from '../../tools/controlplane/releases.ts';
import { type Fault, type ReleaseServer, startReleaseServer } from './release-server.ts';
import { Sandbox } from './sandbox.ts';

const run = promisify(execFile);
const timeouts = { connect: 500, silence: 500 };

let sandbox: Sandbox;
let server: ReleaseServer | undefined;

beforeEach(() => {
  sandbox = new Sandbox();
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  sandbox.remove();
});

function resolve(env: Record<string, string> = {}, names: readonly BinaryName[] = binaryNames) {
  const all = { ...sandbox.env, ...server?.env, ...env };
  return resolveBinaries({ versions: defaultVersions, log: sandbox.log, names, env: all, timeouts });
}

/** Where each binary came from, by the comment in it. */
function origins(directory: string): Record<string, string> {
  const origin = (name: string) => /# from (.*)/.exec(readFileSync(join(directory, name), 'utf8'))?.[1] ?? 'unknown';
  return Object.fromEntries(readdirSync(directory).map((name) => [name, origin(name)]));
}

const all = (origin: string) => Object.fromEntries(binaryNames.map((name) => [name, origin]));
const cachePath = (name: BinaryName) => new Cache(sandbox.env, thisPlatform()).path(name, defaultVersions);
const scratch = () => readdirSync(join(sandbox.env.XDG_CACHE_HOME ?? '', 'tokenwright/scratch'));

describe('the download', () => {
  test('gets every binary, out of archives and through redirects, and keeps them', async () => {
    server = await startReleaseServer();
    const { directory } = await resolve();
    expect(origins(directory)).toEqual(all('a download'));
    expect(scratch()).toEqual([]);
    expect(sandbox.goCalls()).toEqual([]);
  });

  test.each<[BinaryName, Fault, RegExp]>([
    [
      'kube-apiserver',
      'wrong checksum',
      /kube-apiserver: not downloaded: wrong checksum: SHA-256 [0-9a-f]{64}, published is [0-9a-f]{64}; deleted/,
    ],
    ['etcd', 'wrong checksum', /etcd: not downloaded: wrong checksum/],
    ['kwok', 'wrong checksum', /kwok: not downloaded: wrong checksum/],
    ['helm', 'wrong checksum', /helm: not downloaded: wrong checksum/],
    ['kube-scheduler', 'no checksum file', /kube-scheduler: not downloaded: \S+\/kube-scheduler\.sha256 answered 404/],
    ['etcd', 'checksum of other files only', /etcd: not downloaded: \S+\/SHA256SUMS states no SHA-256 for it/],
    ['kwok', 'checksum of other files only', /kwok: not downloaded: \S+\/v0\.8\.0 states no SHA-256 for it/],
    ['kubectl', 'no binary', /kubectl: not downloaded: \S+\/kubectl answered 404/],
    [
      'kube-controller-manager',
      'cut in the middle',
      /kube-controller-manager: not downloaded: the connection was cut .*, after \d+ MB of \d+ MB/,
    ],
    [
      'kube-controller-manager',
      'silent in the middle',
      /kube-controller-manager: not downloaded: the server fell silent, after/,
    ],
    ['kwok', 'not a program', /kwok: not downloaded: what was downloaded does not run/],
    ['helm', 'archive without it', /helm: not downloaded: the archive holds no \S+\/helm/],
  ])(
    'of %s with the fault "%s" says so, keeps nothing of it and leaves it to the build',
    async (name, fault, reason) => {
      server = await startReleaseServer({ [name]: fault });
      sandbox.fakeGo();
      const { directory } = await resolve();
      expect(sandbox.said).toMatch(reason);
      expect(origins(directory)).toEqual({ ...all('a download'), [name]: 'a build' });
      expect(scratch()).toEqual([]);
    },
  );

  test('of a host that cannot be reached is given up after its first file', async () => {
    const connections: Socket[] = [];
    const silent = createServer((socket) => void connections.push(socket.on('error', () => {})));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    sandbox.fakeGo();
    server = await startReleaseServer();
    // TLS never gets an answer there
    const address = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const { directory } = await resolve({ TOKENWRIGHT_KUBERNETES_URL: address });
    for (const socket of connections) socket.destroy();
    silent.close();
    expect(connections).toHaveLength(1);
    expect(sandbox.said).toMatch(
      /kube-apiserver, kube-controller-manager, kube-scheduler, kubectl: not downloaded: 127\.0\.0\.1:\d+: no connection in time/,
    );
    expect(origins(directory)).toMatchObject({ etcd: 'a download', kubectl: 'a build' });
  });

  test('is left out where TOKENWRIGHT_DOWNLOAD is off', async () => {
    server = await startReleaseServer();
    sandbox.fakeGo();
    const { directory } = await resolve({ TOKENWRIGHT_DOWNLOAD: 'off' });
    expect(origins(directory)).toEqual(all('a build'));
    expect(server.requests).toEqual([]);
  });
});

describe('the directory of the environment', () => {
  test.each(['KUBEBUILDER_ASSETS', 'TOKENWRIGHT_BINARIES'])(
    '%s gives what it holds; the rest is got',
    async (variable) => {
      server = await startReleaseServer();
      const assets = sandbox.assets({ etcd: 'v3.6.5', 'kube-apiserver': 'v1.36.0', kubectl: 'v1.36.0' });
      const { directory } = await resolve({ [variable]: assets });
      const taken = { etcd: 'the assets', 'kube-apiserver': 'the assets', kubectl: 'the assets' };
      expect(origins(directory)).toEqual({ ...all('a download'), ...taken });
      expect(sandbox.said).toContain(`from ${variable} (${assets}): etcd, kube-apiserver, kubectl`);
      expect(sandbox.said).toContain(`kwok: not in ${variable}`);
      expect(server.requests.filter((path) => /apiserver|kubectl|etcd/.test(path))).toEqual([]);
    },
  );

  test('is asked in the order TOKENWRIGHT_BINARIES, KUBEBUILDER_ASSETS', async () => {
    const first = sandbox.program('first', 'helm', '#!/bin/sh\n# from the first\necho v3.22.0\n');
    const second = sandbox.assets({ helm: 'v3.21.0', kwok: 'v0.8.0' });
    const { directory } = await resolve({ TOKENWRIGHT_BINARIES: first, KUBEBUILDER_ASSETS: second }, ['helm', 'kwok']);
    expect(origins(directory)).toEqual({ helm: 'the first', kwok: 'the assets' });
  });

  test.each<[string, (box: Sandbox) => void, string]>([
    ['of another minor version', (box) => box.assets({ kubectl: 'v1.31.0' }), 'is v1.31.0 where v1.36.3 is wanted'],
    ['that crashes', (box) => box.program('assets', 'kubectl', '#!/bin/sh\nexit 7\n'), 'does not run (7)'],
    ['for another machine', (box) => box.program('assets', 'kubectl', '\x7fELF nonsense'), 'does not run'],
    ['that names no version', (box) => box.program('assets', 'kubectl', '#!/bin/sh\necho hello\n'), 'names no version'],
    ['that may not be executed', (box) => box.program('assets', 'kubectl', '', 0o644), 'not in KUBEBUILDER_ASSETS'],
  ])('does not give a binary %s', async (_, prepare, reason) => {
    server = await startReleaseServer();
    prepare(sandbox);
    const { directory } = await resolve({ KUBEBUILDER_ASSETS: join(sandbox.directory, 'assets') }, ['kubectl']);
    expect(origins(directory)).toEqual({ kubectl: 'a download' });
    expect(sandbox.said).toContain(reason);
  });
});

describe('the cache', () => {
  test('spares the second run every request and every word', async () => {
    server = await startReleaseServer();
    const first = await resolve();
    const asked = server.requests.length;
    sandbox.lines.length = 0;
    const second = await resolve();
    expect(second).toEqual(first);
    expect(server.requests).toHaveLength(asked);
    expect(sandbox.lines).toEqual([]);
  });

  test('keeps versions apart', async () => {
    server = await startReleaseServer();
    await resolve();
    const older = { ...defaultVersions, kubernetes: 'v1.34.4' };
    sandbox.fakeGo('1.34.4');
    const options = { versions: older, log: sandbox.log, env: { ...sandbox.env, ...server.env }, timeouts };
    const { directory } = await resolveBinaries(options);
    expect(readFileSync(join(directory, 'kubectl'), 'utf8')).toContain('v1.34.4');
    expect(readFileSync(cachePath('kubectl'), 'utf8')).toContain('v1.36.3');
    expect(origins(directory)).toMatchObject({ kubectl: 'a build', etcd: 'a download' });
  });

  test('sweeps up what a killed process left, once it is a day old', async () => {
    server = await startReleaseServer();
    const left = join(sandbox.env.XDG_CACHE_HOME ?? '', 'tokenwright/scratch');
    const [old, young] = [join(left, 'work-old'), join(left, 'work-young')];
    for (const directory of [old, young]) {
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, 'kubectl.part'), 'half');
    }
    const yesterday = new Date(Date.now() - 86_400_000 - 60_000);
    utimesSync(old, yesterday, yesterday);
    await resolve({}, ['kubectl']);
    expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
  });

  test('is filled once by two processes that need it at once', async () => {
    server = await startReleaseServer();
    const main = fileURLToPath(new URL('../../tools/controlplane/main.ts', import.meta.url));
    const options = { env: { ...sandbox.env, ...server.env } };
    const both = [1, 2].map(() => run(process.execPath, [main, 'binaries'], options));
    const [first, second] = await Promise.all(both);
    expect(first?.stdout).toBe(second?.stdout);
    expect(origins(first?.stdout.trim() ?? '')).toEqual(all('a download'));
    // each address once, though two processes wanted it
    expect(server.requests.toSorted()).toEqual([...new Set(server.requests)].toSorted());
  });
});

describe('the build', () => {
  test('makes everything where no release can be had, and stamps the versions', async () => {
    sandbox.fakeGo();
    const { directory } = await resolve({ TOKENWRIGHT_DOWNLOAD: 'off' });
    expect(origins(directory)).toEqual(all('a build'));
    const calls = sandbox.goCalls();
    const call = (part: string) => calls.find((line) => /^(build|install) /.test(line) && line.includes(part)) ?? '';
    expect(call('kube-apiserver')).toContain('-X k8s.io/component-base/version.gitVersion=v1.36.3');
    expect(call('kube-apiserver')).toContain('-X k8s.io/client-go/pkg/version.gitMinor=36');
    expect(call('helm')).toContain('-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=36');
    expect(call('kwok')).toContain('sigs.k8s.io/kwok/cmd/kwok@v0.8.0');
    // all of Kubernetes in one go, so that shared packages compile once
    expect(call('kube-apiserver')).toBe(call('kubectl'));
  });

  test('builds only what is missing', async () => {
    server = await startReleaseServer({ kwok: 'no binary' });
    sandbox.fakeGo();
    await resolve();
    expect(sandbox.goCalls().filter((line) => !line.startsWith('mod '))).toEqual([expect.stringContaining('/kwok@')]);
  });

  test('fails with the last words of go, as no step comes after it', async () => {
    sandbox.brokenGo();
    await expect(resolve({ TOKENWRIGHT_DOWNLOAD: 'off' })).rejects.toThrow(/no space left on device/);
    expect(scratch()).toEqual([]);
  });

  test('says so when there is no go', async () => {
    const env = { TOKENWRIGHT_DOWNLOAD: 'off', PATH: join(sandbox.directory, 'empty') };
    await expect(resolve(env)).rejects.toThrow('`go` is not on the PATH');
  });

  test('does not keep a binary that does not run', async () => {
    sandbox.program(
      'bin',
      'go',
      '#!/bin/sh\n[ "$1" = install ] && printf "#!/bin/sh\\nexit 1\\n" > "$GOBIN/kwok" && chmod 755 "$GOBIN/kwok"\n',
    );
    await expect(resolve({ TOKENWRIGHT_DOWNLOAD: 'off' }, ['kwok'])).rejects.toThrow(
      'kwok was built, but it does not run',
    );
    expect(existsSync(cachePath('kwok'))).toBe(false);
  });
});
