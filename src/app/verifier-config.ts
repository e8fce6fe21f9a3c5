/** Flags and environment of `tokenwright verifier`. */
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { parseCIDR } from '../domain/address.ts';
import { isEnvironment } from '../domain/value.ts';
import type { AuditLevel } from '../verifier/recorder.ts';
import {
  createCommand,
  type Environment,
  onOff,
  optional,
  repeatable,
  UsageError,
  type Values,
  valuesOf,
  withDefault,
} from './command.ts';
import {
  type AuditLogTarget,
  anyText,
  auditTarget,
  type BindAddress,
  duration,
  hostAndPort,
  namespaceName,
  objectName,
  oneOf,
  type Reader,
  wholeNumber,
} from './flags.ts';
import { ownNamespace, readIfThere } from './own-namespace.ts';

export interface VerifierConfig {
  kubeconfig: string | undefined;
  context: string | undefined;
  /** Where the public seal keys and the verifiers' Leases are. */
  namespace: string;
  upstreamNamespace: string;
  /** The one environment whose tokens it accepts. */
  environment: string;
  /** Of this process, in receipts and records. */
  name: string;
  bindAddress: BindAddress;
  /** Undefined: no gRPC. */
  grpcBindAddress: BindAddress | undefined;
  /** Undefined: plain HTTP, as was asked for. */
  tls: { certFile: string; keyFile: string } | undefined;
  metricsBindAddress: BindAddress;
  /** Who reads /metrics must be known to the API server, and allowed. */
  metricsAuth: boolean;
  sourceHeader: string;
  trustedProxies: readonly string[];
  rateLimits: { store: string | undefined; replicas: number; whenDown: 'local' | 'refuse' };
  auditLog: AuditLogTarget;
  auditLevel: AuditLevel;
  auditWhenSlow: 'drop' | 'refuse';
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  logFormat: 'json' | 'text';
  shutdownTimeoutSeconds: number;
}

const environmentName: Reader<string> = (text) =>
  isEnvironment(text) ? { value: text } : { problem: 'must be an environment: 1 to 24 of a-z, 0-9 and -' };

const cidr: Reader<string> = (text) =>
  parseCIDR(text) ? { value: text } : { problem: 'must be a CIDR, such as 10.0.0.0/8 or fd00::/8' };

const storeURL: Reader<string> = (text) =>
  /^rediss?:\/\//.test(text) && URL.canParse(text)
    ? { value: text }
    : { problem: 'must be a URL that begins with redis:// or rediss://' };

const headerName: Reader<string> = (text) =>
  /^[A-Za-z0-9-]{1,64}$/.test(text) ? { value: text.toLowerCase() } : { problem: 'must be the name of a header' };

const auditLevel: Reader<AuditLevel> = (text) => {
  if (text === 'all' || text === 'denials') return { value: { level: text } };
  const oneIn = Number(/^sampled:([0-9]{1,6})$/.exec(text)?.[1] ?? 0);
  return oneIn >= 2
    ? { value: { level: 'sampled', oneIn } }
    : { problem: 'must be all, denials or sampled:N with N from 2' };
};

/** The field manager of its receipts, `tokenwright-verifier-<name>`, is at most 128 characters. */
const NAME_LIMIT = 128 - 'tokenwright-verifier-'.length;

