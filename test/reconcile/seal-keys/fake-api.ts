/** Secrets and ConfigMaps in memory, with the preconditions of the real API server, and a gate before and after each call. */
import {
  type KubeClient,
  KubeError,
  type KubeErrorReason,
  type KubeObject,
  type ResourceType,
} from '../../../src/ports.ts';

export interface DataObject extends KubeObject {
  type?: string;
  data?: Record<string, string>;
}

export interface Call {
  verb: 'get' | 'create' | 'replace';
  kind: string;
  /** Of this client's writes. */
  write: number;
}

/** Awaited before the call takes effect and before its reply is given; what it throws is what the caller gets. */
export type Gate = (moment: 'request' | 'reply', call: Call) => Promise<void>;

const STATUS: Partial<Record<KubeErrorReason, number>> = {
  NotFound: 404,
  AlreadyExists: 409,
  Conflict: 409,
  Unavailable: 503,
};

export function kubeError(reason: KubeErrorReason): KubeError {
  return new KubeError({ reason, status: STATUS[reason] ?? 500, transient: reason === 'Unavailable', message: reason });
}

export class FakeApi {
  readonly objects = new Map<string, DataObject>();
  /** Every object that was ever stored, oldest first. */
  readonly history: DataObject[] = [];
  #version = 0;

  client(gate: Gate = async () => {}): KubeClient {
    let writes = 0;
    const call = async <T>(verb: Call['verb'], type: ResourceType, effect: () => DataObject): Promise<T> => {
      if (verb !== 'get') writes++;
      const facts = { verb, kind: type.kind, write: writes };
      await gate('request', facts);
      const reply = structuredClone(effect());
      await gate('reply', facts);
      return reply as unknown as T;
    };
    const client: Pick<KubeClient, 'get' | 'create' | 'replace'> = {
      get: (type, key) => call('get', type, () => this.read(type.kind, key.name)),
      create: (type, object) => call('create', type, () => this.#create(type.kind, object)),
      replace: (type, object) => call('replace', type, () => this.#replace(type.kind, object)),
    };
    return client as KubeClient;
  }

  read(kind: string, name: string): DataObject {
    const object = this.objects.get(`${kind}/${name}`);
    if (object === undefined) throw kubeError('NotFound');
    return object;
  }

  /** As a user with kubectl, without preconditions. */
  edit(kind: string, name: string, change: (object: DataObject) => void): void {
    const object = structuredClone(this.read(kind, name));
    change(object);
    this.#store(kind, object);
  }

  #create(kind: string, object: DataObject): DataObject {
    if (this.objects.has(`${kind}/${object.metadata.name}`)) throw kubeError('AlreadyExists');
    const uid = `uid-${this.#version}`;
    return this.#store(kind, { ...object, metadata: { ...object.metadata, uid } });
  }

  #replace(kind: string, object: DataObject): DataObject {
    const { uid, resourceVersion } = this.read(kind, object.metadata.name).metadata;
    if (object.metadata.uid !== uid || object.metadata.resourceVersion !== resourceVersion) throw kubeError('Conflict');
    return this.#store(kind, object);
  }

  #store(kind: string, object: DataObject): DataObject {
    const resourceVersion = String(++this.#version);
    const stored = structuredClone({ ...object, kind, metadata: { ...object.metadata, resourceVersion } });
    this.objects.set(`${kind}/${object.metadata.name}`, stored);
    this.history.push(stored);
    return stored;
  }
}
