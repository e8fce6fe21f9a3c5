/** RSS of the operator with many ApiTokens, then with three times as many Secrets that are not its own, and its CPU at rest. */
import { setTimeout as wait } from 'node:timers/promises';
import { type BenchOptions, createTokens, follow, inParallel, type Result, SECRETS, withCluster } from './cluster.ts';

const IDLE_SECONDS = 20;

export function operatorMemory({ tokens = 10_000 }: BenchOptions): Promise<Result[]> {
  return withCluster(async ({ admin, namespace, operator }) => {
    await namespace('memory');
    await namespace('unrelated');
    await createTokens(admin, 'memory', tokens);
    const watch = follow(admin, 'memory', tokens);
    const process = operator(undefined);
    await process.leading();
    await watch.done;
    await wait(5000);
    const before = process.rssMB();
    // by the admin: the admission policies refuse such Secrets to the operator's account
    await inParallel(tokens * 3, (index) =>
      admin.create(SECRETS, {
        metadata: { name: `other-${index}`, namespace: 'unrelated' },
        stringData: { password: 'x'.repeat(1024) },
      } as never),
    );
    await wait(5000);
    const after = process.rssMB();
    const used = process.cpuSeconds();
    await wait(IDLE_SECONDS * 1000);
    const idle = ((process.cpuSeconds() - used) / IDLE_SECONDS) * 100;
    process.check();
    return [
      { name: 'operator-memory', value: before, unit: 'MB', ratio: null, against: null },
      {
        name: 'operator-memory.unrelated-secrets',
        value: after,
        unit: 'MB',
        ratio: after / before,
        against: 'without them',
      },
      { name: 'operator-memory.idle-cpu', value: idle, unit: '% of a core', ratio: null, against: null },
    ];
  });
}
