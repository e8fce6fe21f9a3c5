/** A real Envoy with the configuration that docs/gateways hands out, but for addresses. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startEnvoy } from '../parts/envoy.ts';
import type { RunningPart } from '../parts/running.ts';

/** The host in the certificate of the verifier. */
export const VERIFIER_HOST = 'tokenwright-verifier-production.tokenwright-system.svc';

const FILE = join(import.meta.dirname, '../../docs/gateways/envoy-http.yaml');

export async function startGateway(options: {
  verifierPort: number;
  providerPort: number;
  caFile: string;
}): Promise<RunningPart> {
  const text = await readFile(FILE, 'utf8');
  const changed = (listenerPort: number) =>
    [
      ['address: 0.0.0.0, port_value: 8080', `address: 127.0.0.1, port_value: ${listenerPort}`],
      [`address: ${VERIFIER_HOST}, port_value: 8443`, `address: 127.0.0.1, port_value: ${options.verifierPort}`],
      ['address: backend.example.svc, port_value: 8080', `address: 127.0.0.1, port_value: ${options.providerPort}`],
      ['/etc/tokenwright/ca.crt', options.caFile],
    ].reduce((config, [from = '', to = '']) => {
      if (!config.includes(from)) throw new Error(`${FILE} does not say ${from}`);
      return config.replaceAll(from, to);
    }, text);
  return startEnvoy({ config: ({ port }) => changed(port) });
}
