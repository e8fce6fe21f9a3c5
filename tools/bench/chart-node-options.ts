/** How the processes under measurement are started. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../..');

/** The chart's, with the heap as large as in one of its pods: here a percentage would be one of the machine's memory. */
export function chartNodeOptions(part: 'operator' | 'verifierDefaults'): string {
  const text = readFileSync(join(root, 'charts/tokenwright/values.yaml'), 'utf8');
  const { nodeOptions, resources }: { nodeOptions: string; resources: { limits: { memory: string } } } =
    parse(text)[part];
  const limit = /^(\d+)Mi$/.exec(resources.limits.memory)?.[1];
  const inPod = nodeOptions.replace(
    /--max-old-space-size-percentage=(\d+)/,
    (_, share) => `--max-old-space-size=${Math.floor((Number(limit) * Number(share)) / 100)}`,
  );
  if (limit === undefined || inPod === nodeOptions)
    throw new Error('the chart says in another way how large the heap is');
  return inPod;
}
