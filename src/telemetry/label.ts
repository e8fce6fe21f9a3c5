/** Keeps the number of series bounded whatever the program says. */

/** Also `apitokens/status`. */
const SHAPE = /^[A-Za-z][A-Za-z0-9_./-]{0,62}$/;

/** What every value beyond the bound is called. */
export const OTHER = 'other';

/** The values of one label: those of a closed list, or the first `limit` that look like a word. All else is `other`. */
export class Label {
  readonly #admitted: Set<string>;
  readonly #room: number;

  constructor(values: { known: readonly string[] } | { limit: number }) {
    this.#admitted = new Set('known' in values ? values.known : []);
    this.#room = 'known' in values ? this.#admitted.size : values.limit;
  }

  fold(value: string): string {
    if (this.#admitted.has(value)) return value;
    if (this.#admitted.size >= this.#room || !SHAPE.test(value)) return OTHER;
    this.#admitted.add(value);
    return value;
  }
}

/** An HTTP status as a label; 0 where no answer came. */
export function foldCode(code: number): string {
  return code === 0 || (Number.isInteger(code) && code >= 100 && code <= 599) ? String(code) : OTHER;
}
