/** `tokenwright get`: ApiTokens with what matters about them. */
import { API_TOKENS, type ApiToken } from '../api/apitoken.ts';
import { Failure } from './failure.ts';
import { formatObjects, type MachineFormat } from './output.ts';
import type { Session } from './session.ts';
import { type Column, table } from './table.ts';
import type { Style } from './terminal.ts';
import { conditionOf, currentOf, findToken } from './tokens.ts';
import { age, when } from './when.ts';

export interface GetOptions {
  /** All of the namespace where none is named. */
  readonly names: readonly string[];
  readonly allNamespaces: boolean;
  readonly output: MachineFormat | 'wide' | undefined;
}

export async function get(session: Session, { names, allNamespaces, output }: GetOptions): Promise<void> {
  const { client, namespace, terminal } = session;
  const missing: string[] = [];
  const tokens: ApiToken[] = [];
  if (names.length === 0) tokens.push(...(await client.list(API_TOKENS, allNamespaces ? {} : { namespace })));
  for (const name of names) {
    try {
      tokens.push(await findToken(session, name));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      missing.push(error.message);
    }
  }
  const isEmpty = tokens.length === 0;
  if (output === 'json' || output === 'yaml' || output === 'name') {
    if (!isEmpty || missing.length === 0) terminal.print(formatObjects(tokens, output, names.length === 1));
  } else if (!isEmpty) {
    const columns = columnsFor(session.now(), { allNamespaces, isWide: output === 'wide' });
    terminal.print(table(tokens, columns, terminal));
  } else if (missing.length === 0) {
    terminal.note(allNamespaces ? 'No ApiTokens found.' : `No ApiTokens found in the namespace ${namespace}.`);
  }
  if (missing.length > 0) throw new Failure(missing.join('\n'));
}

function columnsFor(
  now: number,
  { allNamespaces, isWide }: { allNamespaces: boolean; isWide: boolean },
): readonly Column<ApiToken>[] {
  const columns: Column<ApiToken>[] = [
    { title: 'NAME', of: ({ metadata }) => metadata.name },
    { title: 'READY', of: (token) => conditionOf(token, 'Ready')?.status ?? 'Unknown', style: readiness },
    { title: 'VERSION', of: (token) => currentOf(token)?.version },
    { title: 'EXPIRES', of: (token) => when(currentOf(token)?.expirationTime, now) },
    { title: 'NEXT ROTATION', of: ({ status }) => when(status?.nextRotationTime, now) },
    { title: 'RESTARTS PENDING', of: ({ status }) => status?.restarts?.pending ?? 0 },
    { title: 'REASON', of: reasonOf },
    { title: 'AGE', of: ({ metadata }) => age(metadata.creationTimestamp, now) },
  ];
  if (allNamespaces) columns.unshift({ title: 'NAMESPACE', of: ({ metadata }) => metadata.namespace });
  if (isWide) {
    columns.push(
      { title: 'TOKEN ID', of: ({ status }) => status?.tokenID },
      { title: 'SUBJECT', of: ({ spec }) => spec.subject },
      { title: 'ENVIRONMENT', of: ({ spec }) => spec.environment },
      { title: 'AUDIENCES', of: ({ spec }) => spec.audiences.join(',') },
      { title: 'SECRET', of: ({ status }) => status?.secretName },
      { title: 'PREVIOUS', of: previousOf },
      { title: 'ENDS', of: ({ spec }) => when(spec.notAfter, now) },
      { title: 'OWNER', of: ({ spec }) => spec.owner },
    );
  }
  return columns;
}

function readiness(token: ApiToken): Style {
  const status = conditionOf(token, 'Ready')?.status;
  return status === 'True' ? 'green' : status === 'False' ? 'red' : 'yellow';
}

/** What somebody has to know first. */
function reasonOf(token: ApiToken): string | undefined {
  const ready = conditionOf(token, 'Ready');
  const rolledOut = conditionOf(token, 'RolledOut');
  const worst =
    conditionOf(token, 'Stalled') ?? (ready?.status === 'True' && rolledOut?.status === 'False' ? rolledOut : ready);
  return worst?.reason;
}

function previousOf({ status }: ApiToken): string | undefined {
  const previous = status?.versions?.filter(({ state }) => state === 'Previous');
  return previous?.map(({ version }) => version).join(',');
}
