/** `tokenwright revoke`: orders that tokens be refused from now on, says whom that meets, and follows it. */
import { randomInt } from 'node:crypto';
import { API_TOKENS, type ApiToken } from '../api/apitoken.ts';
import type { RevocationReceipt, TokenRevocationStatus } from '../api/token-revocation.ts';
import { KubeError, type KubeObject } from '../ports.ts';
import { Failure } from './failure.ts';
import { follow, type Progress } from './follow.ts';
import { effectOn, isReached, manifestOf, type OrderManifest, type OrderOptions, searchOf, typeOf } from './order.ts';
import { nameOf } from './output.ts';
import type { Session } from './session.ts';
import { table } from './table.ts';
import { placeOf } from './tokens.ts';

export interface RevokeOptions extends OrderOptions {
  /** By a ClusterTokenRevocation. */
  readonly allNamespaces: boolean;
  readonly dryRun: boolean;
  readonly wait: boolean;
  readonly timeoutSeconds: number;
}

const ATTEMPTS = 10;
const RETRY_MS = 1_000;
/** Verifiers look for orders every 2 s if all else fails: when none has spoken for so long, none will. */
const RECEIPTS_MS = 3_000;
/** ApiTokens told by name. */
const NAMED = 10;
/** As names that Kubernetes generates: no vowels, so no words. */
const SUFFIX = 'bcdfghjklmnpqrstvwxz2456789';

export async function revoke(session: Session, options: RevokeOptions): Promise<void> {
  const { terminal } = session;
  const order = manifestOf(options, options.allNamespaces ? undefined : session.namespace, {
    suffix: Array.from({ length: 5 }, () => SUFFIX[randomInt(SUFFIX.length)]).join(''),
    time: new Date(session.now() * 1000),
  });
  if (options.dryRun) return preview(session, order, options);
  await create(session, order);
  terminal.print(`${nameOf(order)} created\n`);
  // only now: in an emergency the order comes first
  await tellWhom(session, order);
  if (options.wait) await followOrder(session, order, options.timeoutSeconds);
}

/** Again where the API server cannot say yet, as in the seconds after a kind was installed. The name is ours, so it comes to one order. */
async function create({ client, terminal }: Session, order: OrderManifest): Promise<void> {
  for (let left = ATTEMPTS - 1; ; left -= 1) {
    try {
      await client.create<KubeObject>(typeOf(order), order);
      return;
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      const isOurs = left < ATTEMPTS - 1 && error.reason === 'AlreadyExists';
      if (isOurs) return;
      if (!error.transient || error.status === 0 || left === 0) throw error;
      terminal.note(`The API server does not take it yet (${error.message}); trying again.`);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function preview(session: Session, order: OrderManifest, { versions }: OrderOptions): Promise<void> {
  const { terminal } = session;
  const tokens = await reached(session, order);
  if (tokens.length > 0) {
    const columns = [
      { title: 'NAMESPACE', of: ({ metadata }: ApiToken) => metadata.namespace },
      { title: 'NAME', of: ({ metadata }: ApiToken) => metadata.name },
      { title: 'TOKEN ID', of: ({ status }: ApiToken) => status?.tokenID },
      { title: 'SUBJECT', of: ({ spec }: ApiToken) => spec.subject },
      { title: 'ENVIRONMENT', of: ({ spec }: ApiToken) => spec.environment },
      { title: 'REVOKED', of: (token: ApiToken) => effectOn(token, versions).ended.join(',') },
      { title: 'STILL ACCEPTED', of: (token: ApiToken) => effectOn(token, versions).left.join(',') },
    ];
    terminal.print(table(tokens, columns, terminal));
  }
  const whom = tokens.length === 1 ? '1 ApiToken matches' : `${tokens.length} ApiTokens match`;
  terminal.note(`${whom}. Nothing was revoked: --dry-run.`);
}

async function tellWhom(session: Session, order: OrderManifest): Promise<void> {
  let tokens: ApiToken[];
  try {
    tokens = await reached(session, order);
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    session.terminal.note(`The order stands; whom it meets cannot be told (${error.message}).`);
    return;
  }
  if (tokens.length === 0) {
    const { namespace, name } = order.metadata;
    const place = namespace === undefined ? '' : ` -n ${namespace}`;
    throw new Failure(
      `No ApiToken matches it: nothing is revoked. Undo it by "kubectl delete ${typeOf(order).plural}${place} ${name}".`,
    );
  }
  const more = tokens.length > NAMED ? ` and ${tokens.length - NAMED} more` : '';
  session.terminal.note(`It reaches ${tokens.slice(0, NAMED).map(placeOf).join(', ')}${more}.`);
}

async function reached({ client }: Session, order: OrderManifest): Promise<ApiToken[]> {
  const tokens = await client.list(API_TOKENS, searchOf(order));
  return tokens.filter((token) => isReached(order, token));
}

async function followOrder(session: Session, order: OrderManifest, timeoutSeconds: number): Promise<void> {
  const { client, terminal } = session;
  const statusNow = async () => (await client.get(typeOf(order), order.metadata)).status ?? {};
  const options = {
    terminal,
    timeoutSeconds,
    goal: 'sealed',
    ifInterrupted: 'Not waited for. The order stands, and is carried out.',
  };
  await follow(async () => sealing(await statusNow()), options);
  const receipts = new Map<string, RevocationReceipt>();
  let expected: readonly string[] | undefined;
  let lastNews = performance.now();
  const silent = () => expected?.filter((verifier) => !receipts.has(verifier));
  await follow(async () => {
    const status = await statusNow();
    expected = status.expectedVerifiers;
    for (const receipt of status.receipts ?? []) {
      if (!receipts.has(receipt.verifier)) lastNews = performance.now();
      receipts.set(receipt.verifier, receipt);
    }
    const isQuiet = performance.now() - lastNews >= RECEIPTS_MS;
    const count = expected?.length ?? 0;
    const haveAll = count > 0 && silent()?.length === 0;
    const heard = count > 0 ? `${count - (silent()?.length ?? 0)} of ${count} verifiers heard` : 'verifiers are heard';
    return isQuiet || haveAll ? { is: 'done' } : { is: 'underway', says: `sealed; ${heard}` };
  }, options);
  tellReceipts(session, [...receipts.values()]);
  for (const verifier of silent() ?? [])
    terminal.note(
      `${verifier} has not said that it refuses the tokens. If it is cut off, it refuses every call once the staleness of the audience is over.`,
    );
}

function sealing({ sealed, conditions }: TokenRevocationStatus): Progress {
  if (sealed === true) return { is: 'done' };
  const said = conditions?.find(({ type }) => type === 'Ready')?.message;
  return {
    is: 'underway',
    says: said ?? 'the order waits for the operator; verifiers that see it refuse the tokens already',
    ifLate: 'Does an operator run that watches this namespace?',
  };
}

function tellReceipts({ terminal }: Session, receipts: readonly RevocationReceipt[]): void {
  if (receipts.length === 0) {
    terminal.note('No verifier has said that it refuses the tokens: either none runs, or none is for these tokens.');
    return;
  }
  const byName = receipts.toSorted((a, b) => (a.verifier < b.verifier ? -1 : 1));
  const columns = [
    { title: 'VERIFIER', of: ({ verifier }: RevocationReceipt) => verifier },
    { title: 'ENVIRONMENT', of: ({ environment }: RevocationReceipt) => environment },
    { title: 'REFUSES AFTER', of: ({ afterMilliseconds }: RevocationReceipt) => `${afterMilliseconds} ms` },
  ];
  terminal.print(table(byName, columns, terminal));
}
