import { beforeEach, describe, expect, it } from 'vitest';
import type { GrantedNamespacesManifest } from '../../../src/api/granted-namespaces.ts';
import { type CompiledPolicy, compilePolicy } from '../../../src/domain/policy/policy.ts';
import { KubeError, type KubeObject } from '../../../src/ports.ts';
import { GrantedNamespaces } from '../../../src/reconcile/tokenpolicy/granted-namespaces.ts';
import { listening } from '../../audit/records.ts';
import { policy } from './samples.ts';

let held: GrantedNamespacesManifest | undefined;
let policies: readonly CompiledPolicy[];
let writes: number;
let pauses: number[];
let beforeWrite: () => void;
let log: ReturnType<typeof listening>;
let granted: GrantedNamespaces;

const failed = (reason: 'NotFound' | 'Conflict', status: number) =>
  new KubeError({ reason, status, transient: false, message: reason });

const write = async <T extends KubeObject>(_type: unknown, object: T): Promise<T> => {
  beforeWrite();
  writes += 1;
  held = object as unknown as GrantedNamespacesManifest;
  return object;
};

beforeEach(() => {
  held = undefined;
  policies = [compilePolicy(policy('one'))];
  writes = 0;
  pauses = [];
  beforeWrite = () => {};
  log = listening();
  const get = async <T extends KubeObject>(): Promise<T> => {
    if (held === undefined) throw failed('NotFound', 404);
    return held as unknown as T;
  };
  granted = new GrantedNamespaces({
    client: { get, create: write, replace: write },
    namespace: 'tokenwright-system',
    policies: () => policies,
    defaultPolicy: 'Deny',
    pause: async (ms) => void pauses.push(ms),
    log: log.log,
  });
});

const told = () => held?.spec.grants;
const altered = (grants: Record<string, string>) => {
  if (held) held = { ...held, spec: { grants } };
  return granted.isAltered(held);
};

describe('what the API server is told', () => {
  it('is created, and written no more while no policy changes', async () => {
    await granted.keep();
    await granted.keep();
    expect([told(), writes]).toEqual([{ one: '' }, 1]);
  });

  it('follows the policies, with a pause between two writes', async () => {
    await granted.keep();
    policies = [...policies, compilePolicy(policy('two'))];
    await Promise.all([granted.keep(), granted.keep()]);
    expect([told(), writes]).toEqual([{ one: '', two: '' }, 2]);
    expect(pauses.length).toBeGreaterThan(0);
  });

  it('is what the policies say when it is written, and written again where they change meanwhile', async () => {
    beforeWrite = () => {
      beforeWrite = () => {};
      policies = [];
    };
    await granted.keep();
    expect([told(), writes]).toEqual([{}, 2]);
  });

  it('is put right where somebody alters it, adds to it or deletes it', async () => {
    await granted.keep();
    expect(altered({})).toBe(true);
    await granted.keep();
    expect(told()).toEqual({ one: '' });
    expect(altered({ one: '', theirs: '' })).toBe(true);
    await granted.keep();
    expect(told()).toEqual({ one: '' });
    held = undefined;
    expect(granted.isAltered(undefined)).toBe(true);
    await granted.keep();
    expect(told()).toEqual({ one: '' });
  });

  it('is put right where somebody alters it before our own write is answered', async () => {
    beforeWrite = () => {
      beforeWrite = () => {};
      granted.isAltered(undefined);
    };
    await granted.keep();
    held = undefined;
    granted.isAltered(undefined);
    await granted.keep();
    expect(told()).toEqual({ one: '' });
  });

  it('is no news where the watch tells of our own write', async () => {
    await granted.keep();
    expect(granted.isAltered(held)).toBe(false);
  });

  it('is written at the next call where somebody else was faster', async () => {
    beforeWrite = () => {
      beforeWrite = () => {};
      throw failed('Conflict', 409);
    };
    await expect(granted.keep()).rejects.toThrow('Conflict');
    await granted.keep();
    expect(told()).toEqual({ one: '' });
  });
});
