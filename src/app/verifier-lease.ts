/** The Lease by which others know that this verifier is there, and so that its receipts are to be expected. */
import type { KubeClient, KubeObject, Logger, ResourceType } from '../ports.ts';

interface Lease extends KubeObject {
  spec: { holderIdentity: string; leaseDurationSeconds: number; renewTime: string };
}

const LEASES: ResourceType<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

const DURATION_SECONDS = 30;
const INTERVAL = 10_000;

export interface VerifierLeaseOptions {
  client: Pick<KubeClient, 'apply'>;
  namespace: string;
  verifier: string;
  environment: string;
  now: () => number;
  log: Logger;
}

/** Keeps it from now on. Returns how to let it go. */
export function keepLease(options: VerifierLeaseOptions): () => Promise<void> {
  const { client, namespace, verifier, environment, now, log } = options;
  const fieldManager = `tokenwright-verifier-${verifier}`;
  const renew = async (leaseDurationSeconds: number) => {
    const lease = {
      metadata: {
        namespace,
        name: `tokenwright-verifier-${verifier}`,
        labels: { 'app.kubernetes.io/component': 'verifier', 'tokenwright.dev/environment': environment },
      },
      // MicroTime
      spec: {
        holderIdentity: verifier,
        leaseDurationSeconds,
        renewTime: new Date(now()).toISOString().replace('Z', '000Z'),
      },
    };
    try {
      await client.apply(LEASES, lease, { fieldManager, force: true });
    } catch (error) {
      log.warn({ err: error }, 'verifier lease not renewed');
    }
  };
  let renewing = renew(DURATION_SECONDS);
  const timer = setInterval(() => {
    renewing = renewing.then(() => renew(DURATION_SECONDS));
  }, INTERVAL);
  return async () => {
    clearInterval(timer);
    await renewing;
    // over in a second: a Lease cannot last for none
    await renew(1);
  };
}
