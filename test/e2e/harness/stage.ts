/** A namespace of a test's own, with an operator that sees nothing else. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { ApiToken, ApiTokenCondition, ApiTokenSpec } from '../../../src/api/apitoken.ts';
import { SECRET_KEYS, versionAnnotation } from '../../../src/api/names.ts';
import type { TokenRevocationSpec } from '../../../src/api/token-revocation.ts';
import type { AuditRecord } from '../../../src/domain/audit.ts';
import { digestOf } from '../../../src/domain/value.ts';
import { API, ApiServer, expectOk, installApi, OPERATOR } from '../../crds/api-server.ts';
import { cluster } from '../cluster.ts';
import { Accounts } from './accounts.ts';
import { inspect } from './inspection.ts';
import { kubeconfigThrough } from './kubeconfig.ts';
import { apiToken, BASELINE, tokenRevocation, type WorkloadOptions, workload } from './manifests.ts';
import { OperatorProcess } from './operator.ts';
import { ApiProxy, isProtocolWrite } from './proxy.ts';
import { type Kind, type Kinds, PATIENCE, pathOf, type SecretObject, Timeline } from './timeline.ts';

/** Where every operator under test keeps its Lease; the admission policies know the account by this namespace. */
export const OPERATOR_NAMESPACE = 'tokenwright-system';

/** Short times, so that a test lasts seconds. */
const FLAGS: Record<string, string> = {
  'settle-after': '1s',
  'min-heal-interval': '1s',
  'log-level': 'debug',
  'metrics-bind-address': '127.0.0.1:0',
};

export type WorkloadKind = 'deployments' | 'statefulsets' | 'daemonsets';
const WORKLOAD_KINDS: Record<string, WorkloadKind> = {
  Deployment: 'deployments',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
};

/** What the stages of one test file share. */
export class Theatre {
  readonly server: ApiServer;
  readonly timeline: Timeline;
  readonly #name: string;
  readonly #stages: Stage[] = [];
  #count = 0;

  private constructor(name: string, server: ApiServer, timeline: Timeline) {
    this.#name = name;
    this.server = server;
    this.timeline = timeline;
  }

  static async open(name: string): Promise<Theatre> {
    const { kubeconfig } = cluster();
    const server = await ApiServer.open(kubeconfig);
    await installApi(server);
    expectOk(await server.apply(`${API}/tokenpolicies/${BASELINE.metadata.name}`, BASELINE));
    const made = await server.create('/api/v1/namespaces', { metadata: { name: OPERATOR_NAMESPACE } });
    if (made.status !== 409) expectOk(made);
    return new Theatre(name, server, await Timeline.open(kubeconfig));
  }

  /** `direct`: its operator has no proxy, but an account of its own as in a cluster. */
  async stage(labels: Record<string, string> = {}, { direct = false } = {}): Promise<Stage> {
    this.#count += 1;
    const namespace = `e2e-${this.#name}-${process.pid}-${this.#count}-${Date.now().toString(36)}`;
    this.timeline.follow(namespace);
    const stage = new Stage(this, namespace, direct ? undefined : await ApiProxy.open(this.timeline.connection));
    this.#stages.push(stage);
    expectOk(await this.server.create('/api/v1/namespaces', { metadata: { name: namespace, labels } }));
    await stage.accounts?.make();
    return stage;
  }

  async close(): Promise<void> {
    for (const stage of this.#stages) await stage.close();
    // on a control plane of our own the namespaces stay, for the search for leaked values
    if (!cluster().etcd) {
      for (const { namespace } of this.#stages) {
        await this.#release(namespace);
        await this.server.delete(`/api/v1/namespaces/${namespace}`);
      }
    }
    await this.timeline.close();
    await this.server.close();
  }

  /** What no operator is left to let go. */
  async #release(namespace: string): Promise<void> {
    const operator = this.server.as(OPERATOR);
    for (const { metadata } of this.timeline.list('tokenrevocations', namespace)) {
      const path = pathOf('tokenrevocations', namespace, metadata.name);
      await operator.mergePatch(path, { metadata: { finalizers: null } });
    }
  }
}

export class Stage {
  readonly namespace: string;
  readonly timeline: Timeline;
  readonly server: ApiServer;
  readonly auditFile: string;
  readonly logFile: string;
  /** Where it is direct. */
  readonly accounts: Accounts | undefined;
  /** What the test itself does that the invariants have to know. */
  forgesStatus = false;
  losesOverlap = false;
  hasWipedAnnotations = false;
  readonly #proxy: ApiProxy | undefined;
  #operator: OperatorProcess | undefined;
  readonly #others: { operator: OperatorProcess; proxy: ApiProxy; auditFile: string }[] = [];

