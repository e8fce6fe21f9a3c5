import { join, resolve } from 'node:path';
import { Cache, isExecutable } from './cache.ts';
import { type DownloadTimeouts, downloadAll } from './download.ts';
import { buildAll } from './go-build.ts';
import { withLock } from './lock.ts';
import { probeVersion, unfit } from './probe.ts';
import { type BinaryName, binaryNames, projectOf, thisPlatform, type Versions } from './releases.ts';

export interface ResolveOptions {
  versions: Versions;
  log: (line: string) => void;
  /** Default: all of them. */
  names?: readonly BinaryName[];
  env?: NodeJS.ProcessEnv;
  timeouts?: DownloadTimeouts;
}

export interface BinarySet {
  /** Holds a link to each binary under its plain name. */
  directory: string;
  files: ReadonlyMap<BinaryName, string>;
}

/** Directories that the user names, in the order in which they are asked. */
const environmentDirectories = ['TOKENWRIGHT_BINARIES', 'KUBEBUILDER_ASSETS'] as const;

async function fromEnvironment(missing: readonly BinaryName[], { versions, log, env = process.env }: ResolveOptions) {
  const found = new Map<BinaryName, string>();
  for (const variable of environmentDirectories) {
    const directory = env[variable];
    if (directory === undefined || directory === '') continue;
    for (const name of missing) {
      if (found.has(name)) continue;
      const path = resolve(join(directory, name));
      if (!(await isExecutable(path))) {
        log(`${name}: not in ${variable} (${directory})`);
        continue;
      }
      const reason = await probeVersion(name, path).then(
        (version) => unfit(name, version, versions),
        (error: Error) => error.message,
      );
      if (reason === undefined) found.set(name, path);
      else log(`${name}: the one in ${variable} (${directory}) ${reason}`);
    }
    if (found.size > 0) log(`from ${variable} (${directory}): ${[...found.keys()].join(', ')}`);
  }
  return found;
}

async function fromCache(missing: readonly BinaryName[], cache: Cache, versions: Versions) {
  const found = new Map<BinaryName, string>();
  for (const name of missing) {
    const path = cache.path(name, versions);
    if (await isExecutable(path)) found.set(name, path);
  }
  return found;
}

/**
 * Finds or makes the binaries: from a directory that the environment names, the cache, a download of the official
 * releases, a build from Go modules. Each step that cannot help says why and leaves the rest to the next one.
 */
export async function resolveBinaries(options: ResolveOptions): Promise<BinarySet> {
  const { versions, log, names = binaryNames, env = process.env } = options;
  const platform = thisPlatform();
  const cache = new Cache(env, platform);
  const files = new Map<BinaryName, string>();
  const missing = () => names.filter((name) => !files.has(name));
  const add = (found: ReadonlyMap<BinaryName, string>) => {
    for (const [name, path] of found) files.set(name, path);
  };

  add(await fromEnvironment(missing(), options));
  add(await fromCache(missing(), cache, versions));
  if (missing().length > 0) {
    const told = missing().map((name) => `${name} ${versions[projectOf(name)]}`);
    log(`not in the cache (${cache.root}): ${told.join(', ')}`);
    const onWait = (pid: number) => log(`process ${pid} is fetching or building binaries; waiting for it`);
    await withLock(join(cache.root, 'acquire.lock'), onWait, async () => {
      add(await fromCache(missing(), cache, versions)); // the process waited for may have put them there
      const need = { cache, platform, versions, log, env };
      if (missing().length > 0) add(await downloadAll(missing(), need, options.timeouts));
      if (missing().length > 0) add(await buildAll(missing(), need));
    });
  }
  return { directory: await cache.assemble(files), files };
}
