/** Carries out one action of `decide`. Every write has the resourceVersion that was read as its precondition. */
import { API_TOKENS, type ApiToken } from '../../api/apitoken.ts';
import { ROTATE_REQUESTED_BY_ANNOTATION, restartFieldManager, versionAnnotation } from '../../api/names.ts';
import type { Action, MintCause } from '../../domain/lifecycle/decide.ts';
import { operationOf } from '../../domain/lifecycle/describe.ts';
import { struckBy } from '../../domain/lifecycle/orders.ts';
import { currentOf, type SecretSeen, type Seen, type TokenSpec } from '../../domain/lifecycle/seen.ts';
import {
  addNext,
  endGrant,
  nextVersion,
  promote,
  recordRestart,
  retire,
  revoke,
} from '../../domain/lifecycle/transitions.ts';
import type { Order } from '../../domain/revocation.ts';
import { type Digest, digestOf } from '../../domain/value.ts';
import { KubeError } from '../../ports.ts';
import { subjectOf } from './audit-trail.ts';
import type { ApiTokenDeps } from './deps.ts';
import { found, type Objects, type Observation } from './observe.ts';
import { repaired, SECRETS, type Secret, settled, withValue } from './secret.ts';
import { cached, WORKLOADS } from './workloads.ts';
import { keyOf, regarding, writeStatus } from './write-status.ts';

/** Kubelets may take this long, in seconds, to renew a mounted Secret. */
const MOUNT_REFRESH = 120;

/** Somebody else was faster: look again. Not an error. */
export class Overtaken extends Error {}

/** @returns the objects as they are after the action, from the replies of the writes */
export async function act(
  deps: ApiTokenDeps,
  observation: Observation,
  action: Exclude<Action, { do: 'wait' | 'look' }>,
  now: number,
): Promise<Objects> {
  const { token, secret, seen } = observation;
  const wrote = (reply: ApiToken): Objects => ({ token: reply, secret, ownReply: true });
  switch (action.do) {
    case 'revoke':
      return wrote(await revokeVersions(deps, observation, action.orders, now));
    case 'mint':
      return wrote(await mint(deps, observation, action.cause, now));
    case 'writeSecret':
      return writeSecret(deps, observation, action.digest, now);
    case 'promote': {
      const status = promote(seen, specIn(seen), action.version, now);
      const written = await writeStatus(deps, observation, { status }, now);
      announcePromotion(deps, observation, action.version);
      return wrote(written);
    }
    case 'restart':
      return wrote(await restart(deps, observation, action, now));
    case 'recordRestarts':
      return wrote(
        await writeStatus(deps, observation, { status: { ...seen.status, restarts: action.restarts } }, now),
      );
    case 'repair':
      return { token, secret: await replaceSecret(deps, repaired(observation.subject, present(secret), seen.status)) };
    case 'settle':
      return {
        token,
        secret: await replaceSecret(deps, settled(observation.subject, present(secret), seen.status, action.current)),
      };
    case 'retire':
      return wrote(await retireVersions(deps, observation, action.versions, action.reason, now));
    case 'removeSecret':
      await removeSecret(deps, present(secret));
      return { token, secret: undefined };
    case 'endGrant':
      return wrote(await endTheGrant(deps, observation, now));
    case 'reseal':
      return wrote(await writeStatus(deps, observation, { status: seen.status, reseal: true }, now));
    default:
      return action satisfies never;
  }
}

/** Without a spec that can be read, nothing is minted or promoted; revoked all the same. */
function specIn({ spec }: Seen): TokenSpec {
  if (!spec.ok) throw new Error('decide mints and promotes only by a spec that it could read');
  return spec.spec;
}

