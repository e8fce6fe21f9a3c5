import { AdminClient } from './admin-client.ts';
import type { ControlPlane } from './control-plane.ts';

/** One key of etcd: Kubernetes names it `/registry/<resource>/<namespace>/<name>`, the value is what it stores, byte for byte. */
export interface EtcdEntry {
  key: string;
  value: Buffer;
}

interface RangeAnswer {
  kvs?: { key: string; value?: string }[];
  more?: boolean;
}

const base64 = (bytes: Buffer | string) => Buffer.from(bytes).toString('base64');
const pageSize = 200;

/**
 * Reads all of etcd by its own interface, past the API server and every rule that it has. For tests that look for values
 * where they must not be. Pages are read at different moments: stop what writes first, where that matters.
 */
export async function* dumpEtcd({ endpoint, ...tls }: ControlPlane['etcd']): AsyncGenerator<EtcdEntry> {
  const client = await AdminClient.fromFiles(endpoint, tls);
  try {
    let from = Buffer.of(0);
    for (;;) {
      // a range that ends in a zero byte has no end
      const ask = { key: base64(from), range_end: base64(Buffer.of(0)), limit: pageSize };
      const { status, body } = await client.request('POST', '/v3/kv/range', ask);
      if (status !== 200) throw new Error(`etcd answered ${status}: ${JSON.stringify(body)}`);
      const { kvs = [], more = false } = body as RangeAnswer;
      for (const { key, value = '' } of kvs) {
        yield { key: Buffer.from(key, 'base64').toString('utf8'), value: Buffer.from(value, 'base64') };
      }
      const last = kvs.at(-1);
      if (!more || last === undefined) return;
      from = Buffer.concat([Buffer.from(last.key, 'base64'), Buffer.of(0)]);
    }
  } finally {
    await client.close();
  }
}
