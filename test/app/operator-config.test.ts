import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createCommand, type Environment, HelpShown, UsageError } from '../../src/app/command.ts';
import { type OperatorConfig, operatorCommand } from '../../src/app/operator-config.ts';

const nowhere = () => undefined;

function parsed(argv: string[], env: Environment = {}, readFile: (path: string) => string | undefined = nowhere) {
  const configs: OperatorConfig[] = [];
  const command = operatorCommand((config) => void configs.push(config), env, readFile);
  createCommand({ name: 'tokenwright', description: '' })
    .addCommand(command)
    .parse(['operator', ...argv], { from: 'user' });
  return configs[0];
}

/** The sentences, without the last line, which points to --help. */
function refused(argv: string[], env: Environment = {}): string[] {
  try {
    parsed(argv, env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const lines = error.message.split('\n');
    expect(lines.slice(-2)).toEqual(['Run "tokenwright operator --help" for all flags.', '']);
    return lines.slice(0, -2);
  }
  throw new Error('accepted');
}

/** What --help prints. */
function help(argv: string[] = ['--help']): string {
  const written: string[] = [];
  const command = operatorCommand(() => expect.unreachable(), {}, nowhere);
  command.configureOutput({ writeOut: (text) => void written.push(text) });
  expect(() => command.parse(argv, { from: 'user' })).toThrow(HelpShown);
  return written.join('');
}

/** Flags as --help shows them, with what is in the brackets. */
const SHOWN = [...help().matchAll(/^ {2}--([a-z-]+)(?: [<[]([A-Z:]+)[>\]])? {2,}(.*\n(?: {30,}.*\n)*)/gm)].map(
  ([, name = '', placeholder, text = '']) => {
    const notes = /\[([A-Z_]+)(?:; default (\S+))?\]$/.exec(text.replaceAll(/\s+/g, ' ').trim());
    return { name, placeholder, env: notes?.[1] ?? '', fallback: notes?.[2] };
  },
);
/** Without --no-leader-elect. */
const FLAGS = SHOWN.filter(({ env }) => env !== '');

describe('what is not given', () => {
  it('has its default', () => {
    expect(parsed([])).toEqual({
      kubeconfig: undefined,
      context: undefined,
      namespace: 'tokenwright-system',
      watchNamespaces: [],
      workers: 16,
      leaderElect: true,
      leaseName: 'tokenwright-operator',
      leaseDurationSeconds: 15,
      maxConcurrentRollouts: 10,
      defaultPolicy: 'Deny',
      metricsBindAddress: { host: undefined, port: 8080 },
      auditLog: { kind: 'fd', fd: 1 },
      logLevel: 'info',
      logFormat: 'json',
      settleAfterSeconds: 120,
      minHealIntervalSeconds: 5,
      revocationRetentionSeconds: 2_592_000,
      shutdownTimeoutSeconds: 20,
      tokenMetricsLimit: 10_000,
    });
  });

  it('is what its default says when that is given as a flag, for every flag with one', () => {
    const argv = FLAGS.flatMap(({ name, fallback }) => (fallback === undefined ? [] : [`--${name}=${fallback}`]));
    expect(argv.length).toBeGreaterThan(10);
    expect(parsed(argv)).toEqual(parsed([]));
  });
});

describe('a flag', () => {
  it.each<[string[], Partial<OperatorConfig>]>([
    [['--kubeconfig', '/k'], { kubeconfig: '/k' }],
    [['--context=c'], { context: 'c' }],
    [['--namespace', 'own'], { namespace: 'own' }],
    [['--watch-namespace', 'a', '--watch-namespace=b', '--watch-namespace', 'a'], { watchNamespaces: ['a', 'b'] }],
    [['--workers=1'], { workers: 1 }],
    [['--no-leader-elect'], { leaderElect: false }],
    [['--leader-elect'], { leaderElect: true }],
    [['--leader-elect=false'], { leaderElect: false }],
    [['--lease-name', 'a.b'], { leaseName: 'a.b' }],
    [['--lease-duration', '2s'], { leaseDurationSeconds: 2 }],
    [['--max-concurrent-rollouts', '10000'], { maxConcurrentRollouts: 10_000 }],
    [['--default-policy', 'Allow'], { defaultPolicy: 'Allow' }],
    [['--metrics-bind-address', '127.0.0.1:0'], { metricsBindAddress: { host: '127.0.0.1', port: 0 } }],
    [['--metrics-bind-address', '[::1]:65535'], { metricsBindAddress: { host: '::1', port: 65_535 } }],
    [['--metrics-bind-address', 'localhost:1'], { metricsBindAddress: { host: 'localhost', port: 1 } }],
    [['--audit-log', '-'], { auditLog: { kind: 'fd', fd: 1 } }],
    [['--audit-log', 'fd:3'], { auditLog: { kind: 'fd', fd: 3 } }],
    [['--audit-log', '/var/audit.jsonl'], { auditLog: { kind: 'file', path: '/var/audit.jsonl' } }],
    [['--log-level', 'debug'], { logLevel: 'debug' }],
    [['--log-format', 'text'], { logFormat: 'text' }],
    [['--settle-after', '0s'], { settleAfterSeconds: 0 }],
    [['--settle-after', '1h'], { settleAfterSeconds: 3600 }],
    [['--min-heal-interval', '1m30s'], { minHealIntervalSeconds: 90 }],
    [['--revocation-retention', '8760h'], { revocationRetentionSeconds: 31_536_000 }],
    [['--shutdown-timeout', '10m'], { shutdownTimeoutSeconds: 600 }],
    [['--token-metrics-limit', '0'], { tokenMetricsLimit: 0 }],
  ])('%j is read, and nothing else changes', (argv, expected) => {
    expect(parsed(argv)).toEqual({ ...parsed([]), ...expected });
  });
});

describe('the environment', () => {
  it('has a twin of every flag', () => {
    expect(FLAGS.length).toBeGreaterThan(15);
    for (const { name, env, fallback } of FLAGS) {
      expect(env).toBe(`TOKENWRIGHT_${name.toUpperCase().replaceAll('-', '_')}`);
      // a value that no flag takes: where it is read, the sentence names the variable
      if (fallback !== undefined && name !== 'audit-log')
        expect(refused([], { [env]: 'no/ /value' })[0]).toContain(`${env} must be`);
    }
  });

  it.each<[Record<string, string>, Partial<OperatorConfig>]>([
    [
      { TOKENWRIGHT_KUBECONFIG: '/k', TOKENWRIGHT_CONTEXT: 'c' },
      { kubeconfig: '/k', context: 'c' },
    ],
    [{ TOKENWRIGHT_WORKERS: ' 3 ' }, { workers: 3 }],
    [{ TOKENWRIGHT_WATCH_NAMESPACE: 'a, b,' }, { watchNamespaces: ['a', 'b'] }],
    [{ TOKENWRIGHT_LEADER_ELECT: 'false' }, { leaderElect: false }],
    [{ TOKENWRIGHT_LEADER_ELECT: '1' }, { leaderElect: true }],
    [{ TOKENWRIGHT_AUDIT_LOG: 'fd:4' }, { auditLog: { kind: 'fd', fd: 4 } }],
    [{ TOKENWRIGHT_WORKERS: '' }, {}],
    // what Kubernetes sets for a Service of the name tokenwright
    [{ TOKENWRIGHT_PORT: 'tcp://10.0.0.1:80', TOKENWRIGHT_SERVICE_HOST: '10.0.0.1' }, {}],
  ])('%j is read', (env, expected) => {
    expect(parsed([], env)).toEqual({ ...parsed([]), ...expected });
  });

  it('gives way to the flag, even when it could not be read', () => {
    expect(
      parsed(['--workers', '4', '--watch-namespace', 'c'], {
        TOKENWRIGHT_WORKERS: 'x',
        TOKENWRIGHT_WATCH_NAMESPACE: 'a,b',
      }),
    ).toMatchObject({
      workers: 4,
      watchNamespaces: ['c'],
    });
  });
});

describe('the own namespace', () => {
  const file = (content: string | undefined) => (path: string) =>
    path === '/var/run/secrets/kubernetes.io/serviceaccount/namespace' ? content : undefined;

  it.each<[string, string[], Record<string, string>, string | undefined, string]>([
    ['the flag', ['--namespace=flag'], { TOKENWRIGHT_NAMESPACE: 'env', POD_NAMESPACE: 'pod' }, 'file', 'flag'],
    ['its environment variable', [], { TOKENWRIGHT_NAMESPACE: 'env', POD_NAMESPACE: 'pod' }, 'file', 'env'],
    ['POD_NAMESPACE', [], { POD_NAMESPACE: 'pod' }, 'file', 'pod'],
    ["the pod's account", [], {}, 'file\n', 'file'],
    ['the default', [], {}, undefined, 'tokenwright-system'],
    ['the default, where the file is not a name', [], {}, '../../etc', 'tokenwright-system'],
  ])('is taken from %s', (_, argv, env, content, expected) => {
    expect(parsed(argv, env, file(content))).toMatchObject({ namespace: expected });
  });
});

describe('a mistake', () => {
  it.each<[string[], string]>([
    [['--wokers=3'], 'There is no flag --wokers. Did you mean --workers?'],
    [['--wokers', '3'], 'There is no flag --wokers. Did you mean --workers?'],
    [['--leader-election'], 'There is no flag --leader-election. Did you mean --leader-elect?'],
    [['--no-leader-elct'], 'There is no flag --no-leader-elct. Did you mean --no-leader-elect?'],
    [['--metric-bind-addres=:1'], 'There is no flag --metric-bind-addres. Did you mean --metrics-bind-address?'],
    [['--frobnicate'], 'There is no flag --frobnicate.'],
    [['--no-workers'], 'There is no flag --no-workers. Did you mean --workers?'],
    [['-w'], 'There is no flag -w.'],
    [['start'], 'Unexpected argument "start".'],
    [['--no-leader-elect=false'], '--no-leader-elect takes no value.'],
    [['--workers'], '--workers needs a value: --workers=N.'],
    [['--context='], '--context needs a value: --context=NAME.'],
    [['--context', '--workers=4'], '--context needs a value: --context=NAME.'],
    [['--workers=1', '--workers=2'], '--workers is given twice.'],
    [['--workers=0'], '--workers must be a whole number from 1 to 256, not "0".'],
    [['--workers=257'], '--workers must be a whole number from 1 to 256, not "257".'],
    [['--workers=1.5'], '--workers must be a whole number from 1 to 256, not "1.5".'],
    [['--workers=0x10'], '--workers must be a whole number from 1 to 256, not "0x10".'],
    [
      ['--max-concurrent-rollouts=10001'],
      '--max-concurrent-rollouts must be a whole number from 1 to 10000, not "10001".',
    ],
    [
      ['--token-metrics-limit=1000001'],
      '--token-metrics-limit must be a whole number from 0 to 1000000, not "1000001".',
    ],
    [['--settle-after=2'], '--settle-after must be a duration like 90s or 2m, from 0s to 1h0m0s, not "2".'],
    [['--settle-after=61m'], '--settle-after must be a duration like 90s or 2m, from 0s to 1h0m0s, not "61m".'],
    [['--min-heal-interval=2h'], '--min-heal-interval must be a duration like 90s or 2m, from 0s to 1h0m0s, not "2h".'],
    [['--shutdown-timeout=0s'], '--shutdown-timeout must be a duration like 90s or 2m, from 1s to 10m0s, not "0s".'],
    [['--lease-duration=1s'], '--lease-duration must be a duration like 90s or 2m, from 2s to 1h0m0s, not "1s".'],
    [['--log-level=trace'], '--log-level must be one of debug, info, warn, error, not "trace".'],
    [['--log-format=xml'], '--log-format must be one of json, text, not "xml".'],
    [['--leader-elect=maybe'], '--leader-elect must be true or false, not "maybe".'],
    [['--namespace=Own'], '--namespace must be a namespace: at most 63 of a-z, 0-9 and -, not "Own".'],
    [
      ['--watch-namespace=a', '--watch-namespace=b_c'],
      '--watch-namespace must be a namespace: at most 63 of a-z, 0-9 and -, not "b_c".',
    ],
    [['--lease-name=a..b'], '--lease-name must be an object name: at most 253 of a-z, 0-9, - and ., not "a..b".'],
    [['--audit-log=fd:0'], '--audit-log must be -, fd:N (1, or 3 and up) or a file, not "fd:0".'],
    [['--audit-log=fd:2'], '--audit-log must be -, fd:N (1, or 3 and up) or a file, not "fd:2".'],
    [['--audit-log=/var/log/'], '--audit-log must be a file, not a directory, not "/var/log/".'],
    ...['8080', ':65536', ':', 'a:b:1', '::1:80', 'http://x:1'].map((text): [string[], string] => [
      [`--metrics-bind-address=${text}`],
      `--metrics-bind-address must be HOST:PORT, such as :8080, 127.0.0.1:8080 or [::1]:8080, not "${text}".`,
    ]),
  ])('%j is told in one sentence', (argv, sentence) => {
    expect(refused(argv)[0]).toBe(sentence);
  });

  it('in a value does not hide another', () => {
    expect(refused(['--workers=0', '--log-level=loud', '--settle-after=x', '--context='])).toHaveLength(4);
  });

  it('in the environment is told by the name of the variable', () => {
    expect(refused([], { TOKENWRIGHT_WORKERS: 'many' })).toEqual([
      'TOKENWRIGHT_WORKERS must be a whole number from 1 to 256, not "many".',
    ]);
    expect(refused([], { TOKENWRIGHT_WATCH_NAMESPACE: 'a,B' })[0]).toContain('TOKENWRIGHT_WATCH_NAMESPACE must be');
  });
});

it('is told without the value of a token that was given where none belongs', () => {
  const value = `twk_production_${'7Yx3kQ2m'.repeat(7)}x`;
  expect(refused([value])).toEqual(['Unexpected argument "[redacted]".']);
  expect(refused([`--workers=${value}`])[0]).toContain('not "[redacted]"');
});

describe('--help', () => {
  it.each([['--help'], ['-h'], ['--workers', 'x', '--help']])('is shown, and nothing runs (%j …)', (...argv) => {
    expect(help(argv)).toBe(help());
  });

  it('shows every flag with placeholder, variable and default', () => {
    expect(SHOWN).toContainEqual({
      name: 'settle-after',
      placeholder: 'DURATION',
      env: 'TOKENWRIGHT_SETTLE_AFTER',
      fallback: '2m',
    });
    expect(SHOWN).toContainEqual({
      name: 'leader-elect',
      placeholder: 'BOOL',
      env: 'TOKENWRIGHT_LEADER_ELECT',
      fallback: 'true',
    });
    expect(SHOWN.filter(({ name }) => name.startsWith('no-')).map(({ name }) => name)).toEqual(['no-leader-elect']);
    // each field of the configuration has a flag
    expect(FLAGS).toHaveLength(Object.keys(parsed([]) ?? {}).length);
  });
});

it('reads the real namespace file only where there is one', () => {
  const module = JSON.stringify(join(import.meta.dirname, '../../src/app/operator-config.ts'));
  const script = `import { operatorCommand } from ${module}; operatorCommand((c) => console.log(c.workers), {}).parse([], { from: 'user' });`;
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })).toBe('16\n');
});
