/**
 * After a change of policies: judges the ApiTokens concerned as they are listed, and has those looked at again of which the policies
 * say something else now. A look costs ten times as much, and most changes leave nearly all verdicts as they are.
 *
 * The verdict is all that a look takes from the policies (Seen's compliance), so that where it is the same, so is the rest.
 */
import { setImmediate as others } from 'node:timers/promises';
import type { ApiToken } from '../../api/apitoken.ts';
import { remembered } from '../../domain/remembered.ts';
import type { Clock, ListOptions, Logger } from '../../ports.ts';

export type IsConcerned = (namespace: string) => boolean;

export interface SweepOptions {
  /** Rejects where they cannot be listed, and when the signal fires. */
  tokenPages(options: ListOptions & { signal: AbortSignal }): AsyncIterable<readonly ApiToken[]>;
  /** Keys of all ApiTokens that are known. */
  tokenKeys(): Iterable<string>;
  /** False where only some namespaces may be listed. */
  isEverywhere: boolean;
  /** Judges it. Whether it is to be looked at again. @param now whole seconds since the epoch */
  isNews(token: ApiToken, now: number): boolean;
  /** Has the ApiToken looked at again. */
  tell(token: ApiToken): void;
  /** Has every ApiToken of these namespaces looked at again. */
  tellNamespaces(isConcerned: IsConcerned): void;
  /** Ends early, without an error, when the signal fires. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
  log: Logger;
  clock: Clock;
}

/** Changes that come within it are swept for at once. Milliseconds. */
export const JOIN_MS = 100;
/** After so long others get their turn. Milliseconds. */
const SLICE_MS = 10;
/** A list more costs about as much as so many ApiTokens more in one list. */
const LIST_COST = 10;
const EVERYWHERE = {};

export class Sweep {
  readonly #options: SweepOptions;
  readonly #stopped = new AbortController();
  #waiting: IsConcerned[] = [];
  #running: Promise<void> | undefined;
  #sliceEnd = 0;

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  /** Soon, and after the one that is under way. */
  add(isConcerned: IsConcerned): void {
    if (this.#stopped.signal.aborted) return;
    this.#waiting.push(isConcerned);
    this.#running ??= this.#run();
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (this.#waiting.length > 0) {
      await this.#options.pause(JOIN_MS, signal);
      if (signal.aborted) break;
      const concerns = this.#waiting;
      this.#waiting = [];
      const isConcerned = (namespace: string) => concerns.some((isOneConcerned) => isOneConcerned(namespace));
      await this.#sweep(remembered(isConcerned, Number.POSITIVE_INFINITY));
    }
    this.#running = undefined;
  }

  async #sweep(isConcerned: IsConcerned): Promise<void> {
    const { tokenPages, isNews, tell, tellNamespaces, log, clock } = this.#options;
    const { signal } = this.#stopped;
    let [judged, told] = [0, 0];
    try {
      for (const scope of await this.#scopes(isConcerned)) {
        for await (const page of tokenPages({ ...scope, signal })) {
          for (const token of page) {
            if (this.#isSliceOver()) await this.#letOthers();
            if (!isConcerned(token.metadata.namespace)) continue;
            judged += 1;
            if (!isNews(token, Math.floor(clock.now() / 1000))) continue;
            told += 1;
            tell(token);
          }
        }
      }
      log.info({ judged, told }, 'judged by changed policies');
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, 'not judged by changed policies: every ApiToken concerned is looked at again');
      tellNamespaces(isConcerned);
    }
  }

  /** What to list: everything, or the namespaces concerned where that is less. */
  async #scopes(isConcerned: IsConcerned): Promise<ListOptions[]> {
    const { tokenKeys, isEverywhere } = this.#options;
    const namespaces = new Set<string>();
    let [concerned, all] = [0, 0];
    for (const key of tokenKeys()) {
      if (this.#isSliceOver()) await this.#letOthers();
      const namespace = key.slice(0, key.indexOf('/'));
      all += 1;
      if (!isConcerned(namespace)) continue;
      concerned += 1;
      namespaces.add(namespace);
    }
    const isBroad = concerned + namespaces.size * LIST_COST > all + LIST_COST;
    return isEverywhere && isBroad ? [EVERYWHERE] : [...namespaces].map((namespace) => ({ namespace }));
  }

  #isSliceOver(): boolean {
    return this.#options.clock.now() >= this.#sliceEnd;
  }

  async #letOthers(): Promise<void> {
    await others();
    this.#stopped.signal.throwIfAborted();
    this.#sliceEnd = this.#options.clock.now() + SLICE_MS;
  }
}
