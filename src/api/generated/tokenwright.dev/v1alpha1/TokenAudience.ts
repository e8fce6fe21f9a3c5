// Generated from crds/ by `npm run generate`. Do not edit.
import { type IObjectMeta } from "@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta";
import { Model, type ModelData, setValidateFunc, createTypeMetaGuard } from "@kubernetes-models/base";
import { type ValidateFunc } from "@kubernetes-models/validate";
import { validate } from "../../_schemas/TokenwrightDevV1alpha1TokenAudience.js";

/**
 * TokenAudience declares an API that accepts tokens. Its name is the audience that ApiTokens and gateways name; an audience that none declares accepts nothing.
 */
export interface ITokenAudience {
  /**
   * tokenwright.dev/v1alpha1
   */
  "apiVersion": "tokenwright.dev/v1alpha1";
  /**
   * TokenAudience
   */
  "kind": "TokenAudience";
  "metadata"?: IObjectMeta;
  /**
   * What the API accepts.
   */
  "spec": {
    /**
     * The environments in which it accepts tokens. A token of another one is refused.
     */
    "environments": Array<string>;
    /**
     * What calls need which scopes. The first route that has the method and matches the path counts, and a call that none matches is refused. Left out, the gateway states the scopes.
     */
    "routes"?: Array<{
      /**
       * The HTTP methods, in upper case.
       */
      "methods": Array<"GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "TRACE" | "CONNECT">;
      /**
       * The path from the root, as it stands before any query. A segment that is \* stands for one segment, and at the end for all that follows, at least one. A slash at the end counts.
       */
      "path": string;
      /**
       * The scopes that the token must have, all of them. Left out, a valid token for this audience is enough.
       */
      "scopes"?: Array<string>;
    }>;
    /**
     * How old a verifier's knowledge may be.
     */
    "staleness"?: {
      /**
       * How long a verifier that is cut off from the API server goes on saying yes, and so how late a revocation may reach it: whole hours, minutes and seconds, from 1s to 1h. 30s unless given.
       */
      "max"?: string;
    };
    /**
     * The key of an API behind the gateway, such as that of an AI provider: a call that is accepted goes on with this key in place of the token, which the provider never sees.
     */
    "upstream"?: {
      /**
       * The Secret that holds the key. It lies in the namespace tokenwright-upstreams, or the one that the installation chose, which is kept for such Secrets: verifiers may read it, and no other.
       */
      "secretRef": {
        /**
         * Name of the Secret.
         */
        "name": string;
        /**
         * Which key of its data.
         */
        "key": string;
      };
      /**
       * The header in which the API takes its key, in lower case.
       */
      "header": string;
      /**
       * What stands in the header, with $(key) where the key comes.
       */
      "value": string;
    };
  };
}

/**
 * TokenAudience declares an API that accepts tokens. Its name is the audience that ApiTokens and gateways name; an audience that none declares accepts nothing.
 */
export class TokenAudience extends Model<ITokenAudience> implements ITokenAudience {
  declare "apiVersion": ITokenAudience["apiVersion"];
  declare "kind": ITokenAudience["kind"];
  declare "metadata"?: NonNullable<ITokenAudience["metadata"]>;
  declare "spec": ITokenAudience["spec"];

static apiVersion: ITokenAudience["apiVersion"] = "tokenwright.dev/v1alpha1";
static kind: ITokenAudience["kind"] = "TokenAudience";
static is = createTypeMetaGuard<ITokenAudience>(TokenAudience);

constructor(data?: ModelData<ITokenAudience>) {
  super();

  this.setDefinedProps({
    apiVersion: TokenAudience.apiVersion,
    kind: TokenAudience.kind,
    ...data
  } as ITokenAudience);
}
}


setValidateFunc(TokenAudience, validate as ValidateFunc<ITokenAudience>);
