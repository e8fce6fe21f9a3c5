/** The audit log as a set that outlives crashes: src/reconcile/apitoken/audit-trail.ts, by bits of versions. */
import {
  AUDIT_ABANDONED,
  AUDIT_INTENT,
  AUDIT_OUTCOME,
  AUDIT_RETIRE,
  DELIVERED,
  LOG_CLOSED,
  LOG_INTENT,
  type State,
  TOKEN,
} from './encode.ts';
import type { ApiToken, Model } from './world.ts';

const add = (state: State, slot: number, bit: number) => {
  state[slot] = (state[slot] ?? 0) | bit;
};

/** The id of an intent is made of UID, operation and version: a second one of the same version is the same one. */
export function recordAudit(model: Model, state: State, uid: number, version: number, process: number): void {
  if (!model.rules.intentFirst || uid !== model.tokenAt(state, TOKEN).uid) return;
  add(state, AUDIT_INTENT, 1 << version);
  if (model.scenario.ownLogs) add(state, process + LOG_INTENT, 1 << version);
}

export function recordRetirement(model: Model, state: State, version: number): void {
  if (model.rules.intentFirst) add(state, AUDIT_RETIRE, 1 << version);
}

/** Closes what this status has decided. A log that was closed one way is not closed the other way. */
export function settleAudit(model: Model, state: State, { uid, status }: ApiToken, process: number): void {
  if (uid !== model.tokenAt(state, TOKEN).uid) return;
  const open = model.scenario.ownLogs
    ? (state[process + LOG_INTENT] ?? 0) & ~(state[process + LOG_CLOSED] ?? 0)
    : (state[AUDIT_INTENT] ?? 0) & ~((state[AUDIT_OUTCOME] ?? 0) | (state[AUDIT_ABANDONED] ?? 0));
  for (let version = 1; version <= status.lastVersion; version++) {
    const bit = 1 << version;
    const end = open & bit ? model.rules.endOfMint(version, status) : undefined;
    if (!end) continue;
    if (model.scenario.ownLogs) add(state, process + LOG_CLOSED, bit);
    add(state, end === 'outcome' ? AUDIT_OUTCOME : AUDIT_ABANDONED, bit);
    if (end === 'abandoned' && (state[DELIVERED] ?? 0) & bit)
      model.breaks(`I3: the audit log says that version ${version}, which was delivered, was abandoned`);
  }
  if ((state[AUDIT_OUTCOME] ?? 0) & (state[AUDIT_ABANDONED] ?? 0)) model.breaks('I3: two audit logs tell of two ends');
}
