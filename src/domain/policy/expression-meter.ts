/** Counts what an evaluation spends. */
import { type CelFunc, type CelValue, isCelError, isCelList, isCelMap } from '@bufbuild/cel';
import type { RE2JS } from '@bufbuild/re2';

/** In units of at most half a microsecond: a test holds the worst that is known to less than 50 ms. The usual rule spends some hundred. */
const BUDGET = 60_000;
/** Finding the overload. */
const CALL = 20;
/** An error notes where it was made, even one that || or && then passes over. */
export const ERROR = 60;
/** Reading a time, or asking for its hour in a time zone. */
const TIME = 250;
const TIMES = /^(timestamp|duration|get[A-Z].*)$/;
/** One unit each. */
const CHARACTERS = 8;
const STEPS = 4;
/** They may look at each argument once for every character of another. */
const SEARCHES = new Set(['contains', 'indexOf', 'lastIndexOf', 'split', 'join']);

/** Functions around what is looped over and looked up in, so that it is seen here: no expression can name them. */
export const RANGE = '@range';
export const INDEXED = '@indexed';

export class Meter {
  #left = 0;
  readonly #programs: ReadonlyMap<string, RE2JS>;

  /** @param programs every regular expression that the expression has */
  constructor(programs: ReadonlyMap<string, RE2JS>) {
    this.#programs = programs;
  }

  refill(): void {
    this.#left = BUDGET;
  }

  /** The same functions, at their price. */
  metered(functions: readonly CelFunc[]): CelFunc[] {
    return functions.map((one) => {
      const call: CelFunc['call'] = (id, target, args) => {
        this.#charge(one.name, target === undefined ? args : [target, ...args]);
        const result = one.call(id, target, args);
        if (isCelError(result)) this.#spend(ERROR);
        return result;
      };
      return Object.create(one, { call: { value: call } });
    });
  }

  /** As celEnv takes an engine for regular expressions. */
  compile(pattern: string): { test(text: string): boolean } {
    const program = this.#programs.get(pattern);
    if (program === undefined) throw new Error('the pattern is not in the expression');
    return {
      test: (text) => {
        this.#spend((program.re2().prog.inst.length * text.length) / STEPS);
        return program.test(text);
      },
    };
  }

  #charge(name: string, args: readonly CelValue[]): void {
    const [first] = args;
    this.#spend(TIMES.test(name) ? TIME : CALL);
    if (name === RANGE) this.#spend(lengthOf(first) * Number(args[1]));
    else if (name === INDEXED) this.#spend(lengthOf(first));
    else if (SEARCHES.has(name))
      this.#spend(args.reduce<number>((product, one) => product * this.#weigh(one), CHARACTERS));
    else for (const one of args) this.#weigh(one);
  }

  /** Spends as much as there is in the value, and so walks no further than the budget. */
  #weigh(value: CelValue | undefined): number {
    if (typeof value === 'string' || value instanceof Uint8Array) return this.#spend(1 + value.length / CHARACTERS);
    let weight = this.#spend(1);
    if (isCelList(value)) for (const one of value) weight += this.#weigh(one);
    if (isCelMap(value)) for (const [key, one] of value) weight += this.#weigh(key) + this.#weigh(one);
    return weight;
  }

  /** Not caught by any operator of the expression: it ends the evaluation. */
  #spend(cost: number): number {
    this.#left -= cost;
    if (!(this.#left >= 0)) throw new Error('it takes too long');
    return cost;
  }
}

function lengthOf(value: CelValue | undefined): number {
  return isCelList(value) || isCelMap(value) ? value.size : 0;
}
