/** `npm run bench <name> [-- --json] [--tokens N] [--pairs N] [--seconds N]` */
import { parseArgs } from 'node:util';
import type { BenchOptions, Result } from './cluster.ts';
import { operatorMemory } from './operator-memory.ts';
import { operatorThroughput } from './operator-throughput.ts';
import { policyBench } from './policy.ts';
import { verifierBench } from './verifier.ts';

const BENCHES: Record<string, (options: BenchOptions) => Promise<Result[]>> = {
  'operator-throughput': operatorThroughput,
  'operator-memory': operatorMemory,
  verifier: verifierBench,
  policy: policyBench,
};
const LIST = `Benches: ${Object.keys(BENCHES).join(', ')}`;
const USAGE = `usage: npm run bench <name> -- [--json] [--tokens N] [--pairs N] [--seconds N]\n${LIST}`;

async function main(): Promise<number> {
  let parsed: ReturnType<typeof read>;
  try {
    parsed = read();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }
  const { values, positionals } = parsed;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const [name = '', ...more] = positionals;
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (bench === undefined || more.length > 0) {
    console.error(`There is no bench "${positionals.join(' ')}".\n${USAGE}`);
    return 2;
  }
  const { tokens, pairs, seconds } = values;
  const results = await bench({ tokens: count(tokens), pairs: count(pairs), seconds: count(seconds) });
  for (const result of results) console.log(values.json ? JSON.stringify(result) : row(result));
  return 0;
}

function read() {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { json: flag, help: flag, tokens: text, pairs: text, seconds: text };
  const parsed = parseArgs({ allowPositionals: true, options });
  const { tokens, pairs, seconds } = parsed.values;
  for (const value of [tokens, pairs, seconds]) {
    if (value !== undefined && !/^[1-9][0-9]{0,6}$/.test(value)) throw new Error(`"${value}" is not a count.`);
  }
  return parsed;
}

const count = (text: string | undefined) => (text === undefined ? undefined : Number(text));

function row({ name, value, unit, ratio, against }: Result): string {
  const compared = ratio === null ? '' : `${ratio.toFixed(2)} of ${against}`;
  return `${name.padEnd(56)} ${value.toFixed(2).padStart(10)} ${unit.padEnd(12)} ${compared}`.trimEnd();
}

process.exitCode = await main();
