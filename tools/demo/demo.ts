import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type ControlPlane, startControlPlane } from '../controlplane/control-plane.ts';
import { freePort } from '../controlplane/free-port.ts';

const HELP = `Shows Tokenwright at work: a token minted, rotated, healed; a bad request refused; what is recorded.

Usage: npm run demo [-- options]

Options:
  --keep              stay up at the end until Ctrl-C
  --kubeconfig FILE   use an existing cluster (needs kubectl and its every right), not a local control plane
  -h, --help          this text

Takes about a minute; the first time longer, to get the binaries of Kubernetes. Cleans up all that it made.
`;

const NAMESPACE = 'tokenwright-demo';
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const STEP_SECONDS = 45;
const MANIFEST = `apiVersion: tokenwright.dev/v1alpha1
kind: ApiToken
metadata: {name: summarizer}
spec:
  subject: agent:summarizer
  purpose: Summarise incoming support tickets
  environment: production
  audiences: [ai-gateway]
  scopes: ["chat:write"]
  ttl: 1m
  rotation: {renewBefore: 50s, overlap: 6s}
  secret: {name: summarizer-token}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: summarizer}
spec:
  replicas: 2
  selector: {matchLabels: {app: summarizer}}
  template:
    metadata: {labels: {app: summarizer}}
    spec:
      automountServiceAccountToken: false
      containers:
        - name: agent
          image: registry.k8s.io/pause:3.10
          env:
            - name: AI_GATEWAY_TOKEN
              valueFrom: {secretKeyRef: {name: summarizer-token, key: token}}
`;

interface Version {
  version: number;
  state: string;
}
interface Token {
  status?: { tokenID?: string; versions?: Version[]; conditions?: { type: string; status: string }[] };
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

const began = performance.now();
const colour = (code: number, text: string) => (process.stdout.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text);
const elapsed = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
const redact = (text: string) => text.replace(/twk_([a-z0-9-]+)_[0-9A-Za-z]+/g, 'twk_$1_…[redacted]');
const say = (text: string) => console.log(redact(text));
const title = (text: string) => say(`\n${colour(1, text)} ${colour(2, `(${elapsed()})`)}`);
const decode = (text = '') => Buffer.from(text, 'base64').toString();
const stop = new AbortController();

class Demo {
  readonly #kubeconfig: string;
  readonly #kubectl: string;

  constructor(kubeconfig: string, kubectl: string) {
    this.#kubeconfig = kubeconfig;
    this.#kubectl = kubectl;
  }

  async kubectl(args: string[], input = ''): Promise<{ ok: boolean; out: string; error: string }> {
    return new Promise((done) => {
      const all = ['--kubeconfig', this.#kubeconfig, '--request-timeout=20s', ...args];
      const child = execFile(this.#kubectl, all, { maxBuffer: 1 << 24 }, (error, out, stderr) =>
        done({ ok: error === null, out, error: stderr || (error?.message ?? '') }),
      );
      child.stdin?.on('error', () => {}); // it ended before it read all
      child.stdin?.end(input);
    });
  }

  async must(args: string[], input = ''): Promise<string> {
    const { ok, out, error } = await this.kubectl(args, input);
    if (!ok) throw new Error(`kubectl ${args.join(' ')}: ${error.trim()}`);
    return out;
  }

  async get<T>(...what: string[]): Promise<T | undefined> {
    const { ok, out } = await this.kubectl(['get', '-n', NAMESPACE, ...what, '-o', 'json']);
    return ok ? (JSON.parse(out) as T) : undefined;
  }
}

/** Asks until there is an answer; `what` completes "Waited 45 s in vain for …". */
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + STEP_SECONDS * 1000;
  while (performance.now() < deadline) {
    stop.signal.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined) return answer;
    await wait(100, undefined, { signal: stop.signal });
  }
  throw new Error(`Waited ${STEP_SECONDS} s in vain for ${what}.`);
}

const currentOf = (token: Token | undefined) => token?.status?.versions?.find((v) => v.state === 'Current')?.version;

