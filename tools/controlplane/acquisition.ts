import type { Cache } from './cache.ts';
import type { Platform, Versions } from './releases.ts';

/** What a step needs to know to get binaries into the cache. */
export interface Acquisition {
  cache: Cache;
  platform: Platform;
  versions: Versions;
  log: (line: string) => void;
  env: NodeJS.ProcessEnv;
}
