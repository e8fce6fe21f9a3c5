/** The notices that the licences of bundled packages ask for. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

interface Manifest {
  name: string;
  version: string;
  license?: string;
}

const NOTICE_FILES = /^(licen[cs]e|notice|copying)([-.].*)?$/i;

/** One text for all packages that the inputs come from. Throws where a package names no licence at all. */
export async function thirdPartyLicenses(root: string, inputs: readonly string[]): Promise<string> {
  const folders = new Set<string>();
  for (const input of inputs) {
    const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
    if (folder !== undefined) folders.add(folder);
  }
  const sections = new Map<string, string>();
  for (const folder of folders) {
    const manifest: Manifest = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'));
    const notices = await noticesIn(join(root, folder));
    if (manifest.license === undefined && notices.length === 0) throw new Error(`${folder} names no licence`);
    const title = `${manifest.name} ${manifest.version}`;
    const heading = `${title} (${manifest.license ?? 'see below'})`;
    sections.set(title, `${'-'.repeat(80)}\n${[heading, ...notices].join('\n\n')}\n`);
  }
  const ordered = [...sections].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
  return `Tokenwright's bundle holds parts of the packages below, under the licences given.\n\n${ordered.join('\n')}`;
}

async function noticesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => NOTICE_FILES.test(name)).sort();
  return Promise.all(
    names.map(async (name) => (await readFile(join(folder, name), 'utf8')).replaceAll('\r', '').trim()),
  );
}
