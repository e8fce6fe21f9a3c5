/** `tokenwright rotate`: asks for a rotation now, as the annotation does, and follows it. */
import { API_TOKENS, type ApiToken } from '../api/apitoken.ts';
import { ROTATE_REQUESTED_AT_ANNOTATION, ROTATE_REQUESTED_BY_ANNOTATION } from '../api/names.ts';
import { Failure } from './failure.ts';
import { follow, type Progress } from './follow.ts';
import { nameOf } from './output.ts';
import type { Session } from './session.ts';
import { conditionOf, currentOf, findToken, placeOf } from './tokens.ts';

export interface RotateOptions {
  readonly name: string;
  readonly wait: boolean;
  readonly timeoutSeconds: number;
}

export async function rotate(session: Session, { name, wait, timeoutSeconds }: RotateOptions): Promise<void> {
  const { client, namespace, terminal } = session;
  const found = await findToken(session, name);
  const obstacle = obstacleIn(found) ?? forbiddenIn(found);
  if (obstacle !== undefined) throw new Failure(`Nothing was asked for: ${obstacle}`);
  const annotations = {
    [ROTATE_REQUESTED_AT_ANNOTATION]: new Date(session.now() * 1000).toISOString(),
    // whoever asked last time; the API server notes who asks now, where it can
    [ROTATE_REQUESTED_BY_ANNOTATION]: null,
  };
  const asked = await client.mergePatch(API_TOKENS, { namespace, name }, { metadata: { annotations } });
  if (!wait) {
    terminal.print(`${nameOf(asked)} rotation requested\n`);
    return;
  }
  const { uid } = asked.metadata;
  // the operator mints under the resourceVersion that it read: whatever it mints from now on answers the request
  const before = asked.status?.lastVersion ?? 0;
  await follow(async () => progressOf(await findToken(session, name), uid, before), {
    terminal,
    timeoutSeconds,
    goal: 'rotated',
    ifInterrupted: `Not waited for. The rotation of ${placeOf(asked)} was asked for and goes on.`,
  });
  const current = currentOf(await findToken(session, name));
  terminal.print(`${nameOf(asked)} rotated to version ${current?.version}\n`);
}

/** From the request to the last workload. */
export function progressOf(token: ApiToken, uid: string, before: number): Progress {
  const place = placeOf(token);
  if (token.metadata.uid !== uid) return { is: 'hopeless', says: `${place} was deleted and made anew meanwhile.` };
  const current = currentOf(token)?.version ?? 0;
  const { lastVersion = 0, restarts, failures } = token.status ?? {};
  const obstacle = obstacleIn(token);
  if (obstacle !== undefined) return { is: 'hopeless', says: obstacle };
  if (current <= before) {
    if (failures !== undefined) return { is: 'underway', says: `it failed and is tried again: ${failures.message}` };
    return lastVersion > before
      ? { is: 'underway', says: `version ${lastVersion} is minted, and on its way to the Secret` }
      : {
          is: 'underway',
          says: 'the request waits for the operator',
          ifLate: `Does an operator run that watches ${place}?`,
        };
  }
  const rolledOut = conditionOf(token, 'RolledOut');
  const hasAllRolled = restarts !== undefined && restarts.version >= current && restarts.pending === 0;
  if (hasAllRolled && rolledOut?.status === 'True' && conditionOf(token, 'Ready')?.status === 'True')
    return { is: 'done' };
  return { is: 'underway', says: rolledOut?.message ?? `version ${current} is in the Secret` };
}

/** Why a rotation cannot be, in a sentence that says what to do. */
function obstacleIn(token: ApiToken): string | undefined {
  const place = placeOf(token);
  if (token.metadata.deletionTimestamp !== undefined) return `${place} is being deleted.`;
  if (token.spec.state === 'Suspended')
    return `${place} is suspended, and nothing is minted for it. Set spec.state to Active first.`;
  const ready = conditionOf(token, 'Ready');
  if (ready?.status === 'False' && STANDSTILLS.has(ready.reason)) return `${place}: ${ready.message}.`;
  const stalled = conditionOf(token, 'Stalled');
  return stalled?.status === 'True' ? `${place} is stalled: ${stalled.message}.` : undefined;
}

/** What was minted before goes on, so this is asked only beforehand. A spec that was just changed has yet to be judged. */
function forbiddenIn(token: ApiToken): string | undefined {
  const compliant = conditionOf(token, 'Compliant');
  if (compliant?.status !== 'False' || compliant.observedGeneration !== token.metadata.generation) return undefined;
  return `nothing may be minted for ${placeOf(token)}: ${compliant.message}.`;
}

/** Reasons of Ready that no request moves. */
const STANDSTILLS: ReadonlySet<string> = new Set(['GrantEnded', 'NamespaceTerminating', 'Blocked']);
