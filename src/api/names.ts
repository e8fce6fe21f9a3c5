/**
 * Names that Tokenwright reads or writes on objects of others: keys of annotations, labels and Secret data.
 */
import { GROUP } from './group.ts';

/** On an ApiToken, by its users: any new value asks for a rotation now. Answered in status.lastHandledRotateRequest. */
export const ROTATE_REQUESTED_AT_ANNOTATION = `${GROUP}/rotate-requested-at` as const;

/** On an ApiToken: the user who asked for that rotation, as the API server knows them (from Kubernetes 1.36 on). */
export const ROTATE_REQUESTED_BY_ANNOTATION = `${GROUP}/rotate-requested-by` as const;

/** On the Secret: the version for which everything is settled. Fences off writes in flight before Previous is retired. */
export const SETTLED_ANNOTATION = `${GROUP}/settled` as const;

/** On the Secret: when its value was last written, RFC 3339. Pods that are older may hold an older value. */
export const VALUE_WRITE_TIME_ANNOTATION = `${GROUP}/value-write-time` as const;

/** On the Secret: keys of labels and annotations that its template made, as JSON: what is no longer among them is taken away. */
export const TEMPLATED_ANNOTATION = `${GROUP}/templated` as const;

/** On the Secret: the token id, to select by. Never proof that the Secret is ours: the controller ownerReference is. */
export const TOKEN_ID_LABEL = `${GROUP}/token-id` as const;

/**
 * On a revocation, "true" until 30 s after it is sealed: what verifiers list every 2 s, in case their watch is deaf. Set by
 * the API server on creation (from Kubernetes 1.36 on), else by the operator; only the operator takes it away.
 */
export const PENDING_LABEL = `${GROUP}/pending` as const;

/** On a revocation until it is sealed: deleted before, its tokens would live again. */
export const REVOCATION_FINALIZER = `${GROUP}/revocation` as const;

/** On a revocation and an ApiToken: the user who created it, as the API server knows them (from Kubernetes 1.36 on). Never changes. */
export const REQUESTED_BY_ANNOTATION = `${GROUP}/requested-by` as const;

/** On a revocation, by whoever creates it: when, RFC 3339 with milliseconds, since creationTimestamp has whole seconds only. */
export const REQUESTED_AT_ANNOTATION = `${GROUP}/requested-at` as const;

/** The verb that RBAC must grant on clustertokenrevocations for one that says `everything: true`. */
export const REVOKE_EVERYTHING_VERB = 'revoke-everything';

export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const MANAGED_BY = 'tokenwright';

/**
 * On the pod template of a workload: the version that its pods start with. One key for each token, since a workload
 * may read several; by token id, since a name would pass the 63 characters of a key.
 */
export function versionAnnotation(tokenID: string): string {
  return `version.${GROUP}/${tokenID}`;
}

/** One for each token: with one manager for all, an apply for one token would delete the annotations of the others. */
export function restartFieldManager(tokenID: string): string {
  return `tokenwright-${tokenID}`;
}

/** Keys of the Secret's data that Tokenwright writes itself; spec.secret.template.data has others. */
export const SECRET_KEYS = {
  token: 'token',
  tokenID: 'token-id',
  version: 'version',
  expirationTime: 'expiration-time',
  previousToken: 'previous-token',
} as const;
