/** What ApiTokens are judged by: the policies, and the labels of their namespaces. */
import { NAMESPACES } from '../../api/namespaces.ts';
import { TOKEN_POLICIES, type TokenPolicy, type TokenPolicyManifest } from '../../api/token-policy.ts';
import type { Labels } from '../../domain/label-selector.ts';
import { type CompiledPolicy, compilePolicy, type Namespace } from '../../domain/policy/policy.ts';
import { KubeError } from '../../ports.ts';
import { Failure } from '../failure.ts';
import type { Session } from '../session.ts';
import type { Declared } from './manifests.ts';

export interface StatedPolicy extends Pick<TokenPolicyManifest, 'spec'> {
  readonly compiled: CompiledPolicy;
}

export interface Ground {
  readonly policies: readonly StatedPolicy[];
  /** Of ApiTokens that name none. */
  readonly defaultNamespace: string;
  /** With what is known of its labels. */
  namespace(name: string): Promise<Namespace>;
  /** Namespaces that were asked for and of which no more is known than their name. */
  unknown(): readonly string[];
}

/** Set by the API server. */
const NAME_LABEL = 'kubernetes.io/metadata.name';

/** Without a cluster. */
export function groundOf({ policies, namespaces }: Declared, defaultNamespace: string | undefined): Ground {
  return ground(policies, defaultNamespace ?? 'default', async (name) => namespaces.get(name));
}

/** What is not declared comes from the cluster: the policies where there is none, and namespaces one by one. */
export async function groundIn(session: Session, { policies, namespaces }: Declared): Promise<Ground> {
  return ground(
    policies.length > 0 ? policies : await policiesOf(session),
    session.namespace,
    async (name) => namespaces.get(name) ?? (await labelsOf(session, name)),
  );
}

function ground(
  manifests: readonly Pick<TokenPolicyManifest, 'metadata' | 'spec'>[],
  defaultNamespace: string,
  labelsOf: (name: string) => Promise<Labels | undefined>,
): Ground {
  const known = new Map<string, Namespace>();
  const unknown: string[] = [];
  const policies = manifests.map(({ metadata, spec }) => ({ spec, compiled: compilePolicy({ metadata, spec }) }));
  return {
    policies,
    defaultNamespace,
    unknown: () => unknown,
    namespace: async (name) => {
      let namespace = known.get(name);
      if (namespace === undefined) {
        const labels = await labelsOf(name);
        if (labels === undefined) unknown.push(name);
        namespace = namespaceOf(name, labels);
        known.set(name, namespace);
      }
      return namespace;
    },
  };
}

export function namespaceOf(name: string, labels: Labels | undefined): Namespace {
  return { name, labels: { ...labels, [NAME_LABEL]: name } };
}

async function policiesOf({ client, server }: Session): Promise<TokenPolicy[]> {
  try {
    return await client.list(TOKEN_POLICIES, {});
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === 'Forbidden')) throw error;
    throw new Failure(`${server} lets you list no TokenPolicies. Give them by --policies.`);
  }
}

/** Undefined where it is not there yet, or is not for the caller to see. */
async function labelsOf({ client }: Session, name: string): Promise<Labels | undefined> {
  try {
    return (await client.get(NAMESPACES, { name })).metadata.labels ?? {};
  } catch (error) {
    if (error instanceof KubeError && (error.reason === 'NotFound' || error.reason === 'Forbidden')) return undefined;
    throw error;
  }
}

/** Once, and only where their labels decide. */
export function noteUnknown({ policies, unknown }: Ground, { terminal }: Pick<Session, 'terminal'>): void {
  const names = unknown();
  if (names.length === 0 || policies.every(({ spec }) => spec.match.everything === true)) return;
  terminal.note(
    `No labels are known of the ${names.length === 1 ? 'namespace' : 'namespaces'} ${names.join(', ')}, but kubernetes.io/metadata.name. Give the manifest by --namespaces.`,
  );
}
