/** What the crash plans go through: from a state at rest to a state at rest, and the calls of the operator in between. */
import { type Call, isProtocolWrite } from './proxy.ts';
import { keyOfSecret, type Stage } from './stage.ts';

export interface Scenario {
  name: string;
  /** The calls that a plan can strike, as a fault-free run makes them. */
  calls: readonly string[];
  /** Which calls these are. */
  counts(call: Call): boolean;
  flags?: Record<string, string>;
  /** Up to where it begins. The operator runs. */
  prepare(stage: Stage): Promise<void>;
  begin(stage: Stage): Promise<void>;
  /** At rest again. */
  end(stage: Stage): Promise<unknown>;
}

const STATUS = 'update apitokens/status agent';
const CREATE = 'create secrets agent';
const SECRET = 'update secrets agent';
const MINT = [STATUS, SECRET, STATUS];
const SETTLE = [SECRET, STATUS];

/** Retired by the clock where nobody is known to read the Secret. */
const SHORT_OVERLAP = { rotation: { overlap: '3s' } };

async function issued(stage: Stage, spec = {}): Promise<void> {
  await stage.issue('agent', spec);
  await stage.untilSettled('agent', 1);
}

/** Alone in the Secret, and above what was there: a crash may cost a number. */
function stands(stage: Stage, above: number): boolean {
  const version = stage.delivered('agent');
  return version !== undefined && version > above && stage.isSettled('agent');
}

const ends = (above: number) => (stage: Stage) => stage.until('a new version stands alone', () => stands(stage, above));

const isOrder = (call: Call) => call.resource.startsWith('tokenrevocations');

const isSealed = (stage: Stage) =>
  stage.timeline.get('tokenrevocations', stage.namespace, 'order')?.status?.sealed === true;

function sealedAbove(above: number) {
  return (stage: Stage) =>
    stage.until('the order is sealed and a new version stands alone', () => isSealed(stage) && stands(stage, above));
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'issue',
    calls: [STATUS, CREATE, STATUS],
    counts: isProtocolWrite,
    prepare: async () => {},
    begin: (stage) => stage.issue('agent', SHORT_OVERLAP),
    end: ends(0),
  },
  {
    name: 'rotation',
    // one rollout after the other: two at once would write in no fixed order
    flags: { 'max-concurrent-rollouts': '1' },
    calls: [...MINT, 'patch deployments web', STATUS, STATUS, 'patch statefulsets worker', STATUS, STATUS, ...SETTLE],
    counts: isProtocolWrite,
    prepare: async (stage) => {
      await issued(stage);
      await Promise.all([
        stage.deploy('web', { secret: 'agent', replicas: 2 }),
        stage.deploy('worker', { kind: 'StatefulSet', reads: 'envFrom', secret: 'agent' }),
      ]);
    },
    begin: (stage) => stage.requestRotation('agent', 'now'),
    end: ends(1),
  },
  {
    name: 'widening',
    calls: [...MINT, ...SETTLE],
    counts: isProtocolWrite,
    prepare: (stage) => issued(stage, SHORT_OVERLAP),
    begin: (stage) => stage.patchSpec('agent', { scopes: ['chat:write', 'models:large'] }),
    end: ends(1),
  },
  {
    name: 'repair-deleted',
    calls: [STATUS, CREATE, STATUS, ...SETTLE],
    counts: isProtocolWrite,
    prepare: async (stage) => {
      await issued(stage, SHORT_OVERLAP);
      // two mints within --min-heal-interval would wait for each other
      await stage.untilTheNextSecond();
    },
    begin: (stage) => stage.remove('secrets', 'agent'),
    end: ends(1),
  },
  {
    name: 'repair-altered',
    calls: [...MINT, 'patch deployments web', STATUS, STATUS, ...SETTLE],
    counts: isProtocolWrite,
    prepare: async (stage) => {
      await issued(stage);
      await stage.deploy('web', { secret: 'agent' });
    },
    begin: (stage) => stage.patch('secrets', 'agent', { stringData: { token: 'put here by hand' } }),
    end: ends(1),
  },
  {
    name: 'revocation',
    calls: [STATUS, ...MINT],
    // the order's own writes are made beside these, in no fixed order
    counts: (call) => isProtocolWrite(call) && !isOrder(call),
    prepare: (stage) => issued(stage, SHORT_OVERLAP),
    begin: (stage) => stage.revoke('order', { match: { name: 'agent' } }),
    end: sealedAbove(1),
  },
  {
    name: 'sealing',
    calls: ['patch tokenrevocations/status order'],
    counts: (call) => isProtocolWrite(call) && call.resource === 'tokenrevocations/status',
    prepare: (stage) => issued(stage, SHORT_OVERLAP),
    begin: (stage) => stage.revoke('order', { match: { name: 'agent' } }),
    end: sealedAbove(1),
  },
  {
    name: 'block',
    calls: [STATUS, 'delete secrets agent', STATUS],
    counts: (call) => isProtocolWrite(call) && !isOrder(call),
    prepare: (stage) => issued(stage),
    begin: (stage) => stage.revoke('order', { match: { name: 'agent' }, afterwards: 'Block' }),
    end: (stage) =>
      stage.until('it is blocked', () => isSealed(stage) && stage.condition('agent', 'Ready')?.reason === 'Blocked'),
  },
  {
    // the operator writes nothing: it finds the ApiToken gone, and says so in the audit file
    name: 'deletion',
    calls: ['get apitokens agent'],
    counts: (call) => call.verb === 'get' && call.resource === 'apitokens',
    prepare: (stage) => issued(stage),
    begin: (stage) => stage.remove('apitokens', 'agent'),
    end: gone,
  },
  {
    name: 'deletion-in-rotation',
    calls: [STATUS, SECRET],
    counts: isProtocolWrite,
    prepare: (stage) => issued(stage),
    begin: async (stage) => {
      const { promise: deleted, resolve } = Promise.withResolvers<void>();
      const minted = Promise.withResolvers<void>();
      stage.proxy.hold = async (call) => {
        if (call.resource !== 'secrets' || call.verb === 'get') return;
        minted.resolve();
        await deleted;
      };
      await stage.requestRotation('agent', 'now');
      // a plan that strikes the first write never comes to the second
      await Promise.race([
        minted.promise,
        stage.until('an operator ended', () => stage.operator.ended).catch(() => {}),
      ]);
      await stage.remove('apitokens', 'agent');
      resolve();
    },
    end: gone,
  },
];

