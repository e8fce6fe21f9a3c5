import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConfigOptions, launch, type RunningPart } from './running.ts';

/** No port but those asked for, and no certificate authority put into the machine's trust store. */
const globalOptions = `{
  admin off
  auto_https disable_redirects
  skip_install_trust
}
`;

/** `config` is the site blocks of a Caddyfile. */
export function startCaddy({ config, ports }: ConfigOptions): Promise<RunningPart> {
  return launch({
    name: 'caddy',
    ports,
    prepare: async (place) => {
      const path = join(place.directory, 'Caddyfile');
      await writeFile(path, globalOptions + config(place));
      return ['run', '--adapter', 'caddyfile', '--config', path];
    },
    ready: /serving initial configuration/,
  });
}
