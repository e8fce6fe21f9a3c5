/** ApiTokens from created to Ready, against the same writes sent by a bare client of the same account. */
import { API_TOKENS, type ApiToken } from '../../src/api/apitoken.ts';
import { EVENTS, type EventObject } from '../../src/telemetry/event-api.ts';
import {
  type Bench,
  type BenchOptions,
  createTokens,
  follow,
  inParallel,
  type Result,
  SECRETS,
  withCluster,
} from './cluster.ts';
import { median } from './median.ts';
import type { Calls } from './operator.ts';

interface Template {
  next: ApiToken;
  current: ApiToken;
  secret: Record<string, unknown>;
  event: EventObject;
}

interface Run {
  /** Tokens a second. */
  rate: number;
  /** Milliseconds of a core for each token: of the control plane, of who writes, and of who watches. */
  cpu: number;
}

interface OperatorRun extends Run, Calls {
  /** Of the operator alone. */
  operatorCpu: number;
}

export function operatorThroughput({ tokens = 1000, pairs = 5 }: BenchOptions): Promise<Result[]> {
  return withCluster(async (bench) => {
    const template = await warmUp(bench);
    const runs: { ours: OperatorRun; bare: Run }[] = [];
    for (let pair = 0; pair < pairs; pair += 1) {
      const ours = await operatorRun(bench, `ours-${pair}`, tokens);
      const bare = await bareRun(bench, `bare-${pair}`, tokens, template, ours.writes.events ?? 0);
      runs.push({ ours, bare });
      console.error(
        `pair ${pair + 1}: ${ours.rate.toFixed(0)}/s, bare ${bare.rate.toFixed(0)}/s; ` +
          `CPU ${ours.cpu.toFixed(1)} ms, bare ${bare.cpu.toFixed(1)} ms`,
      );
    }
    return report(runs, tokens);
  });
}

function report(runs: { ours: OperatorRun; bare: Run }[], tokens: number): Result[] {
  const name = 'operator-throughput';
  const ratios = runs.map(({ ours, bare }) => ours.rate / bare.rate);
  const of = (read: (run: (typeof runs)[number]) => number) => median(runs.map(read));
  const plain = (suffix: string, value: number, unit: string): Result => ({
    name: `${name}.${suffix}`,
    value,
    unit,
    ratio: null,
    against: null,
  });
  const against = 'bare client';
  const perIssue = (suffix: string, counts: Record<string, number> = {}) => [
    plain(suffix, Object.values(counts).reduce((sum, count) => sum + count, 0) / tokens, 'calls'),
    ...Object.entries(counts).map(([resource, count]) => plain(`${suffix}.${resource}`, count / tokens, 'calls')),
  ];
  const last = runs.at(-1)?.ours;
  return [
    { name, value: of(({ ours }) => ours.rate), unit: 'tokens/s', ratio: median(ratios), against },
    plain(
      'bare',
      of(({ bare }) => bare.rate),
      'tokens/s',
    ),
    plain('ratio-min', Math.min(...ratios), 'ratio'),
    plain('ratio-max', Math.max(...ratios), 'ratio'),
    // steadier than the rates on a machine that others use too
    {
      name: `${name}.cpu`,
      value: of(({ ours }) => ours.cpu),
      unit: 'ms/token',
      ratio: of(({ ours, bare }) => ours.cpu / bare.cpu),
      against,
    },
    plain(
      'cpu.operator',
      of(({ ours }) => ours.operatorCpu),
      'ms/token',
    ),
    // until the last is Ready: the recorder writes Events at 25/s after a burst of 100, so some come later
    ...perIssue('writes-per-issue', last?.writes),
    ...perIssue('reads-per-issue', last?.reads),
  ];
}

/** Also makes the seal keys, whose writes belong to no token. */
async function warmUp({ admin, namespace, operator }: Bench): Promise<Template> {
  const name = 'warm-up';
  await namespace(name);
  await createTokens(admin, name, 5);
  const watch = await follow(admin, name, 5);
  const process = operator(name);
  await watch.done;
  await process.stop(); // writes the Events that wait
  return templateOf(admin, name, watch.first);
}

async function operatorRun(bench: Bench, name: string, tokens: number): Promise<OperatorRun> {
  const { admin } = bench;
  await bench.namespace(name);
  await createTokens(admin, name, tokens);
  const watch = await follow(admin, name, tokens);
  const process = bench.operator(name);
  try {
    const began = await process.leading();
    const before = { operator: process.cpuSeconds(), others: othersCpuSeconds(bench) };
    const ended = await watch.done;
    const operator = process.cpuSeconds() - before.operator;
    const others = othersCpuSeconds(bench) - before.others;
    const calls = await process.calls();
    return {
      rate: (tokens * 1000) / (ended - began),
      cpu: ((operator + others) * 1000) / tokens,
      operatorCpu: (operator * 1000) / tokens,
      ...calls,
    };
  } finally {
    watch.stop();
    await process.stop();
  }
}

function othersCpuSeconds(bench: Bench): number {
  const { user, system } = process.cpuUsage();
  return bench.serverCpuSeconds() + (user + system) / 1e6;
}

async function templateOf(admin: Bench['admin'], namespace: string, first: Map<string, ApiToken>): Promise<Template> {
  const key = { namespace, name: 'token-0' };
  const current = await admin.get(API_TOKENS, key);
  const secret = await admin.get(SECRETS, key);
  const event = (await admin.list(EVENTS, { namespace })).find(({ regarding }) => regarding.name === key.name);
  const next = first.get(key.name);
  if (next === undefined || event === undefined) throw new Error('the operator wrote no status or no Event to copy');
  return { next, current, secret: secret as unknown as Record<string, unknown>, event };
}

/** Watched like the operator. Sends only as many Events as the operator had sent when its last token was Ready. */
async function bareRun(bench: Bench, name: string, tokens: number, template: Template, events: number): Promise<Run> {
  await bench.namespace(name);
  const made = await createTokens(bench.admin, name, tokens);
  const watch = await follow(bench.admin, name, tokens);
  const { bare } = bench;
  const { metadata } = template.secret as { metadata: Record<string, unknown> };
  const before = othersCpuSeconds(bench);
  const began = performance.now();
  await inParallel(tokens, async (index) => {
    const token = made[index];
    if (token === undefined) throw new Error('a token is missing');
    const { uid, name: own } = token.metadata;
    const status = (of: ApiToken) => (of.status === undefined ? {} : { status: of.status });
    const next = await bare.replaceStatus(API_TOKENS, { ...token, ...status(template.next) });
    const owners = (metadata.ownerReferences as object[]).map((owner) => ({ ...owner, name: own, uid }));
    const { labels, annotations } = metadata;
    const secret = {
      ...template.secret,
      metadata: { name: own, namespace: name, labels, annotations, ownerReferences: owners },
    };
    await bare.create(SECRETS, secret as never);
    await bare.replaceStatus(API_TOKENS, { ...next, ...status(template.current) });
    if (index >= events) return;
    const regarding = { ...template.event.regarding, namespace: name, name: own, uid };
    await bare.create(EVENTS, { ...template.event, metadata: { name: `${own}.bench`, namespace: name }, regarding });
  });
  const ended = performance.now();
  await watch.done;
  const cpu = ((othersCpuSeconds(bench) - before) * 1000) / tokens;
  return { rate: (tokens * 1000) / (ended - began), cpu };
}
