/** A rule that a TokenPolicy states itself, in spec.rules. */
import type { TokenPolicyRule } from '../../api/token-policy.ts';
import { expression, fact, timestamp } from './expression.ts';
import type { Rule } from './rules.ts';

/** namespaceObject as admission policies call it: CEL reserves the word namespace. */
const VARIABLES = ['token', 'namespaceObject', 'now'];

/** What cannot be told does not hold. */
export function stated({ name, expression: text, message }: TokenPolicyRule): Rule {
  return {
    name,
    compile: () => {
      const evaluate = expression(text, VARIABLES);
      return ({ metadata, spec }, now, namespace) => {
        const { name, labels = {}, annotations = {} } = metadata;
        const answer = evaluate({
          token: fact({ metadata: { name, namespace: namespace.name, labels, annotations }, spec }),
          namespaceObject: fact({ metadata: { name: namespace.name, labels: namespace.labels ?? {} } }),
          now: timestamp(now),
        });
        if (typeof answer !== 'boolean') return `${message} (its expression gives no answer: ${answer.problem})`;
        return answer ? undefined : message;
      };
    },
  };
}
