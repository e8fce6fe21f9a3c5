/** `tokenwright get`. */
import { get as getTokens } from '../../cli/get.ts';
import { MACHINE_FORMATS } from '../../cli/output.ts';
import { argumentsOf, choice, createCommand, UsageError, valuesOf } from '../command.ts';
import { tokenName } from '../flags.ts';
import { ALL_NAMESPACES, CLUSTER_FLAGS, withSession } from '../session.ts';

const FLAGS = {
  output: choice('FORMAT', [...MACHINE_FORMATS, 'wide'], 'json, yaml, name, or wide for more columns.', 'o'),
  'all-namespaces': ALL_NAMESPACES,
  ...CLUSTER_FLAGS,
};

export const get = createCommand({
  name: 'get',
  description: 'List ApiTokens: whether they are fine, and when they rotate.',
  flags: FLAGS,
}).argument('[NAME...]', 'ApiTokens. All of the namespace unless given.');

get.action(() => {
  const { output, 'all-namespaces': allNamespaces, ...cluster } = valuesOf(get, FLAGS);
  const names = argumentsOf(get, tokenName);
  if (allNamespaces && names.length > 0)
    throw new UsageError(get, ['Name ApiTokens of one namespace: leave out --all-namespaces, or the names.']);
  return withSession(cluster, (session) => getTokens(session, { names, allNamespaces, output }));
});
