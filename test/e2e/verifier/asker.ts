/** Asks one verifier what it says of a token, over connections of its own. */
import { Pool } from 'undici';

const NO_TRACE = `00-${'0'.repeat(32)}-${'0'.repeat(16)}-00`;

export interface Answer {
  status: number;
  purpose: string;
  /** Date.now() before it was asked, and when the answer was there. */
  askedAt: number;
  answeredAt: number;
}

/** Of a verifier; what a program needs to ask it. */
export interface Address {
  name: string;
  origin: string;
  audience: string;
}

export class Asker {
  readonly name: string;
  readonly #audience: string;
  readonly #pool: Pool;

  constructor({ name, origin, audience }: Address, connections = 32) {
    this.name = name;
    this.#audience = audience;
    this.#pool = new Pool(origin, { connections, connect: { rejectUnauthorized: false } });
  }

  /** Whatever the token's scopes are, unless some are given. The record of the verdict holds `traceparent`. */
  async ask(token: string, scope = '-', traceparent = NO_TRACE): Promise<Answer> {
    const askedAt = Date.now();
    const { statusCode, headers, body } = await this.#pool.request({
      path: pathFor(this.#audience, scope),
      method: 'GET',
      headers: { authorization: `Bearer ${token}`, traceparent },
    });
    await body.dump();
    return {
      status: statusCode,
      purpose: String(headers['x-tokenwright-purpose'] ?? ''),
      askedAt,
      answeredAt: Date.now(),
    };
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

export function pathFor(audience: string, scope = '-'): string {
  return `/authorize?audience=${audience}&scope=${scope}`;
}
