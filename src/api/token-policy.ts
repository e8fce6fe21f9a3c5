/**
 * TokenPolicy: its types, as generated from crds/, under the names that the rest imports.
 */
import { validate } from './generated/_schemas/TokenwrightDevV1alpha1TokenPolicy.js';
import type { ITokenPolicy } from './generated/tokenwright.dev/v1alpha1/TokenPolicy.ts';
import { GROUP, VERSION } from './group.ts';
import { type Answered, type Manifest, parseAnswered, type SchemaProblem, schemaProblems } from './object.ts';

export type TokenPolicySpec = ITokenPolicy['spec'];
export type TokenPolicyMatch = TokenPolicySpec['match'];
export type TokenPolicyMode = NonNullable<TokenPolicySpec['mode']>;
export type TokenPolicyHours = NonNullable<NonNullable<TokenPolicySpec['conditionsOfUse']>['hours']>[number];
export type TokenPolicyRule = NonNullable<TokenPolicySpec['rules']>[number];

export type TokenPolicyStatus = NonNullable<ITokenPolicy['status']>;
export type TokenPolicyCondition = NonNullable<TokenPolicyStatus['conditions']>[number];

export const TOKEN_POLICY_KIND = 'TokenPolicy';

/** As somebody writes it. */
export type TokenPolicyManifest = Manifest<typeof TOKEN_POLICY_KIND, TokenPolicySpec>;

/** As the API server answers it. */
export type TokenPolicy = Answered<typeof TOKEN_POLICY_KIND, TokenPolicySpec, TokenPolicyStatus>;

/** Where the API server serves TokenPolicies. `object` carries only the type, and is never set. */
export const TOKEN_POLICIES: {
  readonly group: typeof GROUP;
  readonly version: typeof VERSION;
  readonly plural: 'tokenpolicies';
  readonly kind: typeof TOKEN_POLICY_KIND;
  readonly namespaced: false;
  readonly object?: TokenPolicy;
} = { group: GROUP, version: VERSION, plural: 'tokenpolicies', kind: TOKEN_POLICY_KIND, namespaced: false };

/** spec.mode unless given. */
export const DEFAULT_POLICY_MODE: TokenPolicyMode = 'Enforce';

/** Of hours, unless given. */
export const DEFAULT_TIME_ZONE = 'UTC';

/** @throws Error as parseAnswered does */
export function parseTokenPolicy(data: unknown): TokenPolicy {
  return parseAnswered<TokenPolicy>(validate, TOKEN_POLICIES, data);
}

/** None: data is a TokenPolicyManifest, but for its metadata. */
export function tokenPolicyProblems(data: unknown): SchemaProblem[] {
  return schemaProblems(validate, data);
}
