/** Manifests, for the tests of `tokenwright policy`. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TokenPolicySpec } from '../../../src/api/token-policy.ts';
import { SCRATCH } from '../../e2e/harness/operator.ts';

const apiVersion = 'tokenwright.dev/v1alpha1';

export const SPEC = {
  subject: 'agent:summarizer',
  purpose: 'Summarise incoming tickets',
  environment: 'production',
  audiences: ['ai-gateway'],
  scopes: ['chat:write'],
  ttl: '24h',
};

export function token(name: string, spec: object = {}, metadata: object = { namespace: 'support' }) {
  return { apiVersion, kind: 'ApiToken', metadata: { name, ...metadata }, spec: { ...SPEC, ...spec } };
}

export function policy(name: string, spec: Partial<TokenPolicySpec> = {}) {
  return { apiVersion, kind: 'TokenPolicy', metadata: { name }, spec: { match: { everything: true }, ...spec } };
}

export function namespace(name: string, labels?: object) {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

/** Each on lines of its own: JSON is YAML. */
export function documents(...objects: readonly object[]): string {
  return objects.map((one) => `---\n${JSON.stringify(one)}\n`).join('');
}

/** @returns the folder that holds them */
export function folder(files: Readonly<Record<string, string | Buffer>>): string {
  const path = mkdtempSync(join(SCRATCH, 'manifests-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return path;
}
