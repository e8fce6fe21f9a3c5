/** Conditions as status keeps them. */
import { rfc3339 } from '../domain/lifecycle/describe.ts';

interface Stamped {
  type: string;
  status: string;
  lastTransitionTime: string;
}

/** Each keeps its transition time while its status does not change. @param now whole seconds since the epoch */
export function stamped<C extends { type: string; status: string }>(
  conditions: readonly C[],
  before: readonly Stamped[] | undefined,
  generation: number,
  now: number,
): (C & { observedGeneration: number; lastTransitionTime: string })[] {
  return conditions.map((condition) => {
    const known = before?.find(({ type }) => type === condition.type);
    const lastTransitionTime = known?.status === condition.status ? known.lastTransitionTime : rfc3339(now);
    return { ...condition, observedGeneration: generation, lastTransitionTime };
  });
}
