/**
 * Names that Tokenwright reads or writes on objects of others: keys of annotations, labels and Secret data.
 */
import { GROUP } from './group.ts';

/** On an ApiToken, by its users: any new value asks for a rotation now. Answered in status.lastHandledRotateRequest. */
export const ROTATE_REQUESTED_AT_ANNOTATION = `${GROUP}/rotate-requested-at` as const;

/** On the Secret: the version for which everything is settled. Fences off writes in flight before Previous is retired. */
export const SETTLED_ANNOTATION = `${GROUP}/settled` as const;

/** On the Secret: when its value was last written, RFC 3339. Pods that are older may hold an older value. */
export const VALUE_WRITE_TIME_ANNOTATION = `${GROUP}/value-write-time` as const;

/** On the Secret: the token id, to select by. Never proof that the Secret is ours: the controller ownerReference is. */
export const TOKEN_ID_LABEL = `${GROUP}/token-id` as const;

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
