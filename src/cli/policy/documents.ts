/** Documents in YAML and JSON: of files, of folders, of stdin; each with where it stands. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Composer, type Document, isAlias, isMap, isScalar, isSeq, LineCounter, Parser, visit } from 'yaml';
import { Failure } from '../failure.ts';
import { readInput, STDIN, unreadable } from '../input.ts';

const LONGEST_MIB = 10;
/** How often one anchor may be used: a few aliases of aliases make a manifest of any size. */
const ALIASES_MAX = 1000;
const EXTENSIONS = ['.yaml', '.yml', '.json'];

export interface Place {
  /** As it was named; `-` is stdin. */
  readonly file: string;
  /** In the file, from 1. */
  readonly document: number;
  /** From 1. */
  readonly line: number;
}

export interface Found {
  /** As JSON has it; free of circles. */
  readonly value: unknown;
  readonly place: Place;
  /** Where the field is, or the next around it that there is. */
  lineOf(path: readonly string[]): number;
}

/** As compilers write it. */
export function placeText({ file, line }: Pick<Place, 'file' | 'line'>): string {
  return `${file === STDIN ? 'stdin' : file}:${line}`;
}

/**
 * All that stand in the files and, however deep, in those of the folders that are called *.yaml, *.yml or *.json. A file that is named
 * twice is read once.
 * @throws Failure that says which file, and which line of it
 */
export async function* documentsIn(paths: readonly string[], seen = new Set<string>()): AsyncGenerator<Found> {
  for (const path of paths) {
    for (const file of await filesAt(path)) {
      const identity = file === STDIN ? STDIN : await realpath(file).catch(() => file);
      if (seen.has(identity)) continue;
      seen.add(identity);
      yield* parsed(file, await textOf(file));
    }
  }
}

async function filesAt(path: string): Promise<string[]> {
  if (path === STDIN) return [STDIN];
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => !entry.isDirectory() && EXTENSIONS.includes(extname(entry.name)));
    if (files.length > 0) return files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  } catch (error) {
    throw unreadable(path, error);
  }
  throw new Failure(`${path} holds no file called *.yaml, *.yml or *.json.`);
}

async function textOf(file: string): Promise<string> {
  const bytes = await readInput(file, LONGEST_MIB << 20);
  const name = file === STDIN ? 'stdin' : file;
  if (bytes === undefined) throw new Failure(`${name} is larger than ${LONGEST_MIB} MiB: split it.`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Failure(`${name} is not in UTF-8.`);
  }
}

function* parsed(file: string, text: string): Generator<Found> {
  const counter = new LineCounter();
  // keys are compared below: the library compares each with each
  const composer = new Composer({ merge: true, uniqueKeys: false, prettyErrors: false, logLevel: 'silent' });
  let document = 0;
  let line = 1;
  try {
    for (const tree of composer.compose(new Parser(counter.addNewLine).parse(text))) {
      document += 1;
      line = counter.linePos(tree.contents?.range?.[0] ?? tree.range[0]).line;
      const [error] = tree.errors;
      if (error !== undefined) {
        line = counter.linePos(error.pos[0]).line;
        throw error;
      }
      const key = faultyKey(tree);
      if (key !== undefined) {
        line = counter.linePos(key.at).line;
        throw new Error(key.problem);
      }
      const value: unknown = tree.toJS({ maxAliasCount: ALIASES_MAX });
      if (hasCircle(value)) throw new Error('an alias stands inside what it stands for');
      yield { value, place: { file, document, line }, lineOf: (path) => lineOf(tree, path, counter) };
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    const said = error instanceof Error ? error.message : String(error);
    throw new Failure(`${placeText({ file, line })}: not YAML or JSON as it should be: ${said}.`);
  }
}

/** One that is there twice, since programs differ in which they take; or that is no text, such as a template's {{ }}. */
function faultyKey(tree: Document): { problem: string; at: number } | undefined {
  let found: { problem: string; at: number } | undefined;
  visit(tree, {
    Map: (_, { items, range }) => {
      const keys = new Set<string>();
      for (const { key } of items) {
        const name = isScalar(key) ? String(key.value) : undefined;
        if (name === undefined) found = { problem: 'a key is no text: is it a template?', at: range?.[0] ?? 0 };
        else if (keys.has(name) && name !== '<<')
          found = {
            problem: `the key ${JSON.stringify(name)} is there twice`,
            at: (isScalar(key) && key.range?.[0]) || 0,
          };
        if (found !== undefined) return visit.BREAK;
        keys.add(name ?? '');
      }
      return undefined;
    },
  });
  return found;
}

function hasCircle(value: unknown, around = new Set<object>(), done = new Set<object>()): boolean {
  if (typeof value !== 'object' || value === null || done.has(value)) return false;
  if (around.has(value)) return true;
  around.add(value);
  const found = Object.values(value).some((one) => hasCircle(one, around, done));
  around.delete(value);
  done.add(value);
  return found;
}

function lineOf(tree: Document, path: readonly string[], counter: LineCounter): number {
  let node: unknown = tree.contents;
  let at = tree.contents?.range?.[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(tree);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
      if (pair === undefined) break;
      if (isScalar(pair.key)) at = pair.key.range?.[0] ?? at;
      node = pair.value;
    } else if (isSeq(node)) {
      const item: unknown = node.items[Number(step)];
      if (isMap(item) || isSeq(item) || isScalar(item)) at = item.range?.[0] ?? at;
      node = item;
    } else break;
  }
  return counter.linePos(at).line;
}
