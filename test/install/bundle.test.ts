import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    for (const name of ['tokenwright.js', 'THIRD_PARTY_LICENSES.txt'])
      expect(await hashOf(join(folder, 'two', name))).toBe(await hashOf(join(folder, 'one', name)));
  });

  test('names no path of the machine that it was built on', async () => {
    expect((await readFile(bundle, 'utf8')).includes(join(import.meta.dirname, '../..'))).toBe(false);
  });

  test('leaves out what is not used of the client', async () => {
    const text = await readFile(bundle, 'latin1');
    expect(text.length).toBeLessThan(2_200_000);
    expect(text.includes('V1DeploymentSpec')).toBe(false);
  });

  test('takes less than 110 MB to start', async () => {
    const tell = 'data:text/javascript,process.on("exit",()=>console.error(process.resourceUsage().maxRSS))';
    const { stderr } = await tryCommand(process.execPath, ['--import', tell, bundle, 'operator', '--help'], {
      env: {},
    });
    expect(Number(stderr.trim())).toBeGreaterThan(30_000);
    expect(Number(stderr.trim())).toBeLessThan(110_000);
  });

  test('comes with the licences of what it holds', async () => {
    const text = await readFile(join(folder, 'one/THIRD_PARTY_LICENSES.txt'), 'utf8');
    for (const name of ['undici', 'pino', 'prom-client', 'croner', 'commander', '@kubernetes/client-node'])
      expect(new RegExp(`^${name} \\d`, 'm').test(text), name).toBe(true);
    expect(text.includes('Permission is hereby granted, free of charge')).toBe(true);
    expect(/^vitest /m.test(text)).toBe(false);
  });
});
