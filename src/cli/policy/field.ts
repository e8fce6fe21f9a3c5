/** A part of a document that people write, read one by one: what it is not, it says, and where. */
import { dirname } from 'node:path';
import type { SchemaProblem } from '../../api/object.ts';
import { Failure } from '../failure.ts';
import { type Found, type Place, placeText } from './documents.ts';
import { isObject, sentenceOf } from './manifests.ts';

export class Field {
  readonly value: unknown;
  readonly #path: readonly string[];
  readonly #place: Place;
  readonly #lineOf: Found['lineOf'];

  constructor(value: unknown, path: readonly string[], place: Place, lineOf: Found['lineOf']) {
    this.value = value ?? undefined;
    this.#path = path;
    this.#place = place;
    this.#lineOf = lineOf;
  }

  get place(): Place {
    return { ...this.#place, line: this.#lineOf(this.#path) };
  }

  /** Of the file. */
  get folder(): string {
    return dirname(this.#place.file);
  }

  at(key: string): Field {
    const value = isObject(this.value)
      ? this.value[key]
      : Array.isArray(this.value)
        ? this.value[Number(key)]
        : undefined;
    return new Field(value, [...this.#path, key], this.#place, this.#lineOf);
  }

  all<const K extends string>(keys: readonly K[]): Record<K, Field> {
    return Object.fromEntries(keys.map((key) => [key, this.at(key)])) as Record<K, Field>;
  }

  /** These and no others: a word that is misspelt is not passed over. */
  keys(...known: readonly string[]): this {
    const unknown = Object.keys(this.object()).find((key) => !known.includes(key));
    if (unknown !== undefined) throw this.at(unknown).failure(`is not known: there are ${known.join(', ')}`);
    return this;
  }

  entries(): [string, Field][] {
    return this.value === undefined ? [] : Object.keys(this.object()).map((key) => [key, this.at(key)]);
  }

  /** At least one. */
  items(): Field[] {
    const otherwise = 'must be a list with at least one item';
    const items = this.anyItems(otherwise);
    if (items.length === 0) throw this.failure(otherwise);
    return items;
  }

  anyItems(otherwise: string): Field[] {
    if (!Array.isArray(this.value)) throw this.failure(otherwise);
    return this.value.map((_, at) => this.at(String(at)));
  }

  object(): Record<string, unknown> {
    if (!isObject(this.value)) throw this.failure('must be a map');
    return this.value;
  }

  text(): string {
    if (typeof this.value !== 'string' || this.value === '') throw this.failure('must be text');
    return this.value;
  }

  oneOf<const T extends string>(choices: readonly T[]): T | undefined {
    const found = choices.find((choice) => choice === this.value);
    if (found === undefined && this.value !== undefined) throw this.failure(`must be one of ${choices.join(', ')}`);
    return found;
  }

  /** Epoch seconds. */
  time(): number | undefined {
    if (this.value === undefined) return undefined;
    const time = typeof this.value === 'string' ? Date.parse(this.value) : Number.NaN;
    if (Number.isNaN(time)) throw this.failure('must be a time such as 2027-01-31T00:00:00Z');
    return Math.floor(time / 1000);
  }

  refuse(problems: readonly SchemaProblem[]): void {
    const [first] = problems;
    if (first === undefined) return;
    const inside = first.path.reduce<Field>((field, key) => field.at(key), this);
    throw inside.failure(first.problem);
  }

  failure(problem: string): Failure {
    return new Failure(`${placeText(this.place)}: ${sentenceOf({ path: this.#path, problem })}.`);
  }
}
