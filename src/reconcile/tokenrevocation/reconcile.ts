/** One revocation on its way: held until every ApiToken that it matches is sealed, then let go, then deleted. */
import { isDeepStrictEqual } from 'node:util';
import { PENDING_LABEL, REVOCATION_FINALIZER } from '../../api/names.ts';
import {
  CLUSTER_TOKEN_REVOCATIONS,
  TOKEN_REVOCATION_KIND,
  TOKEN_REVOCATIONS,
  type TokenRevocationStatus,
} from '../../api/token-revocation.ts';
import { rfc3339 } from '../../domain/lifecycle/describe.ts';
import { type Revocation, reachOf } from '../../domain/revocation.ts';
import { conditionsOf, nextStep, type RevocationSeen } from '../../domain/revocation-steps.ts';
import { secondsOf } from '../../domain/sealed-status.ts';
import { type Clock, type KubeClient, KubeError, type Logger, type ResourceType } from '../../ports.ts';
import { stamped } from '../conditions.ts';
import type { OrderBook } from './order-book.ts';
import { isGoverned, type Namespaces, type ProofDeps, proveSealed } from './proof.ts';
import { keyOf } from './target.ts';

export interface RevocationDeps extends ProofDeps {
  client: Pick<KubeClient, 'get' | 'list' | 'mergePatch' | 'delete'>;
  /** From the watch. Every write has the resourceVersion seen here as its precondition, so a stale one costs a retry. */
  revocations: { get(key: string): Revocation | undefined; observe(revocation: Revocation): void };
  book: Pick<OrderBook, 'progress'>;
  /** From the watch. */
  namespaces: Namespaces;
  hurry(key: string, order: string): void;
  /** The names of the verifiers that are there. */
  verifiers(): Promise<readonly string[]>;
  log: Logger;
  clock: Clock;
  /** Seconds after which what is sealed is deleted. */
  retention: number;
}

/** After somebody else was faster, so that the watch may catch up. Milliseconds. */
const LOOK_AGAIN = 50;
/** Where the cache knew less than the API server. Milliseconds. */
const PROVE_AGAIN = 500;

/** As many stand in status. */
const MOST_EXPECTED = 64;

/** @returns when to look again, in epoch milliseconds */
export async function reconcileRevocation(deps: RevocationDeps, key: string): Promise<{ requeueAt?: number }> {
  const revocation = deps.revocations.get(key);
  if (!revocation || !isGoverned(reachOf(revocation), deps.governed, deps.namespaces)) return {};
  try {
    return await step(deps, revocation);
  } catch (error) {
    if (!(error instanceof KubeError) || !['Conflict', 'NotFound'].includes(error.reason)) throw error;
    return { requeueAt: deps.clock.now() + LOOK_AGAIN };
  }
}

async function step(deps: RevocationDeps, revocation: Revocation): Promise<{ requeueAt?: number }> {
  const now = Math.floor(deps.clock.now() / 1000);
  const seen = see(deps, revocation);
  const action = nextStep(seen, now, deps.retention);
  deps.log.debug({ revocation: keyOf(revocation), action: action.do }, 'next action');
  const again = { requeueAt: deps.clock.now() };
  switch (action.do) {
    case 'hold':
      await mark(deps, revocation, true);
      return again;
    case 'seal':
      return (await seal(deps, revocation, seen)) ? again : { requeueAt: deps.clock.now() + PROVE_AGAIN };
    case 'release':
      await mark(deps, revocation, false);
      return again;
    case 'delete': {
      const { uid, resourceVersion } = revocation.metadata;
      await deps.client.delete(typeOf(revocation), revocation.metadata, { uid, resourceVersion });
      deps.log.info({ revocation: keyOf(revocation) }, 'revocation deleted, past its retention');
      return {};
    }
    case 'report':
      await report(deps, revocation, seen, now);
      return {};
    case 'wait':
      return action.until === undefined ? {} : { requeueAt: action.until * 1000 };
    default:
      return action satisfies never;
  }
}

function see(deps: RevocationDeps, { metadata, spec, status }: Revocation): RevocationSeen {
  const seen: RevocationSeen = {
    deleting: metadata.deletionTimestamp !== undefined,
    createdTime: secondsOf(metadata.creationTimestamp),
    held: metadata.finalizers?.includes(REVOCATION_FINALIZER) ?? false,
    labelled: metadata.labels?.[PENDING_LABEL] !== undefined,
    lasts: spec.afterwards === 'Block',
    left: deps.book.progress(metadata.uid).left,
  };
  if (status?.sealed === true) seen.sealedTime = secondsOf(status.sealedTime);
  return seen;
}

