/** The search for leaked values, which runs over everything at the end of the run (cluster.ts), finds what is planted. */
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { composeValue, tokenIDOf } from '../../src/domain/value.ts';
import { ApiServer, expectOk, installApi } from '../crds/api-server.ts';
import { cluster } from './cluster.ts';
import { type Search, search, tokenIDsIn } from './harness/leaks.ts';
import { apiToken } from './harness/manifests.ts';

const newValue = (uid: string) => composeValue('e2e', tokenIDOf(uid), randomBytes(32)).reveal();
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('a value is known', () => {
  const value = newValue('some');

  it.each([
    ['alone', value],
    ['in a text', `{"header":"Bearer ${value}","other":1}`],
    ['right behind another', value + value],
    ['in base64', base64(value)],
    ['in base64 after one byte', `"HEADER":"${base64(`x${value}`)}"`],
    ['in base64 after two bytes', base64(`xy${value}.`)],
    ['in base64 in the midst of a text', `{"data":{"HEADER":"${base64(`Bearer ${value} and more`)}"}}`],
    ['in base64 for URLs', Buffer.from(`ÿÿ ${value}`).toString('base64url')],
  ])('%s', (_, text) => {
    expect(new Set(tokenIDsIn(text))).toEqual(new Set([tokenIDOf('some')]));
  });

  const wrong = value.slice(0, -1) + (value.endsWith('0') ? '1' : '0');
  it.each([
    ['a token id', tokenIDOf('some')],
    ['a redacted value', 'twk_e2e_…[redacted]'],
    ['a part of a value', value.slice(0, -1)],
    ['one with a wrong checksum', wrong],
    ['one with a wrong checksum, in base64', base64(wrong)],
  ])('and not %s', (_, text) => {
    expect(tokenIDsIn(text)).toEqual([]);
  });
});

describe('a value is', () => {
  const namespace = `no-leak-${process.pid}`;
  const pathOf = (resource: string) =>
    `${resource === 'events' ? '/apis/events.k8s.io/v1' : '/api/v1'}/namespaces/${namespace}/${resource}`;
  let server: ApiServer;
  let value: string;
  let tokenID: string;
  /** While they are planted, and after. */
  let during: Search;
  let after: Search;

  beforeAll(async () => {
    server = await ApiServer.open(cluster().kubeconfig);
    await installApi(server);
    expectOk(await server.create('/api/v1/namespaces', { metadata: { name: namespace } }));
    // ApiTokens that live: the garbage collector removes the Secrets of others
    const [own, another] = [await declare('own'), await declare('another')];
    value = newValue(own);
    tokenID = tokenIDOf(own);
    const file = join(cluster().records, `${namespace}.txt`);
    const plants: [resource: string, name: string, object: object][] = [
      ['configmaps', 'config', { data: { about: `is ${value}` } }],
      ['events', 'event', { ...EVENT, note: `minted ${value}`, regarding: { kind: 'Secret', namespace, name: 'own' } }],
      ['secrets', 'nobodys', { stringData: { token: value } }],
      ['secrets', 'anothers', { metadata: ownedBy('another', another), stringData: { token: value } }],
      [
        'secrets',
        'own',
        { metadata: { ...ownedBy('own', own), annotations: { last: value } }, stringData: { token: value } },
      ],
    ];
    for (const [resource, name, object] of plants) {
      const { metadata } = { metadata: {}, ...object };
      expectOk(await server.create(pathOf(resource), { ...object, metadata: { ...metadata, name } }));
    }
    await writeFile(file, `one line\nand ${value}`);
    during = await search(cluster()).finally(() => rm(file));
    for (const [resource, name] of plants) expectOk(await server.delete(`${pathOf(resource)}/${name}`));
    after = await search(cluster());
  });

  afterAll(async () => {
    await server?.delete(`/api/v1/namespaces/${namespace}`);
    await server?.close();
  });

  async function declare(name: string): Promise<string> {
    const path = `/apis/tokenwright.dev/v1alpha1/namespaces/${namespace}/apitokens`;
    const { body } = expectOk(await server.create(path, apiToken(name)));
    return (body as unknown as { metadata: { uid: string } }).metadata.uid;
  }

  /** Those that tell of what was planted here: other files' tests may run meanwhile. */
  const here = ({ leaks }: Search) => leaks.filter((leak) => leak.includes(tokenID));
  const inEtcd = (key: string) => (cluster().etcd ? [`etcd /registry/${key}`] : []);

  it('found wherever it is planted, and nowhere else', () => {
    const places = [
      `configmaps ${namespace}/config .data`,
      ...inEtcd(`configmaps/${namespace}/config`),
      `events ${namespace}/event .note`,
      // the older form of the same Event
      `events ${namespace}/event .message`,
      ...inEtcd(`events/${namespace}/event`),
      `secrets ${namespace}/nobodys .data`,
      ...inEtcd(`secrets/${namespace}/nobodys`),
      `secrets ${namespace}/anothers .data`,
      ...inEtcd(`secrets/${namespace}/anothers`),
      `secrets ${namespace}/own .metadata`,
      `${namespace}.txt:2`,
    ];
    expect(here(during)).toEqual(places.map((place) => `a value of token id ${tokenID} is in ${place}`).sort());
  });

  it('taken as in its place in the data of its own Secret', () => {
    expect(during.inPlace).toBeGreaterThan(0);
  });

  it('not printed by the search', () => {
    expect(JSON.stringify(during)).not.toContain(value);
  });

  it('not found any more when it is removed', () => {
    expect(here(after)).toEqual([]);
  });
});

const EVENT = {
  reason: 'Planted',
  action: 'Plant',
  type: 'Normal',
  eventTime: '2026-01-01T00:00:00.000000Z',
  reportingController: 'tokenwright.dev/test',
  reportingInstance: 'test',
};

function ownedBy(name: string, uid: string) {
  const owner = { apiVersion: 'tokenwright.dev/v1alpha1', kind: 'ApiToken', name, uid, controller: true };
  return { ownerReferences: [owner] };
}