async function show(demo: Demo, metricsURL: string, auditFile: string): Promise<void> {
  const token = () => demo.get<Token>('apitoken', 'summarizer');
  const secret = () => demo.get<Secret>('secret', 'summarizer-token');
  const pods = async () =>
    ((await demo.get<Pods>('pods', '-l', 'app=summarizer'))?.items ?? []).filter(
      (pod) => pod.metadata.deletionTimestamp === undefined && pod.status?.phase === 'Running',
    );

  title('1. An agent asks for a token');
  say('   We apply an ApiToken for agent:summarizer, and a Deployment that reads it from its environment.');
  await demo.must(['apply', '-n', NAMESPACE, '-f', '-'], MANIFEST);
  const first = await until('the first Secret', async () => {
    const [seen, value] = [await token(), await secret()];
    return currentOf(seen) !== undefined && value?.data?.token ? value : undefined;
  });
  say(`   Minted: ${decode(first.data?.token)}`);
  say(`   It is in the Secret summarizer-token, keys: ${Object.keys(first.data ?? {}).join(', ')}`);
  const before = await until('two pods', async () => {
    const running = await pods();
    return running.length >= 2 ? running : undefined;
  });
  say(`   ${before.length} pods run with it.`);

  title('2. It is rotated on schedule');
  say('   It lives for a minute and is renewed 50 s before its end, so after ten seconds. Waiting …');
  const old = Number(decode(first.data?.version));
  const both = await until('the rotation', async () => {
    const versions = (await token())?.status?.versions ?? [];
    const current = versions.find((v) => v.state === 'Current' && v.version > old);
    const previous = versions.find((v) => v.state === 'Previous');
    return current && previous ? { current: current.version, previous: previous.version } : undefined;
  });
  say(`   Version ${both.previous} -> ${both.current}. Both are accepted during the overlap, so no request fails.`);
  const template = await until('the restart', async () => {
    const annotations = (await demo.get<Deployment>('deployment', 'summarizer'))?.spec.template.metadata.annotations;
    return Object.entries(annotations ?? {}).find(
      ([key, value]) => key.startsWith('version.tokenwright.dev/') && Number(value) >= both.current,
    );
  });
  const olds = new Set(before.map((pod) => pod.metadata.uid));
  const renewed = await until('the new pods', async () => {
    const running = await pods();
    return running.length >= 2 && running.every((pod) => !olds.has(pod.metadata.uid)) ? running : undefined;
  });
  say(`   The workload was restarted (${template.join('=')}): ${renewed.length} new pods have the new value.`);
  await until('the end of the overlap', async () => {
    const versions = (await token())?.status?.versions;
    return versions?.every((v) => v.version !== both.previous) ? true : undefined;
  });
  say(`   Version ${both.previous} was retired: it is refused from now on.`);

  title('3. Somebody deletes the Secret');
  const last = currentOf(await token()) ?? both.current;
  const gone = (await secret())?.metadata.uid;
  await demo.must(['delete', 'secret', '-n', NAMESPACE, 'summarizer-token']);
  const healed = await until('the repaired Secret', async () => {
    const [seen, value] = [await token(), await secret()];
    const isNew = value !== undefined && value.metadata.uid !== gone && Number(decode(value.data?.version)) > last;
    return isNew && (currentOf(seen) ?? 0) > last ? value : undefined;
  });
  say(
    `   Healed with version ${decode(healed.data?.version)}: a fresh value, since the lost one is kept nowhere else.`,
  );

  title('4. A bad request is refused');
  const bad = await demo.kubectl([
    'apply',
    '-n',
    NAMESPACE,
    '-f',
    join(ROOT, 'deploy/examples/bad/wildcard-scope.yaml'),
  ]);
  if (bad.ok) throw new Error('A wildcard scope was accepted.');
  say('   A token with the scope "chat:*" could do anything. The API server says:');
  say(`   ${bad.error.trim()}`);

  title('5. What can be seen from outside');
  const metrics = await (await fetch(metricsURL)).text();
  const moved = metrics.split('\n').filter((line) => {
    return /^tokenwright_(mints|rotations|retirements|restarts|token_ready)/.test(line) && !line.endsWith(' 0');
  });
  say('   Metrics that moved:');
  for (const line of moved.slice(0, 5)) say(`     ${line}`);
  say('   Audit: an intent before each act, an outcome after it:');
  const lines = (await readFile(auditFile, 'utf8')).split('\n').filter((line) => line.includes('"phase"'));
  for (const line of lines.slice(-4)) {
    const record = JSON.parse(line) as Record<string, string | number>;
    say(
      `     ${record.time} ${record.phase} ${record.operation} version ${record.version} (${record.cause}) ${record.identity}`,
    );
  }
}

