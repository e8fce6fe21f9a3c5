import { launch, type RunningPart } from './running.ts';

export interface RedisOptions {
  /** More of its arguments, such as `['--maxmemory', '1mb']`. */
  args?: readonly string[];
}

/** A Redis that keeps nothing on disk. */
export function startRedis({ args = [] }: RedisOptions = {}): Promise<RunningPart> {
  return launch({
    name: 'redis',
    prepare: ({ port, directory }) => [
      ...['--bind', '127.0.0.1', '--port', String(port), '--dir', directory],
      ...['--save', '', '--appendonly', 'no'],
      ...args,
    ],
    ready: /Ready to accept connections/,
  });
}
