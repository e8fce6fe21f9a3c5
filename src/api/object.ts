/**
 * What every kind of Tokenwright has, and how an answer of the API server becomes one.
 */
import { runValidateFunc, type ValidateFunc } from '@kubernetes-models/validate';
import type { API_VERSION } from './group.ts';

/** An object as somebody writes it. */
export interface Manifest<Kind extends string, Spec> {
  apiVersion: typeof API_VERSION;
  kind: Kind;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: Spec;
}

/** An object as the API server answers it; cluster-scoped ones have no namespace. */
export interface Answered<Kind extends string, Spec, Status = never> extends Manifest<Kind, Spec> {
  metadata: Manifest<Kind, Spec>['metadata'] & {
    uid: string;
    resourceVersion: string;
    generation: number;
    /** RFC 3339, whole seconds. */
    creationTimestamp: string;
    /** Present once it is being deleted. */
    deletionTimestamp?: string;
    finalizers?: string[];
  };
  status?: Status;
}

export interface InNamespace {
  metadata: { namespace: string };
}

/**
 * Checks that an answer of the API server is an object of its kind by the schema that this build knows. CEL rules are the
 * API server's business and are not checked again.
 *
 * @param validate as generated from the CRD
 * @throws Error that names the offending fields, and no value but those that an enum allows
 */
export function parseAnswered<T extends Answered<string, unknown, unknown>>(
  validate: unknown,
  { namespaced }: { namespaced: boolean },
  data: unknown,
): T {
  const check: (validate: ValidateFunc<T>, data: unknown) => asserts data is T = runValidateFunc;
  check(validate as ValidateFunc<T>, data);
  // the schema leaves metadata to the API server
  const { uid, namespace, resourceVersion, generation }: Partial<T['metadata']> = data.metadata ?? {};
  if (!uid || !resourceVersion || generation === undefined || namespaced !== Boolean(namespace)) {
    throw new Error('data/metadata is not as the API server answers it');
  }
  return data;
}

export interface SchemaProblem {
  /** Of the field, from the object's root. */
  path: readonly string[];
  /** "is missing", "must be string": read after the field. Names no value but those that an enum allows. */
  problem: string;
}

/**
 * What keeps an object, as somebody wrote it, from being one of its kind by the schema that this build knows. CEL rules are the API
 * server's business.
 * @param validate as generated from the CRD
 */
export function schemaProblems(validate: unknown, data: unknown): SchemaProblem[] {
  const check = validate as ValidateFunc<unknown>;
  try {
    runValidateFunc(check, data);
    return [];
  } catch (error) {
    if (!check.errors) throw error;
  }
  return check.errors.map(({ instancePath, keyword, params, message = '' }) => {
    const path = instancePath.split('/').slice(1);
    if (keyword === 'required') return { path: [...path, String(params.missingProperty)], problem: 'is missing' };
    return { path, problem: keyword === 'enum' ? `must be one of ${params.allowedValues.join(', ')}` : message };
  });
}
