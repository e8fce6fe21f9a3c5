/** Flags and environment of `tokenwright operator`: one table, from which the parser, its sentences and --help are made. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { formatDuration, parseDuration } from '../domain/duration.ts';

export interface OperatorConfig {
  /** KUBECONFIG, ~/.kube/config or the pod's own account unless given. */
  kubeconfig: string | undefined;
  context: string | undefined;
  /** Where the operator's Lease and seal key are. */
  namespace: string;
  /** Empty: all namespaces. */
  watchNamespaces: readonly string[];
  workers: number;
  leaderElect: boolean;
  leaseName: string;
  leaseDurationSeconds: number;
  maxConcurrentRollouts: number;
  /** `host` undefined: all interfaces. Port 0: a free one. */
  metricsBindAddress: { host: string | undefined; port: number };
  auditLog: AuditLogTarget;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  logFormat: 'json' | 'text';
  settleAfterSeconds: number;
  minHealIntervalSeconds: number;
  shutdownTimeoutSeconds: number;
  tokenMetricsLimit: number;
}

export type AuditLogTarget = { kind: 'fd'; fd: number } | { kind: 'file'; path: string };

export type ParsedConfig = { ok: true; config: OperatorConfig } | { ok: false; exitCode: number; text: string };

type Environment = Record<string, string | undefined>;

/** `value` or what is wrong with it, to be read after "--flag". */
type Read<T> = { value: T } | { problem: string };

interface Flag {
  name: string;
  /** What stands for the value in --help. A flag without one is a switch: --x and --no-x. */
  placeholder?: string;
  /** In --help and, where `fallback` reads it, the value. */
  fallback?: string;
  repeatable?: boolean;
  help: string;
}

// biome-ignore format: a table
const FLAGS = [
  { name: 'kubeconfig', placeholder: 'FILE', help: "How to reach the API server. KUBECONFIG, ~/.kube/config or the pod's own account unless given." },
  { name: 'context', placeholder: 'NAME', help: 'Context of the kubeconfig. Its current one unless given.' },
  { name: 'namespace', placeholder: 'NAME', help: "The operator's own namespace: its Lease and its seal key. POD_NAMESPACE, the pod's, or tokenwright-system unless given." },
  { name: 'watch-namespace', placeholder: 'NAME', repeatable: true, help: 'Namespace whose ApiTokens are governed. Repeatable (environment: with commas). All unless given.' },
  { name: 'workers', placeholder: 'N', fallback: '16', help: 'ApiTokens reconciled at the same time, 1 to 256.' },
  { name: 'leader-elect', fallback: 'true', help: 'Let one of several operators act, by a Lease. Without it two of them do no harm, only work twice.' },
  { name: 'lease-name', placeholder: 'NAME', fallback: 'tokenwright-operator', help: 'Name of that Lease.' },
  { name: 'lease-duration', placeholder: 'DURATION', fallback: '15s', help: 'How long a leader that is silent is waited for, and how long a minted value that nobody delivers. 2s to 1h.' },
  { name: 'max-concurrent-rollouts', placeholder: 'N', fallback: '10', help: 'Workloads restarted at the same time in the whole cluster, 1 to 10000.' },
  { name: 'metrics-bind-address', placeholder: 'HOST:PORT', fallback: ':8080', help: '/metrics, /healthz and /readyz. Without a host on all interfaces; port 0 takes a free one.' },
  { name: 'audit-log', placeholder: 'TARGET', fallback: '-', help: 'Audit records: - (stdout), fd:N (an inherited file descriptor) or a file. Only a file is read back after a restart.' },
  { name: 'log-level', placeholder: 'LEVEL', fallback: 'info', help: 'debug, info, warn or error. The log goes to stderr.' },
  { name: 'log-format', placeholder: 'FORMAT', fallback: 'json', help: 'json, or text for a terminal.' },
  { name: 'settle-after', placeholder: 'DURATION', fallback: '2m', help: 'How long after a value is written the previous one is not retired early: the time in which kubelets refresh what they cache. 0s to 1h.' },
  { name: 'min-heal-interval', placeholder: 'DURATION', fallback: '5s', help: 'Least time between two repairs of one Secret, against someone who alters it in a loop. 0s to 1h.' },
  { name: 'shutdown-timeout', placeholder: 'DURATION', fallback: '20s', help: "How long a stopping operator finishes what it began, 1s to 10m. Shorter than the pod's terminationGracePeriodSeconds." },
  { name: 'token-metrics-limit', placeholder: 'N', fallback: '10000', help: 'ApiTokens with metrics of their own, 0 to 1000000. The others are only counted.' },
] as const satisfies readonly Flag[];

