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

interface Template {
  next: ApiToken;
  current: ApiToken;
  secret: Record<string, unknown>;
  event: EventObject;
}

export function operatorThroughput({ tokens = 1000, pairs = 5 }: BenchOptions): Promise<Result[]> {
  return withCluster(async (bench) => {
    // also makes the seal keys, whose writes belong to no token
    const template = (await ours(bench, 'warm-up', 5, true)).template;
    if (template === undefined) throw new Error('no template');
    const ratios: number[] = [];
    const oursRates: number[] = [];
    const bareRates: number[] = [];
    let perIssue: Record<string, number> = {};
    for (let pair = 0; pair < pairs; pair += 1) {
      const run = await ours(bench, `ours-${pair}`, tokens, false);
      const bareRate = await bareRun(bench, `bare-${pair}`, tokens, template, run.writes.events ?? 0);
      oursRates.push(run.rate);
      bareRates.push(bareRate);
      ratios.push(run.rate / bareRate);
      perIssue = run.writes;
      console.error(
        `pair ${pair + 1}: ${run.rate.toFixed(0)}/s, bare ${bareRate.toFixed(0)}/s; writes ${JSON.stringify(run.writes)}`,
      );
    }
    const total = Object.values(perIssue).reduce((sum, count) => sum + count, 0);
    const none = { ratio: null, against: null };
    return [
      {
        name: 'operator-throughput',
        value: median(oursRates),
        unit: 'tokens/s',
        ratio: median(ratios),
        against: 'bare client',
      },
      { name: 'operator-throughput.bare', value: median(bareRates), unit: 'tokens/s', ...none },
      { name: 'operator-throughput.ratio-min', value: Math.min(...ratios), unit: 'ratio', ...none },
      { name: 'operator-throughput.ratio-max', value: Math.max(...ratios), unit: 'ratio', ...none },
      // until the last is Ready: the recorder writes Events at 25/s after a burst of 100, so some come later
      { name: 'operator-throughput.writes-per-issue', value: total / tokens, unit: 'writes', ...none },
      ...Object.entries(perIssue).map(([resource, count]) => ({
        name: `operator-throughput.writes-per-issue.${resource}`,
        value: count / tokens,
        unit: 'writes',
        ...none,
      })),
    ];
  });
}

async function ours({ admin, namespace, operator }: Bench, name: string, tokens: number, keep: boolean) {
  await namespace(name);
  await createTokens(admin, name, tokens);
  const watch = follow(admin, name, tokens);
  const process = operator(name);
  try {
    const began = await process.leading();
    const ended = await watch.done;
    const writes = await process.writes();
    const rate = (tokens * 1000) / (ended - began);
    await process.stop(); // writes the Events that wait
    return { rate, writes, template: keep ? await templateOf(admin, name, watch.first) : undefined };
  } finally {
    watch.stop();
  }
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

/** Sends only as many Events as the operator had sent when its last token was Ready: the same writes. */
async function bareRun(
  bench: Bench,
  name: string,
  tokens: number,
  template: Template,
  events: number,
): Promise<number> {
  await bench.namespace(name);
  const made = await createTokens(bench.admin, name, tokens);
  const { bare } = bench;
  const { metadata } = template.secret as { metadata: Record<string, unknown> };
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
  return (tokens * 1000) / (performance.now() - began);
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
