/** Verdicts a second of `/authorize`, against a bare node:http server that answers 200 with the same headers: one core each in turn. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bundle } from '../build/bundle.ts';
import { startControlPlane } from '../controlplane/control-plane.ts';
import { type FoundPart, part } from '../parts/part.ts';
import { chartNodeOptions } from './chart-node-options.ts';
import type { BenchOptions, Result } from './cluster.ts';
import { CALLER_CORE, MeasuredServer } from './measured-server.ts';
import { median } from './median.ts';
import { writeSealedTokens } from './sealed-tokens.ts';

const run = promisify(execFile);

const root = join(import.meta.dirname, '../..');
/** Policies limit the use of what is in the one, and of nothing in the other. */
const [GOVERNED, UNGOVERNED] = ['bench-governed', 'bench-ungoverned'];
const ENVIRONMENT = 'production';
const AUDIENCE = 'ai-gateway';
const TARGET = `/authorize?audience=${AUDIENCE}&scope=chat:write`;
/** Distinct tokens that callers present. */
const CALLERS = 1000;
const CONNECTIONS = 64;
const READY = /"port":(\d+).*serving verdicts"/;
const READY_GRPC = /"port":(\d+).*serving verdicts over gRPC/;

export async function verifierBench({ tokens = 1000, pairs = 5, seconds = 6 }: BenchOptions): Promise<Result[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-bench-'));
  const plane = await startControlPlane({ workloads: false });
  const children: MeasuredServer[] = [];
  const readers: ChildProcess[] = [];
  try {
    const kubectl = (input: string, ...args: string[]) =>
      execFileSync('kubectl', ['--kubeconfig', plane.kubeconfig, ...args], { encoding: 'utf8', input });
    for (const namespace of ['tokenwright-system', 'tokenwright-upstreams', GOVERNED, UNGOVERNED])
      kubectl('', 'create', 'namespace', namespace);
    kubectl('', 'apply', '-k', join(root, 'crds'));
    kubectl('', 'wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s');
    kubectl(JSON.stringify(policy()), 'apply', '-f', '-');
    const {
      values: [values = [], ungoverned = []],
      jwks,
    } = await writeSealedTokens(plane.etcd, {
      count: tokens,
      namespaces: [GOVERNED, UNGOVERNED],
      environment: ENVIRONMENT,
      audience: AUDIENCE,
      keep: CALLERS,
    });
    kubectl(JSON.stringify(publicKeys(jwks)), 'apply', '-f', '-');
    kubectl(JSON.stringify(audience()), 'apply', '-f', '-');
    const script = writeScript(join(folder, 'governed.lua'), values);
    const ungovernedScript = writeScript(join(folder, 'ungoverned.lua'), ungoverned);
    await bundle(folder);
    const verifier = async (level: string, flags = {}, ready = READY) => {
      const { path, reader } = auditPipe(folder);
      readers.push(reader);
      const server = await startVerifier(folder, plane.kubeconfig, level, { 'audit-log': path, ...flags }, ready);
      children.push(server);
      return server;
    };
    const audited = await verifier('all');
    const unaudited = await verifier('denials');
    const bare = await startBare('bare-server.ts', { BARE_HEADERS: JSON.stringify(await headersOf(audited, values)) });
    children.push(bare);
    const wrk = await part('wrk');
    const rates: Rates = { bare: [], unaudited: [], audited: [], ungoverned: [] };
    // each seal is checked once, on first use
    for (const server of [unaudited, audited]) await call(wrk, server, script, Math.ceil(seconds / 2));
    await call(wrk, audited, ungovernedScript, Math.ceil(seconds / 2));
    for (let pair = 0; pair < pairs; pair += 1) {
      for (const [name, server] of Object.entries({ bare, unaudited, audited })) {
        rates[name as keyof Rates].push(await call(wrk, server, script, seconds));
      }
      rates.ungoverned.push(await call(wrk, audited, ungovernedScript, seconds));
      const [b, u, a] = [rates.bare.at(-1), rates.unaudited.at(-1), rates.audited.at(-1)].map((one) => one?.rate ?? 0);
      console.error(
        `pair ${pair + 1}: bare ${b?.toFixed(0)}/s, verifier ${a?.toFixed(0)}/s, without allowed ones on record ${u?.toFixed(0)}/s`,
      );
    }
    const rssMB = audited.rssMB();
    const overGrpc = await verifier('all', { 'grpc-bind-address': '127.0.0.1:0', name: 'grpc' }, READY_GRPC);
    const bareGrpc = await startBare('bare-grpc-server.ts', {});
    children.push(bareGrpc);
    const grpc: Record<'bare' | 'verifier', Measured[]> = { bare: [], verifier: [] };
    for (let pair = 0; pair < pairs; pair += 1) {
      grpc.bare.push(await callGrpc(bareGrpc, values, seconds));
      grpc.verifier.push(await callGrpc(overGrpc, values, seconds));
    }
    return [...results(rates, rssMB), ...grpcResults(grpc)];
  } finally {
    for (const child of children) await child.stop();
    for (const reader of readers) reader.kill();
    await plane.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Measured {
  rate: number;
  /** Milliseconds. */
  p99: number;
  /** Of the server, in microseconds a request. */
  cpu: number;
}

type Rates = Record<'bare' | 'unaudited' | 'audited' | 'ungoverned', Measured[]>;

function results(rates: Rates, rssMB: number): Result[] {
  const rateOf = (name: keyof typeof rates) => median(rates[name].map(({ rate }) => rate));
  const ratios = (name: keyof typeof rates, against: keyof typeof rates) =>
    rates[name].map(({ rate }, i) => rate / (rates[against][i]?.rate ?? Number.NaN));
  const toBare = ratios('audited', 'bare');
  const none = { ratio: null, against: null };
  return [
    {
      name: 'verifier',
      value: rateOf('audited'),
      unit: 'requests/s',
      ratio: median(toBare),
      against: 'bare node:http',
    },
    { name: 'verifier.ratio-min', value: Math.min(...toBare), unit: 'ratio', ...none },
    { name: 'verifier.ratio-max', value: Math.max(...toBare), unit: 'ratio', ...none },
    { name: 'verifier.p99', value: median(rates.audited.map(({ p99 }) => p99)), unit: 'ms', ...none },
    {
      name: 'verifier.cpu',
      value: median(rates.audited.map(({ cpu }) => cpu)),
      unit: 'µs/request',
      ratio: median(rates.audited.map(({ cpu }, i) => cpu / (rates.bare[i]?.cpu ?? Number.NaN))),
      against: 'bare node:http',
    },
    { name: 'verifier.bare', value: rateOf('bare'), unit: 'requests/s', ...none },
    { name: 'verifier.bare.p99', value: median(rates.bare.map(({ p99 }) => p99)), unit: 'ms', ...none },
    {
      name: 'verifier.audit',
      value: rateOf('audited'),
      unit: 'requests/s',
      ratio: median(ratios('audited', 'unaudited')),
      against: 'without a record of each allowed call',
    },
    {
      name: 'verifier.unaudited',
      value: rateOf('unaudited'),
      unit: 'requests/s',
      ratio: median(ratios('unaudited', 'bare')),
      against: 'bare node:http',
    },
    {
      name: 'verifier.ungoverned',
      value: rateOf('ungoverned'),
      unit: 'requests/s',
      ratio: median(ratios('ungoverned', 'bare')),
      against: 'bare node:http',
    },
    {
      name: 'verifier.policies',
      value: rateOf('audited'),
      unit: 'requests/s',
      ratio: median(ratios('audited', 'ungoverned')),
      against: 'tokens that no policy limits',
    },
    { name: 'verifier.memory', value: rssMB, unit: 'MB', ...none },
  ];
}

function startVerifier(folder: string, kubeconfig: string, level: string, more: object, ready: RegExp) {
  const flags = {
    environment: ENVIRONMENT,
    'bind-address': '127.0.0.1:0',
    'metrics-bind-address': '127.0.0.1:0',
    namespace: 'tokenwright-system',
    kubeconfig,
    'audit-level': level,
    name: level,
    ...more,
  };
  const env = { NODE_OPTIONS: chartNodeOptions('verifierDefaults') };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return MeasuredServer.start([join(folder, 'tokenwright.js'), 'verifier', '--no-tls', ...args], env, ready);
}

/** As in a pod, where the container runtime reads what the process says. The reader never ends by itself. */
function auditPipe(folder: string): { path: string; reader: ChildProcess } {
  const path = join(folder, `audit-${randomUUID()}`);
  execFileSync('mkfifo', [path]);
  // for both, so that there is a reader before the verifier looks for one
  const end = openSync(path, constants.O_RDWR);
  const reader = spawn('taskset', ['-c', CALLER_CORE, 'cat'], { stdio: [end, 'ignore', 'ignore'] });
  closeSync(end);
  return { path, reader };
}

function startBare(script: string, env: Record<string, string>): Promise<MeasuredServer> {
  return MeasuredServer.start([join(import.meta.dirname, script)], env, /^(\d+)$/);
}

/** As `call`, by a caller of gRPC's own library, which may well be the slower end. */
async function callGrpc(server: MeasuredServer, values: readonly string[], seconds: number): Promise<Measured> {
  const before = server.cpuSeconds();
  const caller = run('taskset', ['-c', CALLER_CORE, process.execPath, join(import.meta.dirname, 'grpc-caller.ts')]);
  caller.child.stdin?.end(JSON.stringify({ port: server.port, audience: AUDIENCE, values, seconds }));
  const { calls, p99 }: { calls: number; p99: number } = JSON.parse((await caller).stdout);
  return { rate: calls / seconds, p99, cpu: ((server.cpuSeconds() - before) * 1e6) / calls };
}

/** Calls as fast as it can, each time with another token. Any answer but 200 ends the bench. */
async function call(wrk: FoundPart, server: MeasuredServer, script: string, seconds: number): Promise<Measured> {
  const before = server.cpuSeconds();
  const args = [
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${seconds}s`,
    '--latency',
    '-s',
    script,
    `http://127.0.0.1:${server.port}${TARGET}`,
  ];
  const { stdout } = await run('taskset', ['-c', CALLER_CORE, wrk.path, ...args], {
    env: { ...process.env, ...wrk.env },
  });
  const used = server.cpuSeconds() - before;
  const requests = /(\d+) requests in/.exec(stdout)?.[1];
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1];
  const [, p99, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
  if (/Non-2xx|Socket errors/.test(stdout) || !rate || !p99) throw new Error(`unexpected answers:\n${stdout}`);
  return {
    rate: Number(rate),
    p99: Number(p99) * (unit === 's' ? 1000 : unit === 'us' ? 0.001 : 1),
    cpu: (used * 1e6) / Number(requests),
  };
}

function grpcResults(rates: Record<'bare' | 'verifier', Measured[]>): Result[] {
  const { bare, verifier } = rates;
  const ratioOf = (field: keyof Measured) => median(verifier.map((one, i) => one[field] / (bare[i]?.[field] ?? 0)));
  const against = 'bare gRPC';
  const row = (name: string, field: keyof Measured, unit: string) => ({
    name,
    value: median(verifier.map((one) => one[field])),
    unit,
    ratio: ratioOf(field),
    against,
  });
  return [
    row('verifier.grpc', 'rate', 'requests/s'),
    row('verifier.grpc.p99', 'p99', 'ms'),
    row('verifier.grpc.cpu', 'cpu', 'µs/request'),
  ];
}

function writeScript(path: string, values: readonly string[]): string {
  const lines = [
    `local tokens = {${values.map((value) => JSON.stringify(value)).join(',')}}`,
    'local next = 0',
    'request = function()',
    '  next = next % #tokens + 1',
    '  return wrk.format("GET", nil, { Authorization = "Bearer " .. tokens[next] })',
    'end',
  ];
  writeFileSync(path, lines.join('\n'), { mode: 0o600 });
  return path;
}

/** Those of a real answer; node:http adds the rest to both. */
async function headersOf({ port }: MeasuredServer, [value]: string[]): Promise<Record<string, string>> {
  const answer = await fetch(`http://127.0.0.1:${port}${TARGET}`, { headers: { authorization: `Bearer ${value}` } });
  if (answer.status !== 200) throw new Error(`the verifier answers ${answer.status}: ${await answer.text()}`);
  return Object.fromEntries(
    [...answer.headers].filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name)),
  );
}

function publicKeys(jwks: string) {
  const metadata = { name: 'tokenwright-seal-public-keys', namespace: 'tokenwright-system' };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'jwks.json': jwks } };
}

/** With everything that is judged at use. */
function policy() {
  const spec = {
    match: { namespaces: { matchLabels: { 'kubernetes.io/metadata.name': GOVERNED } } },
    allow: {
      environments: [ENVIRONMENT],
      audiences: [AUDIENCE],
      subjects: ['agent:*'],
      scopes: ['chat:*', 'models:gpt-4*'],
    },
    deny: { scopes: ['admin:*'] },
    conditionsOfUse: {
      sourceCIDRs: ['10.0.0.0/8', '127.0.0.0/8'],
      hours: [{ days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'], from: '00:00', to: '00:00' }],
    },
  };
  return { apiVersion: 'tokenwright.dev/v1alpha1', kind: 'TokenPolicy', metadata: { name: 'bench' }, spec };
}

function audience() {
  const spec = { environments: [ENVIRONMENT] };
  return { apiVersion: 'tokenwright.dev/v1alpha1', kind: 'TokenAudience', metadata: { name: AUDIENCE }, spec };
}
