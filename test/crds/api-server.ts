/**
 * Speaks to the API server as a client does, and keeps its words: src/kube drops the bodies of refusals on purpose.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import { ClusterConnection } from '../../src/kube/connection.ts';

export interface Cause {
  field: string;
  message: string;
}

export interface Answer {
  status: number;
  // the tests read whatever kind they asked for
  body: { message: string; reason?: string; details?: { causes?: Cause[] } } & Record<string, unknown>;
  /** As kubectl prints them. */
  warnings: string[];
}

export interface User {
  name: string;
  groups?: readonly string[];
  /** The pod that the account's token is bound to. */
  pod?: string;
}

/** The operator's account, in a group that RBAC refuses nothing: what is refused then is refused by a policy. */
export const OPERATOR: User = {
  name: 'system:serviceaccount:tokenwright-system:tokenwright-operator',
  groups: ['system:masters', 'system:authenticated'],
};

/** The account of the verifiers, in such a group too. */
export const VERIFIER: User = {
  name: 'system:serviceaccount:tokenwright-system:tokenwright-verifier',
  groups: ['system:masters', 'system:authenticated'],
};

const CONTENT_TYPES = {
  apply: 'application/apply-patch+yaml',
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
} as const;

export class ApiServer {
  readonly #connection: ClusterConnection;
  readonly #user: User | undefined;

  private constructor(connection: ClusterConnection, user?: User) {
    this.#connection = connection;
    this.#user = user;
  }

  static async open(kubeconfig: string): Promise<ApiServer> {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    return new ApiServer(await ClusterConnection.open(config, 'test'));
  }

