/** One look at an ApiToken and what belongs to it. Status is read live, then the Secret, live: never the other way round. */
import { API_TOKENS, type ApiToken, effectiveSecretName } from '../../api/apitoken.ts';
import { ROTATE_REQUESTED_AT_ANNOTATION } from '../../api/names.ts';
import {
  type ConsumersSeen,
  currentOf,
  type SealState,
  type Seen,
  type TokenStatus,
} from '../../domain/lifecycle/seen.ts';
import { checkSeal } from '../../domain/seal.ts';
import { tokenIDOf } from '../../domain/value.ts';
import { KubeError, type ObjectKey } from '../../ports.ts';
import type { ApiTokenDeps } from './deps.ts';
import { sealContentOf, specOf, statusOf } from './parse.ts';
import { SECRETS, type Secret, type SecretSubject, seeSecret } from './secret.ts';
import { consumersFromCache, consumersLive } from './workloads.ts';

/** The objects as read, beside what `decide` makes of them: their resourceVersions are the preconditions of every write. */
export interface Observation extends Objects {
  key: string;
  seen: Seen;
  subject: SecretSubject;
}

export interface Objects {
  token: ApiToken;
  secret: Secret | undefined;
  /** The token is the reply to our own status write, so after the Secret was read nobody else has changed status. */
  ownReply?: boolean;
}

export async function readObjects(deps: ApiTokenDeps, key: ObjectKey): Promise<Objects | undefined> {
  const unissued = deps.tokens.takeUnissued(`${key.namespace}/${key.name}`);
  // all that can follow is a status write under its resourceVersion, so that a stale one costs a conflict
  if (unissued && !(await readSecret(deps, unissued))) return { token: unissued, secret: undefined };
  const token = await found(deps.client.get(API_TOKENS, key));
  if (!token) return undefined;
  const { uid, resourceVersion } = token.metadata;
  deps.values.forgetUseless(uid, resourceVersion, statusOf(token).versions);
  return { token, secret: await readSecret(deps, token) };
}

function readSecret(deps: ApiTokenDeps, token: ApiToken): Promise<Secret | undefined> {
  const { namespace } = token.metadata;
  return found(deps.client.get(SECRETS, { namespace, name: effectiveSecretName(token) }));
}

export async function found<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof KubeError && error.reason === 'NotFound') return undefined;
    throw error;
  }
}

export async function observe(deps: ApiTokenDeps, key: string, objects: Objects, live: boolean): Promise<Observation> {
  const { token, secret, ownReply = false } = objects;
  const { uid, namespace, generation } = token.metadata;
  const status = statusOf(token);
  const tokenID = tokenIDOf(uid);
  const subject: SecretSubject = { token, tokenID, name: effectiveSecretName(token) };
  const rotateRequest = token.metadata.annotations?.[ROTATE_REQUESTED_AT_ANNOTATION];
  const seen: Seen = {
    uid,
    tokenID,
    generation,
    deleting: token.metadata.deletionTimestamp !== undefined || deps.isNamespaceTerminating(namespace),
    ...deps.revocations.of(token),
    spec: specOf(token),
    compliance: deps.policies.judge(token, Math.floor(deps.clock.now() / 1000)),
    status,
    sealState: await sealState(deps, uid, status, ownReply),
    secret: seeSecret(subject, secret, status),
    held: deps.values.digests(uid),
    consumers: await consumers(deps, subject, status, live),
    rolloutSlot: deps.rollouts.hasRoom(key, deps.clock.now()),
  };
  if (rotateRequest !== undefined) seen.rotateRequest = rotateRequest;
  return { ...objects, key, seen, subject };
}

async function sealState(deps: ApiTokenDeps, uid: string, status: TokenStatus, ownReply: boolean): Promise<SealState> {
  const { seal } = status;
  if (!seal) return status.versions.length + status.handledRevocations.length === 0 ? 'absent' : 'broken';
  const check = () => checkSeal(sealContentOf(uid, status, seal.sequence), seal, deps.sealKeys.trusted());
  // what we have just written would only cost: 0.1 ms, more than the rest of the look
  let checked = ownReply ? 'valid' : check();
  // another operator may have made the key since we read them
  if (checked === 'unknown-key' && (await deps.sealKeys.lookAgain())) checked = check();
  if (checked !== 'valid') return 'broken';
  return seal.keyID === deps.sealKeys.signing().keyID ? 'valid' : 'old-key';
}

function consumers(
  deps: ApiTokenDeps,
  subject: SecretSubject,
  status: TokenStatus,
  live: boolean,
): Promise<ConsumersSeen> {
  const { restarts } = status;
  const underWay = restarts !== undefined && restarts.version === currentOf(status)?.version;
  const query = {
    namespace: subject.token.metadata.namespace,
    secret: subject.name,
    tokenID: subject.tokenID,
    since: underWay && (live || restarts.pending > 0) ? restarts.since : undefined,
  };
  return live ? consumersLive(deps.client, query) : consumersFromCache(deps.client, deps.workloads, query);
}
