/**
 * Traefik cannot be had here as other gateways can, so its configuration is checked at the wire: the verifier is asked in the bytes in which
 * ForwardAuth of Traefik 3 asks (pkg/middlewares/auth/forward.go), by the very file that docs/gateways hands out.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { IDENTITY_HEADERS } from '../../../src/verifier/doors/answer.ts';
import { VerifierServer } from '../../../src/verifier/server.ts';
import { sourceReader } from '../../../src/verifier/source.ts';
import { documentedStatuses, VERIFIER_HOST } from '../../e2e/gateways/doors.ts';
import { tokenValue } from '../tokens.ts';
import { VerifierWorld } from '../verifier-world.ts';
import { request, statusOf, Wire } from '../wire.ts';

interface ForwardAuth {
  address: string;
  trustForwardHeader: boolean;
  authRequestHeaders: string[];
  authResponseHeaders: string[];
}

const FILE = join(import.meta.dirname, '../../../docs/gateways/traefik.yaml');
const { forwardAuth }: { forwardAuth: ForwardAuth } = parse(readFileSync(FILE, 'utf8')).spec;
const CLIENT = '192.0.2.7';

interface Told {
  method?: string;
  target?: string;
  headers?: Readonly<Record<string, string>>;
}

/** What Traefik asks about a client's call: by GET, with the headers that it is told to hand on, and its own word on the rest. */
function asked({ method = 'POST', target = '/v1/chat', headers = {} }: Told): string {
  const { host, pathname, search } = new URL(forwardAuth.address);
  const isForwarded = ([name]: [string, string]) => /^x-forwarded-/i.test(name);
  const isListed = ([name]: [string, string]) =>
    forwardAuth.authRequestHeaders.some((one) => one.toLowerCase() === name.toLowerCase());
  const sent = Object.entries(headers);
  const handedOn = sent.filter((header) => isListed(header) && !isForwarded(header));
  const believed = forwardAuth.trustForwardHeader ? sent.filter(isForwarded) : [];
  return request(pathname + search, {
    host,
    'User-Agent': 'Go-http-client/1.1',
    ...Object.fromEntries(handedOn),
    'X-Forwarded-For': CLIENT,
    'X-Forwarded-Host': 'gateway.example.com',
    'X-Forwarded-Method': method,
    'X-Forwarded-Port': '443',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Uri': target,
    ...Object.fromEntries(believed),
    'Accept-Encoding': 'gzip',
  });
}

const bearer = (uid = 'uid-1') => ({ Authorization: `Bearer ${tokenValue(uid)}` });

let world: VerifierWorld;
let server: VerifierServer;
let ask: (told: Told) => Promise<string>;
beforeEach(async () => {
  world = new VerifierWorld();
  world.put();
  const sourceOf = sourceReader({ header: 'x-forwarded-for', trustedProxies: ['127.0.0.0/8'] });
  server = new VerifierServer({ host: '127.0.0.1', port: 0, tls: undefined, verifier: world.verifier, sourceOf });
  const { port } = await server.listen();
  ask = async (told) => (await new Wire(port).write(asked(told)).answers(1))[0] ?? '';
});
afterEach(() => server.close(0));

/** Each that the verifier answers itself; Traefik passes on what is not 2xx as it is. */
const CASES: Record<string, () => Promise<string>> = {
  allowed: () => ask({ headers: bearer() }),
  'no token': () => ask({}),
  'token unknown, expired, retired, revoked or suspended': () => ask({ headers: bearer('nobody') }),
  'two tokens, or one in the URL': () => ask({ target: '/v1/chat?access_token=x', headers: bearer() }),
  'scope missing, or no such route': () => ask({ method: 'GET', headers: bearer() }),
  'rate limit': () => {
    world.put({ spec: { rateLimits: [{ requests: 1, per: '1m' }] }, resourceVersion: '9' });
    world.rateLimit = { allowed: false };
    return ask({ headers: bearer() });
  },
  'audience not declared': () => {
    world.audiences.clear();
    return ask({ headers: bearer() });
  },
  'verifier cut off from the API server': () => {
    world.age = Number.POSITIVE_INFINITY;
    return ask({ headers: bearer() });
  },
  "provider's key missing": () => {
    world.declare({ upstream: 'missing' });
    return ask({ headers: bearer() });
  },
};
/** Of an authorisation server that gives no answer Traefik makes 500. */
const BY_TRAEFIK = ['verifier down', 'verifier silent', 'verifier with a certificate of somebody else'];
const documented = documentedStatuses('Traefik (not run)');

describe('asked as Traefik asks, a verifier', () => {
  it('is at the address that the configuration says', () => {
    expect(new URL(forwardAuth.address).origin).toBe(`https://${VERIFIER_HOST}:8443`);
  });

  it('answers in each case that is documented', () => {
    expect([...Object.keys(CASES), ...BY_TRAEFIK]).toEqual([...documented.keys()]);
    expect(BY_TRAEFIK.map((one) => documented.get(one))).toEqual(BY_TRAEFIK.map(() => 500));
  });

  it.each(Object.entries(CASES))('answers as documented: %s', async (situation, act) => {
    expect(statusOf(await act())).toBe(documented.get(situation));
  });

  it('knows who calls, which route, and from where', async () => {
    await ask({ headers: bearer() });
    expect(world.recorded.map(([{ door, source, needs }]) => ({ door, source, needs }))).toEqual([
      {
        door: 'authorize',
        source: CLIENT,
        needs: { audience: 'ai-gateway', scopes: { method: 'POST', path: '/v1/chat' } },
      },
    ]);
  });

  it('takes neither method nor path nor address from a client', async () => {
    const forged = {
      'X-Forwarded-Method': 'POST',
      'X-Forwarded-Uri': '/v1/chat',
      'X-Original-Method': 'POST',
      'X-Original-Uri': '/v1/chat',
      'X-Forwarded-For': '198.51.100.9',
    };
    expect(statusOf(await ask({ method: 'GET', target: '/v1/models', headers: { ...bearer(), ...forged } }))).toBe(403);
    expect(world.recorded.map(([{ source }]) => source)).toEqual([CLIENT]);
  });

  it.each(['Authorization', 'X-Api-Key'])(
    'has each header replaced that it may set, and the token in %s too',
    async (name) => {
      const token = name === 'Authorization' ? bearer() : { [name]: tokenValue('uid-1') };
      const answer = await ask({ headers: token });
      expect(statusOf(answer)).toBe(200);
      const given = [...answer.matchAll(/^(x-tokenwright-[a-z-]+):/gim)].map(([, header = '']) => header.toLowerCase());
      const replaced = forwardAuth.authResponseHeaders.map((header) => header.toLowerCase());
      expect(given.toSorted()).toEqual(IDENTITY_HEADERS.toSorted());
      // a header that Traefik is told of and not given, it takes away
      expect(replaced.toSorted()).toEqual([...IDENTITY_HEADERS, 'authorization', 'x-api-key'].toSorted());
    },
  );

  it("gives the provider's key in a header that goes on to the backend", async () => {
    world.declare({ upstream: { header: 'authorization', value: 'Bearer provider' } });
    expect(await ask({ headers: bearer() })).toMatch(/^authorization: Bearer provider\r$/im);
  });
});
