import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConfigOptions, launch, type Place, type RunningPart } from './running.ts';

/** `config` is what stands within `http { }`. */
export function startNginx({ config, ports }: ConfigOptions): Promise<RunningPart> {
  return launch({
    name: 'nginx',
    ports,
    prepare: async (place) => {
      const path = join(place.directory, 'nginx.conf');
      await writeFile(path, configuration(place, config(place)));
      return ['-p', place.directory, '-c', path, '-e', 'stderr'];
    },
    ready: /\[notice\].* OS: /,
  });
}

/** Built-in paths belong to root; a worker would outlive a master that is killed, so there is one process. */
const configuration = ({ directory }: Place, http: string) => `
daemon off;
master_process off;
pid ${directory}/nginx.pid;
error_log stderr notice;
events {}
http {
  access_log /dev/stderr;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  ${http}
}
`;
