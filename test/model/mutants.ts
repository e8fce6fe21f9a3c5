/** Protocols that are wrong in one place. Each is one that somebody could write, or did. */
import { currentOf, type Seen } from '../../src/domain/lifecycle/seen.ts';
import { PROTOCOL, type Rules } from './rules.ts';

export interface Mutant {
  name: string;
  /** The scenario in which it has to be found. */
  scenario: string;
  rules: Rules;
  /** The start of the sentence that must be said of it. */
  breaks: RegExp;
}

const { decide, promote, addNext } = PROTOCOL;
const ALLOWED = { allows: true, reason: 'PolicySatisfied', message: 'allowed' } as const;

const previousOf = (seen: Seen) => seen.status.versions.filter((v) => v.state === 'Previous').map((v) => v.version);

/** Retires as soon as the Secret is settled, whatever still runs. */
const hasty: Rules['decide'] = (seen, now, tuning) => {
  const action = decide(seen, now, tuning);
  const current = currentOf(seen.status);
  const previous = previousOf(seen);
  const isQuiet = action.do === 'wait' || action.do === 'look' || action.do === 'restart';
  if (!isQuiet || !current || previous.length === 0 || seen.secret.is !== 'ours') return action;
  if (seen.secret.digest !== current.digest) return action;
  if (seen.secret.settledFor !== current.version) return { do: 'settle', current: current.version };
  return { do: 'retire', versions: previous, reason: 'Settled' };
};

