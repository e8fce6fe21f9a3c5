/** Orders to revoke: which tokens and versions they reach. Pure: the operator and the verifier ask the same functions. */

import { REQUESTED_AT_ANNOTATION, REQUESTED_BY_ANNOTATION } from '../api/names.ts';
import type {
  ClusterTokenRevocation,
  ClusterTokenRevocationMatch,
  RevocationAfterwards,
  RevocationReason,
  TokenRevocation,
} from '../api/token-revocation.ts';
import { type Labels, selects } from './label-selector.ts';
import type { VersionRecord } from './seal.ts';

export type Revocation = TokenRevocation | ClusterTokenRevocation;

/** What ends: all that there is, what is Previous, or these numbers. */
export type RevokedVersions = 'All' | 'Previous' | readonly number[];

/** A revocation as `decide` reads it. */
export interface Order {
  uid: string;
  /** For people, such as `TokenRevocation support/leaked`. */
  name: string;
  versions: RevokedVersions;
  afterwards: RevocationAfterwards;
  reason: RevocationReason;
  /** Carried out on all that it matched. What comes to match later is not meant, save by Block, which lasts. */
  sealed: boolean;
  /** Who created it, where the API server noted that. */
  requester?: string;
}

/** What a match asks of an ApiToken. */
export interface Target {
  namespace: string;
  name: string;
  tokenID: string;
  /** Of spec: `<kind>:<name>`. */
  subject: string;
  environment: string;
  labels: Labels;
}

/** Where an order reaches at most, and what it matches there. */
export interface Reach {
  /** Its own, which it never leaves; undefined: a ClusterTokenRevocation. */
  namespace?: string | undefined;
  match: ClusterTokenRevocationMatch;
}

/**
 * Nothing matches by accident: not an empty match or selector, nor a field or an operator that this build does not know.
 * @param namespaceLabels of the ApiToken's namespace; undefined where they are not known, which no selector matches.
 */
export function matches(reach: Reach, target: Target, namespaceLabels: Labels | undefined): boolean {
  if (reach.namespace !== undefined && reach.namespace !== target.namespace) return false;
  const { name, tokenID, subject, environment, tokens, namespaces, namespaceNames, everything } = reach.match;
  const answers = [
    name && name === target.name,
    tokenID && tokenID === target.tokenID,
    subject && subject === target.subject,
    environment && environment === target.environment,
    tokens && selects(tokens, target.labels),
    namespaces && selects(namespaces, namespaceLabels),
    namespaceNames?.includes(target.namespace),
    everything,
  ].filter((answer) => answer !== undefined);
  return answers.length > 0 && answers.length === Object.keys(reach.match).length && answers.every((is) => is === true);
}

/** Whether an order with these versions ends this one. */
export function strikes(
  versions: RevokedVersions,
  { version, state }: Pick<VersionRecord, 'version' | 'state'>,
): boolean {
  if (versions === 'All') return true;
  return versions === 'Previous' ? state === 'Previous' : versions.includes(version);
}

export function orderOf(revocation: Revocation): Order {
  const { kind, metadata, spec, status } = revocation;
  const { versions = 'All', versionNumbers = [], afterwards = 'Replace', reason } = spec;
  const order: Order = {
    uid: metadata.uid,
    name: [kind, [metadata.namespace, metadata.name].filter(Boolean).join('/')].join(' '),
    versions: versions === 'Listed' ? versionNumbers : versions,
    afterwards,
    reason,
    sealed: status?.sealed === true,
  };
  const requester = metadata.annotations?.[REQUESTED_BY_ANNOTATION];
  if (requester !== undefined) order.requester = requester;
  return order;
}

/**
 * When it was ordered, in epoch milliseconds. The API server keeps whole seconds, so a client may say it more finely, within that second; else
 * the second's beginning.
 */
export function orderedAt({ metadata }: Revocation): number {
  const second = Date.parse(metadata.creationTimestamp);
  const said = Date.parse(metadata.annotations?.[REQUESTED_AT_ANNOTATION] ?? '');
  return said >= second && said < second + 1000 ? said : second;
}

export function reachOf({ metadata, spec }: Revocation): Reach {
  return { namespace: metadata.namespace, match: spec.match };
}

/** Whether it may reach ApiTokens of this namespace at all. */
export function reachesNamespace({ namespace, match }: Reach, name: string, labels: Labels | undefined): boolean {
  if (namespace !== undefined && namespace !== name) return false;
  const { namespaceNames, namespaces } = match;
  return (namespaceNames?.includes(name) ?? true) && (namespaces === undefined || selects(namespaces, labels));
}
