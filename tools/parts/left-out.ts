import { type PartName, parsePartName } from './registry.ts';

const told = new Set<PartName>();

/**
 * True where TOKENWRIGHT_WITHOUT (`caddy,envoy`) names the part, and says so on stderr, once. Nothing else leaves a part
 * out: a part that cannot be had fails the run.
 */
export function isLeftOut(name: PartName, env: NodeJS.ProcessEnv = process.env): boolean {
  const leftOut = (env.TOKENWRIGHT_WITHOUT ?? '').split(',').filter(Boolean).map(parsePartName);
  if (!leftOut.includes(name)) return false;
  if (!told.has(name)) process.stderr.write(`${name}: left out, as TOKENWRIGHT_WITHOUT says\n`);
  told.add(name);
  return true;
}
