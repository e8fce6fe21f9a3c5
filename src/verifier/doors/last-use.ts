/** `GET /last-use?uid=…`: when each version of an ApiToken was last allowed here. For the command line. */
import type { IncomingMessage } from 'node:http';
import type { Callers } from '../callers.ts';
import type { LastUse } from '../last-use.ts';
import type { HttpAnswer } from './answer.ts';
import { answer, refusal } from './introspect.ts';
import { onlyValueOf } from './presented.ts';

export class LastUseDoor {
  readonly path = '/last-use';
  readonly #callers: Callers;
  readonly #lastUse: LastUse;
  readonly #self: { verifier: string; environment: string };
  readonly #startTime: number;

  /** @param startTime epoch milliseconds: of what was before, this verifier knows nothing */
  constructor(callers: Callers, lastUse: LastUse, self: { verifier: string; environment: string }, startTime: number) {
    this.#callers = callers;
    this.#lastUse = lastUse;
    this.#self = self;
    this.#startTime = startTime;
  }

  async handle(request: IncomingMessage): Promise<HttpAnswer> {
    if (request.method !== 'GET') return answer(405, { error: 'use GET' }, { allow: 'GET' });
    const attributes = { nonResourceAttributes: { path: this.path, verb: 'get' } };
    const admission = await this.#callers.admit(onlyValueOf(request.rawHeaders, 'authorization'), attributes);
    if (admission !== 'allowed') return refusal(admission, 'get on the URL /last-use');
    const uids = new URL(request.url ?? '', 'http://verifier').searchParams.getAll('uid');
    if (uids.length === 0 || uids.length > 100) return answer(400, { error: 'give 1 to 100 uid' });
    const versions = uids.flatMap((uid) =>
      [...this.#lastUse.of(uid)].map(([version, seconds]) => ({ uid, version, lastUseTime: rfc3339(seconds * 1000) })),
    );
    return answer(200, { ...this.#self, since: rfc3339(this.#startTime), versions });
  }
}

function rfc3339(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
