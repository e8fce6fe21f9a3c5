/**
 * Envoy's HTTP ext_authz. Envoy appends the client's path and query to path_prefix, so here nothing in the target counts but as the
 * path of the call; needs come from headers that `headers_to_add` of the configuration sets, in place of what a client sends:
 *
 *   x-tokenwright-need-audience: ai-gateway
 *   x-tokenwright-need-scope: chat:write         or `-`: any token for the audience; or `routes`: those of the TokenAudience's route
 *
 * `allowed_headers` of the configuration must not let a client's x-tokenwright-need-* through; Envoy sends none that is not listed.
 */
import type { Call, StatedNeeds } from '../call.ts';
import { statedScopes } from './authorize.ts';
import { hasTokenInURL, onlyValueOf, presentedToken, type RawHeaders } from './presented.ts';

/** The path_prefix of Envoy's configuration. */
export const ENVOY_PREFIX = '/envoy';

export const NEED_AUDIENCE = 'x-tokenwright-need-audience';
export const NEED_SCOPE = 'x-tokenwright-need-scope';

export function envoyCall(method: string, target: string, headers: RawHeaders, source: string | undefined): Call {
  const path = target.slice(ENVOY_PREFIX.length);
  return {
    door: 'envoy-http',
    token: hasTokenInURL(path) ? 'ambiguous' : presentedToken(headers),
    needs: needsFrom(onlyValueOf(headers, NEED_AUDIENCE), onlyValueOf(headers, NEED_SCOPE), { method, path }),
    source,
    traceparent: onlyValueOf(headers, 'traceparent'),
  };
}

export function needsFrom(
  audience: string | undefined,
  scope: string | undefined,
  call: { method: string; path: string },
): StatedNeeds {
  if (!audience || scope === undefined)
    return { unclear: 'the gateway must state the audience and the scope, each once' };
  return scope === 'routes' ? { audience, scopes: call } : statedScopes(audience, scope);
}
