/**
 * ApiToken: its types, as generated from crds/, under the names that the rest imports.
 */
import { runValidateFunc, type ValidateFunc } from '@kubernetes-models/validate';
import { validate } from './generated/_schemas/TokenwrightDevV1alpha1ApiToken.js';
import type { IApiToken } from './generated/tokenwright.dev/v1alpha1/ApiToken.ts';
import { type API_VERSION, GROUP, VERSION } from './group.ts';

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

/** An ApiToken as somebody writes it. */
export interface ApiTokenManifest {
  apiVersion: typeof API_VERSION;
  kind: typeof API_TOKEN_KIND;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: ApiTokenSpec;
}

/** An ApiToken as the API server answers it. */
export interface ApiToken extends ApiTokenManifest {
  metadata: ApiTokenManifest['metadata'] & {
    namespace: string;
    uid: string;
    resourceVersion: string;
    generation: number;
    /** RFC 3339, whole seconds. */
    creationTimestamp: string;
    /** Present once it is being deleted. */
    deletionTimestamp?: string;
    finalizers?: string[];
  };
  status?: ApiTokenStatus;
}

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

/**
 * Checks that an answer of the API server is an ApiToken by the schema that this build knows. CEL rules are the API
 * server's business and are not checked again.
 *
 * @throws Error that names the offending fields, and no value but those that an enum allows
 */
export function parseApiToken(data: unknown): ApiToken {
  runValidateFunc(validate as ValidateFunc<ApiToken>, data);
  // the schema leaves metadata to the API server
  const { uid, namespace, resourceVersion, generation }: Partial<ApiToken['metadata']> = data.metadata ?? {};
  if (!uid || !namespace || !resourceVersion || generation === undefined) {
    throw new Error('data/metadata is not as the API server answers it');
  }
  return data;
}

/** The Secret that holds the value: spec.secret.name, or the ApiToken's own name. */
export function effectiveSecretName(token: Pick<ApiTokenManifest, 'metadata' | 'spec'>): string {
  return token.spec.secret?.name ?? token.metadata.name;
}