/** One write ends them all; whoever waits to be sealed goes before the replacement of this one. */
async function revokeVersions(
  deps: ApiTokenDeps,
  observation: Observation,
  orders: readonly Order[],
  now: number,
): Promise<ApiToken> {
  const { token, seen } = observation;
  const struck = struckBy(seen, orders);
  for (const { version, order } of struck)
    await deps.audit.intent(token, 'revoke', version, order.reason, now, order.requester);
  const written = await writeStatus(deps, observation, { status: revoke(seen, orders) }, now);
  for (const { version, order } of struck) {
    deps.metrics.revoked(order.reason);
    const { name: revocation, reason, requester } = order;
    deps.log.info(
      { token: keyOf(token), tokenID: seen.tokenID, version, reason, revocation, requester },
      'version revoked',
    );
  }
  const [first] = struck;
  if (first) {
    const versions = struck.map(({ version }) => version).join(', ');
    const note = `refused from now on: version ${versions}, by ${first.order.name} (${first.order.reason})`;
    deps.events.event(regarding(token), { type: 'Warning', reason: 'Revoked', action: 'Revoke', note });
  }
  return written;
}

async function mint(deps: ApiTokenDeps, observation: Observation, cause: MintCause, now: number): Promise<ApiToken> {
  const { token, seen } = observation;
  const { uid, resourceVersion } = token.metadata;
  const spec = specIn(seen);
  const version = nextVersion(seen);
  const requester = cause === 'Requested' ? token.metadata.annotations?.[ROTATE_REQUESTED_BY_ANNOTATION] : undefined;
  await deps.audit.intent(token, operationOf(cause, version), version, cause, now, requester);
  let held = deps.values.tried(uid, resourceVersion);
  if (!held) {
    const value = await deps.issuer.mint({ environment: spec.environment, tokenID: seen.tokenID });
    held = { value, digest: digestOf(value), mintedUnder: resourceVersion };
    deps.values.remember(uid, held);
  }
  const written = await writeStatus(deps, observation, { status: addNext(seen, spec, held.digest, now) }, now);
  deps.census.present(observation.key, uid, () => subjectOf(token));
  deps.metrics.minted(cause);
  deps.log.info({ token: keyOf(token), tokenID: seen.tokenID, version, cause }, 'version minted');
  if (operationOf(cause, version) === 'heal') {
    const note = `${HEALED[cause] ?? cause}; version ${version} takes its place`;
    deps.events.event(regarding(token), { type: 'Warning', reason: cause, action: 'Heal', note });
  }
  return written;
}

const HEALED: Partial<Record<MintCause, string>> = {
  SecretMissing: 'the Secret was gone',
  SecretAltered: 'the Secret was altered',
  SealInvalid: 'no public key confirms the status',
};

/** Step 3: status is read again after the Secret, or was just written, so that nobody promoted or minted since we looked. */
async function writeSecret(
  deps: ApiTokenDeps,
  observation: Observation,
  digest: Digest,
  now: number,
): Promise<Objects> {
  const { secret, seen, subject } = observation;
  const token = observation.ownReply ? observation.token : await unchanged(deps, observation);
  const version = seen.status.versions.find((v) => v.digest === digest);
  const value = deps.values.value(seen.uid, digest);
  if (!version || !value) throw new Overtaken();
  const wanted = withValue(subject, secret, version, value, seen.status, now);
  return { token, secret: secret ? await replaceSecret(deps, wanted) : await createSecret(deps, wanted) };
}

async function unchanged(deps: ApiTokenDeps, { token }: Observation): Promise<ApiToken> {
  const again = await found(deps.client.get(API_TOKENS, token.metadata));
  if (again?.metadata.resourceVersion !== token.metadata.resourceVersion) throw new Overtaken();
  return again;
}

async function replaceSecret(deps: ApiTokenDeps, wanted: Secret): Promise<Secret> {
  const written = await deps.client.replace(SECRETS, wanted);
  deps.secrets.observe(written);
  return written;
}

async function createSecret(deps: ApiTokenDeps, wanted: Secret): Promise<Secret> {
  const written = await deps.client.create(SECRETS, wanted);
  deps.secrets.observe(written);
  return written;
}

async function removeSecret(deps: ApiTokenDeps, secret: Secret): Promise<void> {
  const { uid = '', resourceVersion } = secret.metadata;
  await found(deps.client.delete(SECRETS, secret.metadata, { uid, ...(resourceVersion && { resourceVersion }) }));
}

function present(secret: Secret | undefined): Secret {
  if (!secret) throw new Overtaken();
  return secret;
}