// biome-ignore format: a table
const FLAGS = {
  'environment': optional('NAME', environmentName, 'Environment whose tokens are accepted, such as production. Those of all others are refused. Required.'),
  'bind-address': withDefault('HOST:PORT', hostAndPort, ':8443', 'Where gateways ask. Without a host on all interfaces; port 0 takes a free one.'),
  'grpc-bind-address': optional('HOST:PORT', hostAndPort, "Where Envoy asks over gRPC (ext_authz v3), such as :9443. With --tls as the other one. No gRPC unless given."),
  'tls-cert-file': optional('FILE', anyText, 'Certificate chain in PEM. Read again when it changes.'),
  'tls-key-file': optional('FILE', anyText, 'Its private key in PEM.'),
  'tls': onOff('true', 'Serve TLS. --no-tls serves plain HTTP, for a gateway on the same host or a mesh that encrypts.'),
  'name': optional('NAME', objectName, `Of this verifier, in receipts, records and its Lease: its pod's name, the only one that admission lets the pod's account use. At most ${NAME_LIMIT} characters. POD_NAME or the host name unless given.`),
  'kubeconfig': optional('FILE', anyText, "How to reach the API server. KUBECONFIG, ~/.kube/config or the pod's own account unless given."),
  'context': optional('NAME', anyText, 'Context of the kubeconfig. Its current one unless given.'),
  'namespace': optional('NAME', namespaceName, "Where the operator publishes its seal keys. POD_NAMESPACE, the pod's, or tokenwright-system unless given."),
  'upstream-namespace': withDefault('NAME', namespaceName, 'tokenwright-upstreams', 'Where the Secrets with the keys of upstream APIs are.'),
  'source-header': withDefault('NAME', headerName, 'x-forwarded-for', 'Header in which a trusted proxy says whose call it is.'),
  'trusted-proxy': repeatable('CIDR', cidr, 'Whose source header is believed. Repeatable (environment: with commas). Nobody unless given.'),
  'metrics-bind-address': withDefault('HOST:PORT', hostAndPort, ':8080', '/metrics, /healthz and /readyz. Without a host on all interfaces; port 0 takes a free one.'),
  'rate-limit-store': optional('URL', storeURL, 'Valkey or Redis in which verifiers count the calls of a token together, such as rediss://valkey:6379. Each counts for itself unless given.'),
  'replicas': withDefault('N', wholeNumber(1, 1000), '1', 'How many verifiers share the calls of a token: what each allows by itself is a limit divided by this.'),
  'rate-limit-when-down': withDefault('CHOICE', oneOf(['local', 'refuse']), 'local', 'When the store does not answer: let each verifier count for itself, or refuse tokens that have limits.'),
  'metrics-auth': onOff('true', 'Ask the API server whether who reads /metrics may get that URL: true outcomes are for no stranger.'),
  'audit-log': withDefault('TARGET', auditTarget, '-', 'A record of each verdict: - (stdout), fd:N (an inherited file descriptor) or a file.'),
  'audit-level': withDefault('LEVEL', auditLevel, 'all', 'all; denials, with the allowed calls counted together once a minute; or sampled:N, denials and one in N of the allowed.'),
  'audit-when-slow': withDefault('CHOICE', oneOf(['drop', 'refuse']), 'drop', 'When the audit log takes no more: drop records and count them, or refuse every call.'),
  'log-level': withDefault('LEVEL', oneOf(['debug', 'info', 'warn', 'error']), 'info', 'debug, info, warn or error. The log goes to stderr.'),
  'log-format': withDefault('FORMAT', oneOf(['json', 'text']), 'json', 'json, or text for a terminal.'),
  'shutdown-timeout': withDefault('DURATION', duration(1, 600), '10s', "How long a stopping verifier finishes what it began, 1s to 10m. Shorter than the pod's terminationGracePeriodSeconds."),
};

/**
 * The command that reads its configuration and runs with it.
 * @param readFile for the pod's namespace file; answers undefined where there is none.
 */
export function verifierCommand(
  run: (config: VerifierConfig) => void | Promise<void>,
  env: Environment = process.env,
  readFile = readIfThere,
): Command {
  const command = createCommand({
    name: 'verifier',
    description:
      'Says yes or no to the tokens that gateways show it, by what the API server knows now.\n\nEach flag can be given as the environment variable in brackets; the flag wins. Durations are like 90s, 2m or 1h30m.',
    flags: FLAGS,
    hasTwins: true,
  }).summary('Check the token of every call, for gateways');
  return command.action(() => {
    const flags = valuesOf(command, FLAGS, env);
    const { environment } = flags;
    const tls = tlsOf(flags);
    const name = flags.name ?? (env.POD_NAME?.trim() || hostname());
    const problems: string[] = [];
    if (environment === undefined)
      problems.push('--environment is missing: say whose tokens are accepted, such as --environment=production.');
    if (tls === 'incomplete')
      problems.push('--tls-cert-file and --tls-key-file are both needed; for plain HTTP say --no-tls.');
    if (name.length > NAME_LIMIT)
      problems.push(
        `--name must be at most ${NAME_LIMIT} characters, not the ${name.length} of ${name}: shorten the name of the pod.`,
      );
    if (environment === undefined || tls === 'incomplete' || problems.length > 0)
      throw new UsageError(command, problems);
    return run({
      kubeconfig: flags.kubeconfig,
      context: flags.context,
      namespace: flags.namespace ?? ownNamespace(env, readFile),
      upstreamNamespace: flags['upstream-namespace'],
      environment,
      name,
      bindAddress: flags['bind-address'],
      grpcBindAddress: flags['grpc-bind-address'],
      tls,
      metricsBindAddress: flags['metrics-bind-address'],
      metricsAuth: flags['metrics-auth'],
      sourceHeader: flags['source-header'],
      trustedProxies: flags['trusted-proxy'],
      rateLimits: {
        store: flags['rate-limit-store'],
        replicas: flags.replicas,
        whenDown: flags['rate-limit-when-down'],
      },
      auditLog: flags['audit-log'],
      auditLevel: flags['audit-level'],
      auditWhenSlow: flags['audit-when-slow'],
      logLevel: flags['log-level'],
      logFormat: flags['log-format'],
      shutdownTimeoutSeconds: flags['shutdown-timeout'],
    });
  });
}

function tlsOf(flags: Values<typeof FLAGS>): VerifierConfig['tls'] | 'incomplete' {
  const { tls, 'tls-cert-file': certFile, 'tls-key-file': keyFile } = flags;
  if (!tls) return undefined;
  return certFile !== undefined && keyFile !== undefined ? { certFile, keyFile } : 'incomplete';
}
