import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { type TlsMaterial, VerifierServer } from '../../src/verifier/server.ts';
import { createAuthority } from '../../tools/controlplane/x509.ts';
import { tokenValue } from './tokens.ts';
import { VerifierWorld } from './verifier-world.ts';
import { request, statusOf } from './wire.ts';

const AUTHORITY = createAuthority('tests');

function issued(commonName: string): TlsMaterial {
  const { certificate, privateKey } = AUTHORITY.issue({ commonName, hosts: ['verifier.test'], usages: ['server'] });
  return { cert: certificate, key: privateKey };
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function serve(tls: TlsMaterial) {
  const world = new VerifierWorld();
  world.put();
  const server = new VerifierServer({
    host: '127.0.0.1',
    port: 0,
    tls,
    verifier: world.verifier,
    sourceOf: () => undefined,
  });
  const { port } = await server.listen();
  cleanups.push(() => server.close(0));
  const open = async (more: ConnectionOptions = {}) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      servername: 'verifier.test',
      ca: AUTHORITY.certificate,
      ...more,
    });
    cleanups.push(() => socket.destroy());
    await once(socket, 'secureConnect');
    const ask = async () => {
      socket.write(
        request('/authorize?audience=ai-gateway&scope=chat:write', { authorization: `Bearer ${tokenValue('uid-1')}` }),
      );
      return statusOf(String((await once(socket, 'data'))[0]));
    };
    return { ask, by: socket.getPeerCertificate().subject.CN };
  };
  return { server, port, open };
}

describe('TLS', () => {
  it('is served with the certificate that was given', async () => {
    const { open } = await serve(issued('first'));
    const { ask, by } = await open();
    expect([by, await ask()]).toEqual(['first', 200]);
  });

  it('is served with a renewed certificate to whoever comes next, and goes on for whoever is there', async () => {
    const { server, open } = await serve(issued('first'));
    const before = await open();
    server.renew(issued('second'));
    const after = await open();
    expect([before.by, after.by, await before.ask(), await after.ask()]).toEqual(['first', 'second', 200, 200]);
  });

  it.each(['TLSv1', 'TLSv1.1'] as const)('is not served as %s, after a renewal neither', async (version) => {
    const { server, open } = await serve(issued('first'));
    const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
    await expect(open(old)).rejects.toThrow();
    server.renew(issued('second'));
    await expect(open(old)).rejects.toThrow();
    expect((await open({ maxVersion: 'TLSv1.2' })).by).toBe('second');
  });

  it('has no answer for a client that speaks plain HTTP, and goes on', async () => {
    const { port, open } = await serve(issued('first'));
    const socket = connectPlain(port, '127.0.0.1');
    let received = '';
    socket.on('data', (part) => {
      received += part.toString('latin1');
    });
    socket.on('error', () => {});
    socket.write(request('/authorize'));
    await once(socket, 'close');
    expect([received.includes('HTTP/1.1'), await (await open()).ask()]).toEqual([false, 200]);
  });
});
