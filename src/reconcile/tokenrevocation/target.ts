/** Between objects of the API server and what the domain matches. */
import type { ApiToken } from '../../api/apitoken.ts';
import type { Revocation, Target } from '../../domain/revocation.ts';
import { tokenIDOf } from '../../domain/value.ts';

export function targetOf({ metadata, spec }: ApiToken): Target {
  const { namespace, name, uid, labels = {} } = metadata;
  const { subject, environment } = spec;
  return { namespace, name, tokenID: tokenIDOf(uid), subject, environment, labels };
}

/** `<namespace>/<name>`, or the name alone of a ClusterTokenRevocation. */
export function keyOf({ metadata: { namespace, name } }: Revocation): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
