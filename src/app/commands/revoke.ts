/** `tokenwright revoke`. */
import type { RevocationReason } from '../../api/token-revocation.ts';
import { revoke as revokeTokens } from '../../cli/revoke.ts';
import type { Labels } from '../../domain/label-selector.ts';
import type { RevokedVersions } from '../../domain/revocation.ts';
import { argumentsOf, choice, createCommand, onlyOn, optional, UsageError, valuesOf, withDefault } from '../command.ts';
import { anyText, type Reader, tokenID, tokenName } from '../flags.ts';
import { ALL_NAMESPACES, CLUSTER_FLAGS, TIMEOUT, withSession } from '../session.ts';

const REASONS = [
  'Compromised',
  'Superseded',
  'OwnerLeft',
  'PolicyViolation',
  'Decommissioned',
] as const satisfies RevocationReason[];

const revokedVersions: Reader<RevokedVersions> = (text) => {
  if (text === 'All' || text === 'Previous') return { value: text };
  const numbers = text.split(',').map((part) => (/^[1-9][0-9]{0,14}$/.test(part) ? Number(part) : 0));
  return numbers.includes(0) ? { problem: 'must be All, Previous, or numbers such as 2,3' } : { value: numbers };
};

const labels: Reader<Labels> = (text) => {
  const pairs = text.split(',').map((part) => /^([^=!\s]+)==?([^=\s]*)$/.exec(part));
  const found = pairs.flatMap((pair) => (pair === null ? [] : [[pair[1] ?? '', pair[2] ?? ''] as const]));
  return found.length === pairs.length
    ? { value: Object.fromEntries(found) }
    : { problem: 'must be labels, such as team=support,tier=prod' };
};

// biome-ignore format: a table
const FLAGS = {
  'token-id': optional('ID', tokenID, 'Tokens with this id, which stands in the value after the environment.'),
  subject: optional('SUBJECT', anyText, 'Tokens of this subject, such as agent:summarizer.'),
  environment: optional('NAME', anyText, 'Tokens of this environment.'),
  selector: optional('LABELS', labels, 'Tokens whose ApiToken has all these labels: team=support,tier=prod.', 'l'),
  'all-namespaces': ALL_NAMESPACES,
  reason: choice('REASON', REASONS, `${REASONS.join(', ')}. Required.`),
  versions: withDefault('WHICH', revokedVersions, 'All', 'All, Previous, or numbers such as 2,3.'),
  block: onlyOn('Mint nothing in their place, and remove the Secret, until the order is deleted.'),
  note: optional('TEXT', anyText, 'For who reads the order later. Never the token itself.'),
  'dry-run': onlyOn('Only list what would be revoked.'),
  wait: onlyOn('Follow it until it is sealed, and show which verifiers refuse the tokens, and after how long.'),
  timeout: TIMEOUT,
  ...CLUSTER_FLAGS,
};

export const revoke = createCommand({
  name: 'revoke',
  description: 'Have tokens refused at once and for ever. What is given of NAME and flags must all hold.',
  flags: FLAGS,
}).argument('[NAME]', 'The ApiToken.');

revoke.action(() => {
  const flags = valuesOf(revoke, FLAGS);
  const { reason, subject, environment, versions, block, note, wait, namespace, kubeconfig, context } = flags;
  const [name] = argumentsOf(revoke, tokenName);
  const which = { name, tokenID: flags['token-id'], subject, environment, labels: flags.selector };
  const problems: string[] = [];
  if (Object.values(which).every((value) => value === undefined))
    problems.push('Say which tokens: by NAME, --token-id, --subject, --environment or --selector.');
  if (reason === undefined) problems.push(`--reason is missing: one of ${REASONS.join(', ')}.`);
  if (reason === undefined || problems.length > 0) throw new UsageError(revoke, problems);
  return withSession({ namespace, kubeconfig, context }, (session) =>
    revokeTokens(session, {
      ...which,
      reason,
      versions,
      block,
      note,
      wait,
      allNamespaces: flags['all-namespaces'],
      dryRun: flags['dry-run'],
      timeoutSeconds: flags.timeout,
    }),
  );
});
