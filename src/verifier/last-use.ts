/** When each version was last allowed a call. Kept in memory only: writing it to ApiTokens would cost a write for each call. */

/** Of one ApiToken: more are not accepted at a time. The oldest goes, since a version never comes back. */
const VERSIONS = 16;

export class LastUse {
  /** By UID, then by version: epoch seconds. */
  readonly #uses = new Map<string, Map<number, number>>();

  used(uid: string, version: number, milliseconds: number): void {
    let versions = this.#uses.get(uid);
    if (versions === undefined) {
      versions = new Map();
      this.#uses.set(uid, versions);
    }
    versions.set(version, Math.floor(milliseconds / 1000));
    if (versions.size > VERSIONS) versions.delete(Math.min(...versions.keys()));
  }

  /** Epoch seconds by version; none since this verifier started where one is missing. */
  of(uid: string): ReadonlyMap<number, number> {
    return this.#uses.get(uid) ?? new Map();
  }

  /** To be told when an ApiToken is gone. */
  forget(uid: string): void {
    this.#uses.delete(uid);
  }
}
