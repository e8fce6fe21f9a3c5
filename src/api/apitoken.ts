/**
 * ApiToken: its types, as generated from crds/, under the names that the rest imports.
 */
import { validate } from './generated/_schemas/TokenwrightDevV1alpha1ApiToken.js';
import type { IApiToken } from './generated/tokenwright.dev/v1alpha1/ApiToken.ts';
import { GROUP, VERSION } from './group.ts';
import {
  type Answered,
  type InNamespace,
  type Manifest,
  parseAnswered,
  type SchemaProblem,
  schemaProblems,
} from './object.ts';

export type ApiTokenSpec = IApiToken['spec'];
export type ApiTokenRotation = NonNullable<ApiTokenSpec['rotation']>;
export type ApiTokenSecret = NonNullable<ApiTokenSpec['secret']>;
export type ApiTokenSecretTemplate = NonNullable<ApiTokenSecret['template']>;
export type ApiTokenRateLimit = NonNullable<ApiTokenSpec['rateLimits']>[number];

export type ApiTokenStatus = NonNullable<IApiToken['status']>;
export type ApiTokenVersion = NonNullable<ApiTokenStatus['versions']>[number];
export type ApiTokenVersionState = ApiTokenVersion['state'];
export type ApiTokenGrant = ApiTokenVersion['grant'];
export type ApiTokenSeal = NonNullable<ApiTokenStatus['seal']>;
export type ApiTokenEffective = NonNullable<ApiTokenStatus['effective']>;
export type ApiTokenRestarts = NonNullable<ApiTokenStatus['restarts']>;
export type ApiTokenRestartedWorkload = NonNullable<ApiTokenRestarts['workloads']>[number];
export type ApiTokenFailures = NonNullable<ApiTokenStatus['failures']>;
export type ApiTokenCondition = NonNullable<ApiTokenStatus['conditions']>[number];

/** As somebody writes it. */
export type ApiTokenManifest = Manifest<typeof API_TOKEN_KIND, ApiTokenSpec>;

/** As the API server answers it. */
export type ApiToken = Answered<typeof API_TOKEN_KIND, ApiTokenSpec, ApiTokenStatus> & InNamespace;

export const API_TOKEN_KIND = 'ApiToken';

/** Where the API server serves ApiTokens. `object` carries only the type, and is never set. */
export const API_TOKENS: {
  readonly group: typeof GROUP;
  readonly version: typeof VERSION;
  readonly plural: 'apitokens';
  readonly kind: typeof API_TOKEN_KIND;
  readonly namespaced: true;
  readonly object?: ApiToken;
} = { group: GROUP, version: VERSION, plural: 'apitokens', kind: API_TOKEN_KIND, namespaced: true };

/** For `fieldSelector`: lists the ApiTokens that have a token id. */
export const TOKEN_ID_FIELD = 'status.tokenID';

/** @throws Error as parseAnswered does */
export function parseApiToken(data: unknown): ApiToken {
  return parseAnswered<ApiToken>(validate, API_TOKENS, data);
}

/** None: data is an ApiTokenManifest, but for its metadata. */
export function apiTokenProblems(data: unknown): SchemaProblem[] {
  return schemaProblems(validate, data);
}

/** The Secret that holds the value: spec.secret.name, or the ApiToken's own name. */
export function effectiveSecretName(token: Pick<ApiTokenManifest, 'metadata' | 'spec'>): string {
  return token.spec.secret?.name ?? token.metadata.name;
}
