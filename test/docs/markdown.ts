/** The project's Markdown, as its readers take it: commands to copy, manifests to apply, flags to give, links to follow. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export interface Block {
  language: string;
  text: string;
  /** Where it begins, from 1. */
  line: number;
}

export interface Page {
  /** From the root. */
  file: string;
  blocks: Block[];
  /** `like this` */
  code: string[];
  /** Targets, as written. */
  links: string[];
}

/** README.md first, as a reader does: later pages build on what it sets up. */
export function pages(): Page[] {
  const files = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...globSync('docs/**/*.md', { cwd: root }).sort()];
  return files.map((file) => pageOf(file, readFileSync(join(root, file), 'utf8')));
}

const FENCE = /^( *)```(.*)\n([\s\S]*?)\n\1```$/gm;

export function pageOf(file: string, markdown: string): Page {
  const blocks = [...markdown.matchAll(FENCE)].map((match) => ({
    language: match[2] ?? '',
    text: (match[3] ?? '').replaceAll(new RegExp(`^${match[1]}`, 'gm'), ''),
    line: markdown.slice(0, match.index).split('\n').length,
  }));
  const prose = markdown.replaceAll(FENCE, '');
  return {
    file,
    blocks,
    code: [...prose.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''),
    links: [...prose.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1] ?? ''),
  };
}

/** What runs nothing. */
export const SILENT = ['text', 'yaml', 'json', 'ts'];
export const SHELLS = ['sh', 'bash', 'console'];

/** Of a block in a shell's language: one by one, without prompts, comments and the answers that `console` shows. */
export function commandsOf({ language, text }: Block): string[] {
  if (!SHELLS.includes(language)) return [];
  const lines = text.replaceAll(/\s*\\\n\s*/g, ' ').split('\n');
  const asked = language === 'console' ? lines.filter((line) => line.startsWith('$ ')) : lines;
  return asked.map((line) => line.replace(/^\$ /, '').trim()).filter((line) => line !== '' && !line.startsWith('#'));
}

export interface Step {
  line: number;
  command: string;
  /** For its stdin. */
  manifest?: string;
}

/** What a reader does with the page, in its order: each command, and each manifest to apply. */
export function stepsOf({ blocks }: Page): Step[] {
  return blocks.flatMap((block): Step[] => {
    const { line, language, text } = block;
    const isManifest = language === 'yaml' && /^apiVersion:/m.test(text) && /^kind:/m.test(text);
    if (isManifest) return [{ line, command: 'kubectl apply -f -', manifest: text }];
    return commandsOf(block).map((command) => ({ line, command }));
  });
}
