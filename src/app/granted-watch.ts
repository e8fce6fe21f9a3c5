import {
  GRANTED_NAMESPACES,
  GRANTED_NAMESPACES_NAME,
  type GrantedNamespacesManifest,
} from '../api/granted-namespaces.ts';
import { Reflector, type ReflectorOptions } from '../kube/reflector.ts';
import type { GrantedNamespaces } from '../reconcile/tokenpolicy/granted-namespaces.ts';

/** Where somebody alters or deletes what the API server knows of grants, it is put right at once. Nothing waits for it. Returns how to end it. */
export function watchGranted(
  options: Pick<ReflectorOptions<GrantedNamespacesManifest>, 'client' | 'log' | 'metrics' | 'namespace'>,
  granted: Pick<GrantedNamespaces, 'isAltered'>,
  due: () => void,
): () => Promise<void> {
  const fieldSelector = `metadata.name=${GRANTED_NAMESPACES_NAME}`;
  const reflector = new Reflector<GrantedNamespacesManifest>({
    ...options,
    type: GRANTED_NAMESPACES,
    fieldSelector,
  }).onChange((change, seen) => {
    if (granted.isAltered(change === 'deleted' ? undefined : seen)) due();
  });
  reflector.start();
  return () => reflector.stop();
}
