/** What is known of each ApiToken, and its text in the exposition format. */
import type { TokenFacts } from '../ports.ts';

interface Family {
  name: string;
  help: string;
  /** Undefined: no sample for this ApiToken. */
  value(facts: TokenFacts): number | undefined;
}

const FAMILIES: readonly Family[] = [
  {
    name: 'tokenwright_token_expiration_timestamp_seconds',
    help: 'When the current version of the ApiToken expires, in seconds since the epoch.',
    value: (facts) => facts.expirationTime,
  },
  {
    name: 'tokenwright_token_next_rotation_timestamp_seconds',
    help: 'When the ApiToken is due for its next rotation, in seconds since the epoch.',
    value: (facts) => facts.nextRotationTime,
  },
  {
    name: 'tokenwright_token_ready',
    help: 'Whether the ApiToken is Ready (1) or not (0).',
    value: (facts) => (facts.ready ? 1 : 0),
  },
  // The last two are there for the few that they concern: nearly all tokens would say 0.
  {
    name: 'tokenwright_token_stalled',
    help: '1 while the ApiToken is Stalled: somebody has to act. Absent otherwise.',
    value: (facts) => (facts.stalled ? 1 : undefined),
  },
  {
    name: 'tokenwright_token_pending_restarts',
    help: 'Workloads that still have to be restarted for the current version. Absent when there are none.',
    value: (facts) => (facts.pendingRestarts > 0 ? facts.pendingRestarts : undefined),
  },
];

export interface TokenTotals {
  tokens: number;
  ready: number;
  stalled: number;
  pendingRestarts: number;
  /** Epoch seconds; undefined when nothing expires. */
  earliestExpiration: number | undefined;
  /** ApiTokens without series of their own. */
  overflow: number;
}

const LINES_IN_BLOCK = 500;

/**
 * One Map entry for an ApiToken, and text only while a scrape is answered: prom-client would keep a child with a hash string and a
 * labels object for each series.
 */
export class TokenSeries {
  readonly #facts = new Map<string, TokenFacts>();
  readonly #limit: number;

  /** Beyond the first `limit` ApiTokens there are only totals. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  set(key: string, facts: TokenFacts | undefined): void {
    if (facts === undefined) this.#facts.delete(key);
    else this.#facts.set(key, facts);
  }

  /** Exact, however many ApiTokens there are. */
  totals(): TokenTotals {
    const tokens = this.#facts.size;
    const overflow = Math.max(0, tokens - this.#limit);
    const totals: TokenTotals = {
      tokens,
      ready: 0,
      stalled: 0,
      pendingRestarts: 0,
      earliestExpiration: undefined,
      overflow,
    };
    for (const facts of this.#facts.values()) {
      if (facts.ready) totals.ready++;
      if (facts.stalled) totals.stalled++;
      totals.pendingRestarts += facts.pendingRestarts;
      if (
        facts.expirationTime !== undefined &&
        facts.expirationTime < (totals.earliestExpiration ?? Number.POSITIVE_INFINITY)
      )
        totals.earliestExpiration = facts.expirationTime;
    }
    return totals;
  }

  /**
   * Prometheus text format 0.0.4, to stand after the registry's, in blocks of some 50 kB: a scrape of 10,000 ApiTokens is 2.5 MB,
   * which then neither stands in memory at once nor holds up the event loop.
   */
  *render(): Generator<string> {
    for (const { name, help, value } of FAMILIES) {
      let lines = [`\n# HELP ${name} ${help}\n# TYPE ${name} gauge\n`];
      let room = this.#limit;
      for (const facts of this.#facts.values()) {
        if (room-- <= 0) break;
        const number = value(facts);
        if (number === undefined) continue;
        lines.push(
          `${name}{namespace="${escapeLabel(facts.namespace)}",name="${escapeLabel(facts.name)}"} ${number}\n`,
        );
        if (lines.length < LINES_IN_BLOCK) continue;
        yield lines.join('');
        lines = [];
      }
      yield lines.join('');
    }
  }
}

/** Names of Kubernetes objects need none of this; a format is kept all the same. */
function escapeLabel(value: string): string {
  if (/^[\w.-]*$/.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
