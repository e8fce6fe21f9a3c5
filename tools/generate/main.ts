/**
 * `node tools/generate/main.ts` writes src/api/generated; with `--check` it writes nothing, and fails when the committed
 * files are not what crds/ gives.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { filesUnder, type GeneratedFiles, generateModels } from './models.ts';

const root = join(import.meta.dirname, '../..');
const output = join(root, 'src/api/generated');

async function write(files: GeneratedFiles): Promise<void> {
  await rm(output, { recursive: true, force: true });
  for (const [path, content] of files) {
    await mkdir(dirname(join(output, path)), { recursive: true });
    await writeFile(join(output, path), content);
  }
}

async function differences(files: GeneratedFiles): Promise<string[]> {
  const found: string[] = [];
  for (const [path, content] of files) {
    const committed = await readFile(join(output, path), 'utf8').catch(() => undefined);
    if (committed === undefined) found.push(`${path} is missing`);
    else if (committed !== content) found.push(`${path} is out of date`);
  }
  for (const path of await filesUnder(output).catch(() => [])) {
    if (!files.has(path)) found.push(`${path} is generated no more`);
  }
  return found;
}

const args = process.argv.slice(2);
const files = await generateModels(join(root, 'crds'));
if (args.length === 0) {
  await write(files);
  console.log(`wrote ${files.size} files to src/api/generated`);
} else if (args.length === 1 && args[0] === '--check') {
  const found = await differences(files);
  for (const line of found) console.error(`src/api/generated/${line}`);
  if (found.length > 0) {
    console.error('run `npm run generate` and commit the result');
    process.exitCode = 1;
  }
} else {
  console.error('usage: node tools/generate/main.ts [--check]');
  process.exitCode = 2;
}
