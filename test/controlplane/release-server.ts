import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { assetOf } from '../../tools/controlplane/release-assets.ts';
import {
  type BinaryName,
  binaryNames,
  defaultVersions,
  projectOf,
  thisPlatform,
  type Versions,
} from '../../tools/controlplane/releases.ts';

/** What the server does wrong with one binary. */
export type Fault =
  | 'wrong checksum'
  | 'no checksum file'
  | 'checksum of other files only'
  | 'no binary'
  | 'cut in the middle'
  | 'silent in the middle'
  | 'not a program'
  | 'archive without it';

/** A program that is as good as the real one as long as only its version is asked for. */
export function fakeProgram(
  name: BinaryName,
  version: string = defaultVersions[projectOf(name)],
  from = 'anywhere',
): string {
  return `#!/bin/sh\n# from ${from}\necho "${name} ${version}"\n`;
}

export interface ReleaseServer {
  /** The environment that points the download step at this server. */
  env: Record<string, string>;
  /** Paths asked for, in order. */
  requests: string[];
  close(): Promise<void>;
}

const sha256 = (content: Buffer | string) => createHash('sha256').update(content).digest('hex');

function archiveOf(member: string, content: string): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'tokenwright-archive-'));
  try {
    mkdirSync(join(directory, dirname(member)), { recursive: true });
    writeFileSync(join(directory, member), content, { mode: 0o755 });
    execFileSync('tar', ['-czf', join(directory, 'all.tar.gz'), '-C', directory, member]);
    return readFileSync(join(directory, 'all.tar.gz'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

type Reply = (response: ServerResponse) => void;

const send =
  (content: Buffer | string): Reply =>
  (response) =>
    response.setHeader('content-length', Buffer.byteLength(content)).end(content);

/** Sends half of it, and then `after` happens to the connection. */
const sendHalf =
  (content: Buffer, after: (response: ServerResponse) => void): Reply =>
  (response) => {
    response.setHeader('content-length', content.length);
    response.write(content.subarray(0, content.length / 2), () => after(response));
  };

function checksumDocument(name: BinaryName, file: string, digest: string): string {
  if (name === 'kwok') return JSON.stringify({ assets: [{ name: file, digest: `sha256:${digest}` }] });
  if (name === 'etcd') return `${sha256('other')}  other.tar.gz\n${digest}  ${file}\n`;
  return name === 'helm' ? `${digest}  ${file}\n` : digest;
}

function repliesFor(name: BinaryName, versions: Versions, fault: Fault | undefined): [string, Reply][] {
  // a base without a path: what is left is the path on this server
  const asset = assetOf(name, versions, thisPlatform(), baseEnv('http://stub'));
  const path = new URL(asset.url).pathname;
  const file = path.slice(path.lastIndexOf('/') + 1);
  const program = fault === 'not a program' ? '<html>' : fakeProgram(name, versions[projectOf(name)], 'a download');
  const member = fault === 'archive without it' ? 'elsewhere/readme' : asset.member;
  const content = member === undefined ? Buffer.from(program) : archiveOf(member, program);
  const replies = new Map<string, Reply>();

  const digest = fault === 'wrong checksum' ? sha256('another content') : sha256(content);
  const checksumPath = new URL(asset.checksumUrl).pathname;
  const spoken = fault === 'checksum of other files only' ? 'some-other-file' : file;
  const vouching = spoken === file ? name : name === 'kwok' ? name : 'helm';
  if (fault !== 'no checksum file') replies.set(checksumPath, send(checksumDocument(vouching, spoken, digest)));

  // as GitHub does: the address leads to another one
  if (fault !== 'no binary')
    replies.set(path, (response) => response.writeHead(302, { location: `/kept${path}` }).end());
  const cut = sendHalf(content, (response) => response.destroy());
  const silent = sendHalf(content, () => {});
  const kept = fault === 'cut in the middle' ? cut : fault === 'silent in the middle' ? silent : send(content);
  replies.set(`/kept${path}`, kept);
  return [...replies];
}

const baseEnv = (base: string) => ({
  TOKENWRIGHT_KUBERNETES_URL: `${base}/kubernetes`,
  TOKENWRIGHT_ETCD_URL: `${base}/etcd`,
  TOKENWRIGHT_KWOK_URL: `${base}/kwok`,
  TOKENWRIGHT_KWOK_API_URL: `${base}/kwok-api`,
  TOKENWRIGHT_HELM_URL: `${base}/helm`,
});

/** Serves all binaries in the layout of the official releases, with the faults asked for. */
export async function startReleaseServer(
  faults: Partial<Record<BinaryName, Fault>> = {},
  versions: Versions = defaultVersions,
): Promise<ReleaseServer> {
  const replies = new Map(binaryNames.flatMap((name) => repliesFor(name, versions, faults[name])));
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push(path);
    const reply = replies.get(path);
    if (reply === undefined) response.writeHead(404).end('no such file');
    else reply(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    env: baseEnv(`http://127.0.0.1:${port}`),
    requests,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
