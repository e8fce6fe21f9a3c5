/** Label selectors, as Kubernetes reads them. */
import type { LabelCondition, LabelSelector } from '../api/token-revocation.ts';

export type Labels = Readonly<Record<string, string>>;

/** As Kubernetes reads a LabelSelector, but an empty one selects nothing, nor does any where the labels are not known. */
export function selects(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Labels | undefined,
): boolean {
  const wanted = Object.entries(matchLabels);
  if (labels === undefined || wanted.length + matchExpressions.length === 0) return false;
  return (
    wanted.every(([key, value]) => valueAt(labels, key) === value) &&
    matchExpressions.every((condition) => holds(condition, valueAt(labels, condition.key)))
  );
}

function holds({ operator, values = [] }: LabelCondition, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return values.length > 0 && (value === undefined || !values.includes(value));
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      operator satisfies never;
      return false;
  }
}

/** A label may be called `constructor`. */
function valueAt(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
