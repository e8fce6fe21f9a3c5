/** An ApiToken as the verifier keeps it: what a verdict needs, and no more, since there may be a hundred thousand. */
import type { ApiToken, ApiTokenRateLimit } from '../api/apitoken.ts';
import { checkSeal, type PublicKeys, type Seal, type SealContent, type VersionRecord } from '../domain/seal.ts';
import { sealedContentOf } from '../domain/sealed-status.ts';
import { type TokenID, tokenIDOf } from '../domain/value.ts';
import type { Candidate } from '../domain/verdict/judge.ts';
import type { ObjectMeta } from '../ports.ts';

/** Where seals are checked: the public keys of the operator, and what to do about one that is not known. */
export interface SealCheck {
  /** The same object until they change. */
  keys(): PublicKeys;
  /** May bring the key soon. */
  missed(keyID: string): void;
}

type Spec = Candidate['spec'];

const NONE: readonly never[] = Object.freeze([]);

export class IndexedToken implements Candidate {
  readonly metadata: ObjectMeta & { namespace: string; uid: string; resourceVersion: string };
  readonly tokenID: TokenID;
  readonly purpose: string;
  readonly owner: string;
  readonly subject: string;
  readonly rateLimits: readonly ApiTokenRateLimit[];
  readonly spec: Spec;
  readonly versions: readonly VersionRecord[];
  readonly lastVersion: number;
  readonly revokedThroughVersion: number;
  readonly handledRevocations: readonly string[];
  readonly #seal: Seal | undefined;
  readonly #check: SealCheck;
  #isSealed = false;
  /** The keys of the check: others may have come, or one may be distrusted. */
  #checkedWith: PublicKeys | undefined;
  /** The highest sequence seen of this UID. */
  #floor: number;

  constructor(token: ApiToken, check: SealCheck, share: Share) {
    const { namespace, name, uid, resourceVersion, labels } = token.metadata;
    const { spec, status = {} } = token;
    // labels are kept for revocations that select by them
    this.metadata = { namespace: share.text(namespace), name, uid, resourceVersion, ...(labels && { labels }) };
    this.tokenID = tokenIDOf(uid);
    this.purpose = share.text(spec.purpose);
    this.owner = share.text(spec.owner ?? '');
    this.subject = share.text(spec.subject);
    this.rateLimits = spec.rateLimits ?? NONE;
    const { environment, audiences, scopes = NONE, state } = spec;
    this.spec = share.spec({ environment, audiences, scopes, suspended: state === 'Suspended' });
    const content = sealedContentOf(uid, status);
    this.versions = content.versions.map((version) => compact(version, share));
    this.lastVersion = content.lastVersion;
    this.revokedThroughVersion = content.revokedThroughVersion;
    this.handledRevocations = status.handledRevocations ?? NONE;
    this.#seal = status.seal && { ...status.seal, keyID: share.text(status.seal.keyID) };
    this.#check = check;
    this.#floor = this.sequence;
  }

  get uid(): string {
    return this.metadata.uid;
  }

  get namespace(): string {
    return this.metadata.namespace;
  }

  get name(): string {
    return this.metadata.name;
  }

  get sequence(): number {
    return this.#seal?.sequence ?? 0;
  }

  /** Checked when first asked for, and again when there are other keys. */
  isSealed(): boolean {
    const keys = this.#check.keys();
    if (this.#checkedWith === keys) return this.#isSealed;
    this.#checkedWith = keys;
    this.#isSealed = false;
    if (this.#seal === undefined || this.sequence < this.#floor) return false;
    const checked = checkSeal(this.#content(this.sequence), this.#seal, keys);
    if (checked === 'unknown-key') this.#check.missed(this.#seal.keyID);
    this.#isSealed = checked === 'valid';
    return this.#isSealed;
  }

  /** What was known of the same ApiToken before. An older status that was put back opens nothing, however often it is. */
  follow(before: IndexedToken): void {
    this.#floor = Math.max(this.#floor, before.#floor);
    this.#checkedWith = undefined;
  }

  #content(sequence: number): SealContent {
    const { uid, tokenID, lastVersion, revokedThroughVersion, handledRevocations, versions } = this;
    return { uid, tokenID, sequence, lastVersion, revokedThroughVersion, handledRevocations, versions };
  }
}

function compact(version: VersionRecord, share: Share): VersionRecord {
  const { subject, environment, audiences, scopes } = version.grant;
  return {
    ...version,
    grant: {
      subject: share.text(subject),
      environment: share.text(environment),
      audiences: share.list(audiences),
      scopes: share.list(scopes),
    },
  };
}

/** Keeps equal texts, lists and specs once. Forgets everything when it grows past its bound: then some are kept twice. */
export class Share {
  readonly #texts = new Map<string, string>();
  readonly #lists = new Map<string, readonly string[]>();
  readonly #specs = new Map<string, Spec>();
  readonly #limit: number;

  constructor(limit = 50_000) {
    this.#limit = limit;
  }

  text(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= this.#limit) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }

  list(list: readonly string[]): readonly string[] {
    const key = JSON.stringify(list);
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    if (this.#lists.size >= this.#limit) this.#lists.clear();
    const shared = Object.freeze(list.map((item) => this.text(item)));
    this.#lists.set(key, shared);
    return shared;
  }

  spec({ environment, audiences, scopes, suspended }: Spec): Spec {
    const key = JSON.stringify([environment, audiences, scopes, suspended]);
    const known = this.#specs.get(key);
    if (known !== undefined) return known;
    if (this.#specs.size >= this.#limit) this.#specs.clear();
    const lists = { audiences: this.list(audiences), scopes: this.list(scopes) };
    const shared = Object.freeze({ environment: this.text(environment), ...lists, suspended });
    this.#specs.set(key, shared);
    return shared;
  }
}
