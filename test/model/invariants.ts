/** design.md, section 6, as far as the small world goes. Each is checked at the step that could break it, or in every state. */
import { currentOf, type TokenStatus } from '../../src/domain/lifecycle/seen.ts';
import type { VersionRecord } from '../../src/domain/seal.ts';
import {
  AUDIT_ABANDONED,
  AUDIT_INTENT,
  AUDIT_RETIRE,
  CONSUMERS,
  DELIVERED,
  EVER_HARMED,
  EXCUSED,
  HARMED,
  HIGHEST,
  NOW,
  SECRET,
  type State,
  TOKEN,
  VALUE_LOST,
} from './encode.ts';
import {
  DIGESTS,
  endsVersions,
  LOST_KEY,
  type Model,
  type Plan,
  type Secret,
  type StatusWrite,
  type Workload,
} from './world.ts';

/** What a verifier would say of a value, by status and time. */
export function isAccepted(status: TokenStatus, digest: number, now: number): boolean {
  const named = DIGESTS[digest];
  const record = status.versions.find((v) => v.digest === named);
  if (!record || record.version <= status.revokedThroughVersion) return false;
  return record.state !== 'Previous' || now < endOf(record);
}

const endOf = (v: VersionRecord) => v.acceptedUntilTime ?? v.expirationTime;

/** In every state: I1 for the Secret. */
export function checkState(model: Model, state: State): void {
  if ((state[EXCUSED] ?? 0) & HARMED) return;
  const token = model.tokenAt(state, TOKEN);
  const now = state[NOW] ?? 0;
  const { notAfter } = model.specOf(token);
  if (notAfter !== undefined && now >= notAfter) return;
  const secret = model.secretAt(state, SECRET);
  if (!secret) {
    if (currentOf(token.status)) model.breaks('I1: there is a Current, and no Secret');
    return;
  }
  if (secret.owner !== token.uid) return;
  if (!isAccepted(token.status, secret.digest, now)) model.breaks('I1: the Secret holds a refused value');
}

/** What a user did to the Secret is made good when it holds Current again. */
export function forgetHarm(model: Model, state: State): void {
  if (!((state[EXCUSED] ?? 0) & HARMED)) return;
  const token = model.tokenAt(state, TOKEN);
  const secret = model.secretAt(state, SECRET);
  if (!secret?.intact || secret.owner !== token.uid || token.key === LOST_KEY) return;
  if (currentOf(token.status)?.digest === DIGESTS[secret.digest]) state[EXCUSED] = (state[EXCUSED] ?? 0) & ~HARMED;
}

const ORDER = { Next: 0, Current: 1, Previous: 2 };

/** At each write of status: I3, I4, I9, and I1 for the pods. */
export function checkStatusWrite(
  model: Model,
  state: State,
  before: TokenStatus,
  write: StatusWrite,
  minted: { version: number; cause: string } | undefined,
): void {
  const { status } = write;
  if (status.lastVersion < before.lastVersion) model.breaks('I9: lastVersion falls');
  if (status.revokedThroughVersion < before.revokedThroughVersion) model.breaks('I9: a revocation is undone');
  for (const v of status.versions) {
    const old = before.versions.find((o) => o.version === v.version);
    if (!DIGESTS.slice(write.uid * 16, write.uid * 16 + 16).includes(v.digest)) {
      model.breaks('I4: a value of another UID is accepted');
    }
    if (!old) checkNew(model, state, v, minted);
    else if (old.digest !== v.digest) model.breaks('I9: a version gets another value');
    else if (minted?.version === v.version) model.breaks('I9: a version is minted twice');
    else if (ORDER[v.state] < ORDER[old.state])
      model.breaks(`I9: version ${v.version} goes from ${old.state} to ${v.state}`);
  }
  if (write.what === 'revoke') {
    state[EXCUSED] = HARMED | EVER_HARMED;
    if (status.versions.length > 0 || status.revokedThroughVersion < before.lastVersion)
      model.breaks('I9: a revocation leaves a version');
  }
  const currents = status.versions.filter((v) => v.state === 'Current');
  if (currents.length > 1) model.breaks('I9: two versions are Current');
  const [was, is] = [currentOf(before)?.version ?? 0, currents[0]?.version];
  if (is !== undefined && is < was) model.breaks('I9: Current falls');
  for (const v of before.versions) {
    if (!status.versions.some((n) => n.version === v.version)) checkGone(model, state, v, write);
  }
}

