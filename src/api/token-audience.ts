/**
 * TokenAudience: its types, as generated from crds/, under the names that the rest imports. metadata.name is the audience.
 */
import { validate } from './generated/_schemas/TokenwrightDevV1alpha1TokenAudience.js';
import type { ITokenAudience } from './generated/tokenwright.dev/v1alpha1/TokenAudience.ts';
import { GROUP, VERSION } from './group.ts';
import { type Answered, type Manifest, parseAnswered } from './object.ts';

export type TokenAudienceSpec = ITokenAudience['spec'];
export type TokenAudienceRoute = NonNullable<TokenAudienceSpec['routes']>[number];
export type TokenAudienceStaleness = NonNullable<TokenAudienceSpec['staleness']>;
export type TokenAudienceUpstream = NonNullable<TokenAudienceSpec['upstream']>;

export const TOKEN_AUDIENCE_KIND = 'TokenAudience';

/** As somebody writes it. */
export type TokenAudienceManifest = Manifest<typeof TOKEN_AUDIENCE_KIND, TokenAudienceSpec>;

/** As the API server answers it. */
export type TokenAudience = Answered<typeof TOKEN_AUDIENCE_KIND, TokenAudienceSpec>;

/** Where the API server serves TokenAudiences. `object` carries only the type, and is never set. */
export const TOKEN_AUDIENCES: {
  readonly group: typeof GROUP;
  readonly version: typeof VERSION;
  readonly plural: 'tokenaudiences';
  readonly kind: typeof TOKEN_AUDIENCE_KIND;
  readonly namespaced: false;
  readonly object?: TokenAudience;
} = { group: GROUP, version: VERSION, plural: 'tokenaudiences', kind: TOKEN_AUDIENCE_KIND, namespaced: false };

/** spec.staleness.max unless given. */
export const DEFAULT_STALENESS = '30s';

/** Where the Secrets of spec.upstream are, unless the installation chose another namespace. */
export const UPSTREAM_NAMESPACE = 'tokenwright-upstreams';

/** Stands in spec.upstream.value where the key comes. */
export const UPSTREAM_KEY_REFERENCE = '$(key)';

/** @throws Error as parseAnswered does */
export function parseTokenAudience(data: unknown): TokenAudience {
  return parseAnswered<TokenAudience>(validate, TOKEN_AUDIENCES, data);
}
