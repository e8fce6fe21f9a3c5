/** `tokenwright log`. */
import { log as showLog } from '../../cli/log.ts';
import { argumentsOf, choice, createCommand, onlyOn, optional, repeatable, UsageError, valuesOf } from '../command.ts';
import { anyText, duration, namespaceName, type Reader, tokenID, tokenName } from '../flags.ts';
import { terminal } from '../session.ts';

const LONGEST_SPAN = 366 * 86_400;

const operation: Reader<string> = (text) =>
  /^[a-z]{1,32}$/.test(text) ? { value: text } : { problem: 'must be an operation, such as rotate or verdict' };

// biome-ignore format: a table
const FLAGS = {
  'audit-log': optional('FILE', anyText, 'The audit log, as the operator or a verifier wrote it: a file, or - for stdin. Required.'),
  'token-id': optional('ID', tokenID, 'Of this token only, as verifiers know it.'),
  since: optional('DURATION', duration(1, LONGEST_SPAN), 'Not older than this: 90s, 2h.'),
  operation: repeatable('WORD', operation, 'Only mint, rotate, heal, retire, revoke, delete or verdict. Repeatable.'),
  follow: onlyOn('Go on with what is appended.', 'f'),
  output: choice('FORMAT', ['json'], 'json: one record a line, whole.', 'o'),
  namespace: optional('NAME', namespaceName, 'Of ApiTokens in this namespace only.', 'n'),
};

export const log = createCommand({
  name: 'log',
  description: 'Show what happened to a token, from the audit log.',
  flags: FLAGS,
}).argument('[NAME]', 'The ApiToken. All unless given.');

log.action(() => {
  const { 'audit-log': file, 'token-id': id, operation: operations, since, ...flags } = valuesOf(log, FLAGS);
  const [name] = argumentsOf(log, tokenName);
  if (file === undefined) throw new UsageError(log, ['--audit-log is missing: name the file, or - for stdin.']);
  const from = since === undefined ? undefined : Date.now() / 1000 - since;
  return showLog(terminal, { ...flags, file, name, tokenID: id, operations, since: from });
});
