/** Every write of status: sealed where what verifiers trust has changed, described for people, under the resourceVersion read. */
import { API_TOKEN_KIND, API_TOKENS, type ApiToken, type ApiTokenCondition } from '../../api/apitoken.ts';
import { API_VERSION } from '../../api/group.ts';
import { type Described, describe } from '../../domain/lifecycle/describe.ts';
import { withoutPast } from '../../domain/lifecycle/orders.ts';
import type { SecretSeen, TokenStatus } from '../../domain/lifecycle/seen.ts';
import { sealBytes, sealOf } from '../../domain/seal.ts';
import type { ApiTokenDeps } from './deps.ts';
import type { Observation } from './observe.ts';
import { sealContentOf, statusDocument } from './parse.ts';

export interface StatusWrite {
  status: TokenStatus;
  /** The Secret as the conditions should speak of it; as observed unless given. */
  secret?: SecretSeen;
  standstill?: Described['standstill'];
  unfinished?: readonly string[];
  /** Sign anew although nothing that is sealed has changed. */
  reseal?: boolean;
}

/** What status would say, were it written now. */
export function draft(deps: ApiTokenDeps, observation: Observation, write: StatusWrite, now: number) {
  const { seen, token } = observation;
  const status = sealed(deps, observation, write);
  const described: Described = {
    uid: seen.uid,
    generation: seen.generation,
    spec: seen.spec,
    compliance: seen.compliance,
    status,
    secret: write.secret ?? seen.secret,
  };
  if (write.standstill) described.standstill = write.standstill;
  if (write.unfinished) described.unfinished = write.unfinished;
  const description = describe(described, now);
  return { description, document: statusDocument(token, seen.tokenID, status, description, now) };
}

export async function writeStatus(
  deps: ApiTokenDeps,
  observation: Observation,
  write: StatusWrite,
  now: number,
): Promise<ApiToken> {
  const { token, seen } = observation;
  const status = withoutPast(write.status, seen.pastOrders);
  const { document } = draft(deps, observation, { ...write, status }, now);
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp } = token.metadata;
  const written = await deps.client.replaceStatus(API_TOKENS, {
    apiVersion: API_VERSION,
    kind: API_TOKEN_KIND,
    metadata: { name, namespace, uid, resourceVersion, generation, creationTimestamp },
    spec: token.spec,
    status: document,
  });
  deps.tokens.observe(written);
  deps.values.forgetUseless(uid, written.metadata.resourceVersion, write.status.versions);
  announce(deps, token, document.conditions ?? []);
  count(deps, written);
  return written;
}

function sealed(deps: ApiTokenDeps, { seen }: Observation, { status, reseal }: StatusWrite): TokenStatus {
  // a write that only reports vouches for nothing: those that change the versions have dropped what no key confirms
  if (seen.sealState === 'broken' && status.versions === seen.status.versions) return status;
  const sequence = seen.status.seal?.sequence ?? 0;
  const bytes = (s: TokenStatus) => Buffer.from(sealBytes(sealContentOf(seen.uid, s, sequence)));
  const isSame =
    seen.sealState !== 'broken' && seen.status.seal !== undefined && bytes(status).equals(bytes(seen.status));
  if (isSame && !reseal) return status;
  const isBlank = status.versions.length + status.handledRevocations.length === 0;
  if (isBlank && seen.status.seal === undefined) return status; // nothing to vouch for yet
  return { ...status, seal: sealOf(sealContentOf(seen.uid, status, sequence + 1), deps.sealKeys.signing()) };
}

/** Troubles become events when they begin, and what policies allow again; `Issued` and the like are announced by who causes them. */
function announce(deps: ApiTokenDeps, token: ApiToken, conditions: readonly ApiTokenCondition[]): void {
  const compliance = conditions.find(({ type }) => type === 'Compliant');
  for (const condition of conditions) {
    const { type, reason, message } = condition;
    const before = token.status?.conditions?.find((c) => c.type === type);
    if (before?.reason === reason) continue;
    const event = { reason, action: 'Reconcile', note: message };
    if (isTrouble(condition, compliance)) {
      deps.events.event(regarding(token), { type: 'Warning', ...event });
      // what a policy forbids is counted with the policy
      if (condition !== compliance) deps.metrics.failed(reason);
      deps.log.warn({ token: keyOf(token), reason, detail: message }, 'token needs attention');
    } else if (condition === compliance && before) {
      deps.events.event(regarding(token), { type: 'Normal', ...event });
    }
  }
}

function isTrouble({ type, status, reason }: ApiTokenCondition, compliance: ApiTokenCondition | undefined): boolean {
  switch (type) {
    case 'Compliant':
      return status === 'False';
    case 'Stalled':
      // said of Compliant already
      return reason !== compliance?.reason;
    default:
      return reason === 'RolloutLate' || (type === 'Ready' && reason === 'Expired');
  }
}

/** The gauges of one ApiToken, as its status has them. */
export function count(deps: ApiTokenDeps, token: ApiToken): void {
  const { namespace, name } = token.metadata;
  const { conditions, nextRotationTime, restarts, versions } = token.status ?? {};
  const has = (type: string) => conditions?.some((c) => c.type === type && c.status === 'True') ?? false;
  deps.metrics.token(keyOf(token), {
    namespace,
    name,
    ready: has('Ready'),
    stalled: has('Stalled'),
    expirationTime: secondsOf(versions?.find((v) => v.state === 'Current')?.expirationTime),
    nextRotationTime: secondsOf(nextRotationTime),
    pendingRestarts: restarts?.pending ?? 0,
  });
}

function secondsOf(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time) / 1000;
}

export function regarding(token: ApiToken) {
  const { namespace, name, uid } = token.metadata;
  return { apiVersion: API_VERSION, kind: API_TOKEN_KIND, namespace, name, uid };
}

export function keyOf(token: ApiToken): string {
  return `${token.metadata.namespace}/${token.metadata.name}`;
}
