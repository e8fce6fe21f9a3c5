/** `tokenwright policy test`: whether policies say what their tables expect. */
import { evaluate, type Violation } from '../../domain/policy/evaluate.ts';
import { EXIT, Failure } from '../failure.ts';
import { formatValue } from '../output.ts';
import { plain, type Terminal } from '../terminal.ts';
import { type Place, placeText } from './documents.ts';
import type { Case, Expected, Table } from './table-file.ts';

export interface TestOptions {
  readonly output: 'json' | 'yaml' | undefined;
  readonly terminal: Terminal;
  /** Epoch seconds. */
  readonly now: number;
}

interface Outcome extends Place {
  name: string;
  passed: boolean;
  expected: readonly string[];
  found: readonly string[];
  messages: readonly string[];
}

/** @throws Failure where a case fails */
export function test(tables: readonly Table[], { output, terminal, now }: TestOptions): void {
  const outcomes = tables.flatMap((table) => table.cases.map((one) => tried(one, table, now)));
  const failed = outcomes.filter(({ passed }) => !passed);
  if (output !== undefined) terminal.print(formatValue({ cases: outcomes }, output));
  else terminal.print(failed.map((one) => textOf(one, terminal)).join(''));
  const total = outcomes.length === 1 ? '1 case' : `${outcomes.length} cases`;
  if (failed.length > 0) throw new Failure(`${failed.length} of ${total} failed.`, EXIT.violated);
  terminal.note(outcomes.length === 0 ? 'There are no cases.' : `${total} passed.`);
}

function tried(
  { name, place, expect, audited, ...asked }: Case,
  { policies, defaultPolicy }: Table,
  now: number,
): Outcome {
  const told = evaluate({ ...asked, policies, defaultPolicy, now: asked.now ?? Math.floor(now) });
  const seen = [...told.violations, ...(audited === undefined ? [] : told.audited)];
  const found = namesOf(told.violations, audited && told.audited);
  const expected = namesOf(expect, audited);
  const passed = expected.join() === found.join();
  return { name, passed, ...place, expected, found, messages: seen.map(({ message }) => message) };
}

/** One of each, in an order: a policy may break the same rule once only. */
function namesOf(violations: readonly Expected[], audited: readonly Expected[] = []): string[] {
  const nameOf = ({ policy, rule }: Pick<Violation, 'policy' | 'rule'>) =>
    policy === undefined ? rule : `${policy}/${rule}`;
  const names = [...violations.map(nameOf), ...audited.map((one) => `${nameOf(one)} (audited)`)];
  return [...new Set(names)].sort();
}

function textOf({ name, expected, found, messages, ...place }: Outcome, { paint }: Terminal): string {
  const list = (names: readonly string[]) => (names.length === 0 ? 'allowed' : names.join(', '));
  const row = (title: string, text: string) => `  ${title.padEnd('expected'.length)}  ${plain(text)}\n`;
  return [
    `${paint('red', 'failed')}  ${plain(`${placeText(place)}: ${name}`)}\n`,
    row('expected', list(expected)),
    row('found', list(found)),
    ...messages.map((message) => row('', message)),
  ].join('');
}