type FlagName = (typeof FLAGS)[number]['name'];

const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
const DEFAULT_NAMESPACE = 'tokenwright-system';
const USAGE_ERROR = 2;

/**
 * Reads what follows `tokenwright operator`. A flag wins over its environment variable; an empty variable counts as unset. Not ok:
 * `text` is --help (exit code 0) or one sentence for each mistake (exit code 2), to be printed as it is.
 * @param readFile for the pod's namespace file; answers undefined where there is none.
 */
export function parseOperatorConfig(argv: string[], env: Environment, readFile = readIfThere): ParsedConfig {
  const given = readArguments(argv);
  if (given.help) return { ok: false, exitCode: 0, text: operatorHelp() };
  const problems = given.problems;

  const texts = (name: FlagName): string[] => {
    const fromFlags = given.values.get(name);
    if (fromFlags !== undefined) return fromFlags;
    const text = env[twinOf(name)]?.trim();
    return text
      ? flagNamed(name)?.repeatable
        ? text
            .split(',')
            .map((part) => part.trim())
            .filter(Boolean)
        : [text]
      : [];
  };
  const placeOf = (name: FlagName) => (given.values.has(name) ? `--${name}` : twinOf(name));
  const read = <T>(name: FlagName, reader: (text: string) => Read<T>, otherwise: T): T => {
    const text = texts(name).at(-1) ?? flagNamed(name)?.fallback;
    if (text === undefined) return otherwise;
    const result = reader(text);
    if ('value' in result) return result.value;
    problems.push(`${placeOf(name)} ${result.problem}, not ${JSON.stringify(text)}.`);
    return otherwise;
  };

  const config: OperatorConfig = {
    kubeconfig: read<string | undefined>('kubeconfig', anyText, undefined),
    context: read<string | undefined>('context', anyText, undefined),
    namespace: read('namespace', namespaceName, '') || podNamespace(env, readFile),
    watchNamespaces: [...new Set(texts('watch-namespace'))],
    workers: read('workers', wholeNumber(1, 256), 0),
    leaderElect: read('leader-elect', yesOrNo, true),
    leaseName: read('lease-name', objectName, ''),
    leaseDurationSeconds: read('lease-duration', duration(2, 3600), 0),
    maxConcurrentRollouts: read('max-concurrent-rollouts', wholeNumber(1, 10_000), 0),
    metricsBindAddress: read('metrics-bind-address', hostAndPort, { host: undefined, port: 0 }),
    auditLog: read<AuditLogTarget>('audit-log', auditTarget, { kind: 'fd', fd: 1 }),
    logLevel: read('log-level', oneOf(['debug', 'info', 'warn', 'error']), 'info'),
    logFormat: read('log-format', oneOf(['json', 'text']), 'json'),
    settleAfterSeconds: read('settle-after', duration(0, 3600), 0),
    minHealIntervalSeconds: read('min-heal-interval', duration(0, 3600), 0),
    shutdownTimeoutSeconds: read('shutdown-timeout', duration(1, 600), 0),
    tokenMetricsLimit: read('token-metrics-limit', wholeNumber(0, 1_000_000), 0),
  };
  for (const name of config.watchNamespaces) {
    const result = namespaceName(name);
    if ('problem' in result)
      problems.push(`${placeOf('watch-namespace')} ${result.problem}, not ${JSON.stringify(name)}.`);
  }
  if (problems.length === 0) return { ok: true, config };
  const text = `${problems.join('\n')}\nRun "tokenwright operator --help" for all flags.\n`;
  return { ok: false, exitCode: USAGE_ERROR, text };
}

