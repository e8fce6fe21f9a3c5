/** The audit log as a set that outlives crashes: src/reconcile/apitoken/audit-trail.ts, by bits of versions. */
import { AUDIT_ABANDONED, AUDIT_INTENT, AUDIT_OUTCOME, AUDIT_RETIRE, DELIVERED, type State, TOKEN } from './encode.ts';
import type { ApiToken, Model } from './world.ts';

/** The id of an intent is made of UID, operation and version: a second one of the same version is the same one. */
export function recordAudit(model: Model, state: State, uid: number, version: number): void {
  if (!model.rules.intentFirst || uid !== model.tokenAt(state, TOKEN).uid) return;
  state[AUDIT_INTENT] = (state[AUDIT_INTENT] ?? 0) | (1 << version);
}

export function recordRetirement(model: Model, state: State, version: number): void {
  if (!model.rules.intentFirst) return;
  state[AUDIT_RETIRE] = (state[AUDIT_RETIRE] ?? 0) | (1 << version);
}

/** Closes what this status has decided. A log that was closed one way is not closed the other way. */
export function settleAudit(model: Model, state: State, { uid, status }: ApiToken): void {
  if (uid !== model.tokenAt(state, TOKEN).uid) return;
  for (let version = 1; version <= status.lastVersion; version++) {
    const bit = 1 << version;
    if (!((state[AUDIT_INTENT] ?? 0) & bit) || ((state[AUDIT_OUTCOME] ?? 0) | (state[AUDIT_ABANDONED] ?? 0)) & bit)
      continue;
    const record = status.versions.find((v) => v.version === version);
    if (record?.state === 'Next') continue;
    if (record?.state === 'Current') state[AUDIT_OUTCOME] = (state[AUDIT_OUTCOME] ?? 0) | bit;
    else {
      if ((state[DELIVERED] ?? 0) & bit)
        model.breaks(`I3: the audit log says that version ${version}, which was delivered, was abandoned`);
      state[AUDIT_ABANDONED] = (state[AUDIT_ABANDONED] ?? 0) | bit;
    }
  }
}
