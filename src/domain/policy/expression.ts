/**
 * Expressions in the Common Expression Language (https://github.com/google/cel-spec). Nobody stalls the process by one: what an evaluation
 * spends is counted while it runs, at every call and before every loop, and it fails when the budget is spent.
 */
import { type CelInput, celEnv, isCelError, parse, plan } from '@bufbuild/cel';
import { check, type Expr, FUNCTIONS } from './expression-check.ts';
import { Meter } from './expression-meter.ts';

const LENGTH_MAX = 1024;
/** Far from where the parser would run out of stack, now or then. */
const BRACKETS_MAX = 50;
const PROBLEM_MAX = 160;

export type Facts = Readonly<Record<string, CelInput>>;

/** What the expression gives, or why it gives no boolean. */
export type Answer = boolean | { problem: string };

/**
 * @param variables the names that it may refer to
 * @returns evaluates it; never throws
 * @throws RangeError that says what is wrong with the expression
 */
export function expression(text: string, variables: readonly string[]): (facts: Facts) => Answer {
  if (text.length > LENGTH_MAX) throw new RangeError(`an expression has at most ${LENGTH_MAX} characters`);
  if (bracketsOf(text) > BRACKETS_MAX) throw new RangeError(`an expression nests at most ${BRACKETS_MAX} brackets`);
  const tree = parsed(text);
  const meter = new Meter(check(tree, variables));
  const evaluate = plan(celEnv({ funcs: meter.metered(FUNCTIONS), re2: meter }), tree);
  return (facts) => {
    meter.refill();
    const result = evaluate({ ...facts });
    if (typeof result === 'boolean') return result;
    return { problem: isCelError(result) ? oneLine(result.message) : 'it gives no boolean' };
  };
}

const readTimestamp = plan(celEnv(), parse('timestamp(text)'));

/** For the facts: what is written in JSON, where every whole number is an int. */
export function fact(value: unknown): CelInput {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(fact);
  if (typeof value !== 'object' || value === null)
    return typeof value === 'string' || typeof value === 'boolean' ? value : null;
  // a Map, since a label may be called `constructor`
  return new Map(Object.entries(value).map(([key, one]) => [key, fact(one)]));
}

/** For the facts: a timestamp, of whole seconds since the epoch. */
export function timestamp(seconds: number): CelInput {
  const value = readTimestamp({ text: new Date(seconds * 1000).toISOString() });
  if (isCelError(value)) throw value;
  return value;
}

/** How deep they nest, those in strings included. */
function bracketsOf(text: string): number {
  let [depth, deepest] = [0, 0];
  for (const one of text) {
    if ('([{'.includes(one)) depth += 1;
    else if (')]}'.includes(one)) depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

function parsed(text: string): Expr {
  try {
    return parse(text).expr;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new RangeError(`is not in the Common Expression Language: ${oneLine(message.replace(/^<input>:/, 'at '))}`);
  }
}

function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\s]+/gu, ' ');
  return line.length > PROBLEM_MAX ? `${line.slice(0, PROBLEM_MAX)}…` : line;
}
