import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { createCommand, type Environment, HelpShown, UsageError } from '../../src/app/command.ts';
import { type VerifierConfig, verifierCommand } from '../../src/app/verifier-config.ts';

const nowhere = () => undefined;
const POD = { POD_NAME: 'verifier-0' };
/** What must be given. */
const LEAST = ['--environment=production', '--no-tls'];

function parsed(argv: string[], env: Environment = POD, readFile: (path: string) => string | undefined = nowhere) {
  const configs: VerifierConfig[] = [];
  const command = verifierCommand((config) => void configs.push(config), env, readFile);
  createCommand({ name: 'tokenwright', description: '' })
    .addCommand(command)
    .parse(['verifier', ...argv], { from: 'user' });
  return configs[0];
}

/** The sentences, without the last line, which points to --help. */
function refused(argv: string[], env: Environment = POD): string[] {
  try {
    parsed(argv, env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message.split('\n').slice(0, -2);
  }
  throw new Error('accepted');
}

/** Flags as --help shows them: their names, environment variables and defaults. */
function shown(): { name: string; env: string; fallback: string | undefined }[] {
  const written: string[] = [];
  const command = verifierCommand(() => expect.unreachable(), {}, nowhere);
  command.configureOutput({ writeOut: (text) => void written.push(text) });
  expect(() => command.parse(['--help'], { from: 'user' })).toThrow(HelpShown);
  const flags = written.join('').matchAll(/^ {2}--([a-z-]+)(?: [<[][A-Z:]+[>\]])? {2,}(.*\n(?: {30,}.*\n)*)/gm);
  return [...flags].flatMap(([, name = '', text = '']) => {
    const [, env, fallback] = /\[([A-Z_]+)(?:; default (\S+))?\]$/.exec(text.replaceAll(/\s+/g, ' ').trim()) ?? [];
    return env === undefined ? [] : [{ name, env, fallback }];
  });
}

describe('what is not given', () => {
  it('has the safe default', () => {
    expect(parsed(LEAST)).toMatchObject({
      namespace: 'tokenwright-system',
      upstreamNamespace: 'tokenwright-upstreams',
      name: 'verifier-0',
      bindAddress: { host: undefined, port: 8443 },
      metricsAuth: true,
      sourceHeader: 'x-forwarded-for',
      trustedProxies: [],
      auditLevel: { level: 'all' },
      auditWhenSlow: 'drop',
      rateLimits: { store: undefined, replicas: 1, whenDown: 'local' },
    });
  });

  it('is what its default says when that is given as a flag, for every flag with one', () => {
    const argv = shown().flatMap(({ name, fallback }) =>
      fallback === undefined || name === 'tls' ? [] : [`--${name}=${fallback}`],
    );
    expect(argv.length).toBeGreaterThan(10);
    expect(parsed([...LEAST, ...argv])).toEqual(parsed(LEAST));
  });
});

describe('a flag', () => {
  it.each<[string[], Partial<VerifierConfig>]>([
    [['--environment=stag-1'], { environment: 'stag-1' }],
    [['--bind-address=127.0.0.1:0'], { bindAddress: { host: '127.0.0.1', port: 0 } }],
    [['--name=a.b'], { name: 'a.b' }],
    [['--namespace=own'], { namespace: 'own' }],
    [['--upstream-namespace=keys'], { upstreamNamespace: 'keys' }],
    [['--source-header=X-Real-IP'], { sourceHeader: 'x-real-ip' }],
    [['--trusted-proxy=10.0.0.0/8', '--trusted-proxy=fd00::/8'], { trustedProxies: ['10.0.0.0/8', 'fd00::/8'] }],
    [['--audit-level=denials'], { auditLevel: { level: 'denials' } }],
    [['--audit-level=sampled:100'], { auditLevel: { level: 'sampled', oneIn: 100 } }],
    [['--audit-when-slow=refuse'], { auditWhenSlow: 'refuse' }],
    [['--audit-log=fd:3'], { auditLog: { kind: 'fd', fd: 3 } }],
    [['--no-metrics-auth'], { metricsAuth: false }],
    [['--shutdown-timeout=10m'], { shutdownTimeoutSeconds: 600 }],
  ])('%j is read, and nothing else changes', (argv, expected) => {
    const [, ...least] = LEAST;
    const environment = argv.some((one) => one.startsWith('--environment')) ? [] : ['--environment=production'];
    expect(parsed([...environment, ...least, ...argv])).toEqual({ ...parsed(LEAST), ...expected });
  });

  it('has a twin in the environment, which it wins over', () => {
    const flags = shown();
    expect(flags.length).toBeGreaterThan(15);
    for (const { name, env } of flags) expect(env).toBe(`TOKENWRIGHT_${name.toUpperCase().replaceAll('-', '_')}`);
    const env = {
      ...POD,
      TOKENWRIGHT_ENVIRONMENT: 'staging',
      TOKENWRIGHT_TRUSTED_PROXY: '10.0.0.0/8, fd00::/8,',
      TOKENWRIGHT_TLS: 'false',
    };
    expect([
      parsed([], env)?.environment,
      parsed([], env)?.trustedProxies,
      parsed(['--environment=dev'], env)?.environment,
    ]).toEqual(['staging', ['10.0.0.0/8', 'fd00::/8'], 'dev']);
  });
});

describe('TLS', () => {
  it('is served with a certificate and its key', () => {
    const { tls } = parsed(['--environment=production', '--tls-cert-file=/c', '--tls-key-file=/k']) ?? {};
    expect(tls).toEqual({ certFile: '/c', keyFile: '/k' });
  });

  it.each([
    ['neither', []],
    ['the certificate alone', ['--tls-cert-file=/c']],
    ['the key alone', ['--tls-key-file=/k']],
  ])('is never left out in silence: with %s', (_, argv) => {
    expect(refused(['--environment=production', ...argv])).toEqual([
      '--tls-cert-file and --tls-key-file are both needed; for plain HTTP say --no-tls.',
    ]);
  });

  it('is left out where that is asked for', () => {
    expect(parsed(LEAST)).toHaveProperty('tls', undefined);
  });
});

describe('the name', () => {
  it.each<[string, string[], Environment, string]>([
    ['the flag', ['--name=flag'], { TOKENWRIGHT_NAME: 'env', POD_NAME: 'pod' }, 'flag'],
    ['its environment variable', [], { TOKENWRIGHT_NAME: 'env', POD_NAME: 'pod' }, 'env'],
    ['POD_NAME', [], { POD_NAME: ' pod ' }, 'pod'],
  ])('is taken from %s', (_, argv, env, name) => {
    expect(parsed([...LEAST, ...argv], env)).toMatchObject({ name });
  });

  it('is that of the host where nobody says', () => {
    expect(parsed(LEAST, {})?.name).toBe(hostname());
  });
});

describe('a mistake', () => {
  it.each<[string[], string]>([
    [
      ['--environment=Production'],
      '--environment must be an environment: 1 to 24 of a-z, 0-9 and -, not "Production".',
    ],
    [['--environment=a_b'], '--environment must be an environment: 1 to 24 of a-z, 0-9 and -, not "a_b".'],
    [
      [...LEAST, '--trusted-proxy=10.0.0.1'],
      '--trusted-proxy must be a CIDR, such as 10.0.0.0/8 or fd00::/8, not "10.0.0.1".',
    ],
    [[...LEAST, '--trusted-proxy=*'], '--trusted-proxy must be a CIDR, such as 10.0.0.0/8 or fd00::/8, not "*".'],
    [[...LEAST, '--source-header=a b'], '--source-header must be the name of a header, not "a b".'],
    [
      [...LEAST, '--audit-level=sampled:1'],
      '--audit-level must be all, denials or sampled:N with N from 2, not "sampled:1".',
    ],
    [
      [...LEAST, '--audit-level=sampled:0x5'],
      '--audit-level must be all, denials or sampled:N with N from 2, not "sampled:0x5".',
    ],
    [[...LEAST, '--audit-level=none'], '--audit-level must be all, denials or sampled:N with N from 2, not "none".'],
    [[...LEAST, '--audit-when-slow=allow'], '--audit-when-slow must be one of drop, refuse, not "allow".'],
    [
      [...LEAST, '--shutdown-timeout=0s'],
      '--shutdown-timeout must be a duration like 90s or 2m, from 1s to 10m0s, not "0s".',
    ],
  ])('%j is told in one sentence that says what to do', (argv, sentence) => {
    expect(refused(argv)).toContain(sentence);
  });

  it('is told with the others', () => {
    expect(refused([])).toEqual([
      '--environment is missing: say whose tokens are accepted, such as --environment=production.',
      '--tls-cert-file and --tls-key-file are both needed; for plain HTTP say --no-tls.',
    ]);
  });
});
