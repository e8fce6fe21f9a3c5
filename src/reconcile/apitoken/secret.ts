/** The Secret of an ApiToken: what it should hold, what it holds, and the writes that close the difference. */

import type { ApiToken } from '../../api/apitoken.ts';
import { API_VERSION, GROUP } from '../../api/group.ts';
import {
  MANAGED_BY,
  MANAGED_BY_LABEL,
  SECRET_KEYS,
  SETTLED_ANNOTATION,
  TEMPLATED_ANNOTATION,
  TOKEN_ID_LABEL,
  VALUE_WRITE_TIME_ANNOTATION,
} from '../../api/names.ts';
import { rfc3339 } from '../../domain/lifecycle/describe.ts';
import type { SecretSeen, TokenStatus } from '../../domain/lifecycle/seen.ts';
import type { VersionRecord } from '../../domain/seal.ts';
import { renderTemplate, type TemplateValues } from '../../domain/template.ts';
import { type Digest, digestOf, type TokenID, type TokenValue } from '../../domain/value.ts';
import type { KubeObject, ObjectMeta, ResourceType } from '../../ports.ts';

export interface Secret extends KubeObject {
  type?: string;
  immutable?: boolean;
  /** Base64, as the API server keeps it. */
  data?: Record<string, string>;
}

export const SECRETS: ResourceType<Secret> = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
};

export interface SecretSubject {
  token: ApiToken;
  tokenID: TokenID;
  name: string;
}

/** Ours is a Secret whose controller ownerReference has our UID. Labels prove nothing. */
export function isOurs(secret: Secret, uid: string): boolean {
  return secret.metadata.ownerReferences?.some((o) => o.controller === true && o.uid === uid) ?? false;
}

export function seeSecret(subject: SecretSubject, secret: Secret | undefined, status: TokenStatus): SecretSeen {
  if (!secret) return { is: 'absent' };
  if (!isOurs(secret, subject.token.metadata.uid)) return { is: 'foreign', owner: ownerOf(secret) };
  const data = secret.data ?? {};
  const seen: SecretSeen = { is: 'ours', intact: false, asDeclared: isAsDeclared(subject, secret, status) };
  const value = data[SECRET_KEYS.token];
  if (value !== undefined) {
    const text = decode(value);
    seen.digest = digestOf(text);
    const version = status.versions.find((v) => v.digest === seen.digest);
    seen.intact = version !== undefined && sameData(encodeAll(dataOf(subject, version, text)), data);
  }
  const version = Number(decode(data[SECRET_KEYS.version] ?? ''));
  if (Number.isSafeInteger(version) && version > 0) seen.version = version;
  const settled = Number(secret.metadata.annotations?.[SETTLED_ANNOTATION]);
  if (Number.isSafeInteger(settled) && settled > 0) seen.settledFor = settled;
  return seen;
}

function ownerOf(secret: Secret): string {
  const controller = secret.metadata.ownerReferences?.find((o) => o.controller === true);
  return controller ? `${controller.kind} ${controller.name}` : 'someone else';
}

function dataOf(subject: SecretSubject, version: VersionRecord, value: string): Record<string, string> {
  const values = templateValues(subject, version, value);
  const data: Record<string, string> = {
    [SECRET_KEYS.token]: value,
    [SECRET_KEYS.tokenID]: values.tokenID,
    [SECRET_KEYS.version]: values.version,
    [SECRET_KEYS.expirationTime]: values.expirationTime,
  };
  for (const [key, template] of Object.entries(subject.token.spec.secret?.template?.data ?? {})) {
    data[key] = renderTemplate(template, values);
  }
  return data;
}

function templateValues(subject: SecretSubject, version: VersionRecord, token: string): TemplateValues {
  return {
    token,
    tokenID: subject.tokenID,
    version: String(version.version),
    expirationTime: rfc3339(version.expirationTime),
  };
}

/** All keys but previous-token, which is there for the overlap only and is no reason for a new version. */
function sameData(expected: Record<string, string>, actual: Record<string, string>): boolean {
  const keys = Object.keys(actual).filter((key) => key !== SECRET_KEYS.previousToken);
  return keys.length === Object.keys(expected).length && keys.every((key) => expected[key] === actual[key]);
}

function isAsDeclared(subject: SecretSubject, secret: Secret, status: TokenStatus): boolean {
  const { labels = {}, annotations = {} } = secret.metadata;
  const version = versionIn(secret, status);
  if (!version) return true; // about to be written anew
  const declared = declaredMetadata(subject, version);
  const stale = staleKeys(secret, declared);
  return (
    stale.labels.every((key) => !(key in labels)) &&
    stale.annotations.every((key) => !(key in annotations)) &&
    Object.entries(declared.labels).every(([key, value]) => labels[key] === value) &&
    Object.entries(declared.annotations).every(([key, value]) => annotations[key] === value) &&
    keepsPrevious(subject, secret, status) === (secret.data?.[SECRET_KEYS.previousToken] !== undefined)
  );
}

/** Whether the previous-token that is there is one that verifiers still accept. */
function keepsPrevious(subject: SecretSubject, secret: Secret, status: TokenStatus): boolean {
  const previous = secret.data?.[SECRET_KEYS.previousToken];
  if (previous === undefined || subject.token.spec.secret?.includePrevious !== true) return false;
  const digest = digestOf(decode(previous));
  return status.versions.some((v) => v.digest === digest && v.state !== 'Next' && v !== versionIn(secret, status));
}

