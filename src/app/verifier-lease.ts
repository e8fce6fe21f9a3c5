/** The Lease by which others know that this verifier is there, and so that its receipts are to be expected. */
import type { Clock, KubeClient, KubeObject, Logger, ResourceType } from '../ports.ts';

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

const COMPONENT = 'app.kubernetes.io/component';
const ENVIRONMENT = 'tokenwright.dev/environment';
const DURATION_SECONDS = 30;
const INTERVAL = 10_000;

/** How long an answer about who is there is good for, in milliseconds. Shorter than a Lease lasts. */
const ROLL_CALL = 5_000;

/** The names of the verifiers that are there, of all environments unless some are given; asked for anew at most every few seconds. */
export function rollCall(
  client: Pick<KubeClient, 'list'>,
  namespace: string,
  clock: Clock,
  environments?: readonly string[],
): () => Promise<string[]> {
  const ofThese = environments && `,${ENVIRONMENT} in (${environments.join(',')})`;
  let asked = Number.NEGATIVE_INFINITY;
  let answer: Promise<string[]> = Promise.resolve([]);
  const call = async () => {
    const leases = await client.list(LEASES, { namespace, labelSelector: `${COMPONENT}=verifier${ofThese ?? ''}` });
    const isThere = ({ spec }: Lease) => Date.parse(spec.renewTime) + spec.leaseDurationSeconds * 1000 > clock.now();
    return leases
      .filter(isThere)
      .map(({ spec }) => spec.holderIdentity)
      .sort();
  };
  return () => {
    if (clock.now() - asked < ROLL_CALL) return answer;
    asked = clock.now();
    answer = call();
    return answer;
  };
}

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
        labels: { [COMPONENT]: 'verifier', [ENVIRONMENT]: environment },
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