async function gone(stage: Stage): Promise<void> {
  await stage.until('the Secret is gone', () => stage.secret('agent') === undefined && !stage.token('agent'));
  await stage.untilAsked('the deletion is on record', async () =>
    stage.audit().some(({ operation, phase }) => operation === 'delete' && phase === 'outcome'),
  );
}

/** What stands at the end, less times, digests, numbers and UIDs: equal, whatever happened on the way. */
export function endState(stage: Stage): unknown {
  const token = stage.token('agent');
  const secret = stage.secret('agent');
  const { status } = token ?? {};
  const current = status?.versions?.find((version) => version.state === 'Current');
  const state = {
    token: status && {
      versions: status.versions?.map(({ state, grant }) => ({ state, grant })),
      isLatest: status.lastVersion === current?.version,
      revoked: status.revokedThroughVersion,
      handled: status.handledRevocations?.length,
      isAnswered: status.lastHandledRotateRequest ?? '',
      isSealed: status.seal !== undefined,
      hasFailures: status.failures !== undefined,
      secretName: status.secretName,
      effective: status.effective,
      observes: status.observedGeneration === token?.metadata.generation,
      restarts: status.restarts && {
        isOfCurrent: status.restarts.version === current?.version,
        pending: status.restarts.pending,
        workloads: status.restarts.workloads?.map(({ kind, name, state }) => `${kind}/${name} ${state}`),
      },
      conditions: status.conditions?.map(({ type, status, reason, message }) => [
        type,
        status,
        reason === 'Issued' ? 'Rotated' : reason,
        message
          .replaceAll(stage.namespace, 'NAMESPACE')
          .replaceAll(/\d{4}-[0-9T:-]+Z/g, 'TIME')
          .replaceAll(/\b\d+\b/g, '#'),
      ]),
    },
    secret: secret && {
      keys: Object.keys(secret.data ?? {}).sort(),
      isCurrent: keyOfSecret(secret, 'version') === String(current?.version),
      labels: Object.keys(secret.metadata.labels ?? {}).sort(),
      // where an orphan was retired, the Secret was settled, although a first issue needs no settling
      annotations: Object.keys(secret.metadata.annotations ?? {}).filter((key) => key !== 'tokenwright.dev/settled'),
      owners: secret.metadata.ownerReferences?.map(({ kind, name, controller }) => [kind, name, controller]),
    },
    revocations: stage.timeline
      .list('tokenrevocations', stage.namespace)
      .map(({ metadata, status }) => [metadata.name, status?.matched, status?.sealed, status?.conditions?.length]),
    workloads: (['deployments', 'statefulsets'] as const).flatMap((kind) =>
      stage.timeline.list(kind, stage.namespace).map(({ metadata, spec }) => {
        const annotations = Object.values(spec?.template?.metadata?.annotations ?? {});
        return [kind, metadata.name, annotations.map((value) => value === String(current?.version))];
      }),
    ),
  };
  return JSON.parse(JSON.stringify(state));
}
