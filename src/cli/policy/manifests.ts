/** What the documents declare of ApiTokens, TokenPolicies and Namespaces. Other kinds are passed over. */
import { isDeepStrictEqual } from 'node:util';
import { API_TOKEN_KIND, type ApiTokenManifest, apiTokenProblems } from '../../api/apitoken.ts';
import { API_VERSION, GROUP } from '../../api/group.ts';
import type { SchemaProblem } from '../../api/object.ts';
import { TOKEN_POLICY_KIND, type TokenPolicyManifest, tokenPolicyProblems } from '../../api/token-policy.ts';
import type { Labels } from '../../domain/label-selector.ts';
import type { JudgedToken } from '../../domain/policy/asked.ts';
import { Failure } from '../failure.ts';
import { documentsIn, type Found, type Place, placeText } from './documents.ts';

export interface DeclaredToken {
  /** Undefined where the manifest names none. */
  readonly namespace: string | undefined;
  readonly name: string;
  readonly place: Place;
  /** Of the manifest; undefined where there are problems. */
  readonly token: JudgedToken | undefined;
  readonly problems: readonly { line: number; message: string }[];
  /** Of a field, or the next around it that there is. */
  lineOf(path: readonly string[]): number;
}

export interface Declared {
  readonly tokens: readonly DeclaredToken[];
  readonly policies: readonly TokenPolicyManifest[];
  /** Their labels, by name. */
  readonly namespaces: ReadonlyMap<string, Labels>;
}

export interface Sources {
  /** Of all three kinds. */
  readonly filenames: readonly string[];
  /** Of TokenPolicies and Namespaces: ApiTokens in there are nobody's question. */
  readonly policies: readonly string[];
  readonly namespaces: readonly string[];
}

/** @throws Failure with a line for each TokenPolicy or Namespace that is not one, or is there twice */
export async function declaredIn({ filenames, policies, namespaces }: Sources): Promise<Declared> {
  const shelf = new Shelf();
  const seen = new Set<string>();
  for await (const found of documentsIn(filenames, seen)) shelf.put(found, true);
  for await (const found of documentsIn([...policies, ...namespaces], seen)) shelf.put(found, false);
  return shelf.declared();
}

interface Item extends Omit<Found, 'value'> {
  readonly value: Record<string, unknown>;
}

class Shelf {
  readonly #tokens: DeclaredToken[] = [];
  readonly #policies = new Map<string, Kept<TokenPolicyManifest>>();
  readonly #namespaces = new Map<string, Kept<Labels>>();
  readonly #wrong: string[] = [];

  put(found: Found, isJudged: boolean): void {
    for (const item of itemsOf(found)) {
      const { apiVersion, kind } = item.value;
      const group = String(apiVersion).split('/')[0];
      if (group === GROUP && kind === API_TOKEN_KIND) {
        if (isJudged) this.#tokens.push(declaredToken(item));
      } else if (group === GROUP && kind === TOKEN_POLICY_KIND) this.#putPolicy(item);
      else if (apiVersion === 'v1' && kind === 'Namespace') this.#putNamespace(item);
    }
  }

  declared(): Declared {
    if (this.#wrong.length > 0) throw new Failure(this.#wrong.join('\n'));
    return {
      tokens: this.#tokens,
      policies: [...this.#policies.values()].map(({ content }) => content),
      namespaces: new Map([...this.#namespaces].map(([name, { content }]) => [name, content])),
    };
  }

  #putPolicy(item: Item): void {
    const { problems, ...metadata } = metadataOf(item.value);
    const name = `${TOKEN_POLICY_KIND} ${metadata.name}`;
    if (this.#isSound(item, name, [...problems, ...tokenPolicyProblems(item.value)]))
      this.#keep(this.#policies, name, { content: policyManifest(metadata, item.value), place: item.place });
  }

  #putNamespace(item: Item): void {
    const { name, labels = {}, problems } = metadataOf(item.value);
    if (this.#isSound(item, `Namespace ${name}`, problems))
      this.#keep(this.#namespaces, name, { content: labels, place: item.place });
  }

  #isSound({ place, lineOf }: Item, name: string, problems: readonly SchemaProblem[]): boolean {
    for (const problem of problems.slice(0, PROBLEMS_MAX))
      this.#wrong.push(`${placeText({ ...place, line: lineOf(problem.path) })}: ${name}: ${sentenceOf(problem)}.`);
    return problems.length === 0;
  }

  /** The same may be in several files; what differs has no order that would tell which one counts. */
  #keep<T>(known: Map<string, Kept<T>>, name: string, kept: Kept<T>): void {
    const other = known.get(name);
    if (other === undefined) known.set(name, kept);
    else if (!isDeepStrictEqual(other.content, kept.content))
      this.#wrong.push(`${placeText(kept.place)}: ${name} is another one at ${placeText(other.place)}: keep one.`);
  }
}

interface Kept<T> {
  readonly content: T;
  readonly place: Place;
}

/** Of one manifest: who mends them sees the rest. */
const PROBLEMS_MAX = 10;

/** The document, or what stands in it where it is a list, as kubectl prints it. */
function* itemsOf({ value, place, lineOf }: Found): Generator<Item> {
  if (!isObject(value)) return;
  const { apiVersion, kind, items } = value;
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) {
    yield { value: { ...value, spec: withoutNulls(value.spec) }, place, lineOf };
    return;
  }
  for (const [at, item] of items.entries()) {
    if (!isObject(item)) continue;
    const path = ['items', String(at)];
    const found = {
      // a list of one kind may leave it out of its items
      value: { apiVersion, kind: kind.slice(0, -'List'.length), ...item },
      place: { ...place, line: lineOf(path) },
      lineOf: (inside: readonly string[]) => lineOf([...path, ...inside]),
    };
    yield* itemsOf(found);
  }
}

function declaredToken({ value, place, lineOf }: Item): DeclaredToken {
  const { problems: wrong, ...metadata } = metadataOf(value);
  const problems = [...wrong, ...apiTokenProblems(value)];
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    place,
    lineOf,
    token: problems.length > 0 ? undefined : { metadata, spec: (value as unknown as ApiTokenManifest).spec },
    problems: problems
      .slice(0, PROBLEMS_MAX)
      .map((problem) => ({ line: lineOf(problem.path), message: sentenceOf(problem) })),
  };
}

