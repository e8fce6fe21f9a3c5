/** `tokenwright policy`. What judges is loaded when it runs, so that it holds no memory in the other commands. */
import { Failure } from '../../cli/failure.ts';
import type { Ground } from '../../cli/policy/ground.ts';
import type { Declared } from '../../cli/policy/manifests.ts';
import { VERSION } from '../../version.ts';
import { choice, createCommand, repeatable, UsageError, valuesOf, withDefault } from '../command.ts';
import { anyText, oneOf } from '../flags.ts';
import { CLUSTER_FLAGS, type ClusterChoice, terminal, withSession } from '../session.ts';

const DEFAULT_POLICIES = ['Deny', 'Allow'] as const;

// biome-ignore format: a table
const SOURCE_FLAGS = {
  filename: repeatable('FILE', anyText, 'ApiTokens, TokenPolicies and Namespaces: a file, a folder, or - for stdin. Repeatable.', 'f'),
  policies: repeatable('FILE', anyText, 'TokenPolicies: a file or a folder. Those of the cluster where none is given. Repeatable.'),
  namespaces: repeatable('FILE', anyText, 'Namespaces, for their labels: a file or a folder. Repeatable.'),
  'default-policy': {
    ...withDefault('WHAT', oneOf(DEFAULT_POLICIES), 'Deny', 'Deny or Allow, where no policy matches: as the operator has it.'),
    choices: DEFAULT_POLICIES,
  },
};

const CHECK_FLAGS = {
  ...SOURCE_FLAGS,
  output: choice('FORMAT', ['json', 'yaml', 'sarif'], 'json, yaml, or sarif for code hosts.', 'o'),
  ...CLUSTER_FLAGS,
};

const check = createCommand({
  name: 'check',
  description: 'Tell what the policies refuse of manifests, before they are applied.',
  flags: CHECK_FLAGS,
});

check.action(async () => {
  const { output, 'default-policy': defaultPolicy, ...sources } = valuesOf(check, CHECK_FLAGS);
  if (sources.filename.length === 0)
    throw new UsageError(check, ['--filename is missing: name a file or a folder, or - for stdin.']);
  const manifests = await import('../../cli/policy/check.ts');
  const options = { output, defaultPolicy, terminal, now: Date.now() / 1000, version: VERSION };
  await onGround(sources, ({ tokens }, ground) => manifests.check(tokens, ground, options));
});

export const policy = createCommand({
  name: 'policy',
  description: 'Check ApiTokens against TokenPolicies, try policies, explain what they leave.',
}).helpCommand('help [command]', 'Show the help of a command.');
for (const command of [check]) policy.addCommand(command);

interface Given extends ClusterChoice {
  filename: readonly string[];
  policies: readonly string[];
  namespaces: readonly string[];
}

/** Asks the cluster only where the files hold no policy. */
async function onGround(
  { filename: filenames, policies, namespaces, ...cluster }: Given,
  run: (declared: Declared, ground: Ground) => Promise<void>,
): Promise<void> {
  const [{ declaredIn }, { groundIn, groundOf }] = await Promise.all([
    import('../../cli/policy/manifests.ts'),
    import('../../cli/policy/ground.ts'),
  ]);
  const declared = await declaredIn({ filenames, policies, namespaces });
  if (policies.length > 0 && declared.policies.length === 0)
    throw new Failure(`There is no TokenPolicy in ${policies.join(', ')}.`);
  if (declared.policies.length > 0) return run(declared, groundOf(declared, cluster.namespace));
  return withSession(cluster, async (session) => run(declared, await groundIn(session, declared)));
}
