/** Runs a program to its end. */
import { execFile } from 'node:child_process';

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  input?: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

/** How it ended, whatever that is; throws only where the program does not exist. */
export function tryCommand(file: string, args: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
  const { input, ...where } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, { ...where, maxBuffer: 32 << 20, timeout: 290_000 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code === 'string') reject(error);
      else resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

/** Its stdout; throws with its last words where it fails. */
export async function command(file: string, args: readonly string[], options?: CommandOptions): Promise<string> {
  const { code, stdout, stderr } = await tryCommand(file, args, options);
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}: ${stderr.trim()}`);
  return stdout;
}
