import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeError, Metrics } from '../ports.ts';
import type { Connection, Headers } from './connection.ts';
import { fromFailure, fromRefusal, isConnectionReset, notSent, type Subject } from './errors.ts';
import { exchange, LineError, stream } from './transport.ts';

/** One call to the API server, of any verb. */
export interface Call extends Subject {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly subresource?: 'status';
  /** Of a collection; an object's is in its key. */
  readonly namespace?: string | undefined;
  /** Undefined values are left out. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: object;
  /** JSON unless given. */
  readonly contentType?: string;
  readonly accept?: string;
  readonly deadlineMs?: number;
  readonly maxBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Lines {
  readonly silenceMs: number;
  readonly onLine: (line: string) => void;
}

type Attempt =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly error: KubeError; readonly reset: boolean };

const json = 'application/json';
const defaultDeadlineMs = 10_000;
/** etcd takes 1.5 MiB an object; JSON may be several times that. */
const defaultMaxBytes = 16 * 1024 * 1024;
const attempts = 4;
/** A server that asks for a longer pause gets the caller's back-off, not a held worker. */
const longestPauseSeconds = 5;

/**
 * Sends calls over a connection, counts them, and turns every refusal and failure into a KubeError.
 *
 * Sends again, at most three times, only what cannot have taken effect: what answers 429 with a short Retry-After, a
 * GET whose connection was reset, and what answers 401 when the credentials have changed since.
 */
export class Sender {
  readonly #connection: Connection;
  readonly #metrics: Pick<Metrics, 'apiCall'> | undefined;
  readonly #onDate: ((date: string | undefined) => void) | undefined;
  readonly #random: () => number;

  constructor(options: {
    connection: Connection;
    metrics?: Pick<Metrics, 'apiCall'> | undefined;
    onDate?: ((date: string | undefined) => void) | undefined;
    random?: (() => number) | undefined;
  }) {
    this.#connection = options.connection;
    this.#metrics = options.metrics;
    this.#onDate = options.onDate;
    this.#random = options.random ?? Math.random;
  }

  /** The text of a 2xx answer. Throws KubeError, or the signal's reason. */
  async send(call: Call): Promise<string> {
    const fault = nameFault(call);
    if (fault !== undefined) throw notSent(call, fault);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    let identity = await this.#identity(call);
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#attempt(call, identity, body);
      if (outcome.ok) return outcome.text;
      const { error, reset } = outcome;
      if (attempt === attempts) throw error;
      if (error.reason === 'Unauthorized') {
        const renewed = await this.#identity(call, identity);
        if (renewed.authorization === identity.authorization) throw error;
        identity = renewed;
        continue;
      }
      const pauseMs = this.#pauseMs(call, error, reset);
      if (pauseMs === undefined) throw error;
      await sleep(pauseMs, undefined, call.signal === undefined ? {} : { signal: call.signal });
    }
  }

  /** Opens a watch and reads it. Resolves when the server ends it; what `onLine` throws is thrown on. */
  async stream(call: Call, lines: Lines): Promise<void> {
    const identity = await this.#identity(call);
    const outcome = await this.#attempt(call, identity, undefined, lines);
    if (outcome.ok) return;
    // Has the credentials read again before the next watch.
    if (outcome.error.reason === 'Unauthorized') await this.#identity(call, identity);
    throw outcome.error;
  }

  #pauseMs(call: Call, error: KubeError, reset: boolean): number | undefined {
    if (reset && call.method === 'GET') return 100 * this.#random();
    if (error.reason !== 'TooManyRequests' || error.retryAfterSeconds === undefined) return undefined;
    if (error.retryAfterSeconds > longestPauseSeconds) return undefined;
    return 1000 * error.retryAfterSeconds * (1 + 0.2 * this.#random());
  }

  async #identity(call: Call, refused?: Headers): Promise<Headers> {
    try {
      return await this.#connection.authorize(refused);
    } catch (failure) {
      throw fromFailure(call, failure);
    }
  }

  async #attempt(call: Call, identity: Headers, body: string | undefined, lines?: Lines): Promise<Attempt> {
    const { origin, basePath, requests, watches } = this.#connection;
    const { method, signal, deadlineMs = defaultDeadlineMs, maxBytes = defaultMaxBytes } = call;
    const headers: Record<string, string> = { ...identity, accept: call.accept ?? json };
    if (body !== undefined) headers['content-type'] = call.contentType ?? json;
    const count = this.#counter(call);
    let code = 0;
    const onHead = (status: number, date: string | undefined) => {
      code = status;
      this.#onDate?.(date);
      // A watch is served when it is open; how long it lasts says nothing about the server.
      if (lines !== undefined) count(code);
    };
    const path = basePath + pathOf(call);
    const request = { origin, method, path, headers, body, deadlineMs, maxBytes, signal, onHead };
    try {
      const answer = await (lines === undefined
        ? exchange({ ...request, dispatcher: requests })
        : stream({ ...request, ...lines, dispatcher: watches }));
      if (code >= 200 && code < 300) return { ok: true, text: answer.text };
      return { ok: false, error: fromRefusal(call, { status: code, ...answer, sent: body }), reset: false };
    } catch (failure) {
      if (signal?.aborted) throw signal.reason;
      if (failure instanceof LineError) throw failure.cause;
      return { ok: false, error: fromFailure(call, failure), reset: isConnectionReset(failure) };
    } finally {
      count(code);
    }
  }

  #counter(call: Call): (code: number) => void {
    const resource = call.subresource === undefined ? call.type.plural : `${call.type.plural}/${call.subresource}`;
    const start = performance.now();
    let counted = false;
    return (code) => {
      if (!counted) this.#metrics?.apiCall(call.verb, resource, code, (performance.now() - start) / 1000);
      counted = true;
    };
  }
}

/** A name that would make the path another one: an empty one turns DELETE of an object into DELETE of them all. */
function nameFault({ type, key }: Call): string | undefined {
  if (key === undefined) return undefined;
  if (type.namespaced && key.namespace === undefined) return 'no namespace';
  const odd = ['', '.', '..'];
  return odd.includes(key.name) || odd.includes(key.namespace ?? 'none') ? 'not a name' : undefined;
}

function pathOf({ type, key, namespace = key?.namespace, subresource, query, method }: Call): string {
  const api = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const place = type.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const name = key === undefined || method === 'POST' ? '' : `/${encodeURIComponent(key.name)}`;
  return `${api}${place}/${type.plural}${name}${subresource === undefined ? '' : `/${subresource}`}${search(query)}`;
}

function search(query: Call['query']): string {
  let text = '';
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) text += `${text === '' ? '?' : '&'}${name}=${encodeURIComponent(value)}`;
  }
  return text;
}
