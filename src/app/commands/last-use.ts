/** `tokenwright last-use`. */
import { readFile } from 'node:fs/promises';
import { isatty } from 'node:tty';
import { Failure } from '../../cli/failure.ts';
import { readInput, STDIN, unreadable } from '../../cli/input.ts';
import { lastUse as tellLastUse } from '../../cli/last-use.ts';
import { KubeError } from '../../ports.ts';
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
import { anyText, namespaceName, origin, tokenName } from '../flags.ts';
import { ALL_NAMESPACES, CLUSTER_FLAGS, withSession } from '../session.ts';
import { lastUseOf } from '../verifier-client.ts';
import { rollCall } from '../verifier-lease.ts';

// biome-ignore format: a table
const FLAGS = {
  'verifier': repeatable('URL', origin, 'Each verifier, such as https://10.0.1.7:8443.'),
  'token-file': withDefault('FILE', anyText, STDIN, 'Who asks: where a token of Kubernetes for the audience tokenwright.dev is, - for stdin.'),
  'ca-file': optional('FILE', anyText, 'Who signed the certificates of verifiers, in PEM.'),
  'server-name': optional('NAME', anyText, 'What the certificates of verifiers are for. The host of the URL unless given.'),
  'verifier-namespace': withDefault('NAME', namespaceName, 'tokenwright-system', 'Where the Leases of verifiers are, by which it is known whether all were asked.'),
  output: choice('FORMAT', ['json'], 'json.', 'o'),
  'all-namespaces': ALL_NAMESPACES,
  ...CLUSTER_FLAGS,
};

/** A token of Kubernetes has one or two thousand characters. */
const LONGEST_TOKEN = 16 << 10;

export const lastUse = createCommand({
  name: 'last-use',
  description: 'Tell when each version of ApiTokens was last used, as verifiers remember it.',
  flags: FLAGS,
}).argument('[NAME...]', 'ApiTokens. All of the namespace unless given.');

lastUse.action(async () => {
  const { verifier, output, ...flags } = valuesOf(lastUse, FLAGS);
  const names = argumentsOf(lastUse, tokenName);
  const { 'token-file': file, 'ca-file': caFile, 'server-name': serverName, 'verifier-namespace': home } = flags;
  const { 'all-namespaces': allNamespaces, namespace, kubeconfig, context } = flags;
  if (allNamespaces && names.length > 0)
    throw new UsageError(lastUse, ['Name ApiTokens of one namespace: leave out --all-namespaces, or the names.']);
  if (verifier.length === 0) throw new UsageError(lastUse, ['Name each verifier by --verifier=URL.']);
  if (file === STDIN && isatty(0))
    throw new UsageError(lastUse, ['Give the token on stdin, or in a file by --token-file: not by keyboard.']);
  const token = (await readInput(file, LONGEST_TOKEN))?.toString().trim();
  if (!token) throw new Failure(`${file === STDIN ? 'stdin' : file} holds no token of Kubernetes.`);
  const ca =
    caFile === undefined
      ? undefined
      : await readFile(caFile, 'utf8').catch((error) => {
          throw unreadable(caFile, error);
        });
  return withSession({ namespace, kubeconfig, context }, (session) =>
    tellLastUse(session, {
      names,
      allNamespaces,
      output,
      verifiers: verifier.map((one) => lastUseOf({ origin: one, token, ca, serverName })),
      rollCall: (environments) => rollCall(session.client, home, { now: Date.now }, environments)().catch(ifForbidden),
    }),
  );
});

function ifForbidden(error: unknown): undefined {
  if (!(error instanceof KubeError && error.reason === 'Forbidden')) throw error;
}
