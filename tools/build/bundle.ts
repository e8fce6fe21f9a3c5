/**
 * `npm run build [-- <folder>]` writes what is shipped: dist/tokenwright.js, dist/chunks, which it loads as a command needs them, and
 * dist/THIRD_PARTY_LICENSES.txt. The same sources and lock file give the same bytes on any machine. Why a bundle: from source the
 * packages cost twice the memory and ten times the start. Why chunks: the operator has no use for the verifier's gRPC, which is 20 MB
 * of memory.
 */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { thirdPartyLicenses } from './licenses.ts';

const root = join(import.meta.dirname, '../..');

/**
 * Packages whose modules do nothing but declare, although their package.json does not say so: what is not used of them is
 * left out. The 700 generated models of the client are 10 MB of memory that KubeConfig has no use for. (Its polyfill.js does
 * something, but for Node 18.)
 */
const DECLARING_PACKAGES: ReadonlySet<string> = new Set(['@kubernetes/client-node']);

/** CommonJS packages in an ES module ask for Node's own modules by `require`. */
const REQUIRE = "import{createRequire}from'node:module';const require=createRequire(import.meta.url);";

function packageOf(path: string): string | undefined {
  return /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
}

const leaveOutUnused: Plugin = {
  name: 'leave-out-unused',
  setup({ onResolve, resolve: find }) {
    const namesOne = new RegExp(`^(?:${[...DECLARING_PACKAGES].join('|')})$`);
    onResolve({ filter: namesOne }, async ({ path, pluginData, kind, importer, resolveDir }) => {
      if (pluginData === leaveOutUnused) return undefined; // our own question in the next line
      const found = await find(path, { kind, importer, resolveDir, pluginData: leaveOutUnused });
      return found.errors.length > 0 ? undefined : { path: found.path, sideEffects: false };
    });
    // their modules name each other whole, so that esbuild, which is slow to answer, need not be asked
    onResolve({ filter: /^\.{1,2}\/.*\.js$/ }, ({ path, importer, resolveDir }) =>
      DECLARING_PACKAGES.has(packageOf(importer) ?? '')
        ? { path: join(resolveDir, path), sideEffects: false }
        : undefined,
    );
  },
};

/** @returns the bytes of all that a command may load */
export async function bundle(folder: string): Promise<number> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/main.ts'],
    outdir: '.',
    entryNames: 'tokenwright',
    chunkNames: 'chunks/[hash]',
    splitting: true,
    write: false,
    bundle: true,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // identifiers stay: the log shows the first frames of what nobody foresaw, and memory is the same
    minifySyntax: true,
    minifyWhitespace: true,
    // ASCII: a single other character would make V8 keep two bytes for each
    charset: 'ascii',
    legalComments: 'none', // THIRD_PARTY_LICENSES.txt has them whole
    banner: { js: REQUIRE },
    // a package asks for what Node still has, but warns of on stderr at every start
    alias: { punycode: './node_modules/punycode/punycode.js' },
    plugins: [leaveOutUnused],
    logLevel: 'warning',
  });
  // their names change with what they hold
  await rm(join(folder, 'chunks'), { recursive: true, force: true });
  let bytes = 0;
  for (const { path, contents } of outputFiles) {
    const file = join(folder, relative(root, path));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, contents);
    bytes += contents.byteLength;
  }
  await chmod(join(folder, 'tokenwright.js'), 0o755);
  await writeFile(join(folder, 'THIRD_PARTY_LICENSES.txt'), await thirdPartyLicenses(root, inputsOf(metafile)));
  return bytes;
}

/** Files of which something is in the bundle. */
function inputsOf(metafile: Metafile): string[] {
  return Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([path]) => path),
  );
}

if (import.meta.main) {
  const [folder = join(root, 'dist'), ...more] = process.argv.slice(2);
  if (more.length > 0 || folder.startsWith('-')) {
    console.error('usage: node tools/build/bundle.ts [folder]');
    process.exit(2);
  }
  const bytes = await bundle(resolve(folder));
  console.log(`wrote ${relative(process.cwd(), join(folder, 'tokenwright.js'))} (${(bytes / 1e6).toFixed(2)} MB)`);
}
