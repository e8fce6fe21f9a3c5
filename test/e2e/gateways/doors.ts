/** Gateways with the configurations that docs/gateways.md shows, but for addresses and names. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { startCaddy } from '../../../tools/parts/caddy.ts';
import { startEnvoy } from '../../../tools/parts/envoy.ts';
import { startNginx } from '../../../tools/parts/nginx.ts';
import type { PartName } from '../../../tools/parts/registry.ts';
import type { Place, RunningPart } from '../../../tools/parts/running.ts';

export interface Surroundings {
  audience: string;
  caFile: string;
  verifier: { port: number; grpcPort: number };
  backend: { port: number };
}

export interface Door {
  /** As the table in docs/gateways.md heads its column. */
  name: string;
  part: PartName;
  /** As audit records call it. */
  door: string;
  /** Whether its file of docs/gateways also shows a route whose scopes stand in the configuration. */
  hasFixedScopes?: true;
  start(surroundings: Surroundings): Promise<RunningPart>;
}

const ROOT = join(import.meta.dirname, '../../..');
const DOCS = join(ROOT, 'docs');
const { metadata: service } = parse(readFileSync(join(ROOT, 'deploy/verifier/service.yaml'), 'utf8'));
/** The host that certificates of verifiers are for: the Service that is installed. */
export const VERIFIER_HOST = `${service.name}.${service.namespace}.svc`;
const BACKEND_HOST = 'backend.example.svc';

export const DOORS: readonly Door[] = [
  {
    name: 'nginx',
    part: 'nginx',
    door: 'authorize',
    hasFixedScopes: true,
    start: (surroundings) => startNginx({ config: (place) => nginx(place, surroundings) }),
  },
  {
    name: 'Caddy',
    part: 'caddy',
    door: 'authorize',
    start: ({ audience, caFile, verifier, backend }) =>
      startCaddy({
        config: ({ port }) =>
          documented('Caddyfile', [
            ['http://:8080 {', `http://:${port} {\n\tbind 127.0.0.1`],
            [`${VERIFIER_HOST}:8443`, `127.0.0.1:${verifier.port}`],
            [`${BACKEND_HOST}:8080`, `127.0.0.1:${backend.port}`],
            ['/etc/tokenwright/ca.crt', caFile],
            ['ai-gateway', audience],
          ]),
      }),
  },
  {
    name: 'Envoy, HTTP',
    part: 'envoy',
    door: 'envoy-http',
    start: (surroundings) => startEnvoy({ config: (place) => envoy('envoy-http.yaml', place, surroundings) }),
  },
  {
    name: 'Envoy, gRPC',
    part: 'envoy',
    door: 'envoy-grpc',
    hasFixedScopes: true,
    start: (surroundings) => startEnvoy({ config: (place) => envoy('envoy-grpc.yaml', place, surroundings) }),
  },
];

/** The first of its guarded locations lacks a line. */
export function nginxWithout(line: RegExp, surroundings: Surroundings): Promise<RunningPart> {
  const broken = (config: string) => {
    if (!line.test(config)) throw new Error(`docs/gateways/nginx/site.conf does not say ${line}`);
    return config.replace(line, '');
  };
  return startNginx({ config: (place) => broken(nginx(place, surroundings)) });
}

function nginx({ port, directory }: Place, { audience, caFile, verifier, backend }: Surroundings): string {
  writeFileSync(join(directory, 'server.conf'), documented('nginx/server.conf', [['/etc/tokenwright/ca.crt', caFile]]));
  writeFileSync(join(directory, 'guard.conf'), documented('nginx/guard.conf', []));
  return documented('nginx/site.conf', [
    ['listen 8080', `listen 127.0.0.1:${port}`],
    [`${VERIFIER_HOST}:8443`, `127.0.0.1:${verifier.port}`],
    [`${BACKEND_HOST}:8080`, `127.0.0.1:${backend.port}`],
    ['ai-gateway', audience],
    // relative to that of nginx.conf
    ['/etc/nginx/tokenwright/', ''],
  ]);
}

function envoy(file: string, { port }: Place, { audience, caFile, verifier, backend }: Surroundings): string {
  const isGrpc = file.includes('grpc');
  const [documentedPort, verifierPort] = isGrpc ? [9443, verifier.grpcPort] : [8443, verifier.port];
  return documented(file, [
    ['address: 0.0.0.0, port_value: 8080', `address: 127.0.0.1, port_value: ${port}`],
    [`address: ${VERIFIER_HOST}, port_value: ${documentedPort}`, `address: 127.0.0.1, port_value: ${verifierPort}`],
    [`address: ${BACKEND_HOST}, port_value: 8080`, `address: 127.0.0.1, port_value: ${backend.port}`],
    ['/etc/tokenwright/ca.crt', caFile],
    ['ai-gateway', audience],
    // so that no test waits for it
    ...(isGrpc ? [['max_connection_duration: 5s', 'max_connection_duration: 1s'] as const] : []),
  ]);
}

/** The file of docs/gateways, with what differs here in place; throws where it no longer says what is to be replaced. */
function documented(file: string, replacements: readonly (readonly [from: string, to: string])[]): string {
  let text = readFileSync(join(DOCS, 'gateways', file), 'utf8');
  for (const [from, to] of replacements) {
    if (!text.includes(from)) throw new Error(`docs/gateways/${file} does not say ${from}`);
    text = text.replaceAll(from, () => to);
  }
  return text;
}

/** Of the table in docs/gateways.md: for each case the status that this door answers. */
export function documentedStatuses(door: string): Map<string, number> {
  const [, section = ''] = readFileSync(join(DOCS, 'gateways.md'), 'utf8').split('## What clients see');
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  const [head = [], , ...cases] = rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const column = head.indexOf(door);
  if (column < 0) throw new Error(`the table in docs/gateways.md has no column ${door}`);
  return new Map(cases.map((cells) => [cells[0] ?? '', Number(cells[column])]));
}