function announcePromotion(deps: ApiTokenDeps, { token, seen }: Observation, version: number): void {
  const reason = version === 1 ? 'Issued' : 'Rotated';
  const note = `version ${version} is in the Secret`;
  deps.events.event(regarding(token), { type: 'Normal', reason, action: 'Rotate', note });
  if (version > 1) deps.metrics.rotated();
  deps.log.info({ token: keyOf(token), tokenID: seen.tokenID, version }, 'version delivered');
  const overlap = seen.spec.ok ? seen.spec.spec.overlap : undefined;
  const mounts = seen.consumers.workloads.filter((c) => c.reads === 'refreshing');
  if (version > 1 && overlap !== undefined && overlap < MOUNT_REFRESH && mounts.length > 0) {
    const text = `spec.rotation.overlap is under 2m, which a mounted Secret takes to refresh: ${mounts.map((c) => `${c.kind}/${c.name}`).join(', ')}`;
    deps.events.event(regarding(token), { type: 'Warning', reason: 'OverlapTooShort', action: 'Rotate', note: text });
  }
}

/** Step 5: read the workload, read status again, then apply the one annotation under the workload's UID and resourceVersion. */
async function restart(
  deps: ApiTokenDeps,
  observation: Observation,
  { consumer }: Extract<Action, { do: 'restart' }>,
  now: number,
): Promise<ApiToken> {
  const { token, seen, key } = observation;
  const type = WORKLOADS.find((w) => w.kind === consumer.kind);
  const version = currentOf(seen.status)?.version;
  if (!type || version === undefined) throw new Overtaken();
  const { namespace } = token.metadata;
  const workload = await found(deps.client.get(type, { namespace, name: consumer.name }));
  const { uid, resourceVersion } = workload?.metadata ?? {};
  const isAsSeen = workload && uid === consumer.uid && (consumer.inert || cached(consumer.kind, workload).rolledOut);
  if (!isAsSeen || !resourceVersion) throw new Overtaken();
  await unchanged(deps, observation);
  if (!consumer.inert && !deps.rollouts.take(key, uid, deps.clock.now())) throw new Overtaken();
  await deps.client.apply(
    type,
    {
      apiVersion: 'apps/v1',
      kind: consumer.kind,
      metadata: { name: consumer.name, namespace, uid, resourceVersion },
      spec: { template: { metadata: { annotations: { [versionAnnotation(seen.tokenID)]: String(version) } } } },
    },
    { fieldManager: restartFieldManager(seen.tokenID) },
  );
  deps.metrics.restarted(consumer.kind);
  deps.log.info({ token: keyOf(token), version, workload: `${consumer.kind}/${consumer.name}` }, 'workload restarted');
  return writeStatus(deps, observation, { status: recordRestart(seen.status, consumer) }, now);
}

async function retireVersions(
  deps: ApiTokenDeps,
  observation: Observation,
  versions: readonly number[],
  reason: string,
  now: number,
): Promise<ApiToken> {
  const { token, seen } = observation;
  for (const version of versions) await deps.audit.intent(token, 'retire', version, reason, now);
  const written = await writeStatus(deps, observation, { status: retire(seen.status, versions) }, now);
  for (const version of versions) {
    deps.metrics.retired(reason);
    deps.log.info({ token: keyOf(token), tokenID: seen.tokenID, version, reason }, 'version retired');
    deps.events.event(regarding(token), {
      type: 'Normal',
      reason: 'Retired',
      action: 'Retire',
      note: `version ${version} is refused from now on`,
    });
  }
  return written;
}

async function endTheGrant(deps: ApiTokenDeps, observation: Observation, now: number): Promise<ApiToken> {
  const { token, seen } = observation;
  for (const { version } of seen.status.versions) await deps.audit.intent(token, 'retire', version, 'GrantEnded', now);
  const secret: SecretSeen = { is: 'absent' };
  const written = await writeStatus(
    deps,
    observation,
    { status: endGrant(seen.status), secret, standstill: { why: 'GrantEnded' } },
    now,
  );
  deps.log.info({ token: keyOf(token), tokenID: seen.tokenID }, 'grant ended');
  return written;
}

/** Refused by the API server for what it is: trying it again unchanged at once is of no use. */
export function isRefusal(error: unknown): error is KubeError {
  return (
    error instanceof KubeError &&
    (error.reason === 'Forbidden' || error.reason === 'Invalid' || error.reason === 'BadRequest')
  );
}
