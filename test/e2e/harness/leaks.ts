/**
 * I6, over all that a run leaves behind: no value outside its own Secret. A value is known by its shape and its checksum, so
 * that those that are long gone from their Secrets are found too.
 */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { API_TOKEN_KIND } from '../../../src/api/apitoken.ts';
import { parseValue, tokenIDOf } from '../../../src/domain/value.ts';
import type { KubeObject } from '../../../src/ports.ts';
import type { ControlPlane } from '../../../tools/controlplane/control-plane.ts';
import { dumpEtcd } from '../../../tools/controlplane/etcd-dump.ts';
import { ApiServer, expectOk, until } from '../../crds/api-server.ts';
import { VALUE } from './inspection.ts';

const LONGEST = 86;
/** The base64 of `twk_`, by how many bytes of a group of three come before it: what does not depend on its neighbours. */
const IN_BASE64 = [0, 1, 2].map((before) => {
  const from = Math.ceil((before * 8) / 6);
  const text = Buffer.from(`${'\0'.repeat(before)}twk_`).toString('base64');
  return { from, mark: text.slice(from, Math.floor(((before + 4) * 8) / 6)) };
});

/** The token ids of all values in a text, plain or in base64. */
export function tokenIDsIn(text: string): string[] {
  const values = [...(text.match(VALUE) ?? [])];
  for (const { from, mark } of IN_BASE64) {
    for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) {
      // two bytes at most come before it
      const group = text.slice(Math.max(0, at - from), at - from + Math.ceil((LONGEST + 2) / 3) * 4);
      values.push(...(Buffer.from(group, 'base64').toString('latin1').match(VALUE) ?? []));
    }
  }
  return values.map(parseValue).flatMap((value) => (value.ok ? [value.tokenID] : []));
}

export interface Search {
  /** Sentences that say where a value is and whose. Never the value. */
  leaks: string[];
  /** How many values were found where they belong: none means that there were none, or that nothing can be found. */
  inPlace: number;
}

export interface SearchPlaces {
  kubeconfig: string;
  /** The folder of logs, audit files and metrics. */
  records: string;
  /** Undefined where etcd cannot be read. */
  etcd?: ControlPlane['etcd'] | undefined;
}

/** Reads everything. Meant for when nothing is written any more: what changes meanwhile may be reported falsely. */
export async function search({ kubeconfig, records, etcd }: SearchPlaces): Promise<Search> {
  const found = new Set<string>();
  let inPlace = 0;
  /** `own` is the token id whose values belong there. */
  const look = (place: string, text: string, own?: string) => {
    for (const tokenID of tokenIDsIn(text)) {
      if (tokenID === own) inPlace += 1;
      else found.add(`a value of token id ${tokenID} is in ${place}`);
    }
  };

  for (const file of await readdir(records)) {
    let number = 0;
    // an audit log of a million calls is no string any more
    const input = createReadStream(join(records, file), 'latin1');
    for await (const line of createInterface({ input })) {
      number += 1;
      look(`${file}:${number}`, line);
    }
  }

  const owners = new Map<string, string>();
  const server = await ApiServer.open(kubeconfig);
  try {
    for await (const { resource, object } of objectsOf(server)) {
      const { namespace = '', name } = object.metadata;
      const own = resource === 'secrets' ? ownerOf(object) : undefined;
      if (own !== undefined) owners.set(`/registry/secrets/${namespace}/${name}`, own);
      for (const [field, part] of Object.entries(object))
        look(`${resource} ${namespace}/${name} .${field}`, JSON.stringify(part), field === 'data' ? own : undefined);
    }
  } finally {
    await server.close();
  }

  if (etcd) {
    for await (const { key, value } of dumpEtcd(etcd))
      look(`etcd ${key}`, key + value.toString('latin1'), owners.get(key));
  }
  return { leaks: [...found].sort(), inPlace };
}

/** The token id of the ApiToken that controls it. */
function ownerOf({ metadata }: KubeObject): string | undefined {
  const owner = metadata.ownerReferences?.find(({ kind, controller }) => controller && kind === API_TOKEN_KIND);
  return owner && tokenIDOf(owner.uid);
}

/** Every object that the API server lists. */
async function* objectsOf(server: ApiServer): AsyncGenerator<{ resource: string; object: KubeObject }> {
  const { groups } = await read<{ groups: { preferredVersion: { groupVersion: string } }[] }>(server, '/apis');
  for (const path of ['/api/v1', ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)]) {
    const { resources } = await read<{ resources: { name: string; verbs: string[] }[] }>(server, path);
    for (const { name: resource } of resources.filter(({ verbs }) => verbs.includes('list'))) {
      const { items } = await read<{ items: KubeObject[] | null }>(server, `${path}/${resource}`);
      for (const object of items ?? []) yield { resource, object };
    }
  }
}

async function read<T>(server: ApiServer, path: string): Promise<T> {
  let answer = await server.get(path);
  // a CRD that has just changed is not served for a moment
  await until(`${path} is served`, async () => {
    if (answer.status === 429) answer = await server.get(path);
    return answer.status !== 429;
  });
  return expectOk(answer).body as T;
}
