/** A rule that a TokenPolicy states itself, in spec.rules. */
import type { TokenPolicyRule } from '../../api/token-policy.ts';
import { expression } from './expression.ts';
import type { Rule } from './rules.ts';

/** namespaceObject as admission policies call it: CEL reserves the word namespace. */
const VARIABLES = ['token', 'namespaceObject', 'now'];

/** What cannot be told does not hold. */
export function stated({ name, expression: text, message }: TokenPolicyRule): Rule {
  return {
    name,
    field: undefined,
    compile: () => {
      const evaluate = expression(text, VARIABLES);
      return ({ facts }) => {
        const answer = evaluate(facts);
        if (typeof answer !== 'boolean') return `${message} (its expression gives no answer: ${answer.problem})`;
        return answer ? undefined : message;
      };
    },
  };
}
