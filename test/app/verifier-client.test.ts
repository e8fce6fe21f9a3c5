import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { lastUseOf } from '../../src/app/verifier-client.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function verifier(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer).listen(0, '127.0.0.1');
  closing.push(() => server.close());
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return lastUseOf({ origin, token: 'who-asks', ca: undefined, serverName: undefined });
}

describe('a verifier', () => {
  it('is asked by the token about no more ApiTokens at once than it takes', async () => {
    const asked: string[][] = [];
    const ask = await verifier((request, response) => {
      const uids = new URL(request.url ?? '', 'http://verifier').searchParams.getAll('uid');
      asked.push(uids);
      expect(request.headers.authorization).toBe('Bearer who-asks');
      const versions = uids.map((uid) => ({ uid, version: 1, lastUseTime: '2026-11-23T11:00:00Z' }));
      response.end(JSON.stringify({ verifier: 'v', environment: 'e', since: '2026-11-23T09:00:00Z', versions }));
    });
    const uids = Array.from({ length: 201 }, (_, index) => `uid&${index}`);
    const { versions } = await ask(uids);
    expect(asked.map(({ length }) => length)).toEqual([100, 100, 1]);
    expect(versions.map(({ uid }) => uid)).toEqual(uids);
  });

  it('is told apart from several behind one address, of which each knows a part', async () => {
    const names = ['one', 'other'];
    const ask = await verifier((_request, response) =>
      response.end(
        JSON.stringify({ verifier: names.shift(), environment: 'e', since: '2026-11-23T09:00:00Z', versions: [] }),
      ),
    );
    await expect(ask(Array.from({ length: 101 }, (_, index) => `${index}`))).rejects.toThrow('several verifiers');
  });

  it.each<[string, number, string, RegExp]>([
    [
      'one that is too old',
      200,
      '{"since":"2026-11-23T09:00:00Z","versions":[]}',
      /answers what no verifier of this version/,
    ],
    ['a page', 200, '<html>', /answers what no verifier of this version/],
    ['another server', 404, '', /answers 404: is it a verifier\?$/],
    ['one without an API server', 503, '{}', /cannot ask the API server who you are/],
  ])('is told apart from %s', async (_, status, body, says) => {
    const ask = await verifier((_request, response) => response.writeHead(status).end(body));
    await expect(ask(['uid-1'])).rejects.toThrow(says);
  });
});
