/**
 * TokenRevocation and ClusterTokenRevocation: their types, as generated from crds/, under the names that the rest imports.
 */
import { validate as validateCluster } from './generated/_schemas/TokenwrightDevV1alpha1ClusterTokenRevocation.js';
import { validate } from './generated/_schemas/TokenwrightDevV1alpha1TokenRevocation.js';
import type { IClusterTokenRevocation } from './generated/tokenwright.dev/v1alpha1/ClusterTokenRevocation.ts';
import type { ITokenRevocation } from './generated/tokenwright.dev/v1alpha1/TokenRevocation.ts';
import { GROUP, VERSION } from './group.ts';
import { type Answered, type InNamespace, type Manifest, parseAnswered } from './object.ts';

export type TokenRevocationSpec = ITokenRevocation['spec'];
export type TokenRevocationMatch = TokenRevocationSpec['match'];
/** The two kinds differ in `match` only. */
export type ClusterTokenRevocationSpec = IClusterTokenRevocation['spec'];
export type ClusterTokenRevocationMatch = ClusterTokenRevocationSpec['match'];
/** As Kubernetes means it, but never empty. */
export type LabelSelector = NonNullable<TokenRevocationMatch['tokens']>;
export type LabelCondition = NonNullable<LabelSelector['matchExpressions']>[number];
/** All unless given. */
export type RevokedVersions = NonNullable<TokenRevocationSpec['versions']>;
export type RevocationReason = TokenRevocationSpec['reason'];
/** Replace unless given. */
export type RevocationAfterwards = NonNullable<TokenRevocationSpec['afterwards']>;

/** The same for both kinds. */
export type TokenRevocationStatus = NonNullable<ITokenRevocation['status']>;
export type RevocationReceipt = NonNullable<TokenRevocationStatus['receipts']>[number];
export type TokenRevocationCondition = NonNullable<TokenRevocationStatus['conditions']>[number];

export const TOKEN_REVOCATION_KIND = 'TokenRevocation';
export const CLUSTER_TOKEN_REVOCATION_KIND = 'ClusterTokenRevocation';

/** As somebody writes it. */
export type TokenRevocationManifest = Manifest<typeof TOKEN_REVOCATION_KIND, TokenRevocationSpec>;
export type ClusterTokenRevocationManifest = Manifest<typeof CLUSTER_TOKEN_REVOCATION_KIND, ClusterTokenRevocationSpec>;

/** As the API server answers it. */
export type TokenRevocation = Answered<typeof TOKEN_REVOCATION_KIND, TokenRevocationSpec, TokenRevocationStatus> &
  InNamespace;
export type ClusterTokenRevocation = Answered<
  typeof CLUSTER_TOKEN_REVOCATION_KIND,
  ClusterTokenRevocationSpec,
  TokenRevocationStatus
>;

/** Where the API server serves them. `object` carries only the type, and is never set. */
export const TOKEN_REVOCATIONS: {
  readonly group: typeof GROUP;
  readonly version: typeof VERSION;
  readonly plural: 'tokenrevocations';
  readonly kind: typeof TOKEN_REVOCATION_KIND;
  readonly namespaced: true;
  readonly object?: TokenRevocation;
} = { group: GROUP, version: VERSION, plural: 'tokenrevocations', kind: TOKEN_REVOCATION_KIND, namespaced: true };

export const CLUSTER_TOKEN_REVOCATIONS: {
  readonly group: typeof GROUP;
  readonly version: typeof VERSION;
  readonly plural: 'clustertokenrevocations';
  readonly kind: typeof CLUSTER_TOKEN_REVOCATION_KIND;
  readonly namespaced: false;
  readonly object?: ClusterTokenRevocation;
} = {
  group: GROUP,
  version: VERSION,
  plural: 'clustertokenrevocations',
  kind: CLUSTER_TOKEN_REVOCATION_KIND,
  namespaced: false,
};

/** @throws Error as parseAnswered does */
export function parseTokenRevocation(data: unknown): TokenRevocation {
  return parseAnswered<TokenRevocation>(validate, TOKEN_REVOCATIONS, data);
}

/** @throws Error as parseAnswered does */
export function parseClusterTokenRevocation(data: unknown): ClusterTokenRevocation {
  return parseAnswered<ClusterTokenRevocation>(validateCluster, CLUSTER_TOKEN_REVOCATIONS, data);
}
