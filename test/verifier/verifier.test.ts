import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/domain/value.ts';
import { OUTCOMES, type Outcome } from '../../src/domain/verdict/outcome.ts';
import type { Call } from '../../src/verifier/call.ts';
import { NOW, OTHER_KEY, tokenValue } from './tokens.ts';
import { VerifierWorld } from './verifier-world.ts';

let world: VerifierWorld;
beforeEach(() => {
  world = new VerifierWorld();
});

const bad = (text: string): Partial<Call> => ({ token: { text } });

/** What is wrong, from first to last; each is told whatever of the later ones is wrong too. */
const FAULTS: [outcome: Outcome, fault: (world: VerifierWorld) => Partial<Call> | undefined][] = [
  ['NeedsUnclear', () => ({ needs: { unclear: 'why' } })],
  ['AudienceUnknown', (w) => void w.audiences.clear()],
  ['Stale', (w) => void Object.assign(w, { age: 30.001 })],
  ['TokenMissing', () => ({ token: 'missing' })],
  ['TokenAmbiguous', () => ({ token: 'ambiguous' })],
  ['Malformed', () => bad('x')],
  ['ChecksumWrong', () => bad(tokenValue('uid-1').replace(/.$/, (last) => (last === '0' ? '1' : '0')))],
  ['ScopeMissing', () => ({ needs: { audience: 'ai-gateway', scopes: ['other'] } })],
  ['UpstreamMissing', (w) => void w.declare({ upstream: 'missing' })],
  ['RateLimited', (w) => void Object.assign(w, { rateLimit: { allowed: false } })],
];

