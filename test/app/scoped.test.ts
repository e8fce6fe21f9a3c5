import { afterEach, beforeEach, expect, it } from 'vitest';
import { Scoped } from '../../src/app/scoped.ts';
import type { ListWatch } from '../../src/kube/client.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import type { KubeObject, ResourceType } from '../../src/ports.ts';
import { listening } from '../audit/records.ts';

const THINGS: ResourceType = { group: '', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
const EXISTING = [thing('a', 'one', '1'), thing('b', 'two', '2')];

function thing(namespace: string, name: string, resourceVersion: string): KubeObject {
  return { metadata: { namespace, name, uid: `${namespace}/${name}`, resourceVersion } };
}

/** Lists what is there, and then tells nothing. */
const client: ListWatch = {
  listPage: async (_type, { namespace } = {}) => ({
    items: EXISTING.filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace) as never[],
    resourceVersion: '5',
    next: undefined,
  }),
  watch: (_type, { signal }) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true })),
};

let opened: Scoped<KubeObject>[];

beforeEach(() => {
  opened = [];
});

afterEach(async () => {
  for (const scoped of opened) for (const reflector of scoped.reflectors) await reflector.stop();
});

async function open(namespaces: string[]): Promise<Scoped<KubeObject>> {
  const { log } = listening();
  const scoped = new Scoped(namespaces, (scope) => new Reflector({ client, log, type: THINGS, ...scope }).start());
  opened.push(scoped);
  await Promise.all(scoped.reflectors.map(({ whenSynced }) => whenSynced));
  return scoped;
}

const names = (scoped: Scoped<KubeObject>) => [...scoped.list()].map(({ metadata }) => metadata.uid);

it.each<[string[], string[]]>([
  [[], ['a/one', 'b/two']],
  [['a'], ['a/one']],
  [
    ['a', 'b'],
    ['a/one', 'b/two'],
  ],
])('of the namespaces %j holds %j', async (namespaces, expected) => {
  const scoped = await open(namespaces);
  expect(names(scoped)).toEqual(expected);
  for (const uid of ['a/one', 'b/two']) expect(scoped.get(uid)?.metadata.uid).toBe(expected.find((one) => one === uid));
});

it.each([[[]], [['a', 'b']]])('takes the reply of a write once, whatever the namespaces (%j)', async (namespaces) => {
  const scoped = await open(namespaces);
  scoped.observe(thing('b', 'two', '9'));
  expect(names(scoped)).toEqual(['a/one', 'b/two']);
  expect(scoped.get('b/two')?.metadata.resourceVersion).toBe('9');
});

it('takes nothing of a namespace that is not its own', async () => {
  const scoped = await open(['a']);
  scoped.observe(thing('b', 'two', '9'));
  expect(names(scoped)).toEqual(['a/one']);
});
