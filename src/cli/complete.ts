/**
 * What may stand where the cursor is, told as cobra's programs tell it: a candidate and what it means on each line, and at last a
 * directive. kubectl asks its plugins in the same words (kubectl, pkg/util/completion: kubectl_complete-<plugin>).
 */
import type { Argument, Command, Option } from 'commander';
import { plain } from './terminal.ts';

export interface Candidate {
  readonly word: string;
  readonly means?: string;
}

/** Candidates; or `files`, which the shell knows best; or a list that only the cluster has. */
export type Completion =
  | { readonly is: 'words'; readonly candidates: readonly Candidate[] }
  | { readonly is: 'files' }
  | { readonly is: 'tokens'; readonly taken: readonly string[]; readonly flags: ReadonlyMap<string, string> };

/** ShellCompDirectiveNoFileComp and ShellCompDirectiveDefault of cobra. */
const NO_FILES = 4;
const DEFAULT = 0;

const NOTHING: Completion = { is: 'words', candidates: [] };

/** @param words what stands after the program's name; the last is the one to complete, and may be empty. */
export function complete(program: Command, words: readonly string[]): Completion {
  const [name = '', ...rest] = words;
  if (rest.length === 0) return wordsOf(commandsOf(program));
  if (name === 'help') return rest.length === 1 ? wordsOf(commandsOf(program)) : NOTHING;
  const command = program.commands.find((one) => one.name() === name);
  if (command === undefined) return NOTHING;
  return command.commands.length > 0 ? complete(command, rest) : completeCommand(command, rest);
}

export function formatCompletion(candidates: readonly Candidate[] | 'files', start: string): string {
  if (candidates === 'files') return `:${DEFAULT}\n`;
  const fitting = candidates.filter(({ word }) => word.startsWith(start));
  const lines = fitting.map(({ word, means }) => (means === undefined ? word : `${word}\t${plain(means)}`));
  return [...lines, `:${NO_FILES}`, ''].join('\n');
}

function completeCommand(command: Command, words: readonly string[]): Completion {
  const flags = new Map<string, string>();
  const taken: string[] = [];
  let open: Option | undefined;
  for (const word of words.slice(0, -1)) {
    const [dashed = '', value] = word.split('=', 2);
    if (open !== undefined) {
      flags.set(open.name(), word);
      open = undefined;
    } else if (dashed.startsWith('-')) {
      const option = command.options.find(({ short, long }) => dashed === short || dashed === long);
      if (option !== undefined && value !== undefined) flags.set(option.name(), value);
      else if (option?.required) open = option;
    } else taken.push(word);
  }
  if (open !== undefined) return valuesOf(open);
  if (words.at(-1)?.startsWith('-')) return wordsOf(command.options.map(optionCandidate));
  const argument = argumentAt(command, taken.length)?.name();
  if (argument === 'FILE') return { is: 'files' };
  return argument === 'NAME' ? { is: 'tokens', taken, flags } : NOTHING;
}

function argumentAt({ registeredArguments }: Command, at: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[at] ?? (last?.variadic ? last : undefined);
}

function valuesOf({ argChoices, flags }: Option): Completion {
  if (argChoices !== undefined) return wordsOf(argChoices.map((word) => ({ word })));
  return flags.endsWith('<FILE>') ? { is: 'files' } : NOTHING;
}

function optionCandidate({ long = '', description }: Option): Candidate {
  return { word: long, means: description };
}

function commandsOf({ commands }: Command): Candidate[] {
  const named = commands.filter((command) => !command.name().startsWith('_'));
  return named.map((command) => ({ word: command.name(), means: command.summary() || command.description() }));
}

function wordsOf(candidates: readonly Candidate[]): Completion {
  return { is: 'words', candidates };
}
