/**
 * `/authorize`, for nginx auth_request, Caddy forward_auth and Traefik ForwardAuth. What the call needs stands in the query of the URL, which
 * the gateway's own configuration fixes and no client can reach:
 *
 *   ?audience=ai-gateway&scope=chat:write        all these scopes, separated by spaces or commas
 *   ?audience=ai-gateway&scope=-                 any token for the audience
 *   ?audience=ai-gateway&routes=forwarded        those of the route of the TokenAudience that matches X-Forwarded-Method and X-Forwarded-Uri,
 *                                                which Caddy and Traefik set themselves
 *   ?audience=ai-gateway&routes=original         … X-Original-Method and X-Original-URI, which the nginx configuration must set
 *
 * Which of the two pairs counts is the configuration's to say: the gateway lets the other one through as the client sent it.
 */
import { remembered } from '../../domain/remembered.ts';
import type { Call, StatedNeeds } from '../call.ts';
import { hasTokenInURL, onlyValueOf, presentedToken, type RawHeaders, valuesOf } from './presented.ts';

const NEEDS_LIMIT = 8192;

/** Of a request for `/authorize`. `target` is the request target as received. */
export function authorizeCall(target: string, headers: RawHeaders, source: string | undefined): Call {
  const { stated, hasToken } = parsed(target.slice(target.indexOf('?') + 1));
  const isInURL =
    hasToken ||
    valuesOf(headers, 'x-forwarded-uri').some(hasTokenInURL) ||
    valuesOf(headers, 'x-original-uri').some(hasTokenInURL);
  return {
    door: 'authorize',
    token: isInURL ? 'ambiguous' : presentedToken(headers),
    needs: needsOf(stated, headers),
    source,
    traceparent: onlyValueOf(headers, 'traceparent'),
  };
}

function needsOf(stated: Stated, headers: RawHeaders): StatedNeeds {
  if (!('routes' in stated)) return stated;
  const method = onlyValueOf(headers, `x-${stated.routes}-method`);
  const path = onlyValueOf(headers, `x-${stated.routes}-uri`);
  if (method === undefined || path === undefined) {
    return {
      unclear: `with routes=${stated.routes}, the gateway must send x-${stated.routes}-method and x-${stated.routes}-uri, each once`,
    };
  }
  return { audience: stated.audience, scopes: { method, path } };
}

type Stated = StatedNeeds | { audience: string; routes: 'forwarded' | 'original' };

interface Parsed {
  stated: Stated;
  hasToken: boolean;
}

/** The queries of a gateway's configuration: few, so remembered. Bounded, for whoever reaches the verifier past the gateway. */
const known = new Map<string, Parsed>();
const KNOWN_LIMIT = 1000;

function parsed(query: string): Parsed {
  const before = known.get(query);
  if (before) return before;
  const hasToken = hasTokenInURL(`?${query}`);
  if (query.length > NEEDS_LIMIT) return { stated: { unclear: 'the query of /authorize is too long' }, hasToken };
  const found = { stated: parse(query), hasToken };
  if (hasToken) return found;
  if (known.size >= KNOWN_LIMIT) known.clear();
  known.set(query, found);
  return found;
}

function parse(query: string): Stated {
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (!['audience', 'scope', 'routes'].includes(name)) {
      return { unclear: 'the query of /authorize may hold audience, and scope or routes' };
    }
    if (parameters.getAll(name).length > 1) return { unclear: `${name} is given twice in the query of /authorize` };
  }
  const audience = parameters.get('audience');
  if (!audience) return { unclear: 'the query of /authorize must name an audience' };
  const scope = parameters.get('scope');
  const routes = parameters.get('routes');
  if ((routes === null) === (scope === null)) {
    return { unclear: 'the query of /authorize must hold either scope or routes' };
  }
  if (scope !== null) return statedScopes(audience, scope);
  if (routes === 'forwarded' || routes === 'original') return { audience, routes };
  return { unclear: 'routes in the query of /authorize must be forwarded or original' };
}

/** RFC 6749, section 3.3: what may stand in a challenge, and in a grant. */
const SCOPE = /^[!#-[\]-~]+$/;

/** Of every door where a gateway states scopes in a text. The same object for the same words, as far as it is remembered. */
export function statedScopes(audience: string, scope: string): StatedNeeds {
  const text = `${audience}\n${scope}`;
  return text.length <= REMEMBERED_LENGTH ? readTold(text) : readScopes(audience, scope);
}

const REMEMBERED_LENGTH = 500;

/** A line feed between them, which neither may hold: with one, they are refused however they are read. */
const readTold = remembered((text) => {
  const [audience = '', ...scope] = text.split('\n');
  return readScopes(audience, scope.join('\n'));
});

function readScopes(audience: string, scope: string): StatedNeeds {
  if (scope === '-') return { audience, scopes: [] };
  const scopes = scope.split(/[ ,]+/).filter((one) => one !== '');
  if (scopes.length === 0) return { unclear: 'the scope is empty; if any token for the audience will do, say -' };
  if (scopes.every((one) => SCOPE.test(one))) return { audience, scopes };
  return { unclear: 'a scope holds what no scope may, such as a quotation mark or a character beyond ASCII' };
}