const MUTATIONS: readonly (Omit<Mutant, 'rules'> & { rules: Partial<Rules> })[] = [
  {
    name: 'the Secret is written before status',
    scenario: 'two operators, a rotation',
    rules: { statusBeforeSecret: false },
    breaks: /^I1/,
  },
  {
    name: 'an orphan is dropped at promotion',
    scenario: 'rivals and a user',
    rules: {
      promote: (seen, spec, version, now) => {
        const status = promote(seen, spec, version, now);
        const isOrphan = (v: number) =>
          seen.status.versions.some((o) => o.version === v && o.state === 'Next' && v !== version);
        return { ...status, versions: status.versions.filter((v) => !isOrphan(v.version)) };
      },
    },
    breaks: /^I1/,
  },
  {
    name: 'no precondition on the Secret write',
    scenario: 'two operators, a rotation',
    rules: { secretPrecondition: false },
    breaks: /^I[18]/,
  },
  {
    name: 'retire before the rollout',
    scenario: 'two operators, a rotation',
    rules: { decide: hasty },
    breaks: /^I1: .* retired early/,
  },
  {
    name: 'no resourceVersion on status writes',
    scenario: 'two operators, a rotation',
    rules: { statusPrecondition: false },
    breaks: /^I[19]/,
  },
  {
    name: 'ours is judged by the label',
    scenario: 'the ApiToken is made anew',
    rules: { ownedByUID: false },
    breaks: /^I11/,
  },
  {
    name: 'the Secret is read before status',
    scenario: 'two operators, a rotation',
    rules: { statusReadFirst: false },
    breaks: /^I8: a version is minted to heal/,
  },
  {
    name: 'values are forgotten on a lagging read',
    scenario: 'lagging caches, and workloads that come late',
    rules: { forgetOnLiveReadOnly: false, forgetOnlyDoomed: false },
    breaks: /^I8: an operator forgets/,
  },
  {
    name: 'status is not read again before the Secret write',
    scenario: 'rivals who do not wait for each other',
    rules: { rereadBeforeSecret: false },
    breaks: /^I[18]/,
  },
  {
    name: 'the annotation has no token id',
    scenario: 'the ApiToken is made anew',
    rules: { annotationPerToken: false },
    breaks: /^I8: at rest/,
  },
  {
    name: 'the audit intent comes after the effect',
    scenario: 'two operators, a rotation',
    rules: { intentFirst: false },
    breaks: /^I3/,
  },
  {
    name: 'the audit log takes Previous for a version that was never delivered',
    scenario: 'an audit log for each operator',
    rules: {
      endOfMint: (version, status) => {
        const state = status.versions.find((v) => v.version === version)?.state;
        if (version > status.lastVersion || state === 'Next') return undefined;
        return state === 'Current' ? 'outcome' : 'abandoned';
      },
    },
    breaks: /^I3/,
  },
  {
    name: 'version numbers are taken again after an orphan is gone',
    scenario: 'rivals by turns',
    rules: {
      nextVersion: (seen) => Math.max(0, ...seen.status.versions.map((v) => v.version)) + 1,
      addNext: (seen, spec, digest, now) => {
        const version = Math.max(0, ...seen.status.versions.map((v) => v.version)) + 1;
        const status = addNext(seen, spec, digest, now);
        const versions = status.versions.map((v, i) => (i === 0 ? { ...v, version } : v));
        return { ...status, lastVersion: version, versions };
      },
    },
    breaks: /^I9/,
  },
  {
    name: 'any version that the Secret holds is promoted',
    scenario: 'the user puts an old value back',
    rules: {
      decide: (seen, now, tuning) => {
        const { secret, status } = seen;
        const held = secret.is === 'ours' ? status.versions.find((v) => v.digest === secret.digest) : undefined;
        if (held && held.state !== 'Current') return { do: 'promote', version: held.version };
        return decide(seen, now, tuning);
      },
    },
    breaks: /^I9/,
  },
  {
    name: 'Previous is dropped when the next version is promoted',
    scenario: 'two rotations at once',
    rules: {
      promote: (seen, spec, version, now) => {
        const status = promote(seen, spec, version, now);
        const gone = previousOf(seen);
        return { ...status, versions: status.versions.filter((v) => !gone.includes(v.version)) };
      },
    },
    breaks: /^I1/,
  },
  {
    name: 'an altered template key is repaired without a mint',
    scenario: 'the user puts an old value back',
    rules: {
      decide: (seen, now, tuning) => {
        const { secret } = seen;
        const digest = currentOf(seen.status)?.digest;
        const isWhole = secret.is !== 'ours' || secret.intact || secret.digest !== digest;
        return isWhole ? decide(seen, now, tuning) : { do: 'repair' };
      },
    },
    breaks: /^I8/,
  },
  {
    name: 'no fence before retirement',
    scenario: 'the template is changed, and changed back',
    rules: {
      decide: (seen, now, tuning) => {
        const { secret } = seen;
        const settledFor = currentOf(seen.status)?.version;
        if (secret.is !== 'ours' || settledFor === undefined) return decide(seen, now, tuning);
        return decide({ ...seen, secret: { ...secret, settledFor } }, now, tuning);
      },
    },
    breaks: /^I1/,
  },
  {
    name: 'a revocation spares Next',
    scenario: 'a revocation strikes',
    rules: {
      revoke: (seen, orders) => {
        const nexts = seen.status.versions.filter((v) => v.state === 'Next');
        return { ...PROTOCOL.revoke(seen, orders), versions: nexts };
      },
    },
    breaks: /^I9: a revocation leaves/,
  },
  {
    name: 'what was revoked is not noted in the same write',
    scenario: 'a revocation strikes',
    rules: {
      revoke: (seen, orders) => ({
        ...PROTOCOL.revoke(seen, orders),
        handledRevocations: seen.status.handledRevocations,
      }),
    },
    breaks: /^I8/,
  },
  {
    name: 'a version is minted although a policy forbids it',
    scenario: 'policies forbid and allow',
    rules: {
      decide: (seen, now, tuning) => {
        const { compliance } = seen;
        const orphan = seen.status.versions.some((v) => v.state === 'Next');
        // mends what looks unfinished
        return decide({ ...seen, compliance: orphan ? ALLOWED : compliance }, now, tuning);
      },
    },
    breaks: /^I4: .* forbids/,
  },
  {
    name: 'a policy that forbids ends a rotation half-way',
    scenario: 'policies forbid and allow',
    rules: {
      decide: (seen, now, tuning) => {
        const action = decide(seen, now, tuning);
        const isFinishing = action.do === 'writeSecret' || action.do === 'promote';
        return isFinishing && !seen.compliance.allows ? { do: 'wait', standstill: { why: 'Forbidden' } } : action;
      },
    },
    breaks: /^I8: at rest version \d+ is half-way/,
  },
  {
    name: 'restarts without the workload resourceVersion',
    scenario: 'a restart in flight while the next rotation starts',
    rules: { workloadPrecondition: false },
    breaks: /^I7/,
  },
  {
    name: 'status is not read again before a restart',
    scenario: 'one operator falls behind',
    rules: { rereadBeforeRestart: false },
    breaks: /^I7/,
  },
  {
    name: 'consumers are never listed live',
    scenario: 'a lagging cache misses a workload',
    rules: { listLive: false },
    breaks: /^I1/,
  },
];

export const MUTANTS: readonly Mutant[] = MUTATIONS.map((m) => ({ ...m, rules: { ...PROTOCOL, ...m.rules } }));
