/** Objects for machines. */
import { stringify } from 'yaml';
import type { KubeObject } from '../ports.ts';

export const MACHINE_FORMATS = ['json', 'yaml', 'name'] as const;
export type MachineFormat = (typeof MACHINE_FORMATS)[number];

/** One object as itself, several as a List, as kubectl does. */
export function formatObjects(objects: readonly KubeObject[], format: MachineFormat, isOne: boolean): string {
  if (format === 'name') return objects.map((object) => `${nameOf(object)}\n`).join('');
  const items = objects.map(withoutManagedFields);
  const [first] = items;
  const list = { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items };
  return formatValue(isOne && first !== undefined ? first : list, format);
}

export function formatValue(value: object, format: 'json' | 'yaml'): string {
  return format === 'json'
    ? `${JSON.stringify(value, undefined, 4)}\n`
    : stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** As kubectl writes it: "apitoken.tokenwright.dev/summarizer". */
export function nameOf({ kind = '', apiVersion = '', metadata }: KubeObject): string {
  return `${kind.toLowerCase()}.${apiVersion.split('/')[0]}/${metadata.name}`;
}

function withoutManagedFields(object: KubeObject): KubeObject {
  const metadata: KubeObject['metadata'] & { managedFields?: unknown } = { ...object.metadata };
  delete metadata.managedFields;
  return { ...object, metadata };
}
