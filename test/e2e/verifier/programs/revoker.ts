/** Orders revocations at a steady rate, and asks every verifier about the value in question until it is refused. */
import { setTimeout as wait } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { pino } from 'pino';
import { ApiServerClient } from '../../../../src/kube/client.ts';
import { ClusterConnection } from '../../../../src/kube/connection.ts';
import { Reflector } from '../../../../src/kube/reflector.ts';
import { SECRETS, type Secret } from '../../../../src/reconcile/apitoken/secret.ts';
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

/** What the Secrets of a namespace hold, by a watch: to ask for each would load the API server that has to replace them. */
class Values {
  readonly #client: ApiServerClient;
  readonly #secrets: Reflector<Secret>;
  readonly #namespace: string;
  readonly #revoked = new Map<string, string>();
  readonly #awaited = new Map<string, (value: string) => void>();

  constructor(connection: ClusterConnection, namespace: string) {
    this.#namespace = namespace;
    this.#client = new ApiServerClient({ connection });
    this.#secrets = new Reflector({ client: this.#client, type: SECRETS, namespace, log: pino({ level: 'silent' }) })
      .onChange((_, { metadata: { name } }) => {
        const value = this.#read(name);
        if (value === undefined) return;
        this.#awaited.get(name)?.(value);
        this.#awaited.delete(name);
      })
      .start();
  }

  /** Of the version in the Secret; of its replacement, where there was an order before. */
  async revoke(name: string): Promise<string> {
    await this.#secrets.whenSynced;
    const value = this.#read(name) ?? (await new Promise<string>((found) => this.#awaited.set(name, found)));
    this.#revoked.set(name, value);
    return value;
  }

  close(): Promise<void> {
    return this.#secrets.stop();
  }

  #read(name: string): string | undefined {
    const { data } = this.#secrets.get(`${this.#namespace}/${name}`) ?? {};
    const value = Buffer.from(data?.token ?? '', 'base64').toString();
    return value === '' || value === this.#revoked.get(name) ? undefined : value;
  }
}

await carryOut<RevokerJob, RevokerSeen>(async (job) => {
  const { namespace, tokens, revocations, perSecond } = job;
  const server = await ApiServer.open(job.kubeconfig);
  const config = new KubeConfig();
  config.loadFromFile(job.kubeconfig);
  const connection = await ClusterConnection.open(config, 'test');
  const values = new Values(connection, namespace);
  const askers = job.verifiers.map((address) => new Asker(address));
  const orders = `/apis/tokenwright.dev/v1alpha1/namespaces/${namespace}/tokenrevocations`;

  const revoke = async (order: string, token: string): Promise<Observed> => {
    const value = await values.revoke(token);
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
  await values.close();
  await connection.close();
  await server.close();
  return { observed, seconds: (Math.max(...times) - Math.min(...times)) / 1000 };
});
