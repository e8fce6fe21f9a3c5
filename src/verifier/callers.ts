/** Who may ask the verifier questions that are not a gateway's: by the API server's word, remembered for a moment. */
import { hash } from 'node:crypto';
import type { AccessReview } from '../ports.ts';

/** The audience that a caller's token must be meant for, so that no token for another service opens this one. */
export const CALLER_AUDIENCE = 'tokenwright.dev';

export type Admission = 'allowed' | 'unauthenticated' | 'forbidden' | 'unavailable';

/** What a caller wants to do, as RBAC grants it. */
export type Attributes =
  | { resourceAttributes: { group: string; resource: string; subresource: string; name: string; verb: string } }
  | { nonResourceAttributes: { path: string; verb: string } };

const REMEMBER_ALLOWED = 30_000;
const REMEMBER_DENIED = 5_000;
const LIMIT = 10_000;
const BEARER = /^bearer +(\S+) *$/i;

export class Callers {
  readonly #review: AccessReview;
  readonly #now: () => number;
  readonly #known = new Map<string, { admission: Promise<Admission>; until: number }>();

  /** @param now milliseconds, monotonic */
  constructor(review: AccessReview, now: () => number = () => performance.now()) {
    this.#review = review;
    this.#now = now;
  }

  /** Never rejects. `authorization` is the value of that header. */
  admit(authorization: string | undefined, attributes: Attributes): Promise<Admission> {
    const token = BEARER.exec(authorization ?? '')?.[1];
    if (token === undefined) return Promise.resolve('unauthenticated');
    // not the token itself: it is nobody's to find in a heap dump
    const key = `${hash('sha256', token)} ${JSON.stringify(attributes)}`;
    const now = this.#now();
    const known = this.#known.get(key);
    if (known && now < known.until) return known.admission;
    const entry = { admission: this.#ask(token, attributes), until: now + REMEMBER_DENIED };
    this.#known.delete(key);
    if (this.#known.size >= LIMIT) this.#known.clear();
    this.#known.set(key, entry);
    void entry.admission.then((admission) => {
      if (admission === 'allowed') entry.until = now + REMEMBER_ALLOWED;
      if (admission === 'unavailable') this.#known.delete(key);
    });
    return entry.admission;
  }

  async #ask(token: string, attributes: Attributes): Promise<Admission> {
    try {
      const caller = await this.#review.caller(token, CALLER_AUDIENCE);
      if (caller === undefined) return 'unauthenticated';
      return (await this.#review.allows(caller, attributes)) ? 'allowed' : 'forbidden';
    } catch {
      return 'unavailable';
    }
  }
}
