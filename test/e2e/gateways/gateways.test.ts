/** Real gateways, with the configurations of docs/gateways.md, ask a real verifier about real tokens. */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { IDENTITY_HEADERS } from '../../../src/verifier/doors/answer.ts';
import { isLeftOut } from '../../../tools/parts/left-out.ts';
import type { RunningPart } from '../../../tools/parts/running.ts';
import { ENVIRONMENT } from '../harness/manifests.ts';
import { type Arrival, STREAM_PATH } from './backend.ts';
import { casesIn, SOON } from './cases.ts';
import { type Answer, ask, CLIENT_ADDRESS, type Question } from './client.ts';
import { DOORS, documentedStatuses, nginxWithout } from './doors.ts';
import { Scene } from './scene.ts';
import {
  crookedPaths,
  DROPPING,
  FORGED,
  FORGED_IDENTITY,
  readCarelessly,
  smuggledNeeds,
  UNDERSCORED_IDENTITY,
} from './tricks.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open();
});
afterAll(async () => {
  await scene?.close();
});

const CHAT = '/v1/chat/completions';
const MODEL = '/v1/models/large';

describe.each(DOORS)('$name', ({ name, part, door, start }) => {
  describe.skipIf(isLeftOut(part))('in front of an API', () => {
    let gateway: RunningPart;
    /** All that clients were told. */
    let told = '';

    beforeAll(async () => {
      scene.use('live');
      gateway = await start(scene.surroundings);
    });
    afterAll(async () => {
      await gateway?.stop();
    });
    afterEach(() => scene.use('live'));

    const chat = async (question: Partial<Question> = {}): Promise<Answer> => {
      const answer = await ask(gateway.port, {
        method: 'POST',
        target: CHAT,
        token: scene.token('chat'),
        ...question,
      });
      told += JSON.stringify(answer);
      return answer;
    };
    /** A call that is allowed, as it reaches the backend. */
    const arrivalOf = async (question: Partial<Question> = {}): Promise<Arrival> => {
      const before = scene.backend.arrivals.length;
      expect(await chat(question)).toMatchObject({ status: 200 });
      expect(scene.backend.arrivals.length).toBe(before + 1);
      return scene.backend.last;
    };
    /** What the backend gets while something is refused. */
    const arrivalsIn = async (act: () => Promise<unknown>): Promise<readonly Arrival[]> => {
      const before = scene.backend.arrivals.length;
      await act();
      return scene.backend.arrivals.slice(before);
    };

    const cases = casesIn(() => scene, chat);
    const documented = documentedStatuses(name);

    it('knows each case that is documented', () => {
      expect(Object.keys(cases)).toEqual([...documented.keys()]);
    });

    it.each([...documented])('answers as documented: %s', async (situation, status) => {
      const answer = await cases[situation]?.();
      expect(answer?.status).toBe(status);
      expect(answer?.body === 'backend').toBe(status === 200);
    });

    it.each([
      ['no token', () => undefined, 'Bearer realm="tokenwright"'],
      ['a wrong one', () => 'wrong', 'Bearer realm="tokenwright", error="invalid_token"'],
      ['a weak one', () => scene.token('models'), 'Bearer realm="tokenwright", error="insufficient_scope"'],
    ])('passes on the challenge to %s, once', async (_, token, challenge) => {
      const { headers } = await chat({ token: token() });
      expect(headers['www-authenticate']).toBe(challenge);
      expect(headers['cache-control']).toContain('no-store');
    });

    it('says with 429 how long to wait', async () => {
      const { headers } = (await cases['rate limit']?.()) ?? {};
      expect(headers).toMatchObject({
        'ratelimit-policy': '"token";q=1;w=3600',
        ratelimit: expect.stringMatching(/^"token";r=0;t=\d+$/),
        'retry-after': expect.stringMatching(/^[1-9]\d*$/),
      });
    });

    it('tells the backend who calls, whatever the client says, and takes the token away', async () => {
      for (const presented of [asBearer('chat'), asKey('chat')]) {
        const { headers } = await arrivalOf({
          ...presented,
          headers: [...FORGED_IDENTITY, ...(presented.headers ?? [])],
        });
        expect(headers).toMatchObject({
          'x-tokenwright-identity': [`${scene.namespace}/agent:chat`],
          'x-tokenwright-namespace': [scene.namespace],
          'x-tokenwright-subject': ['agent:chat'],
          'x-tokenwright-purpose': ['Prove what the operator promises'],
          'x-tokenwright-owner': ['team-support@example.com'],
          'x-tokenwright-environment': [ENVIRONMENT],
          'x-tokenwright-audience': [scene.audience],
          'x-tokenwright-scopes': ['chat:write reports:read'],
          'x-tokenwright-token-id': [scene.tokenID('chat')],
          'x-tokenwright-version': ['1'],
        });
        expectNoToken(headers);
        expect(JSON.stringify(headers)).not.toContain(FORGED);
      }
    });

    it('lets no forged header stand where the verifier has nothing to say', async () => {
      const { headers } = await arrivalOf({
        method: 'GET',
        target: MODEL,
        token: scene.token('models'),
        headers: FORGED_IDENTITY,
      });
      expect((headers['x-tokenwright-owner'] ?? ['']).join()).toBe('');
      expect(JSON.stringify(headers)).not.toContain(FORGED);
    });

    it('lets no forged header through with underscores', async () => {
      const arrivals = await arrivalsIn(() => chat({ headers: UNDERSCORED_IDENTITY }));
      expect(JSON.stringify(arrivals)).not.toContain(FORGED);
    });

    it('lets no client drop what the backend is told', async () => {
      for (const { headers } of await arrivalsIn(() => chat({ headers: DROPPING }))) {
        expect(Object.keys(headers)).toEqual(expect.arrayContaining([...IDENTITY_HEADERS]));
        expectNoToken(headers);
      }
    });

    it('takes no needs from the client', async () => {
      for (const [what, headers] of smuggledNeeds(scene.audience, MODEL)) {
        const arrivals = await arrivalsIn(async () => {
          const { status } = await chat({ token: scene.token('models'), headers });
          expect([400, 403], what).toContain(status);
        });
        expect(arrivals, what).toEqual([]);
      }
    });

    it('serves no route by a path that says another', async () => {
      for (const target of crookedPaths(MODEL, CHAT)) {
        const arrivals = await arrivalsIn(() => chat({ target, token: scene.token('models') }));
        const served = arrivals.filter((arrival) => readCarelessly(arrival.target).startsWith('/v1/chat'));
        expect(served, target).toEqual([]);
      }
    });

    it('says whose call it is by the address that it sees', async () => {
      const traceparent = `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
      const address = '198.51.100.9';
      await chat({
        headers: [
          ['traceparent', traceparent],
          ['x-forwarded-for', address],
          ['x-real-ip', address],
        ],
      });
      const record = () => scene.verifier.audit().find((one) => one.traceparent === traceparent);
      await expect.poll(record).toBeDefined();
      expect(record()).toMatchObject({ door, source: CLIENT_ADDRESS, method: 'POST', path: CHAT });
    });

    it('passes uploads on', async () => {
      const body = Buffer.alloc(8 << 20, 'x');
      expect((await arrivalOf({ body })).bytes).toBe(body.length);
    });

    it('passes an answer on while it is being given', async () => {
      const onData = (soFar: string) => {
        if (soFar === 'first ') scene.backend.finish();
      };
      expect(await chat({ target: STREAM_PATH, onData })).toMatchObject({ status: 200, body: 'first second' });
    });

    describe.each([
      { header: 'authorization', value: 'Bearer $(key)', other: 'x-api-key' },
      { header: 'x-api-key', value: '$(key)', other: 'authorization' },
    ])("with a provider's key in $header", ({ header, value, other }) => {
      beforeAll(async () => {
        await scene.setProviderKey('provider-key-1');
        await scene.setUpstream({ header, value });
      });
      afterAll(async () => {
        await scene.setUpstream(null);
        // or whoever calls next would find an upstream without its key
        await vi.waitFor(async () => expect(await arrived()).not.toContain('provider-key'), SOON);
        await scene.removeProviderKey();
      });

      /** The header of a call that is allowed. */
      const arrived = async () => {
        if ((await chat()).status !== 200) return undefined;
        return scene.backend.last.headers[header]?.join() ?? '';
      };
      const arrives = (key: string) => expect.poll(arrived, SOON).toBe(value.replace('$(key)', key));

      it('gives it to the backend in place of the token, and never to the client', async () => {
        await arrives('provider-key-1');
        expect(scene.backend.last.headers[other] ?? ['']).toEqual(['']);
        const { headers } = await arrivalOf(asKey('chat'));
        expect(JSON.stringify(headers)).not.toContain('twk_');
        expect(headers[header]).toEqual([value.replace('$(key)', 'provider-key-1')]);
        expect(told).not.toContain('provider-key');
      });

      it('takes up another key at once', async () => {
        await arrives('provider-key-1');
        await scene.setProviderKey('provider-key-2');
        await arrives('provider-key-2');
        expect(told).not.toContain('provider-key');
      });
    });

    it('never gave a token to the client', () => {
      expect(told).not.toContain('twk_');
    });
  });
});

describe.each(DOORS.filter(({ hasFixedScopes }) => hasFixedScopes))('$name', ({ part, start }) => {
  it.skipIf(isLeftOut(part))('takes the scopes of a route from its configuration', async () => {
    scene.use('live');
    const gateway = await start(scene.surroundings);
    const asked = ['chat', 'models'] as const;
    const statuses = asked.map(async (token) => {
      const { status } = await ask(gateway.port, { target: '/reports/1', token: scene.token(token) });
      return status;
    });
    expect(await Promise.all(statuses).finally(() => gateway.stop())).toEqual([200, 403]);
  });
});

describe.skipIf(isLeftOut('nginx'))('nginx that is set up in part', () => {
  it.each([
    ['the guard', /include guard.conf;/],
    ['the needs', /set \$tokenwright_needs [^;]*;/],
  ])('passes nothing on without %s', async (_, line) => {
    scene.use('live');
    const gateway = await nginxWithout(line, scene.surroundings);
    const before = scene.backend.arrivals.length;
    const question = { method: 'POST', target: CHAT, token: scene.token('chat') };
    const { status } = await ask(gateway.port, question).finally(() => gateway.stop());
    expect(status).toBeGreaterThanOrEqual(500);
    expect(scene.backend.arrivals.length).toBe(before);
  });
});

type TokenName = Parameters<Scene['token']>[0];

const asBearer = (name: TokenName): Partial<Question> => ({ token: scene.token(name) });
const asKey = (name: TokenName): Partial<Question> => ({
  token: undefined,
  headers: [['x-api-key', scene.token(name)]],
});

/** Neither where it was nor anywhere else. */
function expectNoToken(headers: Arrival['headers']): void {
  expect(headers).not.toHaveProperty('authorization');
  expect(headers).not.toHaveProperty('x-api-key');
  expect(JSON.stringify(headers)).not.toContain('twk_');
}
