/** `tokenwright policy check`: what the policies say of ApiTokens before anybody applies them. */
import type { Violation } from '../../domain/policy/evaluate.ts';
import { EXIT, Failure } from '../failure.ts';
import { formatValue } from '../output.ts';
import { plain, type Terminal } from '../terminal.ts';
import { placeText } from './documents.ts';
import { type Ground, noteUnknown } from './ground.ts';
import { type Checked, type JudgeOptions, judge } from './judge.ts';
import type { DeclaredToken } from './manifests.ts';
import { sarifOf } from './sarif.ts';

export interface CheckOptions extends JudgeOptions {
  readonly output: 'json' | 'yaml' | 'sarif' | undefined;
  readonly terminal: Terminal;
  /** Of this program. */
  readonly version: string;
}

/** @throws Failure where one cannot be judged, or does not comply */
export async function check(tokens: readonly DeclaredToken[], ground: Ground, options: CheckOptions): Promise<void> {
  const { output, terminal, version } = options;
  const checked: Checked[] = [];
  for (const token of tokens) checked.push(await judge(token, ground, options));
  noteUnknown(ground, options);
  if (output === 'sarif') terminal.print(formatValue(sarifOf(checked, version), 'json'));
  else if (output !== undefined) terminal.print(formatValue({ tokens: checked.map(toldOf) }, output));
  else terminal.print(checked.map((one) => textOf(one, terminal)).join(''));
  conclude(checked, terminal);
}

function conclude(checked: readonly Checked[], { note }: Terminal): void {
  const broken = checked.filter(({ evaluation }) => evaluation === undefined).length;
  const refused = checked.filter(({ evaluation }) => evaluation && evaluation.violations.length > 0).length;
  const total = checked.length === 1 ? '1 ApiToken' : `${checked.length} ApiTokens`;
  if (broken > 0) throw new Failure(`${broken} of ${total} cannot be judged: mend the manifest.`);
  if (refused > 0) throw new Failure(`${refused} of ${total} may not be minted.`, EXIT.violated);
  note(checked.length === 0 ? 'There are no ApiTokens to check.' : `${total} checked: the policies allow all.`);
}

function toldOf({ namespace, name, place, evaluation, problems }: Checked): object {
  const { violations = [], audited = [], governedBy = [] } = evaluation ?? {};
  const complies = evaluation !== undefined && violations.length === 0;
  return { namespace, name, ...place, complies, problems, governedBy, violations, audited };
}

function textOf({ namespace, name, place, evaluation, problems }: Checked, { paint }: Terminal): string {
  const { violations = [], audited = [] } = evaluation ?? {};
  const line = (level: 'error' | 'warning', { message }: Pick<Violation, 'message'>) =>
    `  ${paint(level === 'error' ? 'red' : 'yellow', level)}${' '.repeat('warning'.length - level.length)}  ${plain(message)}\n`;
  const lines = [
    ...problems.map(({ line: at, message }) => line('error', { message: `line ${at}: ${message}` })),
    ...violations.map((violation) => line('error', violation)),
    ...audited.map((violation) => line('warning', violation)),
  ];
  if (lines.length === 0) return '';
  return [plain(`${placeText(place)}: ApiToken ${namespace}/${name}`), '\n', ...lines].join('');
}