  /** By impersonation, so with that user's rights. */
  as(user: User): ApiServer {
    return new ApiServer(this.#connection, user);
  }

  get(path: string): Promise<Answer> {
    return this.#send('GET', path);
  }

  create(path: string, object: object): Promise<Answer> {
    return this.#send('POST', path, object);
  }

  replace(path: string, object: object): Promise<Answer> {
    return this.#send('PUT', path, object);
  }

  delete(path: string): Promise<Answer> {
    return this.#send('DELETE', path);
  }

  apply(path: string, object: object, manager = 'test'): Promise<Answer> {
    return this.#send('PATCH', `${path}?fieldManager=${manager}&force=true`, object, CONTENT_TYPES.apply);
  }

  mergePatch(path: string, patch: object): Promise<Answer> {
    return this.#send('PATCH', path, patch, CONTENT_TYPES.merge);
  }

  jsonPatch(path: string, patch: readonly object[]): Promise<Answer> {
    return this.#send('PATCH', path, patch, CONTENT_TYPES.json);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #send(method: string, path: string, body?: object, contentType = 'application/json'): Promise<Answer> {
    const headers: Record<string, string | string[]> = {
      ...(await this.#connection.authorize()),
      accept: 'application/json',
      'content-type': contentType,
    };
    if (this.#user !== undefined) {
      headers['impersonate-user'] = this.#user.name;
      headers['impersonate-group'] = [...(this.#user.groups ?? ['system:authenticated'])];
      if (this.#user.pod !== undefined)
        headers['impersonate-extra-authentication.kubernetes.io%2fpod-name'] = this.#user.pod;
    }
    const answer = await this.#connection.requests.request({
      origin: this.#connection.origin,
      path: this.#connection.basePath + path,
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    // a path that is not served yet is answered in plain words
    const reply = text.startsWith('{') ? JSON.parse(text) : { message: text };
    return { status: answer.statusCode, body: reply, warnings: warningsIn(answer.headers.warning) };
  }
}

/** `299 - "text"` each (RFC 7234, section 5.5). */
function warningsIn(header: string | string[] = []): string[] {
  return [header].flat().map((line) => line.replace(/^299 - "(.*)"$/, '$1').replace(/\\(.)/g, '$1'));
}

/** What a user reads when refused: `field: sentence` each, or the one sentence of an admission policy. */
export function sentences(answer: Answer): string[] {
  if (answer.status < 400) return [];
  const policy = /denied request: (.*)$/s.exec(answer.body.message);
  if (policy?.[1] !== undefined) return [policy[1]];
  const causes = answer.body.details?.causes ?? [];
  if (causes.length === 0) return [answer.body.message];
  return (
    causes
      // "some validation rules were not checked because the object was invalid"
      .filter((cause) => cause.field !== '<nil>')
      // older API servers show the type of a value that broke a rule, and not the value
      .map(
        (cause) =>
          `${cause.field}: ${cause.message.replace(/^(Invalid value: )"(?:array|object|string)": (?!.* in body )/, '$1')}`,
      )
      .sort()
  );
}

/** The same sentences as this API server shows them: with the value that broke a rule, or without. */
export function asShown(says: readonly string[], showsValues: boolean): string[] {
  if (showsValues) return [...says];
  // what the schema refuses, and not a rule, is shown with its value by all
  return says.map((line) =>
    line.includes(' in body ') ? line : line.replace(/^(\S+: Invalid value: )".*?(?<!\\)": /s, '$1'),
  );
}

export function expectOk(answer: Answer): Answer {
  if (answer.status >= 300) throw new Error(`${answer.status}: ${answer.body.message}`);
  return answer;
}

export const POLICIES = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';

const MUTATING_POLICIES = '/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies';

const PATHS: Readonly<Record<string, string>> = {
  CustomResourceDefinition: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  ValidatingAdmissionPolicy: POLICIES,
  ValidatingAdmissionPolicyBinding: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings',
  MutatingAdmissionPolicy: MUTATING_POLICIES,
  MutatingAdmissionPolicyBinding: '/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings',
};

/** Whether the API server can mark revocations when they are created: from Kubernetes 1.36 on. */
export async function canMark(server: ApiServer): Promise<boolean> {
  return (await server.get(MUTATING_POLICIES)).status === 200;
}

/** Set, every admission policy is taken away instead: operator and verifiers alone hold the line. */
export const WITHOUT_ADMISSION = process.env.TOKENWRIGHT_WITHOUT_ADMISSION === '1';

/** Applies the CRDs, waits until they are served, then applies the admission policies. */
export async function installApi(server: ApiServer): Promise<void> {
  const root = join(import.meta.dirname, '../..');
  const canMutate = await canMark(server);
  const marks = canMutate && !WITHOUT_ADMISSION;
  for (const folder of ['crds', 'deploy/admission', ...(canMutate ? ['deploy/admission/mutating'] : [])]) {
    const isLeftOut = WITHOUT_ADMISSION && folder !== 'crds';
    for (const object of await manifests(join(root, folder))) {
      const kind = PATHS[object.kind];
      if (kind === undefined) continue;
      const path = `${kind}/${object.metadata.name}`;
      const answer = await (isLeftOut ? server.delete(path) : server.apply(path, bounded(object), 'tokenwright-test'));
      if (!isLeftOut || answer.status !== 404) expectOk(answer);
    }
    await until('all kinds are served', async () => {
      const answers = await Promise.all(KINDS.map((plural) => server.get(`${API}/${plural}`)));
      return answers.every(({ status }) => status === 200);
    });
  }
  const token = {
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind: 'ApiToken',
    metadata: { name: 'probe' },
    spec: { subject: 'agent:probe', purpose: 'Probe', environment: 'production', audiences: ['a'], ttl: '1h' },
  };
  await until('new ApiTokens are judged, for which the API server must have learnt the schemas', async () => {
    const { status, body } = await server.create(`${API}/namespaces/default/apitokens?dryRun=All`, token);
    if (status === 403) return !body.message.includes('failed to configure');
    const { annotations } = (body.metadata ?? {}) as { annotations?: Record<string, string> };
    return status === 201 && marks === (annotations?.['tokenwright.dev/requested-by'] !== undefined);
  });
  if (!marks) return;
  const spec = { match: { name: 'nobody' }, reason: 'Superseded' };
  const probe = {
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind: 'ClusterTokenRevocation',
    metadata: { name: 'probe' },
    spec,
  };
  await until('new revocations are marked, for which the API server must have learnt their schema', async () => {
    const { body } = await server.create(`${API}/clustertokenrevocations?dryRun=All`, probe);
    return (body.metadata as { finalizers?: string[] } | undefined)?.finalizers !== undefined;
  });
}

/** On a namespace that only the policies of its own test govern. */
export const UNGOVERNED = 'test.tokenwright.dev/ungoverned';

/** What operators of one test tell of grants is not for namespaces of another: it binds them itself (grants.ts). */
function bounded(object: Manifest): object {
  const { kind, metadata, spec } = object;
  if (kind !== 'ValidatingAdmissionPolicyBinding' || metadata.name !== 'granted-namespaces.tokenwright.dev')
    return object;
  const namespaceSelector = { matchExpressions: [{ key: UNGOVERNED, operator: 'DoesNotExist' }] };
  return { ...object, spec: { ...spec, matchResources: { namespaceSelector } } };
}

export const API = '/apis/tokenwright.dev/v1alpha1';
const KINDS = [
  'apitokens',
  'tokenrevocations',
  'clustertokenrevocations',
  'tokenaudiences',
  'tokenpolicies',
  'grantednamespaces',
];

export interface Manifest {
  kind: string;
  metadata: { name: string };
  spec?: object;
}

export async function manifests(folder: string): Promise<Manifest[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  const objects = texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS()));
  return objects.filter((object) => object.kind !== 'Kustomization');
}

export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not so within 60 s: ${what}`);
    await wait(50);
  }
}
