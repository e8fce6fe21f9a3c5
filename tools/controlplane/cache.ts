import { createHash } from 'node:crypto';
import { access, chmod, constants, mkdir, mkdtemp, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BinaryName, type Platform, projectOf, type Versions } from './releases.ts';

const day = 86_400_000;

/** True for a file that this user may execute. */
export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/**
 * Binaries kept between runs, by version and platform. Everything enters by a rename within the directory, so that other
 * processes see a whole file or none.
 */
export class Cache {
  readonly root: string;
  readonly #platform: Platform;

  constructor(env: NodeJS.ProcessEnv, platform: Platform) {
    this.root = join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tokenwright');
    this.#platform = platform;
  }

  /** Where that binary lies, or would. */
  path(name: BinaryName, versions: Versions): string {
    const { os, arch } = this.#platform;
    return join(this.root, 'binaries', `${os}-${arch}`, name, versions[projectOf(name)], name);
  }

  /** Takes over a file from a scratch directory; the last one to come wins, as they are equal. */
  async publish(file: string, name: BinaryName, versions: Versions): Promise<string> {
    const path = this.path(name, versions);
    await mkdir(dirname(path), { recursive: true });
    await chmod(file, 0o755);
    await rename(file, path);
    return path;
  }

  /** Gives `use` a directory on the same file system, and removes it afterwards; sweeps up what killed processes left. */
  async withScratch<T>(use: (directory: string) => Promise<T>): Promise<T> {
    const parent = join(this.root, 'scratch');
    await mkdir(parent, { recursive: true });
    for (const left of await readdir(parent)) {
      const age = Date.now() - ((await stat(join(parent, left)).catch(() => undefined))?.mtimeMs ?? Date.now());
      if (age > day) await rm(join(parent, left), { recursive: true, force: true });
    }
    const directory = await mkdtemp(join(parent, 'work-'));
    try {
      return await use(directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** A directory of links to exactly these files, the same one for the same files. */
  async assemble(files: ReadonlyMap<BinaryName, string>): Promise<string> {
    const entries = [...files].sort(([a], [b]) => a.localeCompare(b));
    const digest = createHash('sha256').update(JSON.stringify(entries)).digest('hex').slice(0, 16);
    const directory = join(this.root, 'sets', digest);
    if ((await readdir(directory).catch(() => [])).length === entries.length) return directory;
    await this.withScratch(async (scratch) => {
      const made = join(scratch, 'set');
      await mkdir(made);
      for (const [name, path] of entries) await symlink(path, join(made, name));
      await mkdir(dirname(directory), { recursive: true });
      await rename(made, directory).catch((error: NodeJS.ErrnoException) => {
        // another process was first, with the same links
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      });
    });
    return directory;
  }
}
