/** `tokenwright policy`. What judges is loaded when it runs, so that it holds no memory in the other commands. */
import { Failure } from '../../cli/failure.ts';
import type { Ground } from '../../cli/policy/ground.ts';
import type { Declared } from '../../cli/policy/manifests.ts';
import type { Session } from '../../cli/session.ts';
import { VERSION } from '../../version.ts';
import {
  argumentsOf,
  choice,
  createCommand,
  optional,
  repeatable,
  UsageError,
  valuesOf,
  withDefault,
} from '../command.ts';
import { anyText, namespaceName, oneOf, type Reader, tokenName } from '../flags.ts';
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
  ...CLUSTER_FLAGS,
  namespace: optional('NAME', namespaceName, "Of ApiTokens that name none. The context's own, and without a cluster default, unless given.", 'n'),
};

const OUTPUT = choice('FORMAT', ['json', 'yaml'], 'json or yaml.', 'o');

const CHECK_FLAGS = {
  ...SOURCE_FLAGS,
  output: choice('FORMAT', ['json', 'yaml', 'sarif'], 'json, yaml, or sarif for code hosts.', 'o'),
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
  const { check: checkTokens } = await import('../../cli/policy/check.ts');
  const options = { output, defaultPolicy, terminal, now: Date.now() / 1000, version: VERSION };
  const { declared, cluster } = await declaredBy(sources);
  const run = (ground: Ground) => checkTokens(declared.tokens, ground, options);
  const { groundIn, groundOf } = await import('../../cli/policy/ground.ts');
  if (declared.policies.length > 0) return run(groundOf(declared, cluster.namespace));
  return withSession(cluster, async (session) => run(await groundIn(session, declared)));
});

const TEST_FLAGS = { output: OUTPUT };

const test = createCommand({
  name: 'test',
  description: 'Try policies by tables of cases.',
  flags: TEST_FLAGS,
}).argument('<FILE...>', 'Tables: files or folders, or - for stdin.');

test.action(async () => {
  const { output } = valuesOf(test, TEST_FLAGS);
  const [{ tablesIn }, { test: tryTables }] = await Promise.all([
    import('../../cli/policy/table-file.ts'),
    import('../../cli/policy/test.ts'),
  ]);
  tryTables(await tablesIn(argumentsOf(test, anyText)), { output, terminal, now: Date.now() / 1000 });
});

const EXPLAIN_FLAGS = { ...SOURCE_FLAGS, output: OUTPUT };

const explain = createCommand({
  name: 'explain',
  description: 'Tell which policies govern an ApiToken, and what they leave of it.',
  flags: EXPLAIN_FLAGS,
}).argument(
  '<NAME>',
  'The ApiToken: of the files where --filename is given, else of the cluster. Also as NAMESPACE/NAME.',
);

explain.action(async () => {
  const { output, 'default-policy': defaultPolicy, ...sources } = valuesOf(explain, EXPLAIN_FLAGS);
  const [asked] = argumentsOf(explain, tokenPath);
  if (asked === undefined) throw new UsageError(explain, ['NAME is missing.']);
  const namespace = asked.namespace ?? sources.namespace;
  const { declared, cluster } = await declaredBy({ ...sources, namespace });
  const [{ explain: explainToken }, { groundIn, groundOf }, { onlyToken }, { findToken }] = await Promise.all([
    import('../../cli/policy/explain.ts'),
    import('../../cli/policy/ground.ts'),
    import('../../cli/policy/manifests.ts'),
    import('../../cli/tokens.ts'),
  ]);
  const options = { output, defaultPolicy, terminal, now: Date.now() / 1000 };
  const isFromFiles = sources.filename.length > 0;
  if (isFromFiles && declared.policies.length > 0) {
    const ground = groundOf(declared, namespace);
    return explainToken(onlyToken(declared, asked.name, ground.defaultNamespace), ground, options);
  }
  return withSession(cluster, async (session: Session) => {
    const ground = await groundIn(session, declared);
    const token = isFromFiles
      ? onlyToken(declared, asked.name, session.namespace)
      : await findToken(session, asked.name);
    return explainToken(token, ground, options);
  });
});

export const policy = createCommand({
  name: 'policy',
  description: 'Check manifests against TokenPolicies, try policies, explain what they leave.',
}).helpCommand('help [command]', 'Show the help of a command.');
for (const command of [check, test, explain]) policy.addCommand(command);

interface Given extends ClusterChoice {
  filename: readonly string[];
  policies: readonly string[];
  namespaces: readonly string[];
}

async function declaredBy(given: Given): Promise<{ declared: Declared; cluster: ClusterChoice }> {
  const { filename: filenames, policies, namespaces, ...cluster } = given;
  const { declaredIn } = await import('../../cli/policy/manifests.ts');
  const declared = await declaredIn({ filenames, policies, namespaces });
  if (policies.length > 0 && declared.policies.length === 0)
    throw new Failure(`There is no TokenPolicy in ${policies.join(', ')}.`);
  return { declared, cluster };
}

/** A name, as `get` takes it, or with its namespace. */
const tokenPath: Reader<{ namespace: string | undefined; name: string }> = (text) => {
  const alone = tokenName(text);
  if ('value' in alone) return { value: { namespace: undefined, name: alone.value } };
  const [namespace = '', ...rest] = text.split('/');
  const [place, name] = [namespaceName(namespace), tokenName(rest.join('/'))];
  return 'value' in place && 'value' in name
    ? { value: { namespace: place.value, name: name.value } }
    : { problem: 'must be the name of an ApiToken, or NAMESPACE/NAME' };
};
