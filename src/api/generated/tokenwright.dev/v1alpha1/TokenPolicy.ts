// Generated from crds/ by `npm run generate`. Do not edit.
import { type IObjectMeta } from "@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta";
import { Model, type ModelData, setValidateFunc, createTypeMetaGuard } from "@kubernetes-models/base";
import { type ValidateFunc } from "@kubernetes-models/validate";
import { validate } from "../../_schemas/TokenwrightDevV1alpha1TokenPolicy.js";

/**
 * TokenPolicy says what ApiTokens of the namespaces that it matches may ask for. Nothing is minted without one that matches in mode Enforce, and every such policy must be satisfied. A policy narrows what another one allows, and never widens it.
 */
export interface ITokenPolicy {
  /**
   * tokenwright.dev/v1alpha1
   */
  "apiVersion": "tokenwright.dev/v1alpha1";
  /**
   * TokenPolicy
   */
  "kind": "TokenPolicy";
  "metadata"?: IObjectMeta;
  /**
   * Where the policy holds, and what it allows there. What is left out is not constrained by it.
   */
  "spec": {
    /**
     * In which namespaces the policy holds.
     */
    "match": {
      /**
       * By labels of the namespace, which its tenants cannot write. All that is given must hold.
       */
      "namespaces"?: {
        /**
         * Labels with the values that they must have.
         */
        "matchLabels"?: {
          [key: string]: string;
        };
        /**
         * More conditions on labels. All of them must hold.
         */
        "matchExpressions"?: Array<{
          /**
           * The key of the label.
           */
          "key": string;
          /**
           * In: the label has one of the values. NotIn: it has none of them, or is missing. Exists: it is there. DoesNotExist: it is missing.
           */
          "operator": "In" | "NotIn" | "Exists" | "DoesNotExist";
          /**
           * The values for In and NotIn.
           */
          "values"?: Array<string>;
        }>;
      };
      /**
       * True for all namespaces.
       */
      "everything"?: boolean;
    };
    /**
     * Enforce refuses what the policy does not allow, and unless given. Audit only reports it.
     */
    "mode"?: "Enforce" | "Audit";
    /**
     * What an ApiToken may ask for. Judged at every mint, and at every use: a policy that is narrowed holds for living tokens at once.
     */
    "allow"?: {
      /**
       * The environments, by name.
       */
      "environments"?: Array<string>;
      /**
       * The audiences, by the name of their TokenAudience. Each that an ApiToken asks for must be among them.
       */
      "audiences"?: Array<string>;
      /**
       * Patterns of <kind>:<name>. An asterisk is one whole segment, or the tail of one, and never passes a colon: agent:\* are all agents.
       */
      "subjects"?: Array<string>;
      /**
       * Patterns of scopes. Each scope that an ApiToken asks for must match one. An asterisk is one whole segment, or the tail of one, and never passes a colon.
       */
      "scopes"?: Array<string>;
    };
    /**
     * What an ApiToken may not ask for, though something allows it. Judged at every mint and at every use.
     */
    "deny"?: {
      /**
       * Patterns of scopes, as in allow. No scope that an ApiToken asks for may match one.
       */
      "scopes": Array<string>;
    };
    /**
     * What an ApiToken must have. Owner: spec.owner. RateLimits: at least one in spec.rateLimits. AutomaticRotation: a spec.rotation.mode other than Manual. Judged at mint only.
     */
    "require"?: Array<"Owner" | "RateLimits" | "AutomaticRotation">;
    /**
     * Between what an ApiToken may choose. Judged at mint only.
     */
    "bounds"?: {
      /**
       * Of spec.ttl, the lifetime of one version.
       */
      "ttl"?: {
        /**
         * The shortest ttl, from 1m to 8760h, in whole hours, minutes and seconds.
         */
        "min"?: string;
        /**
         * The longest ttl, from 1m to 8760h, in whole hours, minutes and seconds.
         */
        "max"?: string;
      };
      /**
       * The longest overlap, from 1s to 8760h, as it is in effect: an ApiToken that leaves spec.rotation.overlap out has its renewBefore, and one that leaves both out a third of its ttl.
       */
      "maxOverlap"?: string;
      /**
       * How long after the creation of the ApiToken its spec.notAfter, which it then must have, may be: from 1m to 87600h.
       */
      "maxGrantLifetime"?: string;
      /**
       * The most requests in a span of time, which one of the token's rate limits must keep by itself.
       */
      "maxRequests"?: {
        /**
         * How many requests.
         */
        "requests": number;
        /**
         * The span of time, in whole hours, minutes and seconds, from 1s to 24h.
         */
        "per": string;
      };
      /**
       * The fewest characters of spec.purpose, without spaces at either end.
       */
      "purposeMinLength"?: number;
    };
    /**
     * From where and when a token may be used. Not judged at mint: at every use, for living tokens at once.
     */
    "conditionsOfUse"?: {
      /**
       * The networks from which calls come, in CIDR notation. An IPv4 address inside an IPv6 one counts as the IPv4 address. A call whose address is not known is refused.
       */
      "sourceCIDRs"?: Array<string>;
      /**
       * The times at which calls may come. One that holds is enough.
       */
      "hours"?: Array<{
        /**
         * The days on which the span begins.
         */
        "days": Array<"Mon" | "Tue" | "Wed" | "Thu" | "Fri" | "Sat" | "Sun">;
        /**
         * When it begins, as HH:MM.
         */
        "from": string;
        /**
         * When it ends, as HH:MM, which is the first minute outside. One that is not after from is on the next day: from 00:00 to 00:00 is the whole day.
         */
        "to": string;
        /**
         * The IANA time zone of the wall clock, such as Europe/Berlin. UTC unless given. A zone that is not known is told in the condition Ready.
         */
        "timeZone"?: string;
      }>;
    };
    /**
     * What else must hold at mint, in the Common Expression Language. All of them must.
     */
    "rules"?: Array<{
      /**
       * What the rule is called in messages.
       */
      "name": string;
      /**
       * True where the rule holds, in CEL over token (metadata with name, namespace, labels and annotations, and spec), namespaceObject (metadata with name and labels) and now. One that fails, or gives no boolean, does not hold; one that cannot be compiled is told in the condition Ready, and then nothing is minted.
       */
      "expression": string;
      /**
       * What whoever breaks the rule reads, which should say what to do.
       */
      "message": string;
    }>;
  };
  /**
   * What the policy does.
   */
  "status"?: {
    /**
     * The generation of the spec that this status answers.
     */
    "observedGeneration"?: number;
    /**
     * How many ApiTokens it governs.
     */
    "tokens"?: number;
    /**
     * How many of them violate it.
     */
    "violating"?: number;
    /**
     * How many ApiTokens violate it, by namespace: those with the most first, and no more than fit. Which they are, only who may read the namespace learns.
     */
    "violations"?: Array<{
      /**
       * The name of the namespace.
       */
      "namespace": string;
      /**
       * How many of its ApiTokens violate the policy.
       */
      "count": number;
    }>;
    /**
     * Ready: the policy can be evaluated. Reconciling and Stalled, which stand only while true, are as kstatus reads them.
     */
    "conditions"?: Array<{
      /**
       * Which aspect.
       */
      "type": string;
      /**
       * Whether it holds.
       */
      "status": "True" | "False" | "Unknown";
      /**
       * The generation of the spec that this condition answers.
       */
      "observedGeneration"?: number;
      /**
       * When status last changed.
       */
      "lastTransitionTime": string;
      /**
       * Why, from the documented list of reasons.
       */
      "reason": string;
      /**
       * The same in a sentence.
       */
      "message": string;
    }>;
  };
}

/**
 * TokenPolicy says what ApiTokens of the namespaces that it matches may ask for. Nothing is minted without one that matches in mode Enforce, and every such policy must be satisfied. A policy narrows what another one allows, and never widens it.
 */
export class TokenPolicy extends Model<ITokenPolicy> implements ITokenPolicy {
  declare "apiVersion": ITokenPolicy["apiVersion"];
  declare "kind": ITokenPolicy["kind"];
  declare "metadata"?: NonNullable<ITokenPolicy["metadata"]>;
  declare "spec": ITokenPolicy["spec"];
  declare "status"?: NonNullable<ITokenPolicy["status"]>;

static apiVersion: ITokenPolicy["apiVersion"] = "tokenwright.dev/v1alpha1";
static kind: ITokenPolicy["kind"] = "TokenPolicy";
static is = createTypeMetaGuard<ITokenPolicy>(TokenPolicy);

constructor(data?: ModelData<ITokenPolicy>) {
  super();

  this.setDefinedProps({
    apiVersion: TokenPolicy.apiVersion,
    kind: TokenPolicy.kind,
    ...data
  } as ITokenPolicy);
}
}


setValidateFunc(TokenPolicy, validate as ValidateFunc<ITokenPolicy>);
