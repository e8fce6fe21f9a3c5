/** Who is left, by the word of the API server: once it is called sealed, nobody refuses anything for the order's sake. */

import { type ApiToken, TOKEN_ID_FIELD } from '../../api/apitoken.ts';
import { NAMESPACES } from '../../api/namespaces.ts';
import type { Labels } from '../../domain/label-selector.ts';
import { matches, type Reach, type Revocation, reachesNamespace, reachOf } from '../../domain/revocation.ts';
import type { KubeClient, ListOptions } from '../../ports.ts';
import { targetOf } from './target.ts';

export interface ProofDeps {
  client: Pick<KubeClient, 'list'>;
  /** ApiTokens as they are, page by page. */
  tokenPages(options: ListOptions): AsyncIterable<readonly ApiToken[]>;
  /** Namespaces whose ApiTokens this operator governs. Empty: all. */
  governed: readonly string[];
}

export interface Proof {
  /** How many ApiTokens match. */
  matched: number;
  /** Keys of those that have yet to carry it out. */
  left: readonly string[];
}

/** Their labels, by name. */
export interface Namespaces {
  get(name: string): Labels | undefined;
  keys(): Iterable<string>;
}

/** Undefined where the order reaches namespaces that others govern. */
export async function proveSealed(deps: ProofDeps, revocation: Revocation): Promise<Proof | undefined> {
  const { uid } = revocation.metadata;
  const reach = reachOf(revocation);
  const namespaces = await namespacesFor(deps, reach);
  if (!isGoverned(reach, deps.governed, namespaces)) return undefined;
  const left: string[] = [];
  let matched = 0;
  for (const scope of scopesOf(reach, deps.governed)) {
    for await (const page of deps.tokenPages(scope)) {
      for (const token of page) {
        const target = targetOf(token);
        if (!matches(reach, target, namespaces.get(target.namespace))) continue;
        matched += 1;
        if (!token.status?.handledRevocations?.includes(uid)) left.push(`${target.namespace}/${target.name}`);
      }
    }
  }
  return { matched, left };
}

/**
 * An operator that governs some namespaces vouches for an order that reaches none but these. One that reaches further is
 * carried out in them, and called sealed by an operator that governs all.
 */
export function isGoverned(reach: Reach, governed: readonly string[], namespaces: Namespaces): boolean {
  // of the namespaced kind we see only what is governed
  if (governed.length === 0 || reach.namespace !== undefined) return true;
  const { match } = reach;
  if (match.namespaces === undefined && match.namespaceNames === undefined) return false;
  const candidates = match.namespaceNames ?? [...namespaces.keys()];
  const reached = candidates.filter((name) => reachesNamespace(reach, name, namespaces.get(name)));
  return reached.length > 0 && reached.every((name) => governed.includes(name));
}

async function namespacesFor({ client }: ProofDeps, { match }: Reach): Promise<Namespaces> {
  if (match.namespaces === undefined) return new Map();
  const all = await client.list(NAMESPACES);
  return new Map(all.map(({ metadata }) => [metadata.name, metadata.labels ?? {}]));
}

/** As few ApiTokens as the API server can tell apart. */
function scopesOf({ namespace, match }: Reach, governed: readonly string[]): ListOptions[] {
  const fields = [
    ...(match.name === undefined ? [] : [`metadata.name=${match.name}`]),
    // one without a token id has no version yet
    ...(match.tokenID === undefined ? [] : [`${TOKEN_ID_FIELD}=${match.tokenID}`]),
  ];
  const options = fields.length > 0 ? { fieldSelector: fields.join(',') } : {};
  if (namespace !== undefined) return [{ ...options, namespace }];
  const within = match.namespaceNames ?? governed;
  return within.length === 0 ? [options] : within.map((name) => ({ ...options, namespace: name }));
}
