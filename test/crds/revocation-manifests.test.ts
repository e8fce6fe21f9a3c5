import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asShown, expectOk, sentences } from './api-server.ts';
import * as tables from './revocation-tables.ts';
import { least, type Spec } from './revocation-tables.ts';
import { type RevocationKind, Revocations } from './revocations.ts';

let revocations: Revocations;
let showsValues = true;

beforeAll(async () => {
  revocations = await Revocations.open('manifests');
  const spec = { ...least, match: { name: 'NO' } };
  showsValues = (await tried('TokenRevocation', spec)).body.message.includes('"NO"');
});

afterAll(() => revocations?.close());

const KINDS = [
  ['TokenRevocation', tables.GOOD, [...tables.BAD, ...tables.NAMESPACED_BAD]],
  ['ClusterTokenRevocation', [...tables.GOOD, ...tables.CLUSTER_GOOD], [...tables.BAD, ...tables.CLUSTER_BAD]],
] as const;

/** Created, and not kept: what it revokes may be another test's. */
const tried = (kind: RevocationKind, spec: Spec, options = '') =>
  revocations.admin.create(`${revocations.path(kind)}?dryRun=All${options}`, revocations.manifest(kind, spec));

describe.each(KINDS)('of a %s the API server', (kind, good, bad) => {
  it.each(good)('accepts %s', async (_, spec) => {
    const created = await tried(kind, spec);
    expect(sentences(created)).toEqual([]);
    // nothing is filled in
    expect(created.body.spec).toEqual(spec);
  });

  it.each(bad)('refuses %s', async (_, spec, says) => {
    expect(sentences(await tried(kind, spec))).toEqual(asShown(says, showsValues));
  });

  it('refuses a field that nobody knows', async () => {
    const spec = { ...least, match: { name: 'a', enviroment: 'production' } };
    const answer = await tried(kind, spec, '&fieldValidation=Strict');
    expect(answer.status).toBe(400);
    expect(answer.body.message).toContain('unknown field "spec.match.enviroment"');
  });

  it.each(tables.CHANGES)('refuses %s', async (_, before, after) => {
    const { admin } = revocations;
    const object = revocations.manifest(kind, before);
    const at = `${revocations.path(kind)}/${object.metadata.name}`;
    const first = expectOk(await admin.apply(at, object));
    const says = [`spec: Forbidden: keep the spec, which cannot change, or create another ${kind}`];
    expect(sentences(await admin.apply(at, { ...object, spec: after }))).toEqual(says);
    expect(sentences(await admin.replace(at, { ...first.body, spec: after }))).toEqual(says);
    expect(sentences(await admin.jsonPatch(at, [{ op: 'replace', path: '/spec', value: after }]))).toEqual(says);
    expect(expectOk(await admin.get(at)).body.spec).toEqual(before);
  });

  it('accepts the same again, and labels of others', async () => {
    const { admin } = revocations;
    const object = revocations.manifest(kind);
    const at = `${revocations.path(kind)}/${object.metadata.name}`;
    expectOk(await admin.apply(at, object));
    expect(sentences(await admin.apply(at, object))).toEqual([]);
    expect(sentences(await admin.mergePatch(at, { metadata: { labels: { team: 'a' } }, spec: least }))).toEqual([]);
  });
});

describe('a TokenRevocation knows no', () => {
  it.each([
    ['namespaces', { matchLabels: { a: 'b' } }],
    ['namespaceNames', ['a']],
    ['everything', true],
  ])('%s, and so reaches its own namespace only', async (field, value) => {
    const spec = { ...least, match: { [field]: value } };
    const strict = await tried('TokenRevocation', spec, '&fieldValidation=Strict');
    expect(strict.body.message).toContain(`unknown field "spec.match.${field}"`);
    // pruned, nothing is left
    expect(sentences(await tried('TokenRevocation', spec))).toEqual(tables.NAMESPACED_BAD[0]?.[2]);
  });
});
