import { KubeError, type KubeErrorReason, type ObjectKey, type ResourceType } from '../ports.ts';

/** What was asked, for the message: verb, kind, key. */
export interface Subject {
  readonly verb: string;
  readonly type: ResourceType;
  readonly key?: ObjectKey;
}

/** An answer that is not 2xx, with the request's body: only to keep what was sent out of the message. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly retryAfter?: string | undefined;
  readonly sent?: string | undefined;
}

interface Status {
  reason?: unknown;
  message?: unknown;
  details?: { retryAfterSeconds?: unknown };
}

const sentenceLimit = 512;

const byStatus: Readonly<Record<number, KubeErrorReason>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  408: 'Timeout',
  409: 'Conflict',
  410: 'Gone',
  422: 'Invalid',
  429: 'TooManyRequests',
  502: 'Unavailable',
  503: 'Unavailable',
  504: 'Timeout',
};

/** Reasons of metav1.Status that say more than the status code (apimachinery, meta/v1/types.go). */
const byReason: Readonly<Record<string, KubeErrorReason>> = {
  AlreadyExists: 'AlreadyExists',
  Expired: 'Gone',
  ServerTimeout: 'Timeout',
  Timeout: 'Timeout',
  ServiceUnavailable: 'Unavailable',
};

/** Worth the same call again. 500 is: an etcd without a leader and an unreachable webhook both answer so. */
function mayPass(status: number): boolean {
  return status === 429 || status === 408 || status >= 500;
}

/**
 * The KubeError of an answer that refuses. Its message holds verb, kind, key, status and reason; and for Invalid and
 * Forbidden the server's sentence, which is what an admission policy tells the user, unless it may hold a value.
 */
export function fromRefusal(subject: Subject, refusal: Refusal): KubeError {
  const body = parseStatus(refusal.text);
  const named = typeof body.reason === 'string' ? byReason[body.reason] : undefined;
  const reason = named ?? byStatus[refusal.status] ?? 'Unknown';
  const sentence = safeSentence(subject.type, reason, body.message, refusal.sent);
  const retryAfterSeconds = retryAfter(refusal.retryAfter, body.details?.retryAfterSeconds);
  return new KubeError({
    reason,
    status: refusal.status,
    transient: mayPass(refusal.status),
    message: `${describe(subject)}: ${refusal.status} ${reason}${sentence === undefined ? '' : `: ${sentence}`}`,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

/** The KubeError of an ERROR event inside a watch: a Status object whose code stands in for the HTTP status. */
export function fromWatchError(subject: Subject, status: unknown): KubeError {
  const code = isRecord(status) && typeof status.code === 'number' ? status.code : 500;
  return fromRefusal(subject, { status: code, text: JSON.stringify(status ?? {}) });
}

/** The KubeError of a call that got no whole answer. Only the error's code is told: its message is not ours to trust. */
export function fromFailure(subject: Subject, failure: unknown): KubeError {
  const code = failureCode(failure);
  const reason: KubeErrorReason = timeouts.has(code) ? 'Timeout' : code === 'TOO_LARGE' ? 'Unknown' : 'Unavailable';
  return new KubeError({
    reason,
    status: 0,
    transient: code !== 'TOO_LARGE',
    message: `${describe(subject)}: no answer (${code})`,
  });
}

/** A call that was not made, since it could only do harm: a PUT without preconditions. */
export function notSent(subject: Subject, why: string): KubeError {
  return new KubeError({
    reason: 'BadRequest',
    status: 0,
    transient: false,
    message: `${describe(subject)}: not sent: ${why}`,
  });
}

/** The request was cut on a connection that the other side had closed: safe to repeat when it changes nothing. */
export function isConnectionReset(failure: unknown): boolean {
  return resets.has(failureCode(failure));
}

const timeouts = new Set(['DEADLINE', 'SILENT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'ETIMEDOUT']);
const resets = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

function failureCode(failure: unknown): string {
  const code = failure instanceof Error && 'code' in failure ? failure.code : undefined;
  // A code is an identifier; anything else could be text of unknown origin.
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,63}$/.test(code) ? code : 'UNKNOWN';
}

function describe({ verb, type, key }: Subject): string {
  const place = key === undefined ? '' : ` ${key.namespace === undefined ? '' : `${key.namespace}/`}${key.name}`;
  return `${verb} ${type.plural}${place}`;
}

function parseStatus(text: string): Status {
  try {
    const body: unknown = JSON.parse(text);
    return isRecord(body) ? body : {};
  } catch {
    // A proxy's HTML, or "404 page not found" of an API that is not served.
    return {};
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function retryAfter(header: string | undefined, detail: unknown): number | undefined {
  const seconds = header === undefined ? detail : Number(header);
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}

function safeSentence(
  type: ResourceType,
  reason: KubeErrorReason,
  message: unknown,
  sent: string | undefined,
): string | undefined {
  if (typeof message !== 'string' || (reason !== 'Invalid' && reason !== 'Forbidden')) return undefined;
  if (holdsSecrets(type) && (reason === 'Invalid' || repeats(message, sent))) return undefined;
  return message.length > sentenceLimit ? `${message.slice(0, sentenceLimit)}…` : message;
}

/** Secrets, and reviews that carry a bearer token. */
function holdsSecrets(type: ResourceType): boolean {
  return (type.group === '' && type.plural === 'secrets') || type.group === 'authentication.k8s.io';
}

const window = 8;

/** Whether a sentence (of some admission webhook, say) repeats 8 characters in a row of a value that was sent. */
function repeats(sentence: string, sent: string | undefined): boolean {
  if (sent === undefined) return false;
  for (const value of secretValues(sent)) {
    if (value.length < window && value !== '' && sentence.includes(value)) return true;
    for (let at = 0; at + window <= value.length; at += 1) {
      if (sentence.includes(value.slice(at, at + window))) return true;
    }
  }
  return false;
}

/** Every value as it was sent, and in base64, and out of it: stringData is answered about as data. */
function* secretValues(sent: string): Generator<string> {
  const body: unknown = JSON.parse(sent);
  if (!isRecord(body)) return;
  for (const values of [body.data, body.stringData, body.spec]) {
    for (const value of isRecord(values) ? Object.values(values) : []) {
      if (typeof value !== 'string') continue;
      yield value;
      yield Buffer.from(value).toString('base64');
      yield Buffer.from(value, 'base64').toString('utf8');
    }
  }
}
