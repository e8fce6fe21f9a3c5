#!/usr/bin/env node
/**
 * argv to one command; exit codes: 0 done, 1 failed, 2 used wrongly, 3 asked for but not done in time, 4 not as the policies
 * have it, 130 cut short.
 * As kubectl-tokenwright it is a plugin of kubectl.
 */
import { basename } from 'node:path';
import { createCommand, HelpShown, UsageError } from './app/command.ts';
import { completeCommand, completion } from './app/commands/completion.ts';
import { get } from './app/commands/get.ts';
import { lastUse } from './app/commands/last-use.ts';
import { log } from './app/commands/log.ts';
import { operator } from './app/commands/operator.ts';
import { policy } from './app/commands/policy.ts';
import { revoke } from './app/commands/revoke.ts';
import { rotate } from './app/commands/rotate.ts';
import { verifier } from './app/commands/verifier.ts';
import { verify } from './app/commands/verify.ts';
import { version } from './app/commands/version.ts';
import { terminal } from './app/session.ts';
import { Failure } from './cli/failure.ts';
import { VERSION } from './version.ts';

const [, script = '', ...words] = process.argv;
const called = basename(script);
const isPlugin = called.startsWith('kubectl');
// kubectl has its plugins complete by a program of this name
const argv = called === 'kubectl_complete-tokenwright' ? ['__complete', ...words] : words;

const program = createCommand({
  name: isPlugin ? 'kubectl tokenwright' : 'tokenwright',
  description: 'API-token governance for Kubernetes.',
})
  .enablePositionalOptions()
  .helpCommand('help [command]', 'Show the help of a command.')
  .version(`tokenwright ${VERSION}`, '--version', 'Print the version.');
const commands = [get, rotate, revoke, verify, lastUse, policy, log, completion, operator, verifier, version];
for (const command of commands) program.addCommand(command);
program.addCommand(completeCommand(program), { hidden: true });

try {
  await program.parseAsync(argv, { from: 'user' });
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(error.message);
    process.exitCode = 2;
  } else if (error instanceof Failure) {
    for (const line of error.message.split('\n')) terminal.note(line);
    process.exitCode = error.exitCode;
  } else if (!(error instanceof HelpShown)) throw error;
}
