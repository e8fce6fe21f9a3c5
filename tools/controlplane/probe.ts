import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type BinaryName, minorOf, projectOf, type Versions } from './releases.ts';

const run = promisify(execFile);

function versionArguments(name: BinaryName): string[] {
  if (name === 'kubectl') return ['version', '--client'];
  if (name === 'helm') return ['version', '--short'];
  return ['--version'];
}

/** Runs a program and returns what it says and the version in it, with `v`; throws a sentence when it cannot. */
export async function askVersion(
  path: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  expectedCode = 0,
): Promise<{ version: string; said: string }> {
  let said = '';
  try {
    const { stdout, stderr } = await run(path, args, { timeout: 60_000, env });
    said = stdout + stderr;
  } catch (error) {
    const { code, killed, stdout, stderr } = error as {
      code?: unknown;
      killed?: boolean;
      stdout: string;
      stderr: string;
    };
    if (code === expectedCode) said = stdout + stderr;
    else throw new Error(killed === true ? 'does not answer' : `does not run (${String(code ?? error)})`);
  }
  const version = /(\d+\.\d+\.\d+)/.exec(said)?.[1];
  if (version === undefined) throw new Error('names no version');
  return { version: `v${version}`, said };
}

/** Runs the binary and returns the version it names, with `v`; throws a sentence when it cannot. */
export async function probeVersion(name: BinaryName, path: string): Promise<string> {
  return (await askVersion(path, versionArguments(name))).version;
}

/** Why a binary of that version does not do in place of the wanted one, or undefined when it does. */
export function unfit(name: BinaryName, found: string, wanted: Versions): string | undefined {
  const project = projectOf(name);
  // patch releases mix; minor releases do not: the controller manager may not be newer than the API server
  if (project === 'kubernetes' && minorOf(found) !== minorOf(wanted.kubernetes)) {
    return `is ${found} where ${wanted.kubernetes} is wanted (TOKENWRIGHT_K8S_VERSION chooses)`;
  }
  if (found.split('.')[0] !== wanted[project].split('.')[0]) return `is ${found} where ${wanted[project]} is wanted`;
  return undefined;
}
