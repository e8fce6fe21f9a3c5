import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Acquisition } from './acquisition.ts';
import { probeVersion } from './probe.ts';
import { type BinaryName, minorOf, type Project, projectOf } from './releases.ts';

/** Variables that would turn a build for this machine into another one. */
const foreign = ['GOOS', 'GOARCH', 'GOBIN', 'GOWORK', 'GOARM64', 'GOAMD64', 'GOEXPERIMENT'];

function goEnvironment(env: NodeJS.ProcessEnv, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const own = Object.fromEntries(Object.entries(env).filter(([key]) => !foreign.includes(key)));
  return { ...own, CGO_ENABLED: '0', GO111MODULE: 'on', GOWORK: 'off', ...more };
}

interface GoRun {
  args: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  onLine?: (line: string) => void;
}

/** Runs `go` and returns its stdout; throws a sentence with its last words otherwise. */
async function go({ args, cwd, env, onLine }: GoRun): Promise<string> {
  const child = spawn('go', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const last: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    onLine?.(line);
    last.push(line);
    if (last.length > 10) last.shift();
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(error.code === 'ENOENT' ? '`go` is not on the PATH' : error.message)),
    );
    child.once('close', (code) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`go ${args[0]} failed (${code}):\n${last.join('\n')}`));
    });
  });
}

/** Says every 15 seconds how far a long build is. */
async function withProgress<T>(
  what: string,
  log: (line: string) => void,
  build: (onLine: (line: string) => void) => Promise<T>,
): Promise<T> {
  const began = performance.now();
  const elapsed = () => {
    const seconds = Math.round((performance.now() - began) / 1000);
    return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  };
  let packages = 0;
  const timer = setInterval(() => log(`  ${what}: ${packages} packages compiled, ${elapsed()}`), 15_000);
  try {
    const built = await build((line) => {
      // `go build -v` names a package a line; everything else it says has spaces
      if (!line.includes(' ')) packages += 1;
    });
    log(`  ${what}: built in ${elapsed()}`);
    return built;
  } finally {
    clearInterval(timer);
  }
}

interface ModuleInfo {
  GoMod: string;
}

async function goModOf(module: string, version: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  const info: ModuleInfo = JSON.parse(
    await go({ args: ['mod', 'download', '-json', `${module}@${version}`], cwd, env }),
  );
  return readFile(info.GoMod, 'utf8');
}

/**
 * A go.mod in which Kubernetes builds. Its own has `replace` lines to directories that the module does not hold; each is
 * published under the same path as v0.<minor>.<patch>.
 */
export function kubernetesGoMod(version: string, upstream: string): string {
  const staging = [...upstream.matchAll(/^\s*(?:replace\s+)?(\S+) => \.\/staging\/\S+$/gm)].map((match) => match[1]);
  if (staging.length === 0) throw new Error(`the go.mod of Kubernetes ${version} replaces no staging modules`);
  const published = `v0.${version.split('.').slice(1).join('.')}`;
  const settings = [...upstream.matchAll(/^(?:go|godebug) [^(\n]+$/gm)].map((match) => match[0]);
  return [
    'module tokenwright.invalid/binaries',
    ...settings,
    `require k8s.io/kubernetes ${version}`,
    ...staging.map((module) => `replace ${module} => ${module} ${published}`),
    '',
  ].join('\n');
}

/** Without these, clients see v0.0.0-master. */
function kubernetesStamp(version: string): string {
  const [major, minor] = version.slice(1).split('.');
  const values = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' };
  return Object.entries(values)
    .flatMap(([key, value]) =>
      ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].map((p) => `-X ${p}.${key}=${value}`),
    )
    .join(' ');
}

const smaller = '-s -w';

async function buildKubernetes(names: BinaryName[], directory: string, { versions, env, log }: Acquisition) {
  const version = versions.kubernetes;
  const cwd = join(directory, 'kubernetes');
  await mkdir(cwd);
  const goEnv = goEnvironment(env);
  const upstream = await goModOf('k8s.io/kubernetes', version, cwd, goEnv);
  await writeFile(join(cwd, 'go.mod'), kubernetesGoMod(version, upstream));
  const commands = names.map((name) => `k8s.io/kubernetes/cmd/${name}`);
  const flags = ['-v', '-mod=mod', '-trimpath', '-ldflags', `${smaller} ${kubernetesStamp(version)}`];
  await withProgress(`Kubernetes ${version}`, log, (onLine) =>
    go({ args: ['build', ...flags, '-o', `${directory}/`, ...commands], cwd, env: goEnv, onLine }),
  );
}

