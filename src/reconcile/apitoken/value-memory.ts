/** Values between their mint and the write of the Secret. They are in no cache, and nowhere else. */
import type { VersionRecord } from '../../domain/seal.ts';
import type { Digest, TokenValue } from '../../domain/value.ts';

interface Held {
  value: TokenValue;
  digest: Digest;
  /** The resourceVersion of the ApiToken under which the status write was tried. */
  mintedUnder: string;
}

export class ValueMemory {
  readonly #held = new Map<string, Held[]>();

  remember(uid: string, held: Held): void {
    this.#held.set(uid, [...(this.#held.get(uid) ?? []), held]);
  }

  value(uid: string, digest: Digest): TokenValue | undefined {
    return this.#held.get(uid)?.find((h) => h.digest === digest)?.value;
  }

  digests(uid: string): ReadonlySet<Digest> {
    return new Set(this.#held.get(uid)?.map((h) => h.digest));
  }

  /** A value whose status write under this resourceVersion may be still in flight, to be tried again. */
  tried(uid: string, resourceVersion: string): Held | undefined {
    return this.#held.get(uid)?.find((h) => h.mintedUnder === resourceVersion);
  }

  /**
   * On a live read only, such as the reply to our own write: a value is useless when status does not have it as Next,
   * and its write can no longer land because the resourceVersion that it needs is gone.
   */
  forgetUseless(uid: string, resourceVersion: string, versions: readonly VersionRecord[]): void {
    const held = this.#held.get(uid);
    if (!held) return;
    const isNext = (digest: Digest) => versions.some((v) => v.state === 'Next' && v.digest === digest);
    const kept = held.filter((h) => h.mintedUnder === resourceVersion || isNext(h.digest));
    if (kept.length > 0) this.#held.set(uid, kept);
    else this.#held.delete(uid);
  }

  forget(uid: string): void {
    this.#held.delete(uid);
  }
}
