/** Revocations that a tenant wrote long ago: sealed, and nobody waits for them any more. Put into etcd as the API server would. */
import { randomUUID } from 'node:crypto';
import { AdminClient } from '../../../tools/controlplane/admin-client.ts';
import type { ControlPlane } from '../../../tools/controlplane/control-plane.ts';
import { tokenRevocation } from '../harness/manifests.ts';

/** Operations in one transaction: etcd's own bound is 128. */
const BATCH = 100;
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Resolves with their names. */
export async function writeInert(
  { endpoint, ...tls }: ControlPlane['etcd'],
  namespace: string,
  count: number,
): Promise<string[]> {
  const client = await AdminClient.fromFiles(endpoint, tls);
  const names = Array.from({ length: count }, (_, index) => `inert-${index}`);
  const write = async (some: readonly string[]) => {
    const success = some.map((name) => ({ requestPut: putOf(namespace, name) }));
    const { status, body } = await client.request('POST', '/v3/kv/txn', { success });
    if (status !== 200) throw new Error(`etcd answered ${status}: ${JSON.stringify(body)}`);
  };
  try {
    for (let first = 0; first < count - 1; first += BATCH) {
      await write(names.slice(first, Math.min(first + BATCH, count - 1)));
    }
    // by itself: a watch that is taken up again within a revision never tells the rest of it
    await write(names.slice(-1));
  } finally {
    await client.close();
  }
  return names;
}

function putOf(namespace: string, name: string) {
  const time = `${new Date().toISOString().slice(0, 19)}Z`;
  const { metadata, ...order } = tokenRevocation(name, { match: { name: 'nobody' } });
  const revocation = {
    ...order,
    metadata: { ...metadata, namespace, uid: randomUUID(), generation: 1, creationTimestamp: time },
    status: { observedGeneration: 1, matched: 0, sealed: true, sealedTime: time },
  };
  return {
    key: base64(`/registry/tokenwright.dev/tokenrevocations/${namespace}/${name}`),
    value: base64(JSON.stringify(revocation)),
  };
}