  constructor({ server, timeline }: Theatre, namespace: string, proxy: ApiProxy | undefined) {
    this.namespace = namespace;
    this.server = server;
    this.timeline = timeline;
    this.#proxy = proxy;
    this.accounts = proxy ? undefined : new Accounts(server, namespace);
    this.auditFile = join(cluster().records, `${namespace}.audit.jsonl`);
    this.logFile = join(cluster().records, `${namespace}.log`);
    if (proxy) this.#watchOver(proxy);
  }

  // ---- The operator ------------------------------------------------------------------------------------------------

  get proxy(): ApiProxy {
    if (!this.#proxy) throw new Error('open the stage without direct: its operator has no proxy');
    return this.#proxy;
  }

  get operator(): OperatorProcess {
    if (!this.#operator) throw new Error('no operator was started');
    return this.#operator;
  }

  async start(flags: Record<string, string> = {}): Promise<OperatorProcess> {
    this.#proxy?.resume();
    const kubeconfig = await (this.accounts?.operator() ?? kubeconfigThrough(this.proxy));
    this.#operator = await OperatorProcess.start(
      this.#arguments({ kubeconfig, 'audit-log': this.auditFile, ...flags }),
      this.logFile,
    );
    return this.#operator;
  }

  /** One more, with a proxy, an audit file and a log of its own. */
  async startAnother(flags: Record<string, string> = {}) {
    const proxy = await ApiProxy.open(this.timeline.connection);
    const number = this.#others.length + 2;
    const auditFile = this.auditFile.replace('.audit.', `.${number}.audit.`);
    this.#watchOver(proxy);
    const kubeconfig = await kubeconfigThrough(proxy);
    const given = this.#arguments({ kubeconfig, 'audit-log': auditFile, ...flags });
    const operator = await OperatorProcess.start(given, this.logFile.replace('.log', `.${number}.log`));
    const another = { operator, proxy, auditFile };
    this.#others.push(another);
    return another;
  }

  #watchOver(proxy: ApiProxy): void {
    proxy.inspect = (call) =>
      inspect(call, {
        namespace: this.namespace,
        forgesStatus: this.forgesStatus,
        audit: () => this.auditRecords(),
        versions: (name, revision) =>
          this.history('apitokens', name).find(({ at }) => at === revision)?.object.status?.versions,
      });
    proxy.onAnswer = () => this.timeline.poke();
  }

