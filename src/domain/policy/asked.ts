/** An ApiToken as rules ask about it: what takes time is worked out once, however many policies judge it. */
import type { ApiTokenManifest, ApiTokenRateLimit } from '../../api/apitoken.ts';
import { parseDuration } from '../duration.ts';
import type { Labels } from '../label-selector.ts';
import { effectiveTimes } from '../lifecycle/effective.ts';
import { type Facts, fact, timestamp } from './expression.ts';

/** An ApiToken as somebody writes it, or as the API server answers it. */
export interface JudgedToken {
  metadata: ApiTokenManifest['metadata'] & { creationTimestamp?: string };
  spec: ApiTokenManifest['spec'];
}

export interface Namespace {
  name: string;
  /** Undefined where they are not known. */
  labels: Labels | undefined;
}

export class Asked {
  readonly token: JudgedToken;
  /** Whole seconds since the epoch. */
  readonly now: number;
  /** In seconds. What cannot be read compares as no number does: within no bound. */
  readonly ttl: number;
  /** The one in effect, in seconds. */
  readonly overlap: number;
  /** In characters, as CEL's trim() and size() have it: without Unicode's white space around it, and in code points. */
  readonly purposeLength: number;
  readonly scopes: readonly string[];
  readonly rateLimits: readonly (ApiTokenRateLimit & { seconds: number })[];
  readonly #namespace: Namespace;
  #facts: Facts | undefined;

  constructor(token: JudgedToken, namespace: Namespace, now: number) {
    const { ttl, rotation = {}, purpose, scopes = [], rateLimits = [] } = token.spec;
    const { renewBefore, overlap } = rotation;
    this.token = token;
    this.now = now;
    this.ttl = asSeconds(ttl);
    this.overlap = effectiveTimes({
      ttl: this.ttl,
      renewBefore: renewBefore === undefined ? undefined : asSeconds(renewBefore),
      overlap: overlap === undefined ? undefined : asSeconds(overlap),
    }).overlap;
    this.purposeLength = [...purpose.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '')].length;
    this.scopes = scopes;
    this.rateLimits = rateLimits.map((limit) => ({ ...limit, seconds: asSeconds(limit.per) }));
    this.#namespace = namespace;
  }

  /** For expressions, under the names that they may refer to. */
  get facts(): Facts {
    this.#facts ??= this.#tell();
    return this.#facts;
  }

  #tell(): Facts {
    const { metadata, spec } = this.token;
    const { name, labels = {}, annotations = {} } = metadata;
    const namespace = this.#namespace;
    return {
      token: fact({ metadata: { name, namespace: namespace.name, labels, annotations }, spec }),
      namespaceObject: fact({ metadata: { name: namespace.name, labels: namespace.labels ?? {} } }),
      now: timestamp(this.now),
    };
  }
}

function asSeconds(text: string): number {
  return parseDuration(text) ?? Number.NaN;
}
