/** `tokenwright verify`. */
import { isatty } from 'node:tty';
import { readValue } from '../../cli/value-input.ts';
import { find, formOf, tell } from '../../cli/verify.ts';
import { choice, createCommand, onlyOn, UsageError, valuesOf, withDefault } from '../command.ts';
import { anyText } from '../flags.ts';
import { CLUSTER_FLAGS, terminal, withSession } from '../session.ts';

const FLAGS = {
  'value-file': withDefault('FILE', anyText, '-', 'Where the value is: a file, or - for stdin.'),
  offline: onlyOn('Check shape and checksum only, and ask no cluster.'),
  output: choice('FORMAT', ['json'], 'json.', 'o'),
  ...CLUSTER_FLAGS,
};

export const verify = createCommand({
  name: 'verify',
  description: 'Tell whose token a value is, and whether it is accepted. The value stays here and is not shown.',
  flags: FLAGS,
});

verify.action(async () => {
  const { 'value-file': file, offline, output, ...cluster } = valuesOf(verify, FLAGS);
  if (file === '-' && isatty(0))
    throw new UsageError(verify, ['Give the value on stdin, or in a file by --value-file: not by keyboard.']);
  const { value, finding } = formOf(await readValue(file));
  if (value === undefined || offline) return tell(finding, output, terminal, Date.now() / 1000);
  return withSession(cluster, async (session) => tell(await find(session, value), output, terminal, session.now()));
});