describe('a call', () => {
  beforeEach(() => {
    world.put({ spec: { rateLimits: [{ requests: 1, per: '1m' }] } });
  });

  it('is allowed where all is well', async () => {
    expect(await world.outcome()).toBe('Allowed');
  });

  it.each(FAULTS.map(([outcome], i) => [outcome, i] as const))(
    'is %s before all that is checked later',
    async (outcome, i) => {
      // from the last to the first, so that none takes back what an earlier one did
      const faults = FAULTS.slice(i).toReversed();
      const call = Object.assign({}, ...faults.map(([, fault]) => fault(world)));
      expect(await world.outcome(call)).toBe(outcome);
    },
  );

  it('is checked in the order in which the outcomes are listed', () => {
    const listed = Object.keys(OUTCOMES);
    const places = FAULTS.map(([outcome]) => listed.indexOf(outcome));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  it('is answered at once where nothing has to be waited for', () => {
    world.put({ uid: 'uid-2' });
    const decision = world.check({ token: { text: tokenValue('uid-2') } });
    expect(decision).not.toBeInstanceOf(Promise);
  });

  it('gets every answer recorded, once', async () => {
    for (const token of [{ text: tokenValue('uid-1') }, 'missing', { text: 'x' }] as const)
      await world.check({ token });
    expect(world.recorded.map(([, { outcome }]) => outcome)).toEqual(['Allowed', 'TokenMissing', 'Malformed']);
  });

  it('is refused where it cannot be recorded and must be', async () => {
    world.hasRecorder = false;
    expect([await world.outcome(), await world.outcome({ token: 'missing' })]).toEqual([
      'AuditUnavailable',
      'AuditUnavailable',
    ]);
  });
});

describe('a verifier that is cut off', () => {
  beforeEach(() => {
    world.put();
    world.declare({ stalenessSeconds: 5 }, 'strict');
  });

  it.each([
    [0, 'Allowed'],
    [5, 'Allowed'],
    [5.001, 'Stale'],
    [Number.POSITIVE_INFINITY, 'Stale'],
  ])('for %d s, of at most 5, says %s', async (age, outcome) => {
    world.put({ spec: { audiences: ['strict'] }, versions: [{ grant: { audiences: ['strict'] } }], sequence: 18 });
    world.age = age;
    expect(await world.outcome({ needs: { audience: 'strict', scopes: [] } })).toBe(outcome);
  });

  it('goes on for an audience that allows it', async () => {
    world.age = 6;
    expect([await world.outcome(), await world.outcome({ needs: { audience: 'strict', scopes: [] } })]).toEqual([
      'Allowed',
      'Stale',
    ]);
  });
});

describe('time', () => {
  it.each([
    ['is not over in the last millisecond', 3600 * 1000 - 1, 'Allowed'],
    ['is over at the very second', 3600 * 1000, 'Expired'],
  ])('of a version %s', async (_, after, outcome) => {
    world.put();
    world.now = NOW * 1000 + after;
    expect(await world.outcome()).toBe(outcome);
  });
});

describe('a value that the index does not know', () => {
  const TWO = tokenValue('uid-1', 2);
  const withTwo = { versions: [{ version: 4, digest: digestOf(TWO) }], sequence: 18 };

  it('of an ApiToken that it knows is looked up, since the watch may be late', async () => {
    world.put();
    const asked: unknown[] = [];
    world.lookUp = async ({ tokenID, digest }) => {
      asked.push([tokenID, digest]);
      world.put(withTwo);
    };
    expect([await world.outcome(bad(TWO)), asked.length]).toEqual(['Allowed', 1]);
    expect(asked).toEqual([[world.put(withTwo).tokenID, digestOf(TWO)]]);
  });

  it('of an ApiToken that it does not know is looked up too', async () => {
    world.lookUp = async () => void world.put();
    expect(await world.outcome()).toBe('Allowed');
  });

  it('is refused where the look-up finds nothing', async () => {
    world.put();
    world.lookUp = async () => {};
    expect([await world.outcome(bad(TWO)), await world.outcome(bad(tokenValue('other')))]).toEqual([
      'ValueUnknown',
      'TokenUnknown',
    ]);
  });

  it('is refused at once where there is nothing to wait for', () => {
    const decision = world.check();
    expect(decision).toMatchObject({ outcome: 'TokenUnknown', tokenID: expect.stringMatching(/^[0-9A-Za-z]{8}$/) });
  });

  it('is recorded once, with how it ended', async () => {
    world.lookUp = async () => void world.put();
    await world.check();
    expect(world.recorded.map(([, { outcome }]) => outcome)).toEqual(['Allowed']);
  });

  it('is judged as all others once it is found', async () => {
    world.lookUp = async () => void world.put({ versions: [{ expirationTime: NOW }] });
    expect(await world.outcome()).toBe('Expired');
    world.ordered.add('uid-2');
    world.lookUp = async () => void world.put({ uid: 'uid-2' });
    expect(await world.outcome(bad(tokenValue('uid-2')))).toBe('Revoked');
  });

  it('is counted against the rate limit once it is found', async () => {
    world.rateLimit = { allowed: false };
    world.lookUp = async () => void world.put({ spec: { rateLimits: [{ requests: 1, per: '1m' }] } });
    expect(await world.outcome()).toBe('RateLimited');
  });

  it.each([
    ['Malformed', 'x', {}],
    ['SealInvalid', tokenValue('uid-1'), { key: OTHER_KEY }],
    ['Expired', tokenValue('uid-1'), { versions: [{ expirationTime: NOW }] }],
  ] as const)('is not looked up where it is %s', async (outcome, text, wanted) => {
    world.put({ ...wanted, versions: 'versions' in wanted ? [...wanted.versions] : [{}] });
    let looked = 0;
    world.lookUp = () => {
      looked += 1;
      return undefined;
    };
    expect([await world.outcome(bad(text)), looked]).toEqual([outcome, 0]);
  });
});

describe('the rate limit', () => {
  const rateLimits = [{ requests: 600, per: '1m' }];
  const quota = { limit: 600, windowSeconds: 60, remaining: 1, resetSeconds: 9 };

  it('counts by token id what passed the other checks, and nothing else', async () => {
    const token = world.put({ spec: { rateLimits } });
    await world.check();
    for (const more of [
      { needs: { audience: 'ai-gateway', scopes: ['other'] } },
      bad(tokenValue('uid-1', 9)),
      bad('x'),
    ])
      await world.check(more);
    expect(world.taken).toEqual([token.tokenID]);
  });

  it('is not asked where there is none', async () => {
    world.put();
    await world.check();
    expect(world.taken).toEqual([]);
  });

  it('is not used up by calls that the gateway could not serve', async () => {
    world.put({ spec: { rateLimits } });
    world.declare({ upstream: 'missing' });
    expect([await world.outcome(), world.taken]).toEqual(['UpstreamMissing', []]);
  });

  it.each([
    [true, 'Allowed'],
    [false, 'RateLimited'],
  ])('that allows is %s: %s, and says what is left', async (allowed, outcome) => {
    world.put({ spec: { rateLimits } });
    world.rateLimit = { allowed, quota };
    expect(await world.check()).toMatchObject({ outcome, quota });
  });
});

describe('the key of the provider', () => {
  const upstream = { header: 'authorization', value: 'Bearer key' };

  it('goes with a yes', async () => {
    world.put();
    world.declare({ upstream });
    expect(await world.check()).toMatchObject({ outcome: 'Allowed', upstream });
  });

  it('goes with a yes after the rate limit too', async () => {
    world.put({ spec: { rateLimits: [{ requests: 1, per: '1m' }] } });
    world.declare({ upstream });
    expect(await world.check()).toMatchObject({ outcome: 'Allowed', upstream });
  });

  it('goes with no refusal', async () => {
    world.put({ spec: { rateLimits: [{ requests: 1, per: '1m' }] } });
    world.declare({ upstream });
    world.rateLimit = { allowed: false };
    const refused = [await world.check(), await world.check(bad('x')), await world.check({ token: 'missing' })];
    expect(refused.map((decision) => decision.upstream)).toEqual([undefined, undefined, undefined]);
  });
});
