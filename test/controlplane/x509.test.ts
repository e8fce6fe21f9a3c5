import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, isIP } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { type CertificateRequest, createAuthority, createSigningKey } from '../../tools/controlplane/x509.ts';

const authority = createAuthority('test-authority');
const parsed = (request: CertificateRequest) => new X509Certificate(authority.issue(request).certificate);

describe('the authority', () => {
  const own = new X509Certificate(authority.certificate);

  test('is an authority that signed itself', () => {
    expect(own.ca).toBe(true);
    expect(own.verify(own.publicKey)).toBe(true);
    expect(own.checkPrivateKey(createPrivateKey(authority.privateKey))).toBe(true);
    expect(own.checkPrivateKey(createPrivateKey(createAuthority('other').privateKey))).toBe(false);
  });

  test('signs certificates that name it, and that no other authority signed', () => {
    const leaf = parsed({ commonName: 'leaf', usages: ['client'] });
    const other = new X509Certificate(createAuthority('test-authority').certificate);
    expect(leaf.ca).toBe(false);
    expect(leaf.checkIssued(own)).toBe(true);
    expect(leaf.verify(own.publicKey)).toBe(true);
    expect(leaf.verify(other.publicKey)).toBe(false);
  });

  test('gives every certificate a serial number of its own', () => {
    const serials = Array.from({ length: 50 }, () => parsed({ commonName: 'same', usages: ['client'] }).serialNumber);
    expect(new Set(serials).size).toBe(50);
  });
});

describe('a certificate', () => {
  test('carries user and groups as Kubernetes reads them', () => {
    const leaf = parsed({ commonName: 'ann', organizations: ['system:masters', 'devs'], usages: ['client'] });
    expect(leaf.subject).toBe('O=system:masters\nO=devs\nCN=ann');
  });

  test.each([
    ['localhost', 'localhost'],
    ['an address', '127.0.0.1'],
  ])('answers to %s and to nothing else', (_, host) => {
    const leaf = parsed({ commonName: 'server', hosts: [host], usages: ['server'] });
    const check = (name: string) => (isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name));
    expect([check(host), check('example.org'), check('127.0.0.2')]).toEqual([host, undefined, undefined]);
  });

  test('is valid for ten years on either side', () => {
    const { validFromDate, validToDate } = parsed({ commonName: 'x', usages: ['client'] });
    const years = (date: Date) => (date.getTime() - Date.now()) / (365 * 24 * 3_600_000);
    expect([Math.round(years(validFromDate)), Math.round(years(validToDate))]).toEqual([-10, 10]);
  });

  test('names a subject longer than one length byte can tell', () => {
    const long = 'n'.repeat(300);
    expect(parsed({ commonName: long, usages: ['client'] }).subject).toBe(`CN=${long}`);
  });
});

describe('in a handshake', () => {
  const server = authority.issue({ commonName: 'server', hosts: ['localhost'], usages: ['server'] });
  const client = authority.issue({ commonName: 'client', usages: ['client'] });
  const stranger = createAuthority('stranger').issue({ commonName: 'client', usages: ['client'] });

  async function handshake(own: typeof client, servername: string): Promise<string> {
    const { certificate: cert, privateKey: key } = server;
    const listening = createServer({ cert, key, ca: authority.certificate, requestCert: true });
    listening.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => {});
      socket.end(String(socket.getPeerCertificate().subject.CN));
    });
    listening.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    const { port } = listening.address() as AddressInfo;
    try {
      const ca = authority.certificate;
      const socket = connect({ port, host: '127.0.0.1', servername, ca, cert: own.certificate, key: own.privateKey });
      let heard = '';
      for await (const chunk of socket) heard += String(chunk);
      return heard;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'no code';
    } finally {
      listening.close();
    }
  }

  test('both sides accept certificates of the authority', async () => {
    expect(await handshake(client, 'localhost')).toBe('client');
  });
  test('the server refuses a client of another authority', async () => {
    expect(await handshake(stranger, 'localhost')).not.toBe('client');
  });
  test('the server refuses a server certificate as a client', async () => {
    expect(await handshake(server, 'localhost')).not.toBe('server');
  });
  test('the client refuses a server of another name', async () => {
    expect(await handshake(client, 'example.org')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });
});

test('a signing key is a pair', () => {
  const { privateKey, publicKey } = createSigningKey();
  expect(createPublicKey(privateKey).export({ type: 'spki', format: 'pem' })).toBe(publicKey);
});
