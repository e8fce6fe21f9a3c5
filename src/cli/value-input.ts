/** Where the value comes from: a file or stdin, never the command line, which others can read and shells remember. */
import { createReadStream } from 'node:fs';
import { Failure } from './failure.ts';

/** A value is at most 86 characters; the rest is room for blanks around it. */
const LONGEST = 1024;

/** @throws Failure, without what was read */
export async function readValue(file: string): Promise<string> {
  const source = file === '-' ? process.stdin : createReadStream(file);
  let text = '';
  try {
    for await (const chunk of source) {
      text += String(chunk);
      if (text.length > LONGEST) break;
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new Failure(`${file === '-' ? 'stdin' : file} cannot be read${code}.`);
  }
  if (text.length > LONGEST) throw new Failure(`More than ${LONGEST} characters: not the value of a token.`);
  return text;
}
