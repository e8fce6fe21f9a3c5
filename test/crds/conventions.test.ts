import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';

interface Schema {
  type?: string;
  format?: string;
  description?: string;
  pattern?: string;
  default?: unknown;
  enum?: unknown[];
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  items?: Schema;
  maxLength?: number;
  maxItems?: number;
  maxProperties?: number;
  minimum?: number;
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: { rule: string; message?: string; messageExpression?: string }[];
}

interface Crd {
  spec: {
    names: { kind: string; categories?: string[]; shortNames?: string[] };
    versions: { name: string; schema: { openAPIV3Schema: Schema }; subresources?: { status?: object } }[];
  };
}

const folder = join(import.meta.dirname, '../../crds');
const crds: Crd[] = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
  .flatMap((name) => parseAllDocuments(readFileSync(join(folder, name), 'utf8')).map((document) => document.toJS()));

/** Every schema below, with its path; metadata is the API server's. */
function* walk(schema: Schema, path: string): Generator<[string, Schema]> {
  yield [path, schema];
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    if (path !== '' || !['apiVersion', 'kind', 'metadata'].includes(name)) yield* walk(child, `${path}.${name}`);
  }
  if (schema.additionalProperties !== undefined) yield* walk(schema.additionalProperties, `${path}[*]`);
  if (schema.items !== undefined) yield* walk(schema.items, `${path}[]`);
}

function objections(path: string, schema: Schema): string[] {
  const found: string[] = [];
  const scalarItem = /\]$/.test(path) && schema.type !== 'object';
  if (schema.description === undefined && !scalarItem) found.push('has no description');
  if (schema.pattern !== undefined) found.push('has a pattern, which answers with its regular expression');
  if (schema.default !== undefined) found.push('has a default');
  if (schema.type === 'string' && schema.maxLength === undefined && schema.enum === undefined)
    found.push('is unbounded');
  if (schema.type === 'integer' && (schema.minimum === undefined || schema.format === undefined))
    found.push('is unbounded');
  if (schema.type === 'array') {
    if (schema.maxItems === undefined) found.push('is unbounded');
    if (schema['x-kubernetes-list-type'] === undefined) found.push('has no list type');
  }
  if (schema.additionalProperties !== undefined && schema.maxProperties === undefined) found.push('is unbounded');
  for (const key of schema['x-kubernetes-list-map-keys'] ?? []) {
    if (!schema.items?.required?.includes(key)) found.push(`does not require its key ${key}`);
  }
  for (const rule of schema['x-kubernetes-validations'] ?? []) {
    const sentence = rule.messageExpression ?? rule.message;
    if (sentence === undefined) found.push(`has a rule without a sentence: ${rule.rule}`);
    else if (/[.\n]$|[a-z)]\. |^[A-Z]/.test(rule.message ?? ''))
      found.push(`says more or less than one sentence: ${sentence}`);
  }
  return found.map((objection) => `${path} ${objection}`);
}

describe.each(crds.map((crd) => [crd.spec.names.kind, crd] as const))('the CRD of %s', (_, crd) => {
  it('is found by the category tokenwright and by a short name', () => {
    expect(crd.spec.names.categories).toEqual(['tokenwright']);
    expect(crd.spec.names.shortNames).toHaveLength(1);
  });

  it('keeps its status, where it has one, apart from the spec', () => {
    for (const { schema, subresources } of crd.spec.versions)
      expect(subresources).toEqual(schema.openAPIV3Schema.properties?.status && { status: {} });
  });

  it('describes and bounds every field, without pattern and default, and every rule answers in one sentence', () => {
    const found = crd.spec.versions.flatMap(({ schema }) =>
      [...walk(schema.openAPIV3Schema, '')].flatMap(([path, part]) => objections(path, part)),
    );
    expect(found).toEqual([]);
  });
});

describe('TokenRevocation and ClusterTokenRevocation', () => {
  const schemaOf = (kind: string) => {
    const schema = crds.find((crd) => crd.spec.names.kind === kind)?.spec.versions[0]?.schema.openAPIV3Schema;
    return JSON.parse(JSON.stringify(schema).replaceAll('ClusterTokenRevocation', 'TokenRevocation'));
  };
  const [own, cluster] = [schemaOf('TokenRevocation'), schemaOf('ClusterTokenRevocation')];

  it('say the same but for what match reaches', () => {
    const { namespaces, namespaceNames, everything, ...shared } = cluster.properties.spec.properties.match.properties;
    expect(shared).toEqual(own.properties.spec.properties.match.properties);
    expect({ ...namespaces, description: '' }).toEqual({ ...shared.tokens, description: '' });
    expect([namespaceNames.type, everything.type]).toEqual(['array', 'boolean']);
    for (const { properties, ...rest } of [own, cluster]) {
      delete properties.spec.properties.match;
      delete rest.description;
    }
    expect(cluster.properties).toEqual(own.properties);
  });
});
