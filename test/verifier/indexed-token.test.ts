import { describe, expect, it } from 'vitest';
import type { ApiToken, ApiTokenStatus } from '../../src/api/apitoken.ts';
import { digestOf, tokenIDOf } from '../../src/domain/value.ts';
import { type IndexedToken, Share } from '../../src/verifier/indexed-token.ts';
import { apiToken, indexed, KEY, NOW, OTHER_KEY, Seals, tokenValue } from './tokens.ts';

/** Of one version that is Previous, with all that a status may hold. */
function sealedToken(): ApiToken {
  return apiToken({
    versions: [
      { version: 3, state: 'Current' },
      { version: 2, state: 'Previous', digest: digestOf('two'), acceptedUntilTime: NOW + 60 },
    ],
    revokedThroughVersion: 1,
    handledRevocations: ['order-1'],
  });
}

type Version = NonNullable<ApiTokenStatus['versions']>[number];

const EDITS: [sentence: string, edit: (status: ApiTokenStatus, version: Version) => unknown][] = [
  ['a later expiry', (_, version) => Object.assign(version, { expirationTime: '2099-01-01T00:00:00Z' })],
  ['an earlier issue time', (_, version) => Object.assign(version, { issueTime: '2020-01-01T00:00:00Z' })],
  ['a later end of the overlap', (_, version) => Object.assign(version, { acceptedUntilTime: '2099-01-01T00:00:00Z' })],
  ['no end of the overlap', (_, version) => Object.assign(version, { acceptedUntilTime: undefined })],
  ['another state', (_, version) => Object.assign(version, { state: 'Current' })],
  ['another number', (_, version) => Object.assign(version, { version: 4 })],
  ['another digest', (_, version) => Object.assign(version, { digest: digestOf('mine') })],
  ['a wider grant', (_, version) => Object.assign(version.grant, { scopes: ['chat:write', '*'] })],
  ['another audience in the grant', (_, version) => Object.assign(version.grant, { audiences: ['search'] })],
  ['another environment in the grant', (_, version) => Object.assign(version.grant, { environment: 'staging' })],
  ['another subject in the grant', (_, version) => Object.assign(version.grant, { subject: 'agent:root' })],
  ['a version more', (status) => status.versions?.push({ ...(status.versions[0] as Version), version: 4 })],
  ['a version less', (status) => status.versions?.pop()],
  ['versions in another order', (status) => status.versions?.reverse()],
  ['fewer revoked', (status) => Object.assign(status, { revokedThroughVersion: 0 })],
  ['none revoked', (status) => Object.assign(status, { revokedThroughVersion: undefined })],
  ['a lower last version', (status) => Object.assign(status, { lastVersion: 2 })],
  ['a revocation that was not carried out', (status) => status.handledRevocations?.push('order-2')],
  ['no revocations carried out', (status) => Object.assign(status, { handledRevocations: undefined })],
  ['a higher sequence', (status) => status.seal && Object.assign(status.seal, { sequence: 18 })],
  ['another key', (status) => status.seal && Object.assign(status.seal, { keyID: OTHER_KEY.keyID })],
  ['another signature', (status) => status.seal && Object.assign(status.seal, { signature: 'A'.repeat(86) })],
  ['no seal', (status) => Object.assign(status, { seal: undefined })],
];

describe('a status', () => {
  it('is sealed as the operator wrote it', () => {
    expect(indexed(sealedToken(), new Seals(KEY, OTHER_KEY)).isSealed()).toBe(true);
  });

  it.each(EDITS)('is not sealed with %s', (_, edit) => {
    const token = sealedToken();
    const [, previous] = token.status?.versions ?? [];
    edit(token.status as ApiTokenStatus, previous as Version);
    expect(indexed(token, new Seals(KEY, OTHER_KEY)).isSealed()).toBe(false);
  });

  it('is not sealed as that of another ApiToken, which copied it', () => {
    expect(
      indexed({
        ...apiToken({ uid: 'thief' }),
        status: apiToken({ uid: 'uid-1' }).status as ApiTokenStatus,
      }).isSealed(),
    ).toBe(false);
  });

  it('is not sealed as that of an ApiToken of the same name, made anew', () => {
    expect(indexed({ ...apiToken({ uid: 'uid-2' }), status: apiToken().status as ApiTokenStatus }).isSealed()).toBe(
      false,
    );
  });

  it('is not sealed where there is none yet', () => {
    const { status: _, ...token } = apiToken();
    const made = indexed(token);
    expect([made.isSealed(), made.versions, made.sequence]).toEqual([false, [], 0]);
  });

  it('is found by what its UID says, whatever token id it claims', () => {
    const token = apiToken();
    const liar = { ...token, status: { ...token.status, tokenID: tokenIDOf('other') } };
    expect([indexed(liar).tokenID, indexed(liar).isSealed()]).toEqual([tokenIDOf('uid-1'), true]);
  });
});