  #arguments(flags: Record<string, string>): string[] {
    const given = {
      namespace: OPERATOR_NAMESPACE,
      'watch-namespace': this.namespace,
      'lease-name': this.namespace,
      ...FLAGS,
      ...flags,
    };
    return Object.entries(given).map(([name, value]) => `--${name}=${value}`);
  }

  async close(): Promise<void> {
    for (const { operator, proxy } of [...this.#others, { operator: this.#operator, proxy: this.#proxy }]) {
      await operator?.keepMetrics();
      operator?.kill();
      await operator?.whenEnded();
      await proxy?.close();
    }
  }

  // ---- What users do -----------------------------------------------------------------------------------------------

  path(kind: Kind, name?: string): string {
    return pathOf(kind, this.namespace, name);
  }

  async issue(name: string, spec: Partial<ApiTokenSpec> = {}): Promise<void> {
    expectOk(await this.server.create(this.path('apitokens'), apiToken(name, spec)));
  }

  /** Creates it, and waits until it is rolled out. */
  async deploy(name: string, options: WorkloadOptions): Promise<void> {
    const manifest = workload(name, options);
    const kind = WORKLOAD_KINDS[manifest.kind] ?? 'deployments';
    expectOk(await this.server.create(this.path(kind), manifest));
    const wanted = manifest.kind === 'DaemonSet' ? 1 : (options.replicas ?? 1);
    await this.timeline.until(
      `${name} runs`,
      () => this.podsOf(name).filter(isReadyPod).length === wanted && this.isRolledOut(kind, name),
    );
    await this.untilTheNextSecond();
  }

  async revoke(name: string, spec: Partial<TokenRevocationSpec> & Pick<TokenRevocationSpec, 'match'>): Promise<void> {
    expectOk(await this.server.create(this.path('tokenrevocations'), tokenRevocation(name, spec)));
  }

  async patch(kind: Kind, name: string, patch: object): Promise<void> {
    expectOk(await this.server.mergePatch(this.path(kind, name), patch));
  }

  async patchSpec(name: string, spec: object): Promise<void> {
    await this.patch('apitokens', name, { spec });
  }

  async requestRotation(name: string, text = `request ${performance.now()}`): Promise<void> {
    await this.patch('apitokens', name, { metadata: { annotations: { 'tokenwright.dev/rotate-requested-at': text } } });
  }

  async remove(kind: Kind, name: string): Promise<void> {
    expectOk(await this.server.delete(this.path(kind, name)));
  }

  /** By the operator's account, since the policies let nobody else. */
  async forgeStatus(name: string, change: (token: ApiToken) => void): Promise<void> {
    const operator = this.server.as(OPERATOR);
    for (;;) {
      const { body } = expectOk(await operator.get(this.path('apitokens', name)));
      const token = body as unknown as ApiToken;
      change(token);
      const answer = await operator.replace(`${this.path('apitokens', name)}/status`, token);
      if (answer.status === 409) continue;
      expectOk(answer);
      return;
    }
  }

  // ---- What can be seen --------------------------------------------------------------------------------------------

  until<T>(what: string, look: () => T | undefined | false, seconds?: number): Promise<T> {
    return this.timeline.until(what, look, seconds).catch((error: Error) => {
      error.message += `\n${this.summary(what)}`;
      throw error;
    });
  }

  /** Before more is asserted than what was waited for. */
  caughtUp(): Promise<void> {
    return this.timeline.caughtUp(this.namespace);
  }

  /** For what the API does not tell; asks again and again. */
  async untilAsked<T>(what: string, ask: () => Promise<T | undefined | false>, seconds = PATIENCE): Promise<T> {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      const found = await ask();
      if (found) return found;
      if (performance.now() > deadline) throw new Error(`not so within ${seconds} s: ${what}\n${this.summary(what)}`);
      await wait(50);
    }
  }

  token(name: string): ApiToken | undefined {
    return this.timeline.get('apitokens', this.namespace, name);
  }

  secret(name: string): SecretObject | undefined {
    return this.timeline.get('secrets', this.namespace, name);
  }

  history<K extends Kind>(kind: K, name?: string) {
    return this.timeline.history<K>(kind, this.namespace, name);
  }

  /** Of every revision of the Secret, in their order and without repeats. */
  values(name: string): string[] {
    return [
      ...new Set(this.history('secrets', name).map(({ object }) => keyOfSecret(object, SECRET_KEYS.token) ?? '')),
    ];
  }

  condition(name: string, type: ApiTokenCondition['type']): ApiTokenCondition | undefined {
    return this.token(name)?.status?.conditions?.find((condition) => condition.type === type);
  }

  /** The version that stands in the Secret, once status calls it Current and the token is Ready. */
  delivered(name: string, secretName = name): number | undefined {
    const { status } = this.token(name) ?? {};
    const current = status?.versions?.find((version) => version.state === 'Current');
    const value = keyOfSecret(this.secret(secretName), SECRET_KEYS.token);
    const isHeld = value !== undefined && digestOf(value) === current?.digest;
    return isHeld && this.condition(name, 'Ready')?.status === 'True' ? current?.version : undefined;
  }

  untilDelivered(name: string, version: number, seconds?: number): Promise<number> {
    return this.until(
      `version ${version} of ${name} is delivered`,
      () => this.delivered(name) === version && version,
      seconds,
    );
  }

  /** Delivered, the one before retired, and nothing left to do. */
  untilSettled(name: string, version: number, seconds?: number): Promise<unknown> {
    return this.until(
      `version ${version} of ${name} stands alone`,
      () => this.delivered(name) === version && this.isSettled(name),
      seconds,
    );
  }

  isSettled(name: string): boolean {
    const { status } = this.token(name) ?? {};
    return status?.versions?.length === 1 && status.restarts?.pending === 0;
  }

  podsOf(app: string) {
    return this.timeline.list('pods', this.namespace).filter((pod) => pod.metadata.labels?.app === app);
  }

  isRolledOut(kind: WorkloadKind, name: string): boolean {
    const found = this.timeline.get(kind, this.namespace, name);
    const { status = {}, metadata, spec } = found ?? {};
    const wanted = kind === 'daemonsets' ? 1 : (spec?.replicas ?? 1);
    const ready = kind === 'daemonsets' ? status.numberAvailable : status.availableReplicas;
    const updated = kind === 'daemonsets' ? status.updatedNumberScheduled : status.updatedReplicas;
    const total = kind === 'daemonsets' ? wanted : status.replicas;
    return (
      (status.observedGeneration ?? 0) >= (metadata?.generation ?? 1) &&
      ready === wanted &&
      updated === wanted &&
      total === wanted
    );
  }

  /** The values that our annotation in the pod template took, one after the other. */
  restarts(kind: WorkloadKind, name: string, tokenName: string): string[] {
    const key = versionAnnotation(this.token(tokenName)?.status?.tokenID ?? '');
    const values = this.history(kind, name).map(({ object }) => object.spec?.template?.metadata?.annotations?.[key]);
    return values.filter((value, index) => value !== values[index - 1]).filter((value) => value !== undefined);
  }

  audit(file = this.auditFile): AuditRecord[] {
    if (!existsSync(file)) return [];
    return (
      readFileSync(file, 'utf8')
        .split('\n')
        // what follows the last line break is being written
        .slice(0, -1)
        .map((line) => JSON.parse(line))
    );
  }

  /** Of each operator what it wrote: two that try the same write both say so. */
  auditTrails(): AuditRecord[][] {
    return [this.auditFile, ...this.#others.map(({ auditFile }) => auditFile)].map((file) => this.audit(file));
  }

  /** Of all operators. */
  auditRecords(): AuditRecord[] {
    return this.auditTrails().flat();
  }

  /** What the operators' writes broke while they were made. */
  objections(): string[] {
    return this.#proxies().flatMap((proxy) => proxy.objections);
  }

  #proxies(): ApiProxy[] {
    return [this.proxy, ...this.#others.map(({ proxy }) => proxy)];
  }

  /** All that the operators have written to disk. */
  files(): string[] {
    const others = this.#others.flatMap(({ operator, auditFile }) => [operator.logFile, auditFile]);
    return [this.logFile, this.auditFile, ...others].filter(existsSync);
  }

  /** Of all Secrets' keys `token`, ever. */
  allValues(): string[] {
    const values = this.history('secrets').map(({ object }) => keyOfSecret(object, SECRET_KEYS.token));
    return [...new Set(values.filter((value) => value !== undefined && value.length >= 16))].map(String);
  }

  events(reason: string) {
    return this.timeline.list('events', this.namespace).filter((event) => event.reason === reason);
  }

  protocolWrites() {
    return this.proxy.calls.filter(isProtocolWrite);
  }

  /** No call of that sort by any operator for so long. Not a sleep: it is what is asserted. */
  async quiet(milliseconds: number, isLoud = isProtocolWrite): Promise<void> {
    const since = performance.now();
    await wait(milliseconds);
    const loud = this.#proxies().flatMap(({ calls }) => calls.filter((call) => call.at >= since && isLoud(call)));
    if (loud.length > 0) {
      const what = loud.map((call) => `${call.verb} ${call.resource} ${call.name ?? ''}`).join(', ');
      throw new Error(`the operator was not quiet: ${what}\n${this.summary()}`);
    }
  }

  /** Pods' times have whole seconds: what happens in two seconds can be told apart. */
  async untilTheNextSecond(): Promise<void> {
    await wait(1005 - (Date.now() % 1000));
  }

  /** For messages of failures: of the ApiTokens that `what` names, or of all. Holds no value. */
  summary(what = ''): string {
    const all = this.timeline.list('apitokens', this.namespace);
    const named = all.filter(({ metadata }) => what.split(' ').includes(metadata.name));
    const tokens = named.length > 0 ? named : all;
    const states = tokens.map(({ metadata, status }) => ({
      name: metadata.name,
      lastVersion: status?.lastVersion,
      versions: status?.versions?.map((v) => `${v.version} ${v.state} ${v.acceptedUntilTime ?? ''}`),
      conditions: status?.conditions?.map((c) => `${c.type}=${c.status} ${c.reason}: ${c.message}`),
      restarts: status?.restarts,
      failures: status?.failures,
    }));
    const log = existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8').split('\n') : [];
    const lines = log.filter((line) => tokens.some(({ metadata }) => line.includes(metadata.name))).slice(-25);
    return [this.namespace, JSON.stringify(states, undefined, 1), ...lines].join('\n');
  }
}

export function keyOfSecret(secret: SecretObject | undefined, key: string): string | undefined {
  const text = secret?.data?.[key];
  return text === undefined ? undefined : Buffer.from(text, 'base64').toString();
}

export function isReadyPod(pod: Kinds['pods']): boolean {
  const isReady = pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
  return isReady && pod.metadata.deletionTimestamp === undefined;
}
