/** What the TokenPolicies say of an ApiToken as it is declared now, as its status tells it. Pure. */
import type { Evaluation, Violation } from '../policy/evaluate.ts';

export type Compliance =
  | { allows: true; reason: 'PolicySatisfied'; message: string }
  | { allows: false; reason: 'PolicyViolated' | 'PolicyBroken' | 'NoPolicy'; message: string };

/** As many sentences stand in a condition, and so long: lists in a policy may be. */
const MAX_SENTENCES = 5;
const MAX_LENGTH = 512;

export function complianceOf({ violations, audited }: Evaluation): Compliance {
  const [first] = violations;
  if (first) return { allows: false, reason: reasonOf(violations, first), message: told(violations) };
  // names no policies: one that comes or goes would else change the status of every ApiToken
  const rest = audited.length > 0 ? `; not enforced: ${told(audited)}` : '';
  return { allows: true, reason: 'PolicySatisfied', message: `the policies allow what the spec asks for${rest}` };
}

function reasonOf(violations: readonly Violation[], { rule }: Violation) {
  if (rule === 'NoPolicy') return 'NoPolicy';
  return violations.every((violation) => violation.rule === 'Broken') ? 'PolicyBroken' : 'PolicyViolated';
}

function told(violations: readonly Violation[]): string {
  const sentences = violations.slice(0, MAX_SENTENCES).map(({ message }) => cut(message));
  const more = violations.length - sentences.length;
  return more > 0 ? `${sentences.join('; ')}; and ${more} more` : sentences.join('; ');
}

function cut(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1).toWellFormed()}…` : text;
}
