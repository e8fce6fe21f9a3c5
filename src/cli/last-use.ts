/** `tokenwright last-use`: when each version was last allowed, as the verifiers remember it that are there now. */
import { API_TOKENS, type ApiToken } from '../api/apitoken.ts';
import { Failure } from './failure.ts';
import { formatValue } from './output.ts';
import type { Session } from './session.ts';
import { type Column, table } from './table.ts';
import { findToken } from './tokens.ts';
import { age } from './when.ts';

/** What one verifier says. Of what was before `since` it knows nothing. */
export interface LastUseAnswer {
  verifier: string;
  environment: string;
  since: string;
  versions: readonly { uid: string; version: number; lastUseTime: string }[];
}

/** @throws Failure where the verifier gives no answer: without it the others' mean little */
export type AskVerifier = (uids: readonly string[]) => Promise<LastUseAnswer>;

export interface LastUseOptions {
  /** All of the namespace where none is named. */
  names: readonly string[];
  allNamespaces: boolean;
  output: 'json' | undefined;
  verifiers: readonly AskVerifier[];
  /** The names of those that there are for these environments. Undefined where one may not know. */
  rollCall(environments: readonly string[]): Promise<readonly string[] | undefined>;
}

interface Row {
  namespace: string;
  name: string;
  version: number;
  state: string;
  lastUseTime?: string;
  /** No verifier has allowed it since. Neither this nor `lastUseTime`: no verifier of its environment was asked. */
  unusedSince?: string;
}

/** @throws Failure where a verifier was left out, after what the others say is told */
export async function lastUse(session: Session, options: LastUseOptions): Promise<void> {
  const { terminal } = session;
  const tokens = await tokensOf(session, options);
  if (tokens.length === 0) return terminal.note('No ApiTokens found.');
  const uids = tokens.map(({ metadata }) => metadata.uid);
  const answers = byVerifier(await Promise.all(options.verifiers.map((ask) => ask(uids))));
  const expected = await options.rollCall([...new Set(tokens.map(({ spec }) => spec.environment))]);
  const notAsked = expected?.filter((name) => answers.every(({ verifier }) => verifier !== name));
  const rows = tokens.flatMap((token) => rowsOf(token, answers));
  if (options.output === 'json') {
    const verifiers = answers.map(({ verifier, environment, since }) => ({ verifier, environment, since }));
    terminal.print(formatValue({ verifiers, ...(notAsked && { notAsked }), versions: rows }, 'json'));
  } else {
    terminal.print(table(rows, columns(session.now(), options.allNamespaces), terminal));
  }
  if (notAsked === undefined)
    terminal.note('Whether these are all verifiers is not known: you may not list the Leases of their namespace.');
  else if (notAsked.length > 0)
    throw new Failure(
      `Not asked: ${notAsked.join(', ')}. What they allowed is not in this: name them by --verifier too.`,
    );
}

async function tokensOf(session: Session, { names, allNamespaces }: LastUseOptions): Promise<ApiToken[]> {
  if (names.length > 0) return Promise.all(names.map((name) => findToken(session, name)));
  return session.client.list(API_TOKENS, allNamespaces ? {} : { namespace: session.namespace });
}

/** One that was asked twice, through a Service, counts once. */
function byVerifier(answers: readonly LastUseAnswer[]): LastUseAnswer[] {
  return [...new Map(answers.map((answer) => [answer.verifier, answer])).values()];
}

function rowsOf({ metadata, spec, status }: ApiToken, answers: readonly LastUseAnswer[]): Row[] {
  const { uid, namespace, name } = metadata;
  const concerned = answers.filter(({ environment }) => environment === spec.environment);
  const said = concerned.flatMap(({ versions }) => versions).filter((use) => use.uid === uid);
  // the one that began last knows least
  const unusedSince = latest(concerned.map(({ since }) => since));
  return (status?.versions ?? []).map(({ version, state }) => {
    const lastUseTime = latest(said.filter((use) => use.version === version).map((use) => use.lastUseTime));
    return {
      namespace,
      name,
      version,
      state,
      ...(lastUseTime !== undefined ? { lastUseTime } : unusedSince !== undefined && { unusedSince }),
    };
  });
}

/** Of RFC 3339 times in UTC with whole seconds, as verifiers write them. */
function latest(times: readonly string[]): string | undefined {
  return times.toSorted().at(-1);
}

function columns(now: number, allNamespaces: boolean): readonly Column<Row>[] {
  const lastUsed = ({ lastUseTime, unusedSince }: Row) => {
    if (lastUseTime !== undefined) return `${age(lastUseTime, now)} ago`;
    return unusedSince === undefined ? 'unknown' : `not in ${age(unusedSince, now)}`;
  };
  return [
    ...(allNamespaces ? [{ title: 'NAMESPACE', of: ({ namespace }: Row) => namespace }] : []),
    { title: 'NAME', of: ({ name }) => name },
    { title: 'VERSION', of: ({ version }) => version },
    { title: 'STATE', of: ({ state }) => state },
    { title: 'LAST USED', of: lastUsed },
  ];
}