function versionIn(secret: Secret, status: TokenStatus): VersionRecord | undefined {
  const value = secret.data?.[SECRET_KEYS.token];
  if (value === undefined) return undefined;
  const digest: Digest = digestOf(decode(value));
  return status.versions.find((v) => v.digest === digest);
}

interface Metadata {
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

function declaredMetadata(subject: SecretSubject, version: VersionRecord): Metadata {
  const template = subject.token.spec.secret?.template?.metadata;
  // no token: the templates of labels and annotations cannot name it
  const values = templateValues(subject, version, '');
  const render = (entries: Record<string, string> | undefined) =>
    Object.fromEntries(Object.entries(entries ?? {}).map(([key, text]) => [key, renderTemplate(text, values)]));
  const labels = render(template?.labels);
  const annotations = render(template?.annotations);
  const templated = JSON.stringify({
    labels: Object.keys(labels).sort(),
    annotations: Object.keys(annotations).sort(),
  });
  const isTemplated = Object.keys({ ...labels, ...annotations }).length > 0;
  return {
    labels: { ...labels, [MANAGED_BY_LABEL]: MANAGED_BY, [TOKEN_ID_LABEL]: subject.tokenID },
    annotations: { ...annotations, ...(isTemplated && { [TEMPLATED_ANNOTATION]: templated }) },
  };
}

/** What an earlier template made, and this one does not. Never what Tokenwright notes for itself. */
function staleKeys(secret: Secret | undefined, declared: Metadata): { labels: string[]; annotations: string[] } {
  const text = secret?.metadata.annotations?.[TEMPLATED_ANNOTATION];
  if (text === undefined) return { labels: [], annotations: [] };
  const made = templatedIn(text);
  const stale = (keys: string[], kept: Record<string, string>) =>
    keys.filter((key) => !(key in kept) && !key.startsWith(`${GROUP}/`));
  const isOver = TEMPLATED_ANNOTATION in declared.annotations ? [] : [TEMPLATED_ANNOTATION];
  return {
    labels: stale(made.labels, declared.labels),
    annotations: [...stale(made.annotations, declared.annotations), ...isOver],
  };
}

/** Nothing where somebody wrote what cannot be read. */
function templatedIn(text: string): { labels: string[]; annotations: string[] } {
  const keys = (value: unknown) => (Array.isArray(value) ? value.filter((key) => typeof key === 'string') : []);
  try {
    const { labels, annotations } = JSON.parse(text) ?? {};
    return { labels: keys(labels), annotations: keys(annotations) };
  } catch {
    return { labels: [], annotations: [] };
  }
}

/** The value write. `before` is the Secret as read (its resourceVersion is the precondition), undefined to create one. */
export function withValue(
  subject: SecretSubject,
  before: Secret | undefined,
  version: VersionRecord,
  value: TokenValue,
  status: TokenStatus,
  now: number,
): Secret {
  const data = encodeAll(dataOf(subject, version, value.reveal()));
  const replaced = before && versionIn(before, status);
  const previous = before?.data?.[SECRET_KEYS.token];
  if (subject.token.spec.secret?.includePrevious && previous !== undefined && replaced && replaced.state !== 'Next') {
    data[SECRET_KEYS.previousToken] = previous;
  }
  const secret = withMetadata(subject, before, version);
  delete secret.metadata.annotations?.[SETTLED_ANNOTATION];
  secret.metadata.annotations = { ...secret.metadata.annotations, [VALUE_WRITE_TIME_ANNOTATION]: rfc3339(now) };
  return { ...secret, data };
}

/** The same value with metadata as declared, and no previous-token that is not accepted. */
export function repaired(subject: SecretSubject, before: Secret, status: TokenStatus): Secret {
  const version = versionIn(before, status);
  if (!version) return before;
  const secret = withMetadata(subject, before, version);
  return keepsPrevious(subject, before, status) ? secret : withoutPrevious(secret);
}

/** The write that fences off every Secret write prepared before it. */
export function settled(subject: SecretSubject, before: Secret, status: TokenStatus, current: number): Secret {
  const secret = withoutPrevious(repaired(subject, before, status));
  const annotations = { ...secret.metadata.annotations, [SETTLED_ANNOTATION]: String(current) };
  return { ...secret, metadata: { ...secret.metadata, annotations } };
}

function withoutPrevious(secret: Secret): Secret {
  const { [SECRET_KEYS.previousToken]: _, ...data } = secret.data ?? {};
  return { ...secret, data };
}

/** Others' labels and annotations stay, and those that an earlier template made go. */
function withMetadata(subject: SecretSubject, before: Secret | undefined, version: VersionRecord): Secret {
  const { namespace, uid, name } = subject.token.metadata;
  const declared = declaredMetadata(subject, version);
  const stale = staleKeys(before, declared);
  const metadata: ObjectMeta = {
    ...(before?.metadata ?? { name: subject.name, namespace }),
    labels: { ...without(before?.metadata.labels, stale.labels), ...declared.labels },
    annotations: { ...without(before?.metadata.annotations, stale.annotations), ...declared.annotations },
    ownerReferences: before?.metadata.ownerReferences ?? [
      { apiVersion: API_VERSION, kind: 'ApiToken', name, uid, controller: true, blockOwnerDeletion: true },
    ],
  };
  return { apiVersion: 'v1', kind: 'Secret', type: before?.type ?? 'Opaque', metadata, data: { ...before?.data } };
}

function without(entries: Record<string, string> = {}, keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(entries).filter(([key]) => !keys.includes(key)));
}

function encodeAll(data: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]));
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString();
}
