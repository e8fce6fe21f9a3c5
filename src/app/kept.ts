/** What is kept of the objects that the operator watches: as little as says whom a change concerns. */
import { type ApiToken, effectiveSecretName } from '../api/apitoken.ts';
import { tokenIDOf } from '../domain/value.ts';
import type { KubeObject, ObjectMeta, ResourceType } from '../ports.ts';
import type { Secret } from '../reconcile/apitoken/secret.ts';
import type { KnownToken } from '../reconcile/tokenrevocation/order-book.ts';

/** An ApiToken is read live where it matters; what is kept here only says whom a change concerns. */
export interface CachedToken extends KubeObject {
  secretName: string;
  pendingRestarts: number;
  rollingOut: readonly string[];
  /** What revocations match. */
  subject: string;
  environment: string;
  handledRevocations: readonly string[];
  /** The whole ApiToken, while its status is empty and nobody has taken it. */
  unissued?: ApiToken;
}

export function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** The reflector receives Raw, and holds and hands out Kept from the transform on. */
export function held<Raw extends KubeObject, Kept extends KubeObject>(
  type: ResourceType<Raw>,
  trim: (raw: Raw) => Kept,
) {
  return {
    type: type as unknown as ResourceType<Kept>,
    transform: (received: Kept) => trim(received as unknown as Raw),
  };
}

export function cachedToken(token: ApiToken): CachedToken {
  const { restarts, handledRevocations } = token.status ?? {};
  const { subject, environment } = token.spec;
  const { labels } = token.metadata;
  const rollingOut = (restarts?.workloads ?? []).filter((w) => w.state === 'RollingOut').map((w) => w.uid);
  return {
    metadata: { ...identity(token.metadata), ...(labels && { labels }) },
    secretName: effectiveSecretName(token),
    pendingRestarts: restarts?.pending ?? 0,
    rollingOut: rollingOut.length > 0 ? rollingOut : NONE,
    subject,
    environment,
    handledRevocations: handledRevocations ?? NONE,
    ...(token.status === undefined && { unissued: token }),
  };
}

/** One for all: there may be many ApiTokens. */
const NONE: readonly string[] = [];

export function known(token: CachedToken): KnownToken {
  const { subject, environment, handledRevocations } = token;
  const { namespace = '', name, uid = '', labels = {} } = token.metadata;
  const target = {
    namespace,
    name,
    // seldom asked for, and a hash
    get tokenID() {
      return tokenIDOf(uid);
    },
    subject,
    environment,
    labels,
  };
  return { key: keyOf(token), target, handled: handledRevocations };
}

function identity({ name, namespace, uid, resourceVersion }: ObjectMeta): ObjectMeta {
  return { name, ...(namespace && { namespace }), ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
}

export function onlyOwner(secret: Secret): Secret {
  const { ownerReferences } = secret.metadata;
  return { metadata: { ...identity(secret.metadata), ...(ownerReferences && { ownerReferences }) } };
}

export function onlyLabels(object: KubeObject): KubeObject {
  const { deletionTimestamp, labels } = object.metadata;
  return {
    metadata: {
      ...identity(object.metadata),
      ...(deletionTimestamp && { deletionTimestamp }),
      ...(labels && { labels }),
    },
  };
}
