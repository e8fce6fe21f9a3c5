import { defineConfig } from 'vitest/config';

/** Files with operators and verifiers. One control plane for all; each file works in namespaces of its own. */
const ON_THE_API_SERVER = ['test/e2e/**/*.test.ts', 'test/**/*.e2e.test.ts'];
/** What the API server itself says, on one where no operator and no verifier of another file answers first. */
const BY_ITSELF = ['test/crds/**/*.test.ts'];
/** Files that start processes of their own: one at a time. */
const ALONE = ['test/install/**/*.test.ts', 'test/controlplane/**/*.test.ts', 'test/tools/**/*.test.ts'];

/** A control plane of its own for each of these. */
function withApiServer(name: string, include: string[]) {
  const globalSetup = ['test/e2e/cluster.ts'];
  return { extends: true as const, test: { name, include, globalSetup, testTimeout: 300_000, hookTimeout: 300_000 } };
}

export default defineConfig({
  test: {
    // two cores: more workers only make each other late
    maxWorkers: 2,
    // generous: a shared machine may be slow, and no test waits for time to pass
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // a second, as it is by default, is a pause of such a machine
    expect: { poll: { timeout: 30_000, interval: 5 } },
    // what ends the run searches all that it left behind for values (test/e2e/cluster.ts): of the full sizes, gigabytes
    teardownTimeout: process.env.TOKENWRIGHT_LONG === '1' ? 900_000 : 300_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: [...ON_THE_API_SERVER, ...BY_ITSELF, ...ALONE] },
      },
      withApiServer('cluster', ON_THE_API_SERVER),
      withApiServer('api-server', BY_ITSELF),
      {
        extends: true,
        test: { name: 'alone', include: ALONE, fileParallelism: false, testTimeout: 300_000, hookTimeout: 300_000 },
      },
    ],
  },
});
