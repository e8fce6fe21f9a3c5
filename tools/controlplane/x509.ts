import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';

/** A certificate and its private key, both PEM. */
export interface KeyedCertificate {
  certificate: string;
  privateKey: string;
}

export interface CertificateRequest {
  commonName: string;
  /** Kubernetes reads these as groups. */
  organizations?: string[];
  /** DNS names and IPv4 addresses that a server answers to. */
  hosts?: string[];
  usages: ('server' | 'client')[];
}

export interface CertificateAuthority extends KeyedCertificate {
  issue(request: CertificateRequest): KeyedCertificate;
}

// node:crypto signs bytes but writes no certificates; the little DER that they need is here (RFC 5280), which spares
// an X.509 package with a dozen dependencies for files that live as long as a test run.

function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content]);
  const hex = content.length.toString(16);
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, content]);
}

const sequence = (...parts: Uint8Array[]) => der(0x30, ...parts);
const set = (...parts: Uint8Array[]) => der(0x31, ...parts);
const octets = (content: Uint8Array) => der(0x04, content);
const bits = (content: Uint8Array, unused = 0) => der(0x03, Buffer.of(unused), content);
const utf8 = (text: string) => der(0x0c, Buffer.from(text, 'utf8'));
const yes = der(0x01, Buffer.of(0xff));
const explicit = (tag: number, content: Uint8Array) => der(0xa0 | tag, content);
const implicit = (tag: number, content: Uint8Array) => der(0x80 | tag, content);

function integer(value: Uint8Array): Buffer {
  const first = value[0] ?? 0;
  return der(0x02, first >= 0x80 ? Buffer.concat([Buffer.of(0), value]) : value);
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let high = arc >>> 7; high > 0; high >>>= 7) groups.unshift((high & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

/** RFC 5280 wants UTCTime before 2050; nothing here lives that long. */
function time(at: Date): Buffer {
  const text = `${at.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`;
  return der(0x17, Buffer.from(text, 'ascii'));
}

function name(commonName: string, organizations: string[] = []): Buffer {
  const attribute = (type: string, value: string) => set(sequence(oid(type), utf8(value)));
  return sequence(...organizations.map((o) => attribute('2.5.4.10', o)), attribute('2.5.4.3', commonName));
}

function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  return critical ? sequence(oid(id), yes, octets(value)) : sequence(oid(id), octets(value));
}

const usageIds = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;

const keyIdentifier = (spki: Uint8Array) => createHash('sha1').update(spki).digest().subarray(0, 20);

function subjectAltName(hosts: string[]): Buffer {
  const general = hosts.map((host) =>
    isIPv4(host) ? implicit(7, Buffer.from(host.split('.').map(Number))) : implicit(2, Buffer.from(host, 'ascii')),
  );
  return extension('2.5.29.17', false, sequence(...general));
}

const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'));
const spkiOf = (key: KeyObject): Buffer => createPublicKey(key).export({ type: 'spki', format: 'der' });
const pem = (label: string, content: Buffer) =>
  `-----BEGIN ${label}-----\n${(content.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${label}-----\n`;

const hour = 3_600_000;

interface Signing {
  subject: Buffer;
  issuer: Buffer;
  subjectKey: KeyObject;
  issuerKey: KeyObject;
  extensions: Buffer[];
}

function signCertificate({ subject, issuer, subjectKey, issuerKey, extensions }: Signing): KeyedCertificate {
  const spki = spkiOf(subjectKey);
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40; // positive, and never a leading zero
  const now = Date.now();
  const toBeSigned = sequence(
    explicit(0, integer(Buffer.of(2))),
    integer(serial),
    ecdsaWithSha256,
    issuer,
    // ten years on either side, so that tests may step the clock of a client
    sequence(time(new Date(now - 10 * 365 * 24 * hour)), time(new Date(now + 10 * 365 * 24 * hour))),
    subject,
    spki,
    explicit(
      3,
      sequence(
        ...extensions,
        extension('2.5.29.14', false, octets(keyIdentifier(spki))),
        extension('2.5.29.35', false, sequence(implicit(0, keyIdentifier(spkiOf(issuerKey))))),
      ),
    ),
  );
  const certificate = sequence(toBeSigned, ecdsaWithSha256, bits(sign('sha256', toBeSigned, issuerKey)));
  return {
    certificate: pem('CERTIFICATE', certificate),
    privateKey: subjectKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** A self-signed P-256 authority for one control plane. */
export function createAuthority(commonName: string): CertificateAuthority {
  const issuerKey = newKey();
  const issuer = name(commonName);
  const own = signCertificate({
    subject: issuer,
    issuer,
    subjectKey: issuerKey,
    issuerKey,
    extensions: [
      extension('2.5.29.19', true, sequence(yes)),
      extension('2.5.29.15', true, bits(Buffer.of(0x06), 1)), // keyCertSign, cRLSign
    ],
  });
  return {
    ...own,
    issue: ({ commonName: subject, organizations, hosts, usages }) =>
      signCertificate({
        subject: name(subject, organizations),
        issuer,
        subjectKey: newKey(),
        issuerKey,
        extensions: [
          extension('2.5.29.19', true, sequence()),
          extension('2.5.29.15', true, bits(Buffer.of(0x80), 7)), // digitalSignature
          extension('2.5.29.37', false, sequence(...usages.map((usage) => oid(usageIds[usage])))),
          ...(hosts === undefined ? [] : [subjectAltName(hosts)]),
        ],
      }),
  };
}

/** A key pair for ServiceAccount tokens, both halves PEM. */
export function createSigningKey(): { privateKey: string; publicKey: string } {
  const key = newKey();
  return {
    privateKey: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString(),
  };
}
