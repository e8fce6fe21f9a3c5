/** `tokenwright rotate`. */
import { rotate as rotateToken } from '../../cli/rotate.ts';
import { argumentsOf, createCommand, onlyOn, UsageError, valuesOf } from '../command.ts';
import { tokenName } from '../flags.ts';
import { CLUSTER_FLAGS, TIMEOUT, withSession } from '../session.ts';

const FLAGS = {
  wait: onlyOn('Follow it until the new version is in the Secret and the workloads have rolled.'),
  timeout: TIMEOUT,
  ...CLUSTER_FLAGS,
};

export const rotate = createCommand({
  name: 'rotate',
  description: 'Ask for a new version of an ApiToken now.',
  flags: FLAGS,
}).argument('<NAME>', 'The ApiToken.');

rotate.action(() => {
  const { wait, timeout: timeoutSeconds, ...cluster } = valuesOf(rotate, FLAGS);
  const [name] = argumentsOf(rotate, tokenName);
  if (name === undefined) throw new UsageError(rotate, ['NAME is missing.']);
  return withSession(cluster, (session) => rotateToken(session, { name, wait, timeoutSeconds }));
});
