/**
 * `node tools/generate/main.ts` writes src/api/generated, and the copy of an admission policy that only warns; with `--check` it writes
 * nothing, and fails when the committed files are not what their sources give.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AUDIT_POLICY, auditPolicy, ENFORCED_POLICY } from './audit-policy.ts';
import { filesUnder, type GeneratedFiles, generateModels } from './models.ts';

const root = join(import.meta.dirname, '../..');
const models = 'src/api/generated';

async function generated(): Promise<GeneratedFiles> {
  const files = [...(await generateModels(join(root, 'crds')))].map(
    ([path, text]) => [join(models, path), text] as const,
  );
  return new Map([...files, [AUDIT_POLICY, auditPolicy(await readFile(join(root, ENFORCED_POLICY), 'utf8'))]]);
}

async function write(files: GeneratedFiles): Promise<void> {
  await rm(join(root, models), { recursive: true, force: true });
  for (const [path, content] of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}

async function differences(files: GeneratedFiles): Promise<string[]> {
  const found: string[] = [];
  for (const [path, content] of files) {
    const committed = await readFile(join(root, path), 'utf8').catch(() => undefined);
    if (committed === undefined) found.push(`${path} is missing`);
    else if (committed !== content) found.push(`${path} is out of date`);
  }
  for (const path of await filesUnder(join(root, models)).catch(() => [])) {
    if (!files.has(join(models, path))) found.push(`${join(models, path)} is generated no more`);
  }
  return found;
}

const args = process.argv.slice(2);
const files = await generated();
if (args.length === 0) {
  await write(files);
  console.log(`wrote ${files.size} files`);
} else if (args.length === 1 && args[0] === '--check') {
  const found = await differences(files);
  for (const line of found) console.error(line);
  if (found.length > 0) {
    console.error('run `npm run generate` and commit the result');
    process.exitCode = 1;
  }
} else {
  console.error('usage: node tools/generate/main.ts [--check]');
  process.exitCode = 2;
}
