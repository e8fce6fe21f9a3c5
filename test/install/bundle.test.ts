import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VERSION } from '../../src/version.ts';
import { command, tryCommand } from './command.ts';

const script = join(import.meta.dirname, '../../tools/build/bundle.ts');
let folder: string;
let bundle: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokenwright-bundle-'));
  await command(process.execPath, [script, join(folder, 'one')]);
  bundle = join(folder, 'one/tokenwright.js');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const hashOf = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

/** All that is shipped of one build, by name. */
async function shipped(build: string): Promise<string[]> {
  const entries = await readdir(join(folder, build), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return files.map((file) => relative(join(folder, build), file)).sort();
}

const scripts = async () => {
  const names = (await shipped('one')).filter((name) => name.endsWith('.js'));
  return Promise.all(names.map((name) => readFile(join(folder, 'one', name), 'latin1')));
};

describe('the bundle', () => {
  test('is a program of its own', async () => {
    expect((await stat(bundle)).mode & 0o111).toBe(0o111);
    // from a folder without node_modules, and by its shebang
    const env = { PATH: `${join(process.execPath, '..')}:${process.env.PATH}` };
    expect(await command(bundle, ['version'], { cwd: folder, env })).toBe(`tokenwright ${VERSION}\n`);
    expect(await command(bundle, ['operator', '--help'], { cwd: folder, env })).toContain(
      '--max-concurrent-rollouts <N>',
    );
  });

  test('logs, and says what is wrong, before it can reach a cluster', async () => {
    const args = [bundle, 'operator', '--metrics-bind-address=127.0.0.1:0'];
    const { code, stderr } = await tryCommand(process.execPath, args, { cwd: folder, env: { KUBECONFIG: '/nowhere' } });
    expect(code).toBe(1);
    const [line] = stderr.trim().split('\n');
    expect(JSON.parse(line ?? '')).toMatchObject({ level: 'error', msg: 'operator ended' });
  });

  test('has the same bytes wherever it is built', async () => {
    await command(process.execPath, [script, join(folder, 'two')], { cwd: tmpdir(), env: { TZ: 'Asia/Tokyo' } });
    const names = await shipped('one');
    expect(names).toContain('tokenwright.js');
    expect(await shipped('two')).toEqual(names);
    for (const name of names)
      expect(await hashOf(join(folder, 'two', name))).toBe(await hashOf(join(folder, 'one', name)));
  });

  test('names no path of the machine that it was built on', async () => {
    for (const text of await scripts()) expect(text.includes(join(import.meta.dirname, '../..'))).toBe(false);
  });

  test('leaves out what is not used of the client', async () => {
    for (const text of await scripts()) expect(text.includes('V1DeploymentSpec')).toBe(false);
  });

  test('takes less than 100 MB to start an operator, and less than 80 MB to answer without a cluster', async () => {
    const tell = 'data:text/javascript,process.on("exit",()=>console.error(process.resourceUsage().maxRSS))';
    const peak = async (...args: string[]) => {
      const { stderr } = await tryCommand(process.execPath, ['--import', tell, bundle, ...args], { env: {} });
      return Number(stderr.trim().split('\n').at(-1));
    };
    for (const [most, args] of [
      [100_000, ['operator', '--kubeconfig=/nowhere', '--metrics-bind-address=127.0.0.1:0']],
      [80_000, ['operator', '--help']],
    ] as const) {
      const kilobytes = await peak(...args);
      expect(kilobytes).toBeGreaterThan(30_000);
      expect(kilobytes).toBeLessThan(most);
    }
  });

  test('comes with the licences of what it holds', async () => {
    const text = await readFile(join(folder, 'one/THIRD_PARTY_LICENSES.txt'), 'utf8');
    for (const name of ['undici', 'pino', 'prom-client', 'croner', 'commander', '@kubernetes/client-node'])
      expect(new RegExp(`^${name} \\d`, 'm').test(text), name).toBe(true);
    expect(text.includes('Permission is hereby granted, free of charge')).toBe(true);
    expect(/^vitest /m.test(text)).toBe(false);
  });
});
