/** An operator, its tokens, and several verifiers that check them, each behind a proxy that can freeze, unless they are direct. */
import { join } from 'node:path';
import type { ApiTokenSpec } from '../../../src/api/apitoken.ts';
import type { TokenAudienceRoute } from '../../../src/api/token-audience.ts';
import { expectOk, VERIFIER } from '../../crds/api-server.ts';
import { cluster } from '../cluster.ts';
import { kubeconfigThrough } from '../harness/kubeconfig.ts';
import { ENVIRONMENT } from '../harness/manifests.ts';
import { ApiProxy } from '../harness/proxy.ts';
import { keyOfSecret, OPERATOR_NAMESPACE, type Stage, Theatre } from '../harness/stage.ts';
import { VerifierProcess } from '../harness/verifier.ts';
import { type Address, Asker, pathFor } from './asker.ts';

const AUDIENCES = '/apis/tokenwright.dev/v1alpha1/tokenaudiences';

export interface FleetOptions {
  /** How many. */
  verifiers: number;
  /** Of the audience, such as 5s. */
  staleness: string;
  /** Of the audience; where left out, gateways state the scopes. */
  routes?: TokenAudienceRoute[];
  tokens: Readonly<Record<string, Partial<ApiTokenSpec>>>;
  /** Of the verifiers, beyond what all of them are given; with the value '' such as have none. */
  flags?: Readonly<Record<string, string>>;
  operatorFlags?: Record<string, string>;
  environments?: string[];
  /** For what is measured: nothing between them and the API server, and accounts of their own as in a cluster. */
  direct?: boolean;
}

export class Member extends Asker {
  readonly process: VerifierProcess;
  /** For programs that ask by themselves. */
  readonly address: Address;
  readonly #proxy: ApiProxy | undefined;

  constructor(name: string, process: VerifierProcess, audience: string, proxy?: ApiProxy) {
    const address = { name, origin: `${process.isTls ? 'https' : 'http'}://127.0.0.1:${process.port}`, audience };
    super(address);
    this.process = process;
    this.address = address;
    this.#proxy = proxy;
  }

  get proxy(): ApiProxy {
    if (!this.#proxy) throw new Error('open the fleet without direct: these verifiers have no proxy');
    return this.#proxy;
  }

  get url(): string {
    return this.address.origin + pathFor(this.address.audience);
  }

  override async close(): Promise<void> {
    await super.close();
    // one that is cut off could not let its Lease go
    this.#proxy?.thaw();
    await this.process.stop();
    await this.#proxy?.close();
  }
}

export class Fleet {
  readonly theatre: Theatre;
  readonly stage: Stage;
  readonly members: Member[] = [];

  private constructor(theatre: Theatre, stage: Stage) {
    this.theatre = theatre;
    this.stage = stage;
  }

  /** Resolves when all tokens are delivered and every verifier answers. Leaves nothing running when it fails. */
  static async open(name: string, options: FleetOptions): Promise<Fleet> {
    const theatre = await Theatre.open(name);
    const fleet = new Fleet(theatre, await theatre.stage({}, options));
    try {
      await fleet.#fill(options);
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  async #fill(options: FleetOptions): Promise<void> {
    const {
      verifiers,
      staleness,
      routes,
      tokens,
      flags = {},
      operatorFlags = {},
      environments = [ENVIRONMENT],
    } = options;
    const { stage, audience } = this;
    expectOk(
      await stage.server.create(AUDIENCES, {
        apiVersion: 'tokenwright.dev/v1alpha1',
        kind: 'TokenAudience',
        metadata: { name: audience },
        spec: { environments, staleness: { max: staleness }, ...(routes && { routes }) },
      }),
    );
    const starting = Array.from({ length: verifiers }, (_, index) => this.#member(`${audience}-${index}`, flags));
    await stage.start(operatorFlags);
    for (const [token, spec] of Object.entries(tokens)) await stage.issue(token, { audiences: [audience], ...spec });
    this.members.push(...(await Promise.all(starting)));
    for (const token of Object.keys(tokens)) await stage.untilDelivered(token, 1);
  }

  /** Its name is that of the namespace, which no other test uses. */
  get audience(): string {
    return this.stage.namespace;
  }

  value(name: string): string {
    const value = keyOfSecret(this.stage.secret(name), 'token');
    if (value === undefined) throw new Error(`${name} has no value`);
    return value;
  }

  /** Of each verifier. */
  async statuses(token: string): Promise<number[]> {
    return (await Promise.all(this.members.map((member) => member.ask(token)))).map(({ status }) => status);
  }

  /** Every verifier lets these through: before somebody counts on it whose first call may be one that waits for a watch. */
  async untilAccepted(names: readonly string[]): Promise<void> {
    for (const name of names)
      await this.stage.untilAsked(`all verifiers accept ${name}`, async () =>
        (await this.statuses(this.value(name))).every((status) => status === 200),
      );
  }

  /** One more, such as of another environment. */
  async join(name: string, flags: Readonly<Record<string, string>>): Promise<Member> {
    const member = await this.#member(`${this.audience}-${name}`, flags);
    this.members.push(member);
    return member;
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.close()));
    await this.stage.server.delete(`${AUDIENCES}/${this.audience}`);
    await this.theatre.close();
  }

  async #member(name: string, flags: Readonly<Record<string, string>>): Promise<Member> {
    const { accounts, timeline } = this.stage;
    if (accounts) return this.#start(name, flags, await accounts.verifier(name));
    const proxy = await ApiProxy.open(timeline.connection, { ...VERIFIER, pod: name });
    return this.#start(name, flags, await kubeconfigThrough(proxy), proxy);
  }

  async #start(
    name: string,
    flags: Readonly<Record<string, string>>,
    kubeconfig: string,
    proxy?: ApiProxy,
  ): Promise<Member> {
    const given = {
      name,
      environment: ENVIRONMENT,
      namespace: OPERATOR_NAMESPACE,
      'upstream-namespace': this.stage.namespace,
      kubeconfig,
      'bind-address': '127.0.0.1:0',
      'metrics-bind-address': '127.0.0.1:0',
      ...('tls-cert-file' in flags ? {} : { 'no-tls': '' }),
      ...flags,
    };
    const process = await VerifierProcess.start(given, join(cluster().records, name));
    return new Member(name, process, this.audience, proxy);
  }
}
