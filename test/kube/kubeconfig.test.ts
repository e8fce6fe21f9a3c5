import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts';

const serviceAccount = vi.hoisted(() => ({ mounted: false }));

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const mounted = (path: string) => path.startsWith('/var/run/secrets/') && serviceAccount.mounted;
  return { ...fs, existsSync: (path: string) => mounted(path) || fs.existsSync(path) };
});

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
  for (const name of ['KUBECONFIG', 'KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT']) vi.stubEnv(name, '');
  vi.stubEnv('HOME', directory);
});

afterEach(() => {
  vi.unstubAllEnvs();
  serviceAccount.mounted = false;
  rmSync(directory, { recursive: true });
});

function file(name: string, contexts: string[], current = contexts[0]): string {
  const path = join(directory, name);
  const config = {
    'current-context': current,
    clusters: contexts.map((context) => ({ name: context, cluster: { server: `https://${context}:6443` } })),
    users: contexts.map((context) => ({ name: context, user: { token: 'hunter2' } })),
    contexts: contexts.map((context) => ({ name: context, context: { cluster: context, user: context } })),
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

function server(flags: Parameters<typeof loadKubeConfig>[0] = {}): string | undefined {
  return loadKubeConfig(flags).getCurrentCluster()?.server;
}

describe('the cluster', () => {
  it('is that of the file given', () => {
    vi.stubEnv('KUBECONFIG', file('env', ['env']));
    expect(server({ kubeconfig: file('flag', ['flag']) })).toBe('https://flag:6443');
  });

  it('is that of KUBECONFIG else, whose files add up', () => {
    vi.stubEnv('KUBECONFIG', [file('one', ['one']), file('two', ['two'])].join(delimiter));
    vi.stubEnv('KUBERNETES_SERVICE_HOST', '10.0.0.1');
    serviceAccount.mounted = true;
    expect(server({ context: 'one' })).toBe('https://one:6443');
    expect(server({ context: 'two' })).toBe('https://two:6443');
  });

  it("is the pod's else", () => {
    vi.stubEnv('KUBERNETES_SERVICE_HOST', '10.0.0.1');
    vi.stubEnv('KUBERNETES_SERVICE_PORT', '443');
    serviceAccount.mounted = true;
    expect(server()).toBe('https://10.0.0.1:443');
  });

  it('is that of the context given', () => {
    expect(server({ kubeconfig: file('flag', ['one', 'two']), context: 'two' })).toBe('https://two:6443');
  });
});

describe('a sentence for the user', () => {
  it('names a context that there is not', () => {
    expect(() => server({ kubeconfig: file('flag', ['one']), context: 'two' })).toThrow('has no context two');
  });

  it('names a file that there is not', () => {
    expect(() => server({ kubeconfig: '/nowhere' })).toThrow('kubeconfig /nowhere cannot be read (ENOENT)');
  });

  it('says that there is no current context', () => {
    expect(() => server({ kubeconfig: file('flag', ['one'], '') })).toThrow('no cluster is known');
  });

  it('quotes nothing of a file that is no YAML', () => {
    const path = join(directory, 'broken');
    writeFileSync(path, 'users:\n- name: a\n  user: {token: hunter2\nclusters: [');
    let thrown: unknown;
    try {
      server({ kubeconfig: path });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(Error);
    expect(thrown instanceof Error && `${thrown.stack}`).not.toContain('hunter2');
  });
});
