/** Tables of cases, by which policies are tried: what is asked, and what they must say of it. */
import { resolve } from 'node:path';
import { API_TOKEN_KIND, type ApiTokenManifest, apiTokenProblems } from '../../api/apitoken.ts';
import { API_VERSION } from '../../api/group.ts';
import { TOKEN_POLICY_KIND, type TokenPolicyManifest, tokenPolicyProblems } from '../../api/token-policy.ts';
import type { JudgedToken } from '../../domain/policy/asked.ts';
import type { Question, Violation } from '../../domain/policy/evaluate.ts';
import { type CompiledPolicy, compilePolicy, type Namespace } from '../../domain/policy/policy.ts';
import { documentsIn, type Found, type Place } from './documents.ts';
import { Field } from './field.ts';
import { namespaceOf } from './ground.ts';
import { declaredIn, metadataOf, withoutNulls } from './manifests.ts';

export type Expected = Pick<Violation, 'policy' | 'rule'>;

export interface Case {
  readonly name: string;
  readonly place: Place;
  readonly token: JudgedToken;
  readonly namespace: Namespace;
  /** Epoch seconds; those of the clock unless given. */
  readonly now: number | undefined;
  /** None: allowed. */
  readonly expect: readonly Expected[];
  /** Undefined: of no interest. */
  readonly audited: readonly Expected[] | undefined;
}

export interface Table {
  readonly policies: readonly CompiledPolicy[];
  readonly defaultPolicy: Question['defaultPolicy'];
  readonly cases: readonly Case[];
}

/** @throws Failure that says which file and line */
export async function tablesIn(paths: readonly string[]): Promise<Table[]> {
  const tables: Table[] = [];
  for await (const found of documentsIn(paths)) tables.push(await tableOf(found));
  return tables;
}

async function tableOf({ value, place, lineOf }: Found): Promise<Table> {
  const table = new Field(value, [], place, lineOf).keys('policies', 'defaultPolicy', 'namespaces', 'cases');
  const labels = table.at('namespaces').entries();
  const namespaces = new Map(
    labels.map(([name, field]) => {
      const { labels = {}, problems } = metadataOf({ metadata: { name, labels: field.value } });
      if (problems.length > 0) throw field.failure('must be labels with their values');
      return [name, namespaceOf(name, labels)];
    }),
  );
  return {
    policies: await policiesAt(table.at('policies')),
    defaultPolicy: table.at('defaultPolicy').oneOf(['Deny', 'Allow']) ?? 'Deny',
    cases: table
      .at('cases')
      .items()
      .map((field) => caseOf(field, namespaces)),
  };
}

/** Paths, from where the table is, and policies as they stand there. */
async function policiesAt(field: Field): Promise<CompiledPolicy[]> {
  const policies = new Map<string, CompiledPolicy>();
  for (const item of field.items()) {
    for (const policy of typeof item.value === 'string' ? await policiesOf(item) : [inlinePolicy(item)]) {
      if (policies.has(policy.metadata.name)) throw item.failure(`has TokenPolicy ${policy.metadata.name} again`);
      policies.set(policy.metadata.name, compilePolicy(policy));
    }
  }
  return [...policies.values()];
}

async function policiesOf(item: Field): Promise<readonly TokenPolicyManifest[]> {
  const path = resolve(item.folder, item.text());
  const { policies } = await declaredIn({ filenames: [], policies: [path], namespaces: [] });
  if (policies.length === 0) throw item.failure('holds no TokenPolicy');
  return policies;
}

function inlinePolicy(item: Field): Pick<TokenPolicyManifest, 'metadata' | 'spec'> {
  const object = item.object();
  const spec = withoutNulls(object.spec);
  const manifest = { apiVersion: API_VERSION, kind: TOKEN_POLICY_KIND, ...object, spec };
  const { problems, ...metadata } = metadataOf(manifest);
  item.refuse([...problems, ...tokenPolicyProblems(manifest)]);
  return { metadata, spec: (manifest as unknown as TokenPolicyManifest).spec };
}

function caseOf(field: Field, namespaces: ReadonlyMap<string, Namespace>): Case {
  const { name, token, namespace, now, expect, audited } = field
    .keys('name', 'token', 'namespace', 'now', 'expect', 'audited')
    .all(['name', 'token', 'namespace', 'now', 'expect', 'audited']);
  const where = namespaces.get(namespace.text());
  if (where === undefined) throw namespace.failure('is none of the namespaces of the table');
  return {
    name: name.text(),
    place: field.place,
    token: tokenOf(token, where.name),
    namespace: where,
    now: now.time(),
    expect: expect.value === 'allowed' ? [] : expectedOf(expect),
    audited: audited.value === undefined ? undefined : expectedOf(audited),
  };
}

function tokenOf(field: Field, namespace: string): JudgedToken {
  const { metadata: given, spec } = field.keys('metadata', 'spec').all(['metadata', 'spec']);
  const manifest = {
    apiVersion: API_VERSION,
    kind: API_TOKEN_KIND,
    metadata: { name: 'token', ...(given.value === undefined ? {} : given.object()), namespace },
    spec: withoutNulls(spec.value),
  };
  const { problems, ...metadata } = metadataOf(manifest);
  field.refuse([...problems, ...apiTokenProblems(manifest)]);
  return { metadata, spec: (manifest as unknown as ApiTokenManifest).spec };
}

function expectedOf(field: Field): Expected[] {
  return field.anyItems('must be "allowed", or a list of {policy, rule}').map((item) => {
    const { policy, rule } = item.keys('policy', 'rule').all(['policy', 'rule']);
    return { policy: policy.value === undefined ? undefined : policy.text(), rule: rule.text() };
  });
}
