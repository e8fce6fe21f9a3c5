/** What the commands read from an ApiToken. */
import { API_TOKENS, type ApiToken, type ApiTokenCondition, type ApiTokenVersion } from '../api/apitoken.ts';
import type { ConditionType } from '../api/conditions.ts';
import { KubeError } from '../ports.ts';
import { Failure } from './failure.ts';
import type { Session } from './session.ts';

export function conditionOf(token: ApiToken, type: ConditionType): ApiTokenCondition | undefined {
  return token.status?.conditions?.find((condition) => condition.type === type);
}

export function currentOf(token: ApiToken): ApiTokenVersion | undefined {
  return token.status?.versions?.find(({ state }) => state === 'Current');
}

/** As people write it: "support/summarizer". */
export function placeOf({ metadata: { namespace, name } }: ApiToken): string {
  return `${namespace}/${name}`;
}

/** @throws Failure where there is none */
export async function findToken({ client, namespace }: Session, name: string): Promise<ApiToken> {
  try {
    return await client.get(API_TOKENS, { namespace, name });
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === 'NotFound')) throw error;
    // fails, and says so, where the kind itself is not there
    await client.list(API_TOKENS, { namespace, fieldSelector: `metadata.name=${name}` });
    throw new Failure(
      `There is no ApiToken ${namespace}/${name}. "tokenwright get -n ${namespace}" lists those that there are.`,
    );
  }
}
