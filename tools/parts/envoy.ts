import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConfigOptions, launch, type RunningPart } from './running.ts';

/** `config` is a whole bootstrap configuration, in YAML or JSON. */
export function startEnvoy({ config, ports }: ConfigOptions): Promise<RunningPart> {
  return launch({
    name: 'envoy',
    ports,
    prepare: async (place) => {
      const path = join(place.directory, 'envoy.yaml');
      await writeFile(path, config(place));
      // hot restart would share memory with any other Envoy of the machine
      return ['-c', path, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'info'];
    },
    ready: /starting main dispatch loop/,
  });
}