function checkNew(
  model: Model,
  state: State,
  v: VersionRecord,
  minted: { version: number; cause: string } | undefined,
): void {
  if (v.version <= (state[HIGHEST] ?? 0)) model.breaks(`I9: version ${v.version} comes back`);
  if (minted?.version !== v.version) model.breaks('I9: a version comes without a mint');
  if (!((state[AUDIT_INTENT] ?? 0) & (1 << v.version))) model.breaks('I3: a version without its audit intent');
  state[HIGHEST] = v.version;
  const isHeal = minted?.cause === 'SecretMissing' || minted?.cause === 'SecretAltered';
  if (isHeal && !((state[EXCUSED] ?? 0) & EVER_HARMED))
    model.breaks('I8: a version is minted to heal what nobody harmed');
  if (minted?.cause === 'OrphanedVersion' && !state[VALUE_LOST]) model.breaks('I8: a value was lost without a crash');
}

function checkGone(model: Model, state: State, v: VersionRecord, write: StatusWrite): void {
  if (write.what === 'endGrant' || model.tokenAt(state, TOKEN).key === LOST_KEY) return;
  if (endsVersions(write) && !((state[AUDIT_RETIRE] ?? 0) & (1 << v.version)))
    model.breaks('I3: a version ends without its audit intent');
  if (write.what === 'revoke' || endOf(v) <= (state[NOW] ?? 0)) return;
  for (const workload of model.consumersAt(state, CONSUMERS)) {
    for (const pod of workload.pods) {
      if (pod.started >= 0 && !pod.tainted && DIGESTS[pod.digest] === v.digest) {
        model.breaks(`I1: version ${v.version} is retired early under a pod that holds it`);
      }
    }
  }
}

/** After a write of the Secret by an operator. */
export function checkSecretWrite(
  model: Model,
  state: State,
  before: Secret | undefined,
  plan: Extract<Plan, { do: 'secret' }>,
): void {
  if (before && before.owner !== plan.uid) model.breaks('I11: an operator writes the Secret of another UID');
  const token = model.tokenAt(state, TOKEN);
  const now = state[NOW] ?? 0;
  if (plan.uid !== token.uid) return;
  const { version } = plan.secret;
  state[DELIVERED] = (state[DELIVERED] ?? 0) | (1 << version);
  if ((state[AUDIT_ABANDONED] ?? 0) & (1 << version))
    model.breaks(`I3: version ${version} is delivered, and the audit log says that it was abandoned`);
  const isGood = token.key !== LOST_KEY && isAccepted(token.status, plan.secret.digest, now);
  const { notAfter } = model.specOf(token);
  const isOver = notAfter !== undefined && now >= notAfter;
  // A create that was long in flight may land on a deleted Secret: traces.test.ts, 12. And with the keys everything is lost.
  const isExcused = (state[EXCUSED] ?? 0) & HARMED && (plan.create || model.scenario.faults.loseKey);
  // A write prepared before a revocation is healed like an altered Secret.
  const isRevoked = version <= token.status.revokedThroughVersion;
  if (plan.what === 'writeSecret' && !isGood && !isOver && !isExcused && !isRevoked) {
    model.breaks('I1: an operator writes a refused value');
  }
}

/** At each restart: I7. */
export function checkRestart(model: Model, workload: Workload, uid: number, version: number): void {
  if ((workload.annotated[uid] ?? 0) > version) model.breaks('I7: a late restart turns the annotation back');
  if ((workload.restartedFor[uid] ?? 0) & (1 << version)) model.breaks(`I7: restarted twice for version ${version}`);
}