describe('a seal', () => {
  it('is checked when it is first asked for, and then no more', () => {
    const seals = new Seals(KEY);
    const token = indexed(apiToken(), seals);
    const before = seals.checks;
    const answers = [token.isSealed(), token.isSealed(), token.isSealed()];
    expect({ before, answers, after: seals.checks }).toEqual({ before: 0, answers: [true, true, true], after: 1 });
  });

  it('that is broken is not checked again either', () => {
    const seals = new Seals(KEY);
    const token = indexed(apiToken({ key: { ...OTHER_KEY, keyID: KEY.keyID } }), seals);
    expect([token.isSealed(), token.isSealed(), seals.checks, seals.missing]).toEqual([false, false, 1, []]);
  });

  it('of a key that is not known is asked for, and checked again once it is', () => {
    const seals = new Seals(KEY);
    const token = indexed(apiToken({ key: OTHER_KEY }), seals);
    expect([token.isSealed(), token.isSealed(), seals.missing]).toEqual([false, false, [OTHER_KEY.keyID]]);
    seals.set(KEY, OTHER_KEY);
    expect(token.isSealed()).toBe(true);
  });

  it('opens nothing once its key is distrusted', () => {
    const seals = new Seals(KEY);
    const token = indexed(apiToken(), seals);
    const before = token.isSealed();
    seals.set(OTHER_KEY);
    expect([before, token.isSealed()]).toEqual([true, false]);
  });
});

/** What isSealed says of each state of one ApiToken as they come, by their sequences. */
function told(...sequences: number[]): boolean[] {
  const seals = new Seals(KEY);
  let held: IndexedToken | undefined;
  return sequences.map((sequence) => {
    const token = indexed(apiToken({ sequence }), seals);
    if (held) token.follow(held);
    held = token;
    return token.isSealed();
  });
}

describe('an older status', () => {
  it.each<[sentence: string, sequences: number[], sealed: boolean[]]>([
    ['that was put back opens nothing', [17, 16], [true, false]],
    ['that was put back again opens nothing', [17, 16, 15, 16], [true, false, false, false]],
    ['does not outlast the newer one', [17, 16, 17], [true, false, true]],
    ['does not lower what must be reached', [17, 16, 16, 18], [true, false, false, true]],
    ['may be told twice where it is the newest', [17, 17], [true, true]],
  ])('%s: %j', (_, sequences, sealed) => {
    expect(told(...sequences)).toEqual(sealed);
  });

  it('opens nothing though it was once found sealed', () => {
    const older = indexed({ sequence: 16 });
    const before = older.isSealed();
    older.follow(indexed({ sequence: 17 }));
    expect([before, older.isSealed()]).toEqual([true, false]);
  });
});

describe('a hundred thousand', () => {
  it('share what is alike', () => {
    const share = new Share();
    const [one, two] = [indexed({ uid: 'a' }, new Seals(KEY), share), indexed({ uid: 'b' }, new Seals(KEY), share)];
    expect(two.spec).toBe(one.spec);
    expect(two.versions[0]?.grant.scopes).toBe(one.versions[0]?.grant.scopes);
    expect(two.spec.scopes).toBe(two.versions[0]?.grant.scopes);
  });

  it('hold no functions of their own', () => {
    expect(Object.values(indexed()).filter((value) => typeof value === 'function')).toEqual([]);
  });

  it('hold what a verdict needs, and none of what a person wrote besides', () => {
    const token = apiToken({ labels: { team: 'support' } });
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': 'x'.repeat(5000) };
    const kept = indexed({ ...token, metadata: { ...token.metadata, annotations } });
    expect(Object.keys(kept.metadata).sort()).toEqual(['labels', 'name', 'namespace', 'resourceVersion', 'uid']);
  });
});

describe('what is shared', () => {
  it('is a spec of its own for each that differs anywhere', () => {
    const share = new Share();
    const spec = { environment: 'production', audiences: ['a'], scopes: ['a'], suspended: false };
    const others = [{ environment: 'staging' }, { audiences: ['b'] }, { scopes: [] }, { suspended: true }];
    const shared = share.spec(spec);
    expect(share.spec({ ...spec })).toBe(shared);
    for (const other of others) expect(share.spec({ ...spec, ...other })).toEqual({ ...spec, ...other });
  });

  it('is one list for equal ones, in their order, that nobody can change', () => {
    const share = new Share();
    const list = share.list(['a', 'b']);
    expect(share.list(['a', 'b'])).toBe(list);
    expect(share.list(['b', 'a'])).toEqual(['b', 'a']);
    expect(share.list(['a,b'])).toEqual(['a,b']);
    expect(Object.isFrozen(list)).toBe(true);
  });

  it('is not what the API server sent, which others hold', () => {
    const sent = ['a'];
    const list = new Share().list(sent);
    sent.push('b');
    expect(list).toEqual(['a']);
  });

  it('is forgotten past its bound, and right all the same', () => {
    const share = new Share(2);
    const first = share.list(['1']);
    for (const text of ['2', '3', '4', '5']) expect([share.list([text]), share.text(text)]).toEqual([[text], text]);
    expect(share.list(['1'])).toEqual(first);
    expect(share.list(['1'])).not.toBe(first);
  });
});

describe('a value for the tests', () => {
  it('is one that the token has', () => {
    expect(indexed().versions.map(({ digest }) => digest)).toEqual([digestOf(tokenValue('uid-1'))]);
  });
});