async function startOperator(
  kubeconfig: string,
  port: number,
  auditFile: string,
  logFile: string,
): Promise<ChildProcess> {
  const log = openSync(logFile, 'a');
  const flags = `--namespace ${NAMESPACE} --watch-namespace ${NAMESPACE} --metrics-bind-address 127.0.0.1:${port} --settle-after 3s --min-heal-interval 1s --lease-duration 5s`;
  const paths = ['--kubeconfig', kubeconfig, '--audit-log', auditFile];
  const child = spawn(process.execPath, [join(ROOT, 'src/main.ts'), 'operator', ...paths, ...flags.split(' ')], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  return child;
}

async function run(keep: boolean, existing: string | undefined): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tokenwright-demo-'));
  const logFile = join(folder, 'operator.log');
  const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    let plane: ControlPlane | undefined;
    if (existing === undefined) {
      title('A Kubernetes control plane of your own (the first time this takes minutes)');
      plane = await startControlPlane({ log: (line) => say(`   ${line}`) });
      undo.push(async () => plane?.stop());
    }
    stop.signal.throwIfAborted();
    const kubeconfig = plane?.kubeconfig ?? resolve(existing ?? '');
    const demo = new Demo(kubeconfig, plane?.bin('kubectl') ?? 'kubectl');
    if (!(await demo.kubectl(['get', 'crd', 'apitokens.tokenwright.dev'])).ok) {
      undo.push(() => demo.kubectl(['delete', '-k', join(ROOT, 'crds'), '--ignore-not-found']));
      await demo.must(['apply', '--server-side', '-k', join(ROOT, 'crds')]);
    }
    // not `kubectl wait`, which fails while the definition is so new that it has no conditions yet
    await until('the API of ApiToken', async () => (await demo.kubectl(['get', 'apitokens', '-A'])).ok || undefined);
    // fails where it exists: what is in it is not ours to delete
    await demo.must(['create', 'namespace', NAMESPACE]);
    undo.push(() => demo.kubectl(['delete', 'namespace', NAMESPACE, '--request-timeout=60s', '--timeout=50s']));

    const port = await freePort();
    const auditFile = join(folder, 'audit.jsonl');
    const operator = await startOperator(kubeconfig, port, auditFile, logFile);
    const ended = once(operator, 'exit');
    undo.push(async () => {
      operator.kill('SIGTERM');
      const force = setTimeout(() => operator.kill('SIGKILL'), 10_000);
      if (operator.exitCode === null && operator.signalCode === null) await ended;
      clearTimeout(force);
    });
    try {
      await until('the operator', async () => {
        if (operator.exitCode !== null) throw new Error(`The operator ended with exit code ${operator.exitCode}.`);
        const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
        return answer?.ok ? true : undefined;
      });
      say(`   The operator is ready (${elapsed()}).`);
      await show(demo, `http://127.0.0.1:${port}/metrics`, auditFile);
    } catch (error) {
      if (!stop.signal.aborted) {
        const tail = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-12);
        console.error(redact(`\nThe operator's last log lines:\n${tail.join('\n')}`));
      }
      throw error;
    }
    title('Done. To go on by hand (with --keep it stays up):');
    say(`   export KUBECONFIG=${kubeconfig}`);
    if (plane !== undefined) say(`   export PATH=${plane.binDirectory}:$PATH`);
    say(`   kubectl get apitokens -n ${NAMESPACE}`);
    if (keep) {
      say('   Ctrl-C ends it and removes all of it.');
      if (!stop.signal.aborted) await Promise.race([once(stop.signal, 'abort'), ended]);
      if (!stop.signal.aborted) throw new Error('The operator ended by itself.');
    }
  } finally {
    for (const step of undo.reverse()) await step().catch((error: unknown) => console.error(redact(String(error))));
    say(`\nCleaned up (${elapsed()}).`);
  }
}

const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    kubeconfig: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) process.stdout.write(HELP);
else {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  try {
    await run(values.keep, values.kubeconfig);
  } catch (error) {
    if (!stop.signal.aborted) console.error(redact(error instanceof Error ? error.message : String(error)));
    process.exitCode = stop.signal.aborted ? 130 : 1;
  }
}
