/**
 * `POST /introspect`, RFC 7662, for APIs that ask themselves: form fields `token` and `audience`. The caller shows a token of Kubernetes for the
 * audience tokenwright.dev, and needs the verb create on tokenaudiences/introspect of that audience.
 */
import type { IncomingMessage } from 'node:http';
import { GROUP } from '../../api/group.ts';
import { OUTCOMES } from '../../domain/verdict/outcome.ts';
import type { Call, Decision } from '../call.ts';
import type { Callers } from '../callers.ts';
import type { SourceOf } from '../source.ts';
import type { Verifier } from '../verifier.ts';
import { answerFor, type HttpAnswer } from './answer.ts';
import { onlyValueOf } from './presented.ts';

const BODY_LIMIT = 16 << 10;

export interface IntrospectOptions {
  verifier: Verifier;
  callers: Callers;
  sourceOf: SourceOf;
}

export class IntrospectDoor {
  readonly path = '/introspect';
  readonly #options: IntrospectOptions;

  constructor(options: IntrospectOptions) {
    this.#options = options;
  }

  async handle(request: IncomingMessage): Promise<HttpAnswer> {
    if (request.method !== 'POST') return answer(405, { error: 'use POST' }, { allow: 'POST' });
    const body = await bodyOf(request);
    if (body === undefined) return answer(413, { error: `the body is over ${BODY_LIMIT} bytes` });
    const fields = new URLSearchParams(body);
    const [token, ...moreTokens] = fields.getAll('token');
    const [audience, ...moreAudiences] = fields.getAll('audience');
    if (!token || !audience || moreTokens.length + moreAudiences.length > 0) {
      return answer(400, {
        error: 'invalid_request',
        error_description: 'give token and audience, each once, as form fields',
      });
    }
    const resourceAttributes = {
      group: GROUP,
      resource: 'tokenaudiences',
      subresource: 'introspect',
      name: audience,
      verb: 'create',
    };
    const { verifier, callers, sourceOf } = this.#options;
    const admission = await callers.admit(onlyValueOf(request.rawHeaders, 'authorization'), { resourceAttributes });
    if (admission !== 'allowed')
      return refusal(admission, `create on tokenaudiences/introspect of ${JSON.stringify(audience)}`);
    const call: Call = {
      door: 'introspect',
      token: { text: token },
      needs: { audience, scopes: [] },
      source: sourceOf(request.socket.remoteAddress, request.rawHeaders),
      traceparent: onlyValueOf(request.rawHeaders, 'traceparent'),
    };
    return introspection(call, await verifier.check(call));
  }
}

/** A token that is not good for the audience is not active, and no more is said: section 2.2. */
function introspection(call: Call, decision: Decision): HttpAnswer {
  const { outcome, token, version, scopes = [] } = decision;
  const { status } = OUTCOMES[outcome];
  if (status >= 429) return answerFor(call, decision);
  if (outcome !== 'Allowed' || !token || !version || !('audience' in call.needs)) return answer(200, { active: false });
  return answer(200, {
    active: true,
    sub: `${token.namespace}/${version.grant.subject}`,
    aud: call.needs.audience,
    scope: scopes.join(' '),
    iat: version.issueTime,
    exp: Math.min(version.expirationTime, version.acceptedUntilTime ?? Number.POSITIVE_INFINITY),
    token_type: 'Bearer',
    'tokenwright.dev/environment': version.grant.environment,
    'tokenwright.dev/purpose': token.purpose,
    'tokenwright.dev/owner': token.owner,
    'tokenwright.dev/token-id': token.tokenID,
    'tokenwright.dev/version': version.version,
  });
}

/** What a caller who is not admitted is told. */
export function refusal(admission: 'unauthenticated' | 'forbidden' | 'unavailable', needed: string): HttpAnswer {
  switch (admission) {
    case 'unauthenticated':
      return answer(
        401,
        { error: 'show a token of Kubernetes for the audience tokenwright.dev' },
        { 'www-authenticate': 'Bearer realm="kubernetes"' },
      );
    case 'forbidden':
      return answer(403, { error: `RBAC must grant you ${needed}` });
    case 'unavailable':
      return answer(503, { error: 'the API server cannot be asked who you are' }, { 'retry-after': '1' });
    default:
      return admission satisfies never;
  }
}

export function answer(status: number, body: object, headers: Record<string, string> = {}): HttpAnswer {
  const text = JSON.stringify(body);
  const common = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'content-length': String(Buffer.byteLength(text)),
  };
  return { status, headers: { ...common, ...headers }, body: text };
}

/** Undefined when it is too long. Rejects when the caller goes away. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
