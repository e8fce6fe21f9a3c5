/** No Docker engine here: what a Dockerfile says is checked, and the build stage is done by hand in a folder of its own. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command } from './command.ts';

const root = join(import.meta.dirname, '../..');

interface Instruction {
  name: string;
  rest: string;
}

let instructions: Instruction[];
let ignored: (path: string) => boolean;
let context: string;

beforeAll(async () => {
  instructions = readDockerfile(await readFile(join(root, 'Dockerfile'), 'utf8'));
  ignored = readIgnoreFile(await readFile(join(root, '.dockerignore'), 'utf8'));
  context = await mkdtemp(join(tmpdir(), 'tokenwright-image-'));
});

afterAll(() => rm(context, { recursive: true, force: true }));

function readDockerfile(text: string): Instruction[] {
  const lines = text.replaceAll(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, '');
  return lines
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ name: line.split(' ', 1)[0] ?? '', rest: line.slice(line.indexOf(' ') + 1) }));
}

/** The rules of .dockerignore that ours uses: the last match wins, and a folder stands for what is in it. */
function readIgnoreFile(text: string): (path: string) => boolean {
  const rules = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const words: Record<string, string> = { '**/': '(?:.*/)?', '*': '[^/]*', '.': '\\.' };
      const pattern = line.replace(/^!/, '').replaceAll(/\*\*\/|\*|\./g, (word) => words[word] ?? word);
      return { keep: line.startsWith('!'), pattern: new RegExp(`^${pattern}(?:/|$)`) };
    });
  return (path) => {
    const last = rules.findLast(({ pattern }) => pattern.test(path));
    return last !== undefined && !last.keep;
  };
}

function stages(): Instruction[][] {
  const result: Instruction[][] = [];
  for (const instruction of instructions) {
    if (instruction.name === 'FROM') result.push([]);
    result.at(-1)?.push(instruction);
  }
  return result;
}

const final = () => stages().at(-1) ?? [];
const argument = (name: string) =>
  instructions.find((i) => i.name === 'ARG' && i.rest.startsWith(`${name}=`))?.rest.slice(name.length + 1) ?? '';

/** COPY from the build context: source to destination. */
function copies(stage: Instruction[]): { sources: string[]; to: string }[] {
  return stage
    .filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from'))
    .map(({ rest }) => rest.split(' '))
    .map((words) => ({ sources: words.slice(0, -1), to: words.at(-1) ?? '' }));
}

async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(join(root, path), { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return [path];
  return entries.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name).slice(root.length + 1));
}

describe('the image', () => {
  test('is built by the script of the project, from what is copied into the build stage and nothing else', async () => {
    const [build = []] = stages();
    expect(build.filter(({ name }) => name === 'RUN').map(({ rest }) => rest)).toEqual([
      'node tools/setup.mjs',
      'npm run build',
    ]);
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    expect(scripts.build).toMatch(/^node tools\/setup\.mjs && env node tools\/build\/bundle\.ts$/);

    for (const { sources, to } of copies(build)) {
      for (const source of sources) {
        for (const file of await filesOf(source)) {
          if (ignored(file)) continue;
          const place = join(context, to, sources.length > 1 || to.endsWith('/') ? file : file.slice(source.length));
          await mkdir(dirname(place), { recursive: true });
          await cp(join(root, file), place);
        }
      }
    }
    await symlink(join(root, 'node_modules'), join(context, 'node_modules'));
    await command(process.execPath, [join(context, 'tools/build/bundle.ts')], { cwd: context });

    const taken = final().filter(({ name, rest }) => name === 'COPY' && rest.startsWith('--from=build '));
    const files = taken.flatMap(({ rest }) => rest.split(' ').slice(1, -1));
    expect(files.map((file) => file.replace('/src/dist/', '')).sort()).toEqual(
      (await readdir(join(context, 'dist'))).sort(),
    );
  });

  test('finds everything that it copies', async () => {
    for (const { sources } of stages().flatMap(copies)) {
      for (const source of sources) {
        const files = (await filesOf(source)).filter((file) => !ignored(file));
        expect(files, source).not.toEqual([]);
        for (const file of files) await expect(readFile(join(root, file)), file).resolves.toBeDefined();
      }
    }
  });

  test('sends neither packages nor logs nor tests to the builder', () => {
    for (const path of [
      'node_modules/undici/index.js',
      '.git/HEAD',
      'test/install/image.test.ts',
      'tools/demo/demo.ts',
      'src/a.log',
    ])
      expect(ignored(path), path).toBe(true);
    for (const path of ['src/main.ts', 'tools/setup.mjs', 'tools/build/bundle.ts', 'package-lock.json', '.npmrc'])
      expect(ignored(path), path).toBe(false);
  });

  test('runs as a numbered user that is not root, without a shell, and is ended by SIGTERM', () => {
    const last = (name: string) => final().findLast((i) => i.name === name)?.rest;
    expect(last('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(JSON.parse(last('ENTRYPOINT') ?? '')).toEqual(['/nodejs/bin/node', '/app/tokenwright.js']);
    expect(JSON.parse(last('CMD') ?? '')).toEqual(['operator']);
    expect(last('STOPSIGNAL')).toBe('SIGTERM');
    expect(
      final().some(({ name }) => name === 'RUN'),
      'distroless has no shell',
    ).toBe(false);
    expect(argument('RUNTIME_IMAGE')).toMatch(/^gcr\.io\/distroless\/nodejs24-debian\d+:nonroot$/);
  });

  test('is built on the Node that the tests run on, and says which version it is', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    expect(argument('BUILD_IMAGE')).toMatch(new RegExp(`/node:${process.versions.node.replaceAll('.', '\\.')}-`));
    expect(argument('VERSION')).toBe(version);
    const labels = final().find(({ name }) => name === 'LABEL')?.rest ?? '';
    for (const label of ['title', 'licenses', 'version', 'revision', 'created'])
      expect(labels).toContain(`org.opencontainers.image.${label}=`);
  });
});
