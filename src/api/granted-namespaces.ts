/** GrantedNamespaces: its types, as generated from crds/, under the names that the rest imports. Kept by the operator alone. */
import type { IGrantedNamespaces } from './generated/tokenwright.dev/v1alpha1/GrantedNamespaces.ts';
import { GROUP, VERSION } from './group.ts';
import type { InNamespace, Manifest } from './object.ts';

export const GRANTED_NAMESPACES_KIND = 'GrantedNamespaces';

export type GrantedNamespacesManifest = Manifest<typeof GRANTED_NAMESPACES_KIND, IGrantedNamespaces['spec']> &
  InNamespace;

/** Where the API server serves it. `object` carries only the type, and is never set. */
export const GRANTED_NAMESPACES: {
  readonly group: typeof GROUP;
  readonly version: typeof VERSION;
  readonly plural: 'grantednamespaces';
  readonly kind: typeof GRANTED_NAMESPACES_KIND;
  readonly namespaced: true;
  readonly object?: GrantedNamespacesManifest;
} = {
  group: GROUP,
  version: VERSION,
  plural: 'grantednamespaces',
  kind: GRANTED_NAMESPACES_KIND,
  namespaced: true,
};

/** There is one, in the operator's namespace. */
export const GRANTED_NAMESPACES_NAME = 'tokenwright';
