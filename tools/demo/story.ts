/** The demo itself, step by step, in words for newcomers. Throws where what it says did not happen. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Agent, chat } from './agent.ts';
import { say, title, until } from './console.ts';
import { type Kubectl, NAMESPACE } from './kubectl.ts';
import { AGENT, DEVELOPMENT, STEADY } from './manifests.ts';
import { MAIN } from './processes.ts';
import type { Provider } from './provider.ts';

const BAD = join(import.meta.dirname, '../../deploy/examples/bad/wildcard-scope.yaml');

export interface Stage {
  kubectl: Kubectl;
  /** URL of the gateway. */
  gateway: string;
  provider: Provider;
  /** Of the operator. */
  metricsURL: string;
  /** Of the operator and of the verifier. */
  auditFiles: { operator: string; verifier: string };
}

interface Token {
  status?: { tokenID?: string; versions?: { version: number; state: string }[]; revokedThroughVersion?: number };
}
interface Secret {
  metadata: { uid: string };
  data?: Record<string, string>;
}
interface Deployment {
  spec: { template: { metadata: { annotations?: Record<string, string> } } };
}
interface Pods {
  items: { metadata: { uid: string; name: string; deletionTimestamp?: string }; status?: { phase?: string } }[];
}
interface Revocation {
  status?: { receipts?: { verifier: string; afterMilliseconds: number }[] };
}

const decode = (text = '') => Buffer.from(text, 'base64').toString();

export async function tell(stage: Stage): Promise<void> {
  const story = new Story(stage);
  try {
    await story.issue();
    await story.rotation();
    await story.deletion();
    await story.wrongEnvironment();
    await story.badRequest();
    await story.leak();
    await story.record();
  } finally {
    await story.end();
  }
}

