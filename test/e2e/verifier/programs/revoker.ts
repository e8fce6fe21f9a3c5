/** Orders revocations at a steady rate, and asks every verifier about the value in question until it is refused. */
import { setTimeout as wait } from 'node:timers/promises';
import { ApiServer, expectOk } from '../../../crds/api-server.ts';
import { tokenRevocation } from '../../harness/manifests.ts';
import { type Address, Asker } from '../asker.ts';
import { type Refusal, untilRefused } from '../prober.ts';
import { carryOut } from './job.ts';

export interface RevokerJob {
  kubeconfig: string;
  namespace: string;
  verifiers: readonly Address[];
  /** Names of ApiTokens, whose Secrets have the same; each in turn. */
  tokens: readonly string[];
  revocations: number;
  perSecond: number;
}

export interface Observed {
  order: string;
  /** What the verifiers said before. */
  before: number[];
  /** Date.now() when the answer to its creation was there. */
  orderedAt: number;
  refusals: Refusal[];
}

export interface RevokerSeen {
  observed: Observed[];
  /** From the first order to the last, in seconds. */
  seconds: number;
}

/** Mostly. To ask more often would load the API server that has to replace it. Milliseconds. */
const REPLACED_WITHIN = 2000;

await carryOut<RevokerJob, RevokerSeen>(async (job) => {
  const { namespace, tokens, revocations, perSecond } = job;
  const server = await ApiServer.open(job.kubeconfig);
  const askers = job.verifiers.map((address) => new Asker(address));
  const orders = `/apis/tokenwright.dev/v1alpha1/namespaces/${namespace}/tokenrevocations`;
  const revoked = new Map<string, string>();

  /** The replacement, when there was an order before. */
  const freshValueOf = async (token: string) => {
    for (;;) {
      const { body } = await server.get(`/api/v1/namespaces/${namespace}/secrets/${token}`);
      const value = Buffer.from((body.data as Record<string, string> | undefined)?.token ?? '', 'base64').toString();
      if (value !== '' && value !== revoked.get(token)) return value;
      await wait(REPLACED_WITHIN);
    }
  };

  const revoke = async (order: string, token: string): Promise<Observed> => {
    const value = await freshValueOf(token);
    revoked.set(token, value);
    const before = await Promise.all(askers.map(async (asker) => (await asker.ask(value)).status));
    expectOk(await server.create(orders, tokenRevocation(order, { match: { name: token } })));
    const orderedAt = Date.now();
    return { order, before, orderedAt, refusals: await Promise.all(askers.map((one) => untilRefused(one, value))) };
  };

  const began = performance.now();
  const revoking: Promise<Observed>[] = [];
  /** Of each token, so that those that are late do not all ask for its replacement. */
  const last = new Map<string, Promise<Observed>>();
  for (let number = 0; number < revocations; number += 1) {
    const early = began + (number * 1000) / perSecond - performance.now();
    if (early > 0) await wait(early);
    const token = tokens[number % tokens.length] ?? '';
    const next = (last.get(token) ?? Promise.resolve()).then(() => revoke(`order-${number}`, token));
    last.set(token, next);
    revoking.push(next);
  }
  const observed = await Promise.all(revoking);
  const times = observed.map(({ orderedAt }) => orderedAt);
  await Promise.all(askers.map((asker) => asker.close()));
  await server.close();
  return { observed, seconds: (Math.max(...times) - Math.min(...times)) / 1000 };
});
