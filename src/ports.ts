/**
 * What the domain and the reconcilers need from outside. Adapters implement these; `src/app` joins them.
 */
import type { ApiTokenRateLimit } from './api/apitoken.ts';
import type { AuditIntent, AuditRecord, AuditSubject } from './domain/audit.ts';
import type { TokenValue } from './domain/value.ts';

/** Milliseconds since the epoch. Implementations never go backwards within a process. */
export interface Clock {
  now(): number;
}

export interface Random {
  /** Cryptographically secure bytes. */
  bytes(length: number): Uint8Array;
}

/** Structured log: the text is constant, facts are fields. Compatible with pino. */
export interface Logger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
  child(fields: Record<string, unknown>): Logger;
}

/** Mints values. One folder each in src/issuers, one line in its registry. */
export interface Issuer {
  readonly name: string;
  mint(request: { environment: string; tokenID: string }): Promise<TokenValue>;
}

/** Where audit records go. Recording the same (id, phase) twice leaves one record. */
export interface AuditLog {
  /** Resolves once the record is durable, so that an intent precedes its effect. Throws when it cannot be kept. */
  record(record: AuditRecord): Promise<void>;
  /** Intents of this ApiToken UID that have neither outcome nor abandonment yet. */
  open(uid: string): readonly AuditIntent[];
  /** ApiTokens that were minted for and whose deletion is not on record: whom to account for after a restart. */
  living(): readonly AuditSubject[];
  close(): Promise<void>;
}

/** What is left of a rate limit after a call: draft-ietf-httpapi-ratelimit-headers. */
export interface Quota {
  /** Calls in a window. */
  limit: number;
  windowSeconds: number;
  remaining: number;
  /** Until the window starts anew. */
  resetSeconds: number;
}

/** `quota`: of the limit of which least is left. */
export type RateLimitAnswer = { allowed: boolean; quota?: Quota };

/** Counts calls by token id, so that a rotation neither resets nor doubles anything. */
export interface RateLimiter {
  /** Counts one call against every limit. Never rejects. */
  take(tokenID: string, limits: readonly ApiTokenRateLimit[]): Promise<RateLimitAnswer>;
}

/** Somebody whom the API server knows. */
export interface Caller {
  username: string;
  groups: readonly string[];
  uid?: string;
  extra?: Readonly<Record<string, readonly string[]>>;
}

/** Who a caller is and what they may, by the API server's word. Both reject where it cannot be asked. */
export interface AccessReview {
  /** Undefined where it is nobody, or the token is meant for other audiences. */
  caller(token: string, audience: string): Promise<Caller | undefined>;
  /** `attributes` as in a SubjectAccessReview: resourceAttributes or nonResourceAttributes. */
  allows(caller: Caller, attributes: object): Promise<boolean>;
}

// ---- Kubernetes -------------------------------------------------------------------------------------------------

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** One kind of object and where its endpoint is. `T` is only a type: values are parsed where they enter. */
export interface ResourceType<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set: carries T. */
  readonly object?: T;
}

export interface ObjectKey {
  namespace?: string;
  name: string;
}

export interface ListOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface Preconditions {
  uid: string;
  resourceVersion?: string;
}

export type KubeErrorReason =
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Invalid'
  | 'BadRequest'
  | 'Forbidden'
  | 'Unauthorized'
  | 'Gone'
  | 'TooManyRequests'
  | 'Timeout'
  | 'Unavailable'
  | 'Unknown';

/**
 * A failed call to the API server. Holds no request or response body, since either may hold a Secret's value;
 * `message` is built from verb, kind, key, status and reason alone.
 */
export class KubeError extends Error {
  readonly reason: KubeErrorReason;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  /** The call may succeed unchanged later, and it may have taken effect although no answer came. */
  readonly transient: boolean;
  readonly retryAfterSeconds: number | undefined;

  constructor(fields: {
    reason: KubeErrorReason;
    status: number;
    transient: boolean;
    message: string;
    retryAfterSeconds?: number;
  }) {
    super(fields.message);
    this.name = 'KubeError';
    this.reason = fields.reason;
    this.status = fields.status;
    this.transient = fields.transient;
    this.retryAfterSeconds = fields.retryAfterSeconds;
  }
}

/** A thin client for any kind. Every method throws KubeError only (or AbortError when the signal fires). */
export interface KubeClient {
  get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey): Promise<T>;
  /** All pages. */
  list<T extends KubeObject>(type: ResourceType<T>, options?: ListOptions): Promise<T[]>;
  create<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T>;
  /** PUT. `object.metadata` carries uid and resourceVersion as preconditions. */
  replace<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T>;
  /** PUT of the status subresource, under the uid and resourceVersion in `object.metadata`. */
  replaceStatus<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T>;
  /** Server-side apply (KEP-555). Not forced unless said. */
  apply<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: { fieldManager: string; force?: boolean; subresource?: 'status' },
  ): Promise<T>;
  /**
   * JSON Merge Patch (RFC 7396). Preconditions are what `patch.metadata` says of uid and resourceVersion; of a custom resource's status, only
   * the resourceVersion: the API server puts the uid that is there in place of the one that was sent.
   */
  mergePatch<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    patch: object,
    options?: { subresource?: 'status' },
  ): Promise<T>;
  delete(type: ResourceType, key: ObjectKey, preconditions?: Preconditions): Promise<void>;
}

/** Read side of a reflector. `get` and `list` never block; objects are shared and must not be changed. */
export interface Store<T extends KubeObject> {
  get(key: string): T | undefined;
  list(): IterableIterator<T>;
  /** Feeds the reply of one's own write; ignored unless newer than what is held. */
  observe(object: T): void;
  readonly synced: boolean;
}

export interface EventNote {
  type: 'Normal' | 'Warning';
  /** CamelCase, from api/reasons.ts. */
  reason: string;
  action: string;
  note: string;
}

/** Kubernetes Events. Best effort: never throws, never blocks a reconcile; repeats become a series. */
export interface EventRecorder {
  event(
    regarding: { apiVersion: string; kind: string; namespace: string; name: string; uid: string },
    event: EventNote,
  ): void;
}

/** What the reconcilers and the engine count; names and help texts live in telemetry. */
export interface Metrics {
  reconciled(controller: string, result: 'success' | 'requeue' | 'error', seconds: number): void;
  queueDepth(controller: string, depth: number): void;
  queueAdded(controller: string): void;
  queueWaited(controller: string, seconds: number): void;
  queueRetried(controller: string): void;
  apiCall(verb: string, resource: string, code: number, seconds: number): void;
  leader(isLeader: boolean): void;
  watchRestarted(resource: string, reason: string): void;
  minted(cause: string): void;
  rotated(): void;
  retired(reason: string): void;
  revoked(reason: string): void;
  failed(reason: string): void;
  restarted(kind: string): void;
  /** Replaces what was said of this ApiToken before; undefined forgets it. */
  token(key: string, facts: TokenFacts | undefined): void;
  /** Replaces what was counted of this TokenPolicy before; undefined forgets it. */
  policy(name: string, counts: { tokens: number; violating: number } | undefined): void;
}

/** Epoch seconds. */
export interface TokenFacts {
  namespace: string;
  name: string;
  ready: boolean;
  stalled: boolean;
  expirationTime: number | undefined;
  nextRotationTime: number | undefined;
  pendingRestarts: number;
}