class Story {
  readonly #stage: Stage;
  #agent: Agent | undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  async issue(): Promise<void> {
    const { kubectl, gateway, provider } = this.#stage;
    title('1. An agent gets a token, and calls an AI provider');
    say('   We apply an ApiToken for agent:summarizer, and a Deployment that reads it from its environment.');
    await kubectl.must(['apply', '-n', NAMESPACE, '-f', '-'], AGENT);
    const first = await until('the first Secret', async () => {
      const [version, secret] = [await this.#current(), await this.#secret()];
      return version !== undefined && secret?.data?.token ? secret : undefined;
    });
    say(`   Minted: ${decode(first.data?.token)}`);
    say(`   It is in the Secret summarizer-token, keys: ${Object.keys(first.data ?? {}).join(', ')}`);
    this.#agent = new Agent(kubectl, 'summarizer-token', gateway);
    await until('the first answer', () => (this.#agent?.counts.get(200) ? true : undefined));
    const held = provider.lastAuthorization === `Bearer ${provider.key}`;
    if (!held) throw new Error('The provider did not get its own key.');
    say('   The agent now calls all the time, through Envoy: its governed token goes in, and comes no further.');
    say(`   The provider gets its own key, ${provider.key.slice(0, 11)}…, which the agent never holds.`);
  }

  async rotation(): Promise<void> {
    const { kubectl } = this.#stage;
    title('2. The token is rotated on schedule, and no call fails');
    const before = await until('two pods', () => this.#pods());
    say('   It lives for a minute and is renewed 50 s before its end, so after ten seconds. Waiting …');
    const { current, previous } = await until('the rotation', async () => {
      const versions = (await this.#token())?.status?.versions ?? [];
      const old = versions.find(({ state }) => state === 'Previous')?.version;
      const now = versions.find(({ state }) => state === 'Current')?.version;
      return old !== undefined && now !== undefined ? { current: now, previous: old } : undefined;
    });
    say(`   Version ${previous} -> ${current}. Both are accepted during the overlap.`);
    const template = await until('the restart', async () => {
      const deployment = await kubectl.get<Deployment>('deployment', 'summarizer');
      const annotations = Object.entries(deployment?.spec.template.metadata.annotations ?? {});
      return annotations.find(([key, value]) => key.startsWith('version.tokenwright.dev/') && Number(value) >= current);
    });
    const olds = new Set(before.map((pod) => pod.metadata.uid));
    const renewed = await until('the new pods', async () => {
      const pods = await this.#pods();
      return pods?.every((pod) => !olds.has(pod.metadata.uid)) ? pods : undefined;
    });
    say(`   The workload was restarted (${template.join('=')}): ${renewed.length} new pods have the new value.`);
    await until('the end of the overlap', async () => {
      const versions = (await this.#token())?.status?.versions;
      return versions?.every(({ version }) => version !== previous) ? true : undefined;
    });
    say(`   Version ${previous} was retired: it is refused from now on.`);
    this.#expectNoFailure();
  }

  async deletion(): Promise<void> {
    const { kubectl } = this.#stage;
    title('3. Somebody deletes the Secret');
    await kubectl.must(['patch', '-n', NAMESPACE, 'apitoken', 'summarizer', '--type=merge', '-p', STEADY]);
    const last = (await this.#current()) ?? 0;
    const gone = (await this.#secret())?.metadata.uid;
    await kubectl.must(['delete', 'secret', '-n', NAMESPACE, 'summarizer-token']);
    const healed = await until('the repaired Secret', async () => {
      const [version, secret] = [await this.#current(), await this.#secret()];
      const isNew = secret !== undefined && secret.metadata.uid !== gone && Number(decode(secret.data?.version)) > last;
      return isNew && (version ?? 0) > last ? secret : undefined;
    });
    say(
      `   Healed with version ${decode(healed.data?.version)}: a fresh value, since the lost one is kept nowhere else.`,
    );
    this.#expectNoFailure();
  }

  async wrongEnvironment(): Promise<void> {
    const { kubectl, gateway, auditFiles } = this.#stage;
    title('4. A development token knocks at production');
    await kubectl.must(['apply', '-n', NAMESPACE, '-f', '-'], DEVELOPMENT);
    const secret = await until('its Secret', async () => {
      const found = await kubectl.get<Secret>('secret', 'experiment-token');
      return found?.data?.token ? found : undefined;
    });
    const status = await chat(gateway, decode(secret.data?.token));
    if (status !== 401) throw new Error(`The gateway answered ${status} to a development token.`);
    const reason = await until('its record', async () =>
      (await linesOf(auditFiles.verifier)).find(({ name }) => name === 'experiment'),
    );
    say(
      `   Same subject, same scopes: refused with ${status}. The caller learns no more; the audit log says ${reason.outcome}.`,
    );
  }

  async badRequest(): Promise<void> {
    title('5. A request that asks for too much is refused');
    const bad = await this.#stage.kubectl.run(['apply', '-n', NAMESPACE, '-f', BAD]);
    if (bad.ok) throw new Error('A wildcard scope was accepted.');
    say('   A token with the scope "chat:*" could do anything. The API server says:');
    say(`   ${bad.error.trim()}`);
  }

  async leak(): Promise<void> {
    const { kubectl } = this.#stage;
    title('6. The token leaks');
    const agent = this.#agent;
    const stolen = agent?.token ?? '';
    const thief = this.#callUntilRefused(stolen);
    say('   A thief calls with it too. Somebody says: tokenwright revoke summarizer --reason Compromised');
    await cli(kubectl, 'revoke', 'summarizer', '--reason=Compromised', '--note=seen in a public repository', '--wait');
    await thief;
    const [revocation] = (await kubectl.get<{ items: Revocation[] }>('tokenrevocations'))?.items ?? [];
    const receipt = await until('the receipt', () => revocation?.status?.receipts?.[0]);
    say(
      `   The thief is refused. Receipt of verifier ${receipt.verifier}: ${receipt.afterMilliseconds} ms after the order.`,
    );
    const good = agent?.counts.get(200) ?? 0;
    await until('the agent to go on', () => ((agent?.counts.get(200) ?? 0) > good + 5 ? true : undefined));
    say('   A new version is in the Secret, without overlap: the agent has it, and goes on.');
  }

  async record(): Promise<void> {
    const { auditFiles, metricsURL, kubectl } = this.#stage;
    title('7. What can be seen from outside');
    const metrics = await (await fetch(`${metricsURL}/metrics`)).text();
    const moved = metrics.split('\n').filter((line) => {
      return /^tokenwright_(mints|rotations|retirements|restarts|revocations)/.test(line) && !line.endsWith(' 0');
    });
    say('   Metrics that moved:');
    for (const line of moved.slice(0, 10)) say(`     ${line}`);
    say('   What the operator did to that token: tokenwright log summarizer --audit-log operator.jsonl');
    const all = await cli(kubectl, 'log', 'summarizer', `--audit-log=${auditFiles.operator}`);
    for (const line of all.trimEnd().split('\n').slice(-6)) say(`     ${line}`);
    const used = await cli(kubectl, 'log', 'summarizer', `--audit-log=${auditFiles.verifier}`);
    const calls = used.trimEnd().split('\n');
    say(`   What that token did: tokenwright log summarizer --audit-log verifier.jsonl (${calls.length} lines)`);
    for (const line of calls.slice(-3)) say(`     ${line}`);
  }

  async end(): Promise<void> {
    await this.#agent?.stop();
  }

  async #callUntilRefused(token: string): Promise<void> {
    const deadline = performance.now() + 30_000;
    while (performance.now() < deadline) {
      if ((await chat(this.#stage.gateway, token)) === 401) return;
      await wait(2);
    }
    throw new Error('The stolen token was accepted for 30 s.');
  }

  #expectNoFailure(): void {
    const { calls = 0, failed = 0 } = this.#agent ?? {};
    say(`   The agent has made ${calls} calls so far; ${failed} failed.`);
    if (failed > 0) throw new Error(`Calls failed: ${JSON.stringify([...(this.#agent?.counts ?? [])])}`);
  }

  #token(): Promise<Token | undefined> {
    return this.#stage.kubectl.get<Token>('apitoken', 'summarizer');
  }

  async #current(): Promise<number | undefined> {
    return (await this.#token())?.status?.versions?.find(({ state }) => state === 'Current')?.version;
  }

  #secret(): Promise<Secret | undefined> {
    return this.#stage.kubectl.get<Secret>('secret', 'summarizer-token');
  }

  /** Once both run. */
  async #pods(): Promise<Pods['items'] | undefined> {
    const pods = (await this.#stage.kubectl.get<Pods>('pods', '-l', 'app=summarizer'))?.items ?? [];
    const running = pods.filter(
      (pod) => pod.metadata.deletionTimestamp === undefined && pod.status?.phase === 'Running',
    );
    return running.length >= 2 ? running : undefined;
  }
}

const run = promisify(execFile);

async function cli({ kubeconfig }: Kubectl, command: string, ...args: string[]): Promise<string> {
  const cluster = command === 'log' ? [] : [`--kubeconfig=${kubeconfig}`];
  const { stdout } = await run(process.execPath, [MAIN, command, `--namespace=${NAMESPACE}`, ...cluster, ...args], {
    timeout: 60_000,
    maxBuffer: 1 << 26,
  });
  return stdout;
}

async function linesOf(file: string): Promise<Record<string, string>[]> {
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
