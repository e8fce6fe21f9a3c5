/** CPU of the whole operator when a TokenPolicy changes: it lists the ApiTokens concerned, and looks at those whose verdict is another. */
import { setTimeout as wait } from 'node:timers/promises';
import { TOKEN_POLICIES, type TokenPolicy } from '../../src/api/token-policy.ts';
import { type Bench, createTokens, follow, type Result } from './cluster.ts';
import type { Operator } from './operator.ts';

const NAME = 'changed';
/** Of the operator's lists. */
const PAGE = 500;
const match = { namespaces: { matchLabels: { 'kubernetes.io/metadata.name': NAME } } };

export async function operatorChange({ admin, namespace, operator }: Bench, tokens: number): Promise<Result[]> {
  await namespace(NAME);
  const ttl = (max: string) => ({ spec: { match, bounds: { ttl: { max } } } });
  await admin.create(TOKEN_POLICIES, { metadata: { name: NAME }, ...ttl('24h') } as unknown as TokenPolicy);
  await createTokens(admin, NAME, tokens);
  const watch = await follow(admin, NAME, tokens);
  const process = operator(NAME);
  await process.leading();
  await watch.done;
  await idle(process);
  const cost = async (name: string, max: string): Promise<Result> => {
    const { lists } = await process.calls();
    const expected = (lists.apitokens ?? 0) + Math.ceil(tokens / PAGE);
    const used = process.cpuSeconds();
    let value = 0;
    await admin.mergePatch(TOKEN_POLICIES, { name: NAME }, ttl(max));
    await until(process, async () => {
      await idle(process);
      value = ((process.cpuSeconds() - used) / tokens) * 1000;
      // afterwards: to write its metrics costs it CPU, too
      return ((await process.calls()).lists.apitokens ?? 0) >= expected;
    });
    return { name: `policy.change.operator.${name}.cpu`, value, unit: 'ms/token', ratio: null, against: null };
  };
  const results = [await cost('same-verdict', '25h'), await cost('other-verdict', '12h')];
  await process.stop();
  return results;
}

/** It uses less than a hundredth of a core. */
function idle(process: Operator): Promise<void> {
  let before = process.cpuSeconds();
  return until(process, async () => {
    await wait(1000);
    const used = process.cpuSeconds() - before;
    before += used;
    return used < 0.015;
  });
}

async function until(process: Operator, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 600_000;
  while (!(await isSo())) {
    process.check();
    if (performance.now() > deadline) throw new Error('the operator has not done with a policy within 10 minutes');
    await wait(100);
  }
}