async function mark(deps: RevocationDeps, revocation: Revocation, pending: boolean): Promise<void> {
  const { uid, resourceVersion, finalizers = [] } = revocation.metadata;
  const others = finalizers.filter((name) => name !== REVOCATION_FINALIZER);
  const metadata = {
    uid,
    resourceVersion,
    labels: { [PENDING_LABEL]: pending ? 'true' : null },
    finalizers: pending ? [...others, REVOCATION_FINALIZER] : others,
  };
  deps.revocations.observe(await deps.client.mergePatch(typeOf(revocation), revocation.metadata, { metadata }));
}

/** Whether it is sealed now: the watch may know less than the API server, so the API server is asked. */
async function seal(deps: RevocationDeps, revocation: Revocation, seen: RevocationSeen): Promise<boolean> {
  const { uid } = revocation.metadata;
  const proof = await proveSealed(deps, revocation);
  for (const key of proof?.left ?? []) deps.hurry(key, uid);
  if (!proof || proof.left.length > 0) return false;
  const { matched } = proof;
  const expected = await expectedVerifiers(deps);
  // to be found for a while from now on: a proof may take its time
  const now = Math.floor(deps.clock.now() / 1000);
  const said = { matched, sealed: true, sealedTime: rfc3339(now), ...(expected && { expectedVerifiers: expected }) };
  const write = (one: Revocation) => writeStatus(deps, one, said, conditionsOf(matched, true, seen.lasts), now);
  try {
    await write(revocation);
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === 'Conflict')) throw error;
    await write(await readAgain(deps, revocation, error));
  }
  deps.log.info({ revocation: keyOf(revocation), uid, matched }, 'revocation sealed');
  return true;
}

/** Verifiers write their receipts at the same time. What was proved of this order holds whoever wrote since, and of no namesake. */
async function readAgain(deps: RevocationDeps, revocation: Revocation, conflict: KubeError): Promise<Revocation> {
  const found = await deps.client.get(typeOf(revocation), revocation.metadata);
  if (found.metadata.uid !== revocation.metadata.uid || found.status?.sealed === true) throw conflict;
  return found;
}

/** Undefined where that cannot be told: an order is sealed all the same. */
async function expectedVerifiers(deps: RevocationDeps): Promise<string[] | undefined> {
  try {
    return (await deps.verifiers()).slice(0, MOST_EXPECTED);
  } catch (error) {
    deps.log.warn({ err: error }, 'verifiers not known: receipts to expect are not noted');
    return undefined;
  }
}

async function report(deps: RevocationDeps, revocation: Revocation, seen: RevocationSeen, now: number): Promise<void> {
  const { matched } = deps.book.progress(revocation.metadata.uid);
  await writeStatus(deps, revocation, { matched, sealed: false }, conditionsOf(matched, false, seen.lasts), now);
}

/** Only what is ours: receipts are the verifiers'. */
async function writeStatus(
  deps: RevocationDeps,
  revocation: Revocation,
  said: Pick<TokenRevocationStatus, 'matched' | 'sealed' | 'sealedTime' | 'expectedVerifiers'>,
  conditions: ReturnType<typeof conditionsOf>,
  now: number,
): Promise<void> {
  const { uid, resourceVersion, generation } = revocation.metadata;
  // of status, the API server takes no uid for a precondition
  const metadata = { uid, resourceVersion };
  const status: Partial<TokenRevocationStatus> = {
    ...said,
    observedGeneration: generation,
    conditions: stamped(conditions, revocation.status?.conditions, generation, now),
  };
  if (isDeepStrictEqual({ ...revocation.status, ...status }, revocation.status)) return;
  const options = { subresource: 'status' } as const;
  deps.revocations.observe(
    await deps.client.mergePatch(typeOf(revocation), revocation.metadata, { metadata, status }, options),
  );
}

/** The two kinds are alike in all that is done here. */
function typeOf({ kind }: Revocation): ResourceType<Revocation> {
  return kind === TOKEN_REVOCATION_KIND ? TOKEN_REVOCATIONS : CLUSTER_TOKEN_REVOCATIONS;
}
