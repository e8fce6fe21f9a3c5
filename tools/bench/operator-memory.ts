/** RSS of the operator with many ApiTokens, then with three times as many Secrets that are not its own, and its CPU at rest. */
import { setTimeout as wait } from 'node:timers/promises';
import { type BenchOptions, createTokens, follow, inParallel, type Result, SECRETS, withCluster } from './cluster.ts';

export function operatorMemory({ tokens = 10_000, seconds = 30 }: BenchOptions): Promise<Result[]> {
  // until the collector has been through what the work before has left
  const calm = () => wait((seconds * 1000) / 3);
  return withCluster(async ({ admin, namespace, operator }) => {
    await namespace('memory');
    await namespace('unrelated');
    await createTokens(admin, 'memory', tokens);
    console.error(`${tokens} ApiTokens are there, the operator starts`);
    const watch = await follow(admin, 'memory', tokens);
    const process = operator(undefined);
    await process.leading();
    await watch.done;
    await calm();
    const before = process.rssMB();
    console.error(`they are Ready with ${before.toFixed(0)} MB, ${tokens * 3} other Secrets follow`);
    // by the admin: the admission policies refuse such Secrets to the operator's account
    await inParallel(tokens * 3, (index) =>
      admin.create(SECRETS, {
        metadata: { name: `other-${index}`, namespace: 'unrelated' },
        stringData: { password: 'x'.repeat(1024) },
      } as never),
    );
    await calm();
    const after = process.rssMB();
    const used = process.cpuSeconds();
    await wait(seconds * 1000);
    const idle = ((process.cpuSeconds() - used) / seconds) * 100;
    process.check();
    const none = { ratio: null, against: null };
    return [
      { name: 'operator-memory', value: before, unit: 'MB', ...none },
      {
        name: 'operator-memory.unrelated-secrets',
        value: after,
        unit: 'MB',
        ratio: after / before,
        against: 'without them',
      },
      { name: 'operator-memory.peak', value: process.peakMB(), unit: 'MB', ...none },
      { name: 'operator-memory.idle-cpu', value: idle, unit: '% of a core', ...none },
    ];
  });
}