async function buildEtcd(directory: string, { versions, env, log }: Acquisition) {
  const cwd = join(directory, 'etcd-module');
  await mkdir(cwd);
  const goEnv = goEnvironment(env);
  const module = 'go.etcd.io/etcd/server/v3';
  const settings = (await goModOf(module, versions.etcd, cwd, goEnv)).match(/^go .+$/m)?.[0] ?? 'go 1.24';
  await writeFile(
    join(cwd, 'go.mod'),
    `module tokenwright.invalid/binaries\n${settings}\nrequire ${module} ${versions.etcd}\n`,
  );
  const flags = ['-v', '-mod=mod', '-trimpath', '-ldflags', smaller];
  await withProgress(`etcd ${versions.etcd}`, log, (onLine) =>
    go({ args: ['build', ...flags, '-o', join(directory, 'etcd'), module], cwd, env: goEnv, onLine }),
  );
}

async function install(command: string, version: string, stamp: string, directory: string, need: Acquisition) {
  const args = ['install', '-v', '-trimpath', '-ldflags', `${smaller} ${stamp}`, `${command}@${version}`];
  const env = goEnvironment(need.env, { GOBIN: directory });
  await withProgress(`${command} ${version}`, need.log, (onLine) => go({ args, cwd: directory, env, onLine }));
}

const buildKwok = (directory: string, need: Acquisition) =>
  install(
    'sigs.k8s.io/kwok/cmd/kwok',
    need.versions.kwok,
    `-X sigs.k8s.io/kwok/pkg/consts.Version=${need.versions.kwok}`,
    directory,
    need,
  );

async function buildHelm(directory: string, need: Acquisition) {
  const version = need.versions.helm;
  // charts are rendered for the Kubernetes that helm was built with, unless a cluster is asked: unstamped, for v1.20
  const upstream = await goModOf('helm.sh/helm/v3', version, directory, goEnvironment(need.env));
  const minor = minorOf(/k8s\.io\/client-go (\S+)/.exec(upstream)?.[1] ?? 'v0.36.0');
  const stamps = ['helm.sh/helm/v3/pkg/lint/rules', 'helm.sh/helm/v3/pkg/chartutil'].map(
    (path) => `-X ${path}.k8sVersionMajor=1 -X ${path}.k8sVersionMinor=${minor}`,
  );
  const stamp = [`-X helm.sh/helm/v3/internal/version.version=${version}`, ...stamps].join(' ');
  await install('helm.sh/helm/v3/cmd/helm', version, stamp, directory, need);
}

/** Measured on 2 cores with nothing downloaded and nothing compiled before. */
const coldMinutes: Record<Project, number> = { kubernetes: 5, etcd: 1, kwok: 1, helm: 2 };

/** Builds what is asked for and puts it into the cache; throws when it cannot, as no step comes after it. */
export async function buildAll(names: readonly BinaryName[], need: Acquisition): Promise<Map<BinaryName, string>> {
  const { cache, versions, log } = need;
  const minutes = [...new Set(names.map(projectOf))].reduce((sum, project) => sum + coldMinutes[project], 0);
  log(`building from Go modules: ${names.join(', ')} (about ${minutes} min on 2 cores the first time)`);
  return cache.withScratch(async (directory) => {
    const built = new Map<BinaryName, string>();
    const keep = async (some: readonly BinaryName[]) => {
      for (const name of some) {
        const file = join(directory, name);
        await probeVersion(name, file).catch((error: Error) => {
          throw new Error(`${name} was built, but it ${error.message}`);
        });
        built.set(name, await cache.publish(file, name, versions));
      }
    };
    const kubernetes = names.filter((name) => projectOf(name) === 'kubernetes');
    if (kubernetes.length > 0) {
      await buildKubernetes(kubernetes, directory, need);
      await keep(kubernetes);
    }
    for (const [name, build] of [
      ['etcd', buildEtcd],
      ['kwok', buildKwok],
      ['helm', buildHelm],
    ] as const) {
      if (!names.includes(name)) continue;
      await build(directory, need);
      await keep([name]);
    }
    return built;
  });
}