/** The text of `tokenwright operator --help`. */
export function operatorHelp(): string {
  const entries = FLAGS.map((flag: Flag) => {
    const usage = flag.placeholder === undefined ? `--[no-]${flag.name}` : `--${flag.name} ${flag.placeholder}`;
    const notes = flag.fallback === undefined ? twinOf(flag.name) : `${twinOf(flag.name)}; default ${flag.fallback}`;
    return `  ${usage}\n${wrap(`${flag.help} [${notes}]`, 6)}\n`;
  });
  return [
    'Usage: tokenwright operator [flags]\n',
    'Mints, delivers and rotates the tokens that ApiTokens declare.\n',
    'Each flag can be given as the environment variable in brackets; the flag wins. Durations are like 90s, 2m or 1h30m.\n',
    ...entries,
    '  --help\n      This text.\n',
  ].join('\n');
}

interface Arguments {
  help: boolean;
  values: Map<string, string[]>;
  problems: string[];
}

/** Not `strict`, whose errors stop at the first mistake and suggest nothing. */
function readArguments(argv: string[]): Arguments {
  const options = Object.fromEntries(
    FLAGS.map((flag: Flag) => [
      flag.name,
      { type: flag.placeholder === undefined ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  const { tokens } = parseArgs({
    args: argv,
    options,
    strict: false,
    allowNegative: true,
    allowPositionals: true,
    tokens: true,
  });
  const result: Arguments = { help: false, values: new Map(), problems: [] };
  for (const token of tokens) {
    // what follows an unknown flag is most likely its value
    if (token.kind === 'positional' && result.problems.length === 0)
      result.problems.push(`Unexpected argument ${JSON.stringify(token.value)}.`);
    if (token.kind !== 'option') continue;
    if (token.name === 'help' || token.name === 'h') result.help = true;
    else readOption(token, result);
  }
  return result;
}

function readOption(
  token: { name: string; rawName: string; value?: string | undefined; inlineValue?: boolean | undefined },
  result: Arguments,
): void {
  const negated = token.rawName.startsWith('--no-') && flagNamed(token.rawName.slice(2)) === undefined;
  const name = negated ? token.rawName.slice(5) : token.name;
  const flag = token.rawName.startsWith('--') ? flagNamed(name) : undefined;
  if (flag === undefined || (negated && flag.placeholder !== undefined)) {
    result.problems.push(`There is no flag ${token.rawName}.${suggestion(token.rawName)}`);
    return;
  }
  if (negated && token.value !== undefined) {
    result.problems.push(`${token.rawName} takes no value.`);
    return;
  }
  const value = flag.placeholder === undefined ? (token.value ?? String(!negated)) : token.value;
  // `--context --workers 4`: the next flag is not a value
  if (!value || (!token.inlineValue && value.startsWith('--'))) {
    result.problems.push(`--${flag.name} needs a value: --${flag.name}=${flag.placeholder}.`);
    return;
  }
  const earlier = result.values.get(flag.name) ?? [];
  if (earlier.length > 0 && !flag.repeatable) result.problems.push(`--${flag.name} is given twice.`);
  result.values.set(flag.name, [...earlier, value]);
}

function flagNamed(name: string): Flag | undefined {
  return FLAGS.find((flag) => flag.name === name);
}

function twinOf(name: string): string {
  return `TOKENWRIGHT_${name.toUpperCase().replaceAll('-', '_')}`;
}

function suggestion(rawName: string): string {
  const negation = rawName.startsWith('--no-') ? '--no-' : '--';
  const asked = rawName.slice(rawName.startsWith('--') ? negation.length : 1);
  let best: { name: string; distance: number } | undefined;
  for (const flag of FLAGS as readonly Flag[]) {
    if (negation === '--no-' && flag.placeholder !== undefined) continue;
    const distance = editDistance(asked.slice(0, 64), flag.name);
    if (best === undefined || distance < best.distance) best = { name: flag.name, distance };
  }
  return best !== undefined && best.distance <= Math.max(2, best.name.length / 3)
    ? ` Did you mean ${negation}${best.name}?`
    : '';
}

/** Levenshtein, one row at a time. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

function podNamespace(env: Environment, readFile: (path: string) => string | undefined): string {
  for (const candidate of [env.POD_NAMESPACE, readFile(NAMESPACE_FILE)]) {
    const name = candidate?.trim();
    if (name && 'value' in namespaceName(name)) return name;
  }
  return DEFAULT_NAMESPACE;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

// ---- Readers of values ---------------------------------------------------------------------------------------------

const anyText = (text: string): Read<string> => ({ value: text });

function wholeNumber(least: number, most: number): (text: string) => Read<number> {
  return (text) => {
    const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return number >= least && number <= most
      ? { value: number }
      : { problem: `must be a whole number from ${least} to ${most}` };
  };
}

function duration(least: number, most: number): (text: string) => Read<number> {
  return (text) => {
    const seconds = parseDuration(text) ?? Number.NaN;
    if (seconds >= least && seconds <= most) return { value: seconds };
    return { problem: `must be a duration like 90s or 2m, from ${formatDuration(least)} to ${formatDuration(most)}` };
  };
}

function oneOf<const T extends string>(choices: readonly T[]): (text: string) => Read<T> {
  return (text) => {
    const value = choices.find((choice) => choice === text);
    return value === undefined ? { problem: `must be one of ${choices.join(', ')}` } : { value };
  };
}

function yesOrNo(text: string): Read<boolean> {
  if (/^(true|1|yes)$/i.test(text)) return { value: true };
  return /^(false|0|no)$/i.test(text) ? { value: false } : { problem: 'must be true or false' };
}

/** RFC 1123 label. */
function namespaceName(text: string): Read<string> {
  if (text.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text)) return { value: text };
  return { problem: 'must be a namespace: at most 63 of a-z, 0-9 and -' };
}

/** RFC 1123 subdomain. */
function objectName(text: string): Read<string> {
  const labels = text.split('.');
  if (text.length <= 253 && labels.every((label) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(label)))
    return { value: text };
  return { problem: 'must be an object name: at most 253 of a-z, 0-9, - and .' };
}

function hostAndPort(text: string): Read<{ host: string | undefined; port: number }> {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]*)):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? Number.NaN);
  if (match === null || !(port <= 65_535))
    return { problem: 'must be HOST:PORT, such as :8080, 127.0.0.1:8080 or [::1]:8080' };
  return { value: { host: match[1] ?? (match[2] || undefined), port } };
}

function auditTarget(text: string): Read<AuditLogTarget> {
  if (text === '-') return { value: { kind: 'fd', fd: 1 } };
  if (!text.startsWith('fd:')) {
    return text.endsWith('/') || text.includes('\0')
      ? { problem: 'must be a file, not a directory' }
      : { value: { kind: 'file', path: text } };
  }
  const fd = /^fd:([0-9]{1,4})$/.exec(text)?.[1];
  // 0 is stdin; on 2 the log would cut audit lines.
  if (fd === undefined || fd === '0' || fd === '2') return { problem: 'must be -, fd:N (1, or 3 and up) or a file' };
  return { value: { kind: 'fd', fd: Number(fd) } };
}

function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > 100 - indent && line !== '') {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((part) => ' '.repeat(indent) + part).join('\n');
}
