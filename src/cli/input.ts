/** What a command reads whole, of bounded size. */
import { createReadStream } from 'node:fs';
import { Failure } from './failure.ts';

export const STDIN = '-';

/**
 * @param longest in bytes
 * @returns undefined where there is more
 * @throws Failure where it cannot be read
 */
export async function readInput(file: string, longest: number): Promise<Buffer | undefined> {
  const source: AsyncIterable<Buffer> = file === STDIN ? process.stdin : createReadStream(file);
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of source) {
      size += part.length;
      if (size > longest) return undefined;
      parts.push(part);
    }
  } catch (error) {
    throw unreadable(file, error);
  }
  return Buffer.concat(parts);
}

/** Without what was read. */
export function unreadable(file: string, error: unknown): Failure {
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  return new Failure(`${file === STDIN ? 'stdin' : file} cannot be read${code}.`);
}
