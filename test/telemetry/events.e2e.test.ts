import { beforeAll, expect, it } from 'vitest';
import { NAMESPACES } from '../../src/api/namespaces.ts';
import { ApiServerClient } from '../../src/kube/client.ts';
import { ClusterConnection } from '../../src/kube/connection.ts';
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts';
import { EVENTS } from '../../src/telemetry/event-api.ts';
import { KubeEventRecorder } from '../../src/telemetry/events.ts';
import { cluster } from '../e2e/cluster.ts';

const NAMESPACE = 'telemetry-events';
const REGARDING = {
  apiVersion: 'tokenwright.dev/v1alpha1',
  kind: 'ApiToken',
  namespace: NAMESPACE,
  name: `${'a'.repeat(60)}.b`,
  uid: '2f7f2f9e-8a5e-4a43-a7e5-0d4f2e0a6f10',
};
let client: ApiServerClient;
beforeAll(async () => {
  const connection = await ClusterConnection.open(loadKubeConfig({ kubeconfig: cluster().kubeconfig }), 'test');
  client = new ApiServerClient({ connection });
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  return async () => {
    await client.delete(NAMESPACES, { name: NAMESPACE });
    await connection.close();
  };
});

it('writes what the API server takes: an Event at each limit, and the series of its repeats', async () => {
  const recorder = new KubeEventRecorder({
    client,
    clock: { now: () => Date.now() },
    reportingInstance: 'p'.repeat(200),
  });
  const warning = {
    type: 'Warning',
    reason: 'R'.repeat(200),
    action: 'A'.repeat(200),
    note: 'ü'.repeat(2_000),
  } as const;
  const normal = { type: 'Normal', reason: 'Rotated', action: 'Rotate', note: 'Version 3 is Current.' } as const;
  recorder.event(REGARDING, normal);
  recorder.event(REGARDING, warning);
  await expect.poll(() => recorder.counts.written).toBe(2);
  recorder.event(REGARDING, normal);
  recorder.event(REGARDING, normal);
  await recorder.stop();
  expect(recorder.counts).toEqual({ written: 3, repeated: 2, dropped: 0 });
  const events = await client.list(EVENTS, { namespace: NAMESPACE });
  const told = events.map(({ reason, type, series, regarding }) => ({
    reason,
    type,
    count: series?.count,
    uid: regarding.uid,
  }));
  expect(told.sort((one, other) => one.type.localeCompare(other.type))).toEqual([
    { reason: 'Rotated', type: 'Normal', count: 3, uid: REGARDING.uid },
    { reason: expect.stringMatching(/^R{100,}…$/), type: 'Warning', count: undefined, uid: REGARDING.uid },
  ]);
});
