/** Crash plans: scenario × call × what happens there. Each has a name, by which it is run alone. */
import { digestOf } from '../../../src/domain/value.ts';
import { breachesOf } from './invariants.ts';
import { type Call, labelOf, POINTS, type Point } from './proxy.ts';
import { endState, SCENARIOS, type Scenario } from './scenarios.ts';
import { isReadyPod, keyOfSecret, type Stage, type Theatre } from './stage.ts';

export interface Plan {
  /** `<scenario>/<number of the call, from 1>/<point>` */
  name: string;
  scenario: Scenario;
  call: number;
  point: Point;
}

/** All there are; or, unless `all`, each call once, the points taking turns. */
export function plansOf(all: boolean): Plan[] {
  return SCENARIOS.flatMap((scenario, offset) =>
    scenario.calls.flatMap((_, index) =>
      POINTS.filter((_, turn) => all || turn === (index + offset) % POINTS.length).map((point) => ({
        name: `${scenario.name}/${index + 1}/${point}`,
        scenario,
        call: index + 1,
        point,
      })),
    ),
  );
}

export interface Run {
  stage: Stage;
  /** The scenario's calls, as they were made up to its end. */
  calls: string[];
  end: unknown;
  /** Breaches of the invariants, in sentences. */
  breaches: string[];
}

/** One scenario from its beginning to its end, struck where the plan says. */
export async function run(theatre: Theatre, scenario: Scenario, plan?: Plan): Promise<Run> {
  const stage = await theatre.stage();
  await bystander(stage);
  // short, for it has to run out after a crash; where nobody is killed, none may be lost on a machine that pauses
  const flags = { ...(plan && { 'lease-duration': '2s' }), ...scenario.flags };
  await stage.start(flags);
  await scenario.prepare(stage);
  const from = stage.proxy.calls.length;
  const counted = () => stage.proxy.calls.slice(from).filter(scenario.counts);
  if (plan) {
    const struck = stage.proxy.arm({
      point: plan.point,
      strikes: (call: Call) => counted()[plan.call - 1] === call,
      kill: () => stage.operator.kill(),
    });
    const begun = scenario.begin(stage);
    await Promise.race([struck, late(plan)]);
    if (plan.point !== 'lost-reply') {
      await stage.operator.whenEnded();
      stage.timeline.poke();
      await begun;
      const operator = await stage.start(flags);
      await stage.untilAsked('the new operator leads', () => operator.isLeading());
    }
    await begun;
  } else {
    await scenario.begin(stage);
  }
  await scenario.end(stage);
  // by a conflict nothing was written
  const calls = counted()
    .filter(({ status }) => status !== 409)
    .map(labelOf);
  await stage.quiet(1500);
  const end = endState(stage);
  const breaches = [...(await breachesOf(stage)), ...restsWell(stage)];
  await stage.operator.stop();
  return { stage, calls, end, breaches: [...breaches, ...nothingOfOthersTouched(stage)] };
}

async function late(plan: Plan): Promise<never> {
  await new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`the operator never came to call ${plan.call} of ${plan.name}`)), 90_000).unref();
  });
  throw new Error('not reached');
}

/** A Secret that looks like ours in all but its owner. */
async function bystander(stage: Stage): Promise<void> {
  const labels = { 'app.kubernetes.io/managed-by': 'tokenwright', 'tokenwright.dev/token-id': 'aaaaaaaa' };
  await stage.server.create(stage.path('secrets'), {
    metadata: { name: 'bystander', labels },
    stringData: { token: 'not ours' },
  });
}

/** I11. */
function nothingOfOthersTouched(stage: Stage): string[] {
  return stage.history('secrets', 'bystander').length === 1 ? [] : ['I11: a Secret of somebody else was touched'];
}

/** What is true only at rest: the Secret holds Current, and no pod is older than its last value write. */
function restsWell(stage: Stage): string[] {
  const token = stage.token('agent');
  if (!token) return [];
  const breaches: string[] = [];
  const isBlocked = stage.condition('agent', 'Ready')?.reason === 'Blocked';
  if (isBlocked) return stage.secret('agent') ? ['I1: a value is left although nothing may be minted'] : [];
  const value = keyOfSecret(stage.secret('agent'), 'token') ?? '';
  const accepted = token.status?.versions?.find((version) => version.digest === digestOf(value));
  if (!accepted || Date.parse(accepted.expirationTime) <= Date.now()) breaches.push('I1: the value at rest is refused');
  const written = stage.history('secrets', 'agent').find(({ object }) => keyOfSecret(object, 'token') === value)?.at;
  const pods = stage.history('pods').filter(({ at }) => at < (written ?? 0));
  for (const { object } of pods) {
    const now = stage.timeline.get('pods', stage.namespace, object.metadata.name);
    if (now && now.metadata.uid === object.metadata.uid && isReadyPod(now))
      breaches.push(`I1: pod ${object.metadata.name} is older than the value write`);
  }
  return breaches;
}
