/**
 * Who was there: opaque tokens have no finalizer, so a deletion is noticed by its absence, and accounted for by what is
 * remembered here. After a restart the audit log says who was alive.
 */
import type { AuditSubject } from '../../domain/audit.ts';

export class Census {
  /** By `<namespace>/<name>`, then by UID. */
  readonly #known = new Map<string, Map<string, AuditSubject>>();

  constructor(living: readonly AuditSubject[]) {
    for (const subject of living) this.#add(`${subject.namespace}/${subject.name}`, subject);
  }

  keys(): IterableIterator<string> {
    return this.#known.keys();
  }

  /** An ApiToken with a version stands at this key. */
  present(key: string, uid: string, subject: () => AuditSubject): void {
    if (!this.#known.get(key)?.has(uid)) this.#add(key, subject());
  }

  /** Those that stood at this key under another UID than the one that stands there now, if any. */
  departed(key: string, uid: string | undefined): AuditSubject[] {
    return [...(this.#known.get(key)?.values() ?? [])].filter((subject) => subject.uid !== uid);
  }

  forget(key: string, uid: string): void {
    const known = this.#known.get(key);
    known?.delete(uid);
    if (known?.size === 0) this.#known.delete(key);
  }

  #add(key: string, subject: AuditSubject): void {
    const known = this.#known.get(key) ?? new Map<string, AuditSubject>();
    this.#known.set(key, known.set(subject.uid, subject));
  }
}
