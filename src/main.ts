#!/usr/bin/env node
/** argv to one command; exit codes: 0 done, 1 failed, 2 used wrongly, 130 cut short by a second signal. */
import { createCommand, HelpShown, UsageError } from './app/command.ts';
import { operator } from './app/commands/operator.ts';
import { version } from './app/commands/version.ts';
import { VERSION } from './version.ts';

const program = createCommand({ name: 'tokenwright', description: 'API-token governance for Kubernetes.' })
  .helpCommand('help [command]', 'Show the help of a command.')
  .version(`tokenwright ${VERSION}`, '--version', 'Print the version.')
  .addCommand(operator)
  .addCommand(version);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(error.message);
    process.exitCode = 2;
  } else if (!(error instanceof HelpShown)) throw error;
}
