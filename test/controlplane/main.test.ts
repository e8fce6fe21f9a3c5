import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Sandbox } from './sandbox.ts';

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = new Sandbox();
});
afterEach(() => sandbox.remove());

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

function runTool(file: string, args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const path = fileURLToPath(new URL(`../../tools/controlplane/${file}`, import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [path, ...args], { env: { ...sandbox.env, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

describe('main.ts', () => {
  test.each<[string[], string]>([
    [[], 'no command given'],
    [['down'], 'no command "down"'],
    [['up', 'up'], 'one command at a time'],
    [['up', '--version', 'new'], '"new" is not a Kubernetes version'],
    [['up', '--nodes', '0'], '--nodes 0: a number from 1 to 999'],
    [['up', '--node', '1'], "Unknown option '--node'"],
  ])('%j is wrong usage', async (args, sentence) => {
    const { code, stdout, stderr } = await runTool('main.ts', args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(sentence);
    expect(stderr).toContain('Try --help.');
  });

  test('--help names commands, options and variables', async () => {
    const { code, stdout } = await runTool('main.ts', ['--help']);
    expect(code).toBe(0);
    for (const word of ['up', 'binaries', '--version', 'KUBEBUILDER_ASSETS', 'Exit codes'])
      expect(stdout).toContain(word);
  });

  test('binaries prints nothing but the directory on stdout', async () => {
    sandbox.fakeGo();
    const { code, stdout } = await runTool('main.ts', ['binaries'], { TOKENWRIGHT_DOWNLOAD: 'off' });
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${sandbox.directory}/cache/tokenwright/sets/[0-9a-f]{16}\\n$`));
  });

  test('binaries exits with 1 and the reason when nothing helps', async () => {
    sandbox.brokenGo();
    const { code, stderr } = await runTool('main.ts', ['binaries'], { TOKENWRIGHT_DOWNLOAD: 'off' });
    expect(code).toBe(1);
    expect(stderr).toContain('no space left on device');
    expect(stderr).not.toContain('    at ');
  });
});

describe('main.ts up', () => {
  test(
    'prints what a shell needs, stays, and leaves nothing after Ctrl-C',
    async () => {
      const path = fileURLToPath(new URL('../../tools/controlplane/main.ts', import.meta.url));
      const up = spawn(process.execPath, [path, 'up', '--no-workloads'], { stdio: ['ignore', 'pipe', 'ignore'] });
      const exit = once(up, 'exit');
      let printed = '';
      for await (const chunk of up.stdout.setEncoding('utf8')) {
        printed += chunk;
        if (printed.includes('export PATH=')) break;
      }
      const kubeconfig = /^export KUBECONFIG=(\S+)$/m.exec(printed)?.[1] ?? 'none';
      expect(existsSync(kubeconfig)).toBe(true);
      expect(up.exitCode).toBeNull();
      up.kill('SIGINT');
      expect(await exit).toEqual([0, null]);
      expect(existsSync(dirname(dirname(kubeconfig)))).toBe(false);
    },
    30 * 60_000,
  ); // the first run on a machine may have to build everything
});

describe('kind.ts', () => {
  const record = (name: string, more = '') =>
    sandbox.program('bin', name, `#!/bin/sh\necho "${name} $* [$TOKENWRIGHT_TEST_KUBECONFIG]" >&2\n${more}`);

  test('says that there is no docker, and exits with 2', async () => {
    const { code, stderr } = await runTool('kind.ts', [], { PATH: `${sandbox.directory}/bin` });
    expect(code).toBe(2);
    expect(stderr).toContain('needs a Docker engine, and there is none here: no `docker` on the PATH.');
  });

  test('says why the docker engine does not answer, and exits with 2', async () => {
    sandbox.program('bin', 'docker', '#!/bin/sh\necho "Cannot connect to the Docker daemon" >&2\nexit 1\n');
    const { code, stderr } = await runTool('kind.ts', []);
    expect(code).toBe(2);
    expect(stderr).toContain('Cannot connect to the Docker daemon');
  });

  test('makes a cluster, runs the tests on it, deletes it and exits as the tests did', async () => {
    sandbox.program('bin', 'docker', '#!/bin/sh\necho 28.0.0\n');
    record('kind');
    record('npm', 'exit 5\n');
    const { code, stderr } = await runTool('kind.ts', ['-t', 'rotation'], { KIND_IMAGE: 'kindest/node:v1.36.1' });
    expect(code).toBe(5);
    const lines = stderr.trim().split('\n');
    expect(lines).toEqual([
      expect.stringMatching(
        /^kind create cluster --name (tokenwright-\d+) --kubeconfig \S+ .*--image kindest\/node:v1\.36\.1 /,
      ),
      expect.stringMatching(/^npm exec -- vitest run --project cluster -t rotation \[\S+kubeconfig\]$/),
      expect.stringMatching(/^kind delete cluster --name tokenwright-\d+ /),
    ]);
    const named = (line = '') => /--name (\S+)/.exec(line)?.[1];
    expect(named(lines[0])).toBe(named(lines[2]));
  });

  test('deletes what is left of a cluster that did not come up, and exits with 1', async () => {
    sandbox.program('bin', 'docker', '#!/bin/sh\necho 28.0.0\n');
    record('kind', '[ "$1" != create ]\n');
    record('npm');
    const { code, stderr } = await runTool('kind.ts', []);
    expect(code).toBe(1);
    expect(stderr).toContain('kind delete cluster');
    expect(stderr).not.toContain('npm exec');
  });
});
