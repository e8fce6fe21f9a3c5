/** The order to revoke that the flags of `tokenwright revoke` describe, and whom it reaches. */
import type { ApiToken } from '../api/apitoken.ts';
import { API_VERSION } from '../api/group.ts';
import { REQUESTED_AT_ANNOTATION } from '../api/names.ts';
import {
  CLUSTER_TOKEN_REVOCATION_KIND,
  CLUSTER_TOKEN_REVOCATIONS,
  type RevocationReason,
  TOKEN_REVOCATION_KIND,
  TOKEN_REVOCATIONS,
  type TokenRevocationSpec,
  type TokenRevocationStatus,
} from '../api/token-revocation.ts';
import type { Labels } from '../domain/label-selector.ts';
import { matches, type RevokedVersions, strikes } from '../domain/revocation.ts';
import type { KubeObject, ListOptions, ResourceType } from '../ports.ts';

export interface OrderOptions {
  readonly name: string | undefined;
  readonly tokenID: string | undefined;
  readonly subject: string | undefined;
  readonly environment: string | undefined;
  readonly labels: Labels | undefined;
  readonly reason: RevocationReason;
  readonly versions: RevokedVersions;
  readonly block: boolean;
  readonly note: string | undefined;
}

export type OrderManifest = KubeObject & { spec: TokenRevocationSpec };

/** @param namespace which it never leaves; undefined: an order for the whole cluster. */
export function manifestOf(
  options: OrderOptions,
  namespace: string | undefined,
  { suffix, time }: { suffix: string; time: Date },
): OrderManifest {
  const { name, tokenID, subject, environment, labels, reason, versions, block, note } = options;
  const isListed = typeof versions !== 'string';
  return {
    apiVersion: API_VERSION,
    kind: namespace === undefined ? CLUSTER_TOKEN_REVOCATION_KIND : TOKEN_REVOCATION_KIND,
    metadata: {
      name: `${name ?? 'revocation'}-${suffix}`,
      ...(namespace !== undefined && { namespace }),
      annotations: { [REQUESTED_AT_ANNOTATION]: time.toISOString() },
    },
    spec: {
      match: {
        ...(name !== undefined && { name }),
        ...(tokenID !== undefined && { tokenID }),
        ...(subject !== undefined && { subject }),
        ...(environment !== undefined && { environment }),
        ...(labels !== undefined && { tokens: { matchLabels: { ...labels } } }),
      },
      ...(isListed ? { versions: 'Listed', versionNumbers: [...versions] } : versions !== 'All' && { versions }),
      reason,
      ...(block && { afterwards: 'Block' }),
      ...(note !== undefined && { note }),
    },
  };
}

export function typeOf({ metadata }: OrderManifest): ResourceType<KubeObject & { status?: TokenRevocationStatus }> {
  return metadata.namespace === undefined ? CLUSTER_TOKEN_REVOCATIONS : TOKEN_REVOCATIONS;
}

/** Where to look for what it matches: no more than is needed. */
export function searchOf({ metadata: { namespace }, spec: { match } }: OrderManifest): ListOptions {
  const fields = [
    match.name === undefined ? '' : `metadata.name=${match.name}`,
    match.tokenID === undefined ? '' : `status.tokenID=${match.tokenID}`,
  ].filter(Boolean);
  return {
    ...(namespace !== undefined && { namespace }),
    ...(fields.length > 0 && { fieldSelector: fields.join(',') }),
  };
}

export function isReached({ metadata: { namespace }, spec: { match } }: OrderManifest, token: ApiToken): boolean {
  const { metadata, spec, status } = token;
  const target = {
    namespace: metadata.namespace,
    name: metadata.name,
    tokenID: status?.tokenID ?? '',
    subject: spec.subject,
    environment: spec.environment,
    labels: metadata.labels ?? {},
  };
  return matches({ namespace, match }, target, undefined);
}

/** The accepted versions of a token that the order ends, and those that it leaves. */
export function effectOn(token: ApiToken, versions: RevokedVersions): { ended: number[]; left: number[] } {
  const ended: number[] = [];
  const left: number[] = [];
  for (const version of token.status?.versions ?? []) (strikes(versions, version) ? ended : left).push(version.version);
  return { ended, left };
}
