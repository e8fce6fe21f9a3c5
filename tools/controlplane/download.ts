import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdtemp, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { type Dispatcher, EnvHttpProxyAgent, interceptors, request } from 'undici';
import type { Acquisition } from './acquisition.ts';
import { probeVersion } from './probe.ts';
import { type Asset, assetOf, readChecksum } from './release-assets.ts';
import { type BinaryName, projectOf } from './releases.ts';

const run = promisify(execFile);

/** Milliseconds: until connected, and until the next byte comes. A slow download that moves may take as long as it likes. */
export interface DownloadTimeouts {
  connect: number;
  silence: number;
}

const defaultTimeouts: DownloadTimeouts = { connect: 3_000, silence: 15_000 };

/** The host could not be reached at all, so that its other files need not be tried. */
class Unreachable extends Error {}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return 'no connection in time';
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') return 'the server fell silent';
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET') return `the connection was cut (${message})`;
  return code === undefined ? String(message ?? error) : `${code}`;
}

async function get(url: string, dispatcher: Dispatcher): Promise<Dispatcher.ResponseData> {
  const headers = { 'user-agent': 'tokenwright-controlplane' }; // GitHub's API refuses requests without one
  const answer = await request(url, { dispatcher, headers }).catch((error: unknown) => {
    throw new Unreachable(`${new URL(url).host}: ${reasonOf(error)}`);
  });
  if (answer.statusCode === 200) return answer;
  await answer.body.dump().catch(() => {}); // destroying it would raise an error that nobody hears
  throw new Error(`${url} answered ${answer.statusCode}`);
}

/** Writes the file at the asset's address to `path`; throws, and leaves nothing there, unless its checksum is right. */
async function fetchVerified(
  { url, checksumUrl }: Asset,
  path: string,
  dispatcher: Dispatcher,
  onProgress: (done: number, total: number | undefined) => void,
): Promise<void> {
  const document = await (await get(checksumUrl, dispatcher)).body.text().catch((error: unknown) => {
    throw new Error(`${checksumUrl}: ${reasonOf(error)}`);
  });
  const wanted = readChecksum(document, basename(new URL(url).pathname));
  if (wanted === undefined) throw new Error(`${checksumUrl} states no SHA-256 for it`);

  const { body, headers } = await get(url, dispatcher);
  const total = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  const hash = createHash('sha256');
  let done = 0;
  try {
    await pipeline(
      body,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          done += chunk.length;
          onProgress(done, total);
          yield chunk;
        }
      },
      createWriteStream(path, { flags: 'wx', mode: 0o600 }),
    );
    const found = hash.digest('hex');
    if (found !== wanted) throw new Error(`wrong checksum: SHA-256 ${found}, published is ${wanted}; deleted`);
  } catch (error) {
    await rm(path, { force: true });
    if (error instanceof Error && error.message.startsWith('wrong checksum')) throw error;
    throw new Error(
      `${reasonOf(error)}, after ${megabytes(done)}${total === undefined ? '' : ` of ${megabytes(total)}`}`,
    );
  }
}

async function downloadOne(
  name: BinaryName,
  need: Acquisition,
  scratch: string,
  dispatcher: Dispatcher,
): Promise<string> {
  const { cache, platform, versions, log, env } = need;
  const asset = assetOf(name, versions, platform, env);
  const began = performance.now();
  let told = began;
  const file = join(scratch, `${name}.part`);
  await fetchVerified(asset, file, dispatcher, (done, total) => {
    if (performance.now() - told < 5_000) return;
    told = performance.now();
    log(`  ${name}: ${megabytes(done)}${total === undefined ? '' : ` of ${megabytes(total)}`}`);
  });
  let binary = file;
  if (asset.member !== undefined) {
    const opened = await mkdtemp(join(scratch, 'archive-'));
    // both GNU tar (tar.gz) and the bsdtar of macOS (tar.gz and zip) see the format by themselves
    await run('tar', ['-xf', file, '-C', opened, asset.member]).catch((error: Error) => {
      throw new Error(`the archive holds no ${asset.member} (${error.message.trim()})`);
    });
    binary = join(opened, asset.member);
  }
  await chmod(binary, 0o755);
  const ready = join(scratch, name);
  await rename(binary, ready);
  await probeVersion(name, ready).catch((error: Error) => {
    throw new Error(`what was downloaded ${error.message}`);
  });
  const path = await cache.publish(ready, name, versions);
  log(
    `  ${name} ${versions[projectOf(name)]}: downloaded, checksum verified, ${((performance.now() - began) / 1000).toFixed(1)} s`,
  );
  return path;
}

/**
 * Downloads official releases into the cache: several hosts side by side, the files of one host one after the other. What
 * fails is logged with its reason and left out of the result; it never throws for a download that went wrong.
 */
export async function downloadAll(
  names: readonly BinaryName[],
  need: Acquisition,
  timeouts: DownloadTimeouts = defaultTimeouts,
): Promise<Map<BinaryName, string>> {
  const { cache, platform, versions, log, env } = need;
  const found = new Map<BinaryName, string>();
  if (env.TOKENWRIGHT_DOWNLOAD === 'off') {
    log('download: switched off by TOKENWRIGHT_DOWNLOAD');
    return found;
  }
  const byHost = Map.groupBy(names, (name) => new URL(assetOf(name, versions, platform, env).checksumUrl).host);
  log(`downloading from ${[...byHost.keys()].join(', ')}: ${names.join(', ')}`);
  const agent = new EnvHttpProxyAgent({
    connect: { timeout: timeouts.connect },
    headersTimeout: timeouts.silence,
    bodyTimeout: timeouts.silence,
  });
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: 5 }));
  try {
    await cache.withScratch((scratch) =>
      Promise.all(
        [...byHost.values()].map(async (group) => {
          for (const [index, name] of group.entries()) {
            try {
              found.set(name, await downloadOne(name, need, scratch, dispatcher));
            } catch (error) {
              const unreachable = error instanceof Unreachable;
              const affected = unreachable ? group.slice(index) : [name];
              log(
                `  ${affected.join(', ')}: not downloaded: ${error instanceof Error ? error.message : String(error)}`,
              );
              if (unreachable) return;
            }
          }
        }),
      ),
    );
  } finally {
    await agent.destroy();
  }
  return found;
}
