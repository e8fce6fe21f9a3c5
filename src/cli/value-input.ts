/** Where the value comes from: a file or stdin, never the command line, which others can read and shells remember. */
import { Failure } from './failure.ts';
import { readInput } from './input.ts';

/** A value is at most 86 characters; the rest is room for blanks around it. */
const LONGEST = 1024;

/** @throws Failure, without what was read */
export async function readValue(file: string): Promise<string> {
  const bytes = await readInput(file, LONGEST);
  if (bytes === undefined) throw new Failure(`More than ${LONGEST} characters: not the value of a token.`);
  return bytes.toString();
}
