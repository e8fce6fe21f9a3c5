/** `tokenwright completion`, and `__complete`, which its scripts and kubectl ask. */
import type { Command } from 'commander';
import { API_TOKENS } from '../../api/apitoken.ts';
import { type Candidate, type Completion, complete, formatCompletion } from '../../cli/complete.ts';
import { COMPLETION_SCRIPTS, SHELLS } from '../../cli/completion-scripts.ts';
import { argumentsOf, createCommand, UsageError } from '../command.ts';
import { oneOf } from '../flags.ts';
import { terminal, withSession } from '../session.ts';

/** Somebody waits at a prompt. */
const PATIENCE_MS = 5_000;

export const completion = createCommand({
  name: 'completion',
  description: 'Print the script that completes commands, flags and names of ApiTokens in a shell.',
}).argument('<SHELL>', `${SHELLS.join(', ')}.`);

completion.action(() => {
  const [shell] = argumentsOf(completion, oneOf(SHELLS));
  if (shell === undefined) throw new UsageError(completion, ['SHELL is missing.']);
  terminal.print(COMPLETION_SCRIPTS[shell]);
});

/** @param program whose commands are completed. */
export function completeCommand(program: Command): Command {
  const command = createCommand({ name: '__complete', description: 'What may stand at the cursor.' });
  return command
    .argument('[WORDS...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (words: readonly string[]) => {
      const candidates = await candidatesOf(complete(program, words));
      terminal.print(formatCompletion(candidates, words.at(-1) ?? ''));
      // not held up by an answer that comes too late
      process.exit(0);
    });
}

async function candidatesOf(found: Completion): Promise<readonly Candidate[] | 'files'> {
  if (found.is === 'files') return 'files';
  return found.is === 'words' ? found.candidates : tokenNames(found);
}

/** None where the cluster does not answer: a prompt is no place for errors. */
async function tokenNames({ taken, flags }: Extract<Completion, { is: 'tokens' }>): Promise<readonly Candidate[]> {
  const [namespace, kubeconfig, context] = ['namespace', 'kubeconfig', 'context'].map((flag) => flags.get(flag));
  const names = withSession({ namespace, kubeconfig, context }, async (session) => {
    const tokens = await session.client.list(API_TOKENS, { namespace: session.namespace });
    return tokens.map(({ metadata, spec }) => ({ word: metadata.name, means: spec.purpose }));
  }).catch(() => []);
  const late = new Promise<never[]>((resolve) => setTimeout(resolve, PATIENCE_MS, []).unref());
  return (await Promise.race([names, late])).filter(({ word }) => !taken.includes(word));
}
