/** Flags and environment of `tokenwright operator`. */
import type { Command } from 'commander';
import {
  createCommand,
  type Environment,
  onOff,
  optional,
  repeatable,
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
  wholeNumber,
} from './flags.ts';
import { ownNamespace, readIfThere } from './own-namespace.ts';

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
  /** What holds in a namespace that no TokenPolicy in mode Enforce matches. */
  defaultPolicy: 'Deny' | 'Allow';
  metricsBindAddress: BindAddress;
  auditLog: AuditLogTarget;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  logFormat: 'json' | 'text';
  settleAfterSeconds: number;
  minHealIntervalSeconds: number;
  revocationRetentionSeconds: number;
  shutdownTimeoutSeconds: number;
  tokenMetricsLimit: number;
}

// biome-ignore format: a table
const FLAGS = {
  'kubeconfig': optional('FILE', anyText, "How to reach the API server. KUBECONFIG, ~/.kube/config or the pod's own account unless given."),
  'context': optional('NAME', anyText, 'Context of the kubeconfig. Its current one unless given.'),
  'namespace': optional('NAME', namespaceName, "The operator's own namespace: its Lease and its seal key. POD_NAMESPACE, the pod's, or tokenwright-system unless given."),
  'watch-namespace': repeatable('NAME', namespaceName, 'Namespace whose ApiTokens are governed. Repeatable (environment: with commas). All unless given.'),
  'workers': withDefault('N', wholeNumber(1, 256), '16', 'ApiTokens reconciled at the same time, 1 to 256.'),
  'leader-elect': onOff('true', 'Let one of several operators act, by a Lease. Without it two of them do no harm, only work twice.'),
  'lease-name': withDefault('NAME', objectName, 'tokenwright-operator', 'Name of that Lease.'),
  'lease-duration': withDefault('DURATION', duration(2, 3600), '15s', 'How long a leader that is silent is waited for, and how long a minted value that nobody delivers. 2s to 1h.'),
  'max-concurrent-rollouts': withDefault('N', wholeNumber(1, 10_000), '10', 'Workloads restarted at the same time in the whole cluster, 1 to 10000.'),
  'default-policy': withDefault('WHAT', oneOf(['Deny', 'Allow']), 'Deny', 'What holds in a namespace that no TokenPolicy in mode Enforce matches: Deny or Allow.'),
  'metrics-bind-address': withDefault('HOST:PORT', hostAndPort, ':8080', '/metrics, /healthz and /readyz. Without a host on all interfaces; port 0 takes a free one.'),
  'audit-log': withDefault('TARGET', auditTarget, '-', 'Audit records: - (stdout), fd:N (an inherited file descriptor) or a file. Only a file is read back after a restart.'),
  'log-level': withDefault('LEVEL', oneOf(['debug', 'info', 'warn', 'error']), 'info', 'debug, info, warn or error. The log goes to stderr.'),
  'log-format': withDefault('FORMAT', oneOf(['json', 'text']), 'json', 'json, or text for a terminal.'),
  'settle-after': withDefault('DURATION', duration(0, 3600), '2m', 'How long after a value is written the previous one is not retired early: the time in which kubelets refresh what they cache. 0s to 1h.'),
  'min-heal-interval': withDefault('DURATION', duration(0, 3600), '5s', 'Least time between two repairs of one Secret, against someone who alters it in a loop. 0s to 1h.'),
  'revocation-retention': withDefault('DURATION', duration(60, 31_536_000), '720h', 'How long a sealed revocation is kept before it is deleted, 1m to 8760h. One with "afterwards: Block" stays until somebody deletes it.'),
  'shutdown-timeout': withDefault('DURATION', duration(1, 600), '20s', "How long a stopping operator finishes what it began, 1s to 10m. Shorter than the pod's terminationGracePeriodSeconds."),
  'token-metrics-limit': withDefault('N', wholeNumber(0, 1_000_000), '10000', 'ApiTokens with metrics of their own, 0 to 1000000. The others are only counted.'),
};

/**
 * The command that reads its configuration and runs with it.
 * @param readFile for the pod's namespace file; answers undefined where there is none.
 */
export function operatorCommand(
  run: (config: OperatorConfig) => void | Promise<void>,
  env: Environment = process.env,
  readFile = readIfThere,
): Command {
  const command = createCommand({
    name: 'operator',
    description:
      'Mints, delivers and rotates the tokens that ApiTokens declare.\n\nEach flag can be given as the environment variable in brackets; the flag wins. Durations are like 90s, 2m or 1h30m.',
    flags: FLAGS,
    hasTwins: true,
  }).summary('Reconcile ApiTokens into rotating Secrets');
  return command.action(() => {
    const flags = valuesOf(command, FLAGS, env);
    return run(configOf(flags, flags.namespace ?? ownNamespace(env, readFile)));
  });
}

function configOf(flags: Values<typeof FLAGS>, namespace: string): OperatorConfig {
  return {
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    namespace,
    watchNamespaces: flags['watch-namespace'],
    workers: flags.workers,
    leaderElect: flags['leader-elect'],
    leaseName: flags['lease-name'],
    leaseDurationSeconds: flags['lease-duration'],
    maxConcurrentRollouts: flags['max-concurrent-rollouts'],
    defaultPolicy: flags['default-policy'],
    metricsBindAddress: flags['metrics-bind-address'],
    auditLog: flags['audit-log'],
    logLevel: flags['log-level'],
    logFormat: flags['log-format'],
    settleAfterSeconds: flags['settle-after'],
    minHealIntervalSeconds: flags['min-heal-interval'],
    revocationRetentionSeconds: flags['revocation-retention'],
    shutdownTimeoutSeconds: flags['shutdown-timeout'],
    tokenMetricsLimit: flags['token-metrics-limit'],
  };
}
