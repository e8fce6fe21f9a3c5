/**
 * Turns the CRDs in crds/ into the types and validators in src/api/generated.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BANNER = '// Generated from crds/ by `npm run generate`. Do not edit.\n';

/** Only types: what Node's type stripping must be told, since it sees one file at a time. */
const TYPE_ONLY = new Set(['IObjectMeta', 'ModelData', 'ValidateFunc']);

/** Path, relative to the output folder, to content. */
export type GeneratedFiles = ReadonlyMap<string, string>;

/** @param crdFolder where the CustomResourceDefinitions are, one or more to a file */
export async function generateModels(crdFolder: string): Promise<GeneratedFiles> {
  const names = (await readdir(crdFolder)).filter((name) => name.endsWith('.yaml')).sort();
  const input = (await Promise.all(names.map((name) => readFile(join(crdFolder, name), 'utf8')))).join('\n---\n');
  const scratch = await mkdtemp(join(tmpdir(), 'tokenwright-generate-'));
  try {
    await crdGenerate(input, scratch);
    const files = new Map<string, string>();
    for (const path of await filesUnder(scratch)) {
      // barrels: whoever imports names the file
      if (path.endsWith('index.ts')) continue;
      files.set(path, BANNER + mend(path, await readFile(join(scratch, path), 'utf8')));
    }
    return files;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

export async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

async function crdGenerate(input: string, outputPath: string): Promise<void> {
  // by require: its ES modules import folders, which Node refuses
  const require = createRequire(import.meta.url);
  const { generate }: typeof import('@kubernetes-models/crd-generate') = require('@kubernetes-models/crd-generate');
  const log = console.log;
  console.log = () => {};
  try {
    await generate({ input, outputPath });
  } finally {
    console.log = log;
  }
}

/** Makes the output run under Node's type stripping and pass tsc with nodenext. */
function mend(path: string, content: string): string {
  if (!path.endsWith('.ts') || path.endsWith('.d.ts')) return `${content.trimEnd()}\n`;
  const mended = content
    .replace(/^import \{ (.*) \} from "(.*)";$/gm, (_, names: string, from: string) => {
      const marked = names.split(', ').map((name) => (TYPE_ONLY.has(name) ? `type ${name}` : name));
      return `import { ${marked.join(', ')} } from "${from.includes('/_schemas/') ? `${from}.js` : from}";`;
    })
    // an indexed optional type includes undefined, which exactOptionalPropertyTypes does not take for an optional field
    .replace(/^( {2}"[A-Za-z]+"\?): (I[A-Za-z]+\["[A-Za-z]+"\]);$/gm, '$1: NonNullable<$2>;')
    // a field without initialiser would be defined anew, as undefined, after the base class has run
    .replace(/^ {2}("[A-Za-z]+"\??: (?:NonNullable<)?I[A-Za-z]+\["[A-Za-z]+"\]>?;)$/gm, '  declare $1');
  return `${mended.trimEnd()}\n`;
}
