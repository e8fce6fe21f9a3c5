/**
 * Envoy's ext_authz v3 over gRPC: envoy.service.auth.v3.Authorization/Check. Needs come from the `context_extensions` of Envoy's routes, which
 * no client can reach:
 *
 *   audience: ai-gateway
 *   scope: chat:write         or `-`: any token for the audience; or `routes`: those of the TokenAudience's route
 */
import type { Call, Decision } from '../call.ts';
import { answerFor, passageFor } from './answer.ts';
import { needsFrom } from './envoy-http.ts';
import { type CheckRequest, type CheckResponse, type HttpRequest, overwriting } from './ext-authz-messages.ts';
import { hasTokenInURL, onlyValueOf, presentedToken, type RawHeaders } from './presented.ts';

/** `sourceOf` reads the address of the caller from the headers of the call. */
export function checkCall({ attributes }: CheckRequest, sourceOf: (headers: RawHeaders) => string | undefined): Call {
  const { audience, scope } = attributes?.contextExtensions ?? {};
  const http = attributes?.request?.http;
  const { method, path } = http ?? { method: '', path: '' };
  const headers = http ? rawHeadersOf(http) : [];
  return {
    door: 'envoy-grpc',
    token: hasTokenInURL(path) ? 'ambiguous' : presentedToken(headers),
    needs: needsFrom(audience, scope, { method, path }),
    source: sourceOf(headers),
    traceparent: onlyValueOf(headers, 'traceparent'),
  };
}

function rawHeadersOf({ headers, headerMap }: HttpRequest): RawHeaders {
  if (headerMap === null) return Object.entries(headers).flat();
  // bytes as node:http reads them
  return headerMap.headers.flatMap(({ key, rawValue }) => [key, Buffer.from(rawValue).toString('latin1')]);
}

export function checkResponse(call: Call, decision: Decision): CheckResponse {
  if (decision.outcome === 'Allowed') {
    const { set, remove, tell } = passageFor(call, decision);
    return {
      status: { code: OK },
      okResponse: {
        headers: overwriting(set),
        headersToRemove: [...remove],
        responseHeadersToAdd: overwriting(tell),
      },
    };
  }
  const { status, headers, body } = answerFor(call, decision);
  // Envoy counts the body itself
  const { 'content-length': _, ...told } = headers;
  return {
    status: { code: PERMISSION_DENIED },
    deniedResponse: { status: { code: status }, headers: overwriting(told), body },
  };
}

/** google.rpc.Code. Envoy asks no more than whether it is OK. */
const OK = 0;
const PERMISSION_DENIED = 7;
