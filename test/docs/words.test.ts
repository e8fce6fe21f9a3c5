/** What the documentation names is there: pages, scripts, commands, flags. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { script } from '../e2e/harness/operator.ts';
import { ELSEWHERE, isRun, TRIED } from './commands.ts';
import { commandsOf, pages, root, SHELLS, SILENT } from './markdown.ts';

const PAGES = pages();
const COMMANDS = PAGES.flatMap((page) => page.blocks.flatMap(commandsOf));
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

async function help(...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [await script(), ...words, '--help']);
  return stdout;
}

it('is read', () => {
  expect(PAGES.map(({ file }) => file)).toEqual(
    expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'docs/protocol.md', 'docs/decisions/0001-own-client.md']),
  );
  expect(COMMANDS.length).toBeGreaterThan(5);
});

describe.each(PAGES)('$file', ({ file, blocks, code, links }) => {
  it('says of each block what it is, and hides no command in a text', () => {
    for (const { language, line, text } of blocks) {
      expect([...SHELLS, ...SILENT], `line ${line}: \`\`\`${language}`).toContain(language);
      if (language === 'text') expect(text, `line ${line}`).not.toMatch(/^\W*(kubectl|helm|npm|tokenwright) /m);
      if (language === 'json') JSON.parse(text);
      for (const document of language === 'yaml' ? parseAllDocuments(text) : [])
        expect(document.errors, `line ${line}`).toEqual([]);
    }
  });

  it('has no command that nobody runs', () => {
    for (const command of blocks.flatMap(commandsOf))
      expect(isRun(command), `nothing runs \`${command}\`: see test/docs/commands.ts`).toBe(true);
  });

  it('names only scripts that there are', () => {
    for (const text of [...code, ...blocks.flatMap(commandsOf)]) {
      const script = /^npm (?:run (?:-s )?)?([a-z:-]+)/.exec(text)?.[1];
      if (script !== undefined) expect(scripts, text).toHaveProperty([script]);
    }
  });

  it('links only to what there is', () => {
    const [here, local] = [dirname(join(root, file)), links.filter((link) => !/^https?:/.test(link))];
    for (const link of local) expect(existsSync(join(here, link.replace(/#.*/, ''))), link).toBe(true);
  });
});

describe('the flags in the documentation', () => {
  /** Of each command its flags. */
  const flags = new Map<string, string[]>();

  /** Of a command and those below it, by what stands after the program's name. */
  async function read(...path: string[]): Promise<void> {
    // of what is no command the program shows its own help, and so on without end
    expect(path.length).toBeLessThan(3);
    const [own = '', listed] = (await help(...path)).split('\nCommands:\n');
    flags.set(path.join(' '), [...own.matchAll(/--[a-z][a-z-]+/g)].map(String));
    const names = [...(listed ?? '').matchAll(/^ {2}([a-z-]+)/gm)].map((match) => match[1] ?? '');
    await Promise.all(names.filter((name) => name !== 'help').map((name) => read(...path, name)));
  }

  beforeAll(async () => {
    await read();
    expect([...flags.keys()]).toEqual(expect.arrayContaining(['operator', 'policy check']));
  }, 60_000);

  it('are those of some command of tokenwright, where they stand alone', () => {
    const alone = PAGES.flatMap(({ code }) => code).filter((text) => text.startsWith('--'));
    expect(alone.length).toBeGreaterThan(0);
    for (const text of alone) expect([...flags.values()].flat(), text).toContain(/^--[a-z-]+/.exec(text)?.[0]);
  });

  it('are those of the command that they follow', () => {
    const texts = [...PAGES.flatMap(({ code }) => code), ...COMMANDS].filter((text) => text.startsWith('tokenwright '));
    expect(texts.length).toBeGreaterThan(0);
    for (const text of texts) {
      const [, ...words] = text.split(/[ =]/);
      if (words[0]?.startsWith('-')) continue;
      const command = [words.slice(0, 2).join(' '), words[0] ?? ''].find((name) => flags.has(name)) ?? '';
      expect(command, text).not.toBe('');
      for (const word of words.filter((word) => word.startsWith('--')))
        expect(flags.get(command), text).toContain(word);
    }
  });
});

describe.each(Object.entries({ ...ELSEWHERE, ...TRIED }))('%s', (command, { file, says }) => {
  it('is in the documentation', () => {
    expect(COMMANDS).toContain(command);
  });

  it(`is run by ${file}`, () => {
    expect(readFileSync(join(root, file), 'utf8')).toContain(says);
  });
});