/** @param value without problems */
export function policyManifest(metadata: Metadata, value: Record<string, unknown>): TokenPolicyManifest {
  const { spec } = value as unknown as TokenPolicyManifest;
  return { apiVersion: API_VERSION, kind: TOKEN_POLICY_KIND, metadata: { name: metadata.name }, spec };
}

/** "spec.ttl is missing" */
export function sentenceOf({ path, problem }: SchemaProblem): string {
  return [path.join('.'), problem].filter(Boolean).join(' ');
}

type Metadata = ApiTokenManifest['metadata'] & { creationTimestamp?: string };

/** The schema leaves it to the API server. */
export function metadataOf({ metadata }: Record<string, unknown>): Metadata & { problems: SchemaProblem[] } {
  const problems: SchemaProblem[] = [];
  const from = isObject(metadata) ? metadata : {};
  const text = (key: string): string | undefined => {
    const value = from[key] ?? undefined;
    if (value === undefined || typeof value === 'string') return value;
    problems.push({ path: ['metadata', key], problem: 'must be string' });
    return undefined;
  };
  const texts = (key: string): Labels | undefined => {
    const value = from[key] ?? undefined;
    if (value === undefined) return undefined;
    const isFine = isObject(value) && Object.values(value).every((one) => typeof one === 'string');
    if (isFine) return value as Labels;
    problems.push({ path: ['metadata', key], problem: 'must have strings only: write "true" and not true' });
    return undefined;
  };
  const [name, namespace, creationTimestamp] = [text('name'), text('namespace'), text('creationTimestamp')];
  const [labels, annotations] = [texts('labels'), texts('annotations')];
  if (!name && problems.length === 0) problems.push({ path: ['metadata', 'name'], problem: 'is missing' });
  return {
    name: name || '<no name>',
    ...(namespace && { namespace }),
    ...(creationTimestamp && { creationTimestamp }),
    ...(labels && { labels }),
    ...(annotations && { annotations }),
    problems,
  };
}

/** The API server prunes fields that are null, so `owner: null` gives no owner. Aliases of one anchor stay one. */
export function withoutNulls(value: unknown, done = new Map<object, object>()): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const known = done.get(value);
  if (known !== undefined) return known;
  const entries = Object.entries(value).filter(([, one]) => one !== null || Array.isArray(value));
  const pruned = entries.map(([key, one]) => [key, withoutNulls(one, done)] as const);
  const result = Array.isArray(value) ? pruned.map(([, one]) => one) : Object.fromEntries(pruned);
  done.set(value, result);
  return result;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws Failure where there is none, or several, or one that is not as it should be */
export function onlyToken({ tokens }: Declared, name: string, namespace: string): JudgedToken {
  const [first, ...others] = tokens.filter((one) => one.name === name && (one.namespace ?? namespace) === namespace);
  const key = `ApiToken ${namespace}/${name}`;
  if (first === undefined) throw new Failure(`The files declare no ${key}.`);
  const places = [first, ...others].map(({ place }) => placeText(place));
  if (others.length > 0) throw new Failure(`The files declare ${key} at ${places.join(', ')}: give one of them.`);
  if (first.token !== undefined) return first.token;
  const lines = first.problems.map(({ line, message }) => `${placeText({ ...first.place, line })}: ${message}.`);
  throw new Failure(lines.join('\n'));
}
