/** Asks the API server who a caller is and what they may: TokenReview and SubjectAccessReview. */
import type { AccessReview, Caller, KubeObject, ResourceType } from '../ports.ts';
import type { ApiServerClient } from './client.ts';

interface TokenReview extends KubeObject {
  status?: {
    authenticated?: boolean;
    audiences?: string[];
    user?: { username?: string; uid?: string; groups?: string[]; extra?: Record<string, string[]> };
  };
}

interface SubjectAccessReview extends KubeObject {
  status?: { allowed?: boolean };
}

const TOKEN_REVIEWS: ResourceType<TokenReview> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'tokenreviews',
  kind: 'TokenReview',
  namespaced: false,
};
const ACCESS_REVIEWS: ResourceType<SubjectAccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'subjectaccessreviews',
  kind: 'SubjectAccessReview',
  namespaced: false,
};

/** Longer ones are no tokens of Kubernetes. */
const LONGEST_TOKEN = 16 << 10;

/** Throws KubeError where the API server cannot be asked. */
export class Reviews implements AccessReview {
  readonly #client: Pick<ApiServerClient, 'ask'>;

  constructor(client: Pick<ApiServerClient, 'ask'>) {
    this.#client = client;
  }

  async caller(token: string, audience: string): Promise<Caller | undefined> {
    if (token === '' || token.length > LONGEST_TOKEN) return undefined;
    const { status } = await this.#client.ask(TOKEN_REVIEWS, { token, audiences: [audience] });
    const { username, uid, groups = [], extra } = status?.user ?? {};
    // a server that knows no audiences leaves them out, and would take a token that is meant for others
    const isMeant = status?.authenticated === true && status.audiences?.includes(audience) === true;
    if (!isMeant || username === undefined) return undefined;
    return { username, groups, ...(uid && { uid }), ...(extra && { extra }) };
  }

  async allows({ username: user, groups, uid, extra }: Caller, attributes: object): Promise<boolean> {
    const spec = { user, groups, ...(uid && { uid }), ...(extra && { extra }), ...attributes };
    const { status } = await this.#client.ask(ACCESS_REVIEWS, spec);
    return status?.allowed === true;
  }
}
