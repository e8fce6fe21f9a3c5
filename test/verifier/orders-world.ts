/** Orders over an index whose watch may be late: what the API server has is apart from what the verifier was told. */
import { PENDING_LABEL } from '../../src/api/names.ts';
import type { Revocation } from '../../src/domain/revocation.ts';
import type { IndexedToken } from '../../src/verifier/indexed-token.ts';
import { Orders } from '../../src/verifier/orders.ts';
import { TokenIndex } from '../../src/verifier/token-index.ts';
import { indexed, type Wanted } from './tokens.ts';

export interface Ordered {
  uid?: string;
  /** None: a ClusterTokenRevocation. */
  namespace?: string | undefined;
  match?: Revocation['spec']['match'] | { namespaces: object } | { namespaceNames: string[] } | { everything: true };
  versions?: 'All' | 'Previous' | 'Listed';
  versionNumbers?: number[];
  sealed?: boolean;
  labelled?: boolean;
}

export function revocation(ordered: Ordered = {}): Revocation {
  const { uid = 'order-1', match = { name: 'summarizer' }, sealed, labelled = true, ...spec } = ordered;
  const namespace = 'namespace' in ordered ? ordered.namespace : 'support';
  const { versions, versionNumbers } = spec;
  return {
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind: namespace === undefined ? 'ClusterTokenRevocation' : 'TokenRevocation',
    metadata: {
      name: uid,
      uid,
      ...(namespace !== undefined && { namespace }),
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-11-23T10:00:00Z',
      labels: labelled ? { [PENDING_LABEL]: 'true' } : {},
    },
    spec: { match, reason: 'Compromised', ...(versions && { versions }), ...(versionNumbers && { versionNumbers }) },
    ...(sealed !== undefined && { status: { sealed } }),
  } as Revocation;
}

type Answer = IndexedToken | 'gone' | 'fails';

export class OrdersWorld {
  readonly index = new TokenIndex();
  readonly orders: Orders;
  /** By namespace; none where they are not known. */
  readonly namespaces = new Map<string, Record<string, string>>();
  /** What the API server would answer, by UID; what the index has unless said. */
  readonly server = new Map<string, Answer>();
  readonly refreshed: string[] = [];
  readonly told: string[] = [];

  /** @param listed whether no list of ApiTokens is under way */
  constructor(listed = true) {
    this.orders = new Orders({
      index: this.index,
      namespaceLabels: (namespace) => this.namespaces.get(namespace),
      refresh: async (token) => {
        this.refreshed.push(token.uid);
        const answer = this.server.get(token.uid);
        if (answer === 'fails') throw new Error('no answer');
        if (answer === 'gone') this.gone(token);
        else if (answer) this.show(answer);
      },
      onForce: ({ metadata }) => this.told.push(metadata.uid),
    });
    if (!listed) this.orders.indexing();
  }

  /** The watch of ApiTokens shows this. */
  show(token: IndexedToken | Wanted): IndexedToken {
    const shown = 'metadata' in token ? token : indexed(token);
    this.index.put(shown);
    this.orders.tokenChanged(shown);
    return shown;
  }

  gone(token: IndexedToken): void {
    this.index.remove(token);
    this.orders.tokenGone(token);
  }

  /** Its labels become known, or others. */
  label(namespace: string, labels: Record<string, string>): void {
    this.namespaces.set(namespace, labels);
    this.orders.namespaceChanged(namespace);
  }

  order(ordered: Ordered = {}): void {
    this.orders.put(revocation(ordered));
  }

  /** The numbers of the versions that are refused, of the ApiToken as the index has it. */
  refused(uid = 'uid-1'): number[] {
    const token = [...this.index.all()].find((one) => one.uid === uid);
    if (token === undefined) return [];
    return token.versions.filter((version) => this.orders.reaches(token, version)).map(({ version }) => version);
  }
}
