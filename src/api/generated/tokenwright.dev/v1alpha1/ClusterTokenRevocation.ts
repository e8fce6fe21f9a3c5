// Generated from crds/ by `npm run generate`. Do not edit.
import { type IObjectMeta } from "@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta";
import { Model, type ModelData, setValidateFunc, createTypeMetaGuard } from "@kubernetes-models/base";
import { type ValidateFunc } from "@kubernetes-models/validate";
import { validate } from "../../_schemas/TokenwrightDevV1alpha1ClusterTokenRevocation.js";

/**
 * ClusterTokenRevocation is the order to revoke tokens of the namespaces that it names, or of all: verifiers refuse them at once and for ever. Until it is sealed, the order itself is what refuses them.
 */
export interface IClusterTokenRevocation {
  /**
   * tokenwright.dev/v1alpha1
   */
  "apiVersion": "tokenwright.dev/v1alpha1";
  /**
   * ClusterTokenRevocation
   */
  "kind": "ClusterTokenRevocation";
  "metadata"?: IObjectMeta;
  /**
   * What is revoked, and why. Immutable.
   */
  "spec": {
    /**
     * Which ApiTokens are meant. All fields that are given must hold. Those that come to match while the order is not sealed are meant too.
     */
    "match": {
      /**
       * Name of the ApiToken.
       */
      "name"?: string;
      /**
       * The public id inside the value, as status.tokenID of the ApiToken shows it.
       */
      "tokenID"?: string;
      /**
       * spec.subject of the ApiToken.
       */
      "subject"?: string;
      /**
       * spec.environment of the ApiToken.
       */
      "environment"?: string;
      /**
       * By labels of the ApiToken. All that is given must hold.
       */
      "tokens"?: {
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
       * By labels of the namespace. All that is given must hold. All namespaces unless this or namespaceNames is given.
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
       * The namespaces, by name.
       */
      "namespaceNames"?: Array<string>;
      /**
       * Every ApiToken of the cluster. Stands alone, is true or left out, and needs the verb revoke-everything on clustertokenrevocations.
       */
      "everything"?: boolean;
    };
    /**
     * Which versions are revoked. All, and unless given: every one up to the highest known when the order is carried out, Next included. Previous: those in that state. Listed: those in versionNumbers.
     */
    "versions"?: "All" | "Previous" | "Listed";
    /**
     * The versions to revoke, with Listed only.
     */
    "versionNumbers"?: Array<number>;
    /**
     * Why, as audit, events and metrics tell it.
     */
    "reason": "Compromised" | "Superseded" | "OwnerLeft" | "PolicyViolation" | "Decommissioned";
    /**
     * The same in words, for who reads it later. Never the token itself.
     */
    "note"?: string;
    /**
     * Replace, and unless given: where no version is left, a new one is minted at once. Block: nothing is minted and the Secret is removed until this object is deleted.
     */
    "afterwards"?: "Replace" | "Block";
  };
  /**
   * How far the order is carried out. Written by Tokenwright's operator, and receipts by its verifiers; everybody else is refused.
   */
  "status"?: {
    /**
     * The generation of the spec that this status answers.
     */
    "observedGeneration"?: number;
    /**
     * How many ApiTokens match.
     */
    "matched"?: number;
    /**
     * Whether the seal of every matching ApiToken leaves the revoked versions out, so that they stay refused without this object.
     */
    "sealed"?: boolean;
    /**
     * When the last of them was sealed.
     */
    "sealedTime"?: string;
    /**
     * The verifiers that were there when the order was sealed, by their Leases. Each writes a receipt when it sees the order.
     */
    "expectedVerifiers"?: Array<string>;
    /**
     * The verifiers that refuse the tokens since they saw the order.
     */
    "receipts"?: Array<{
      /**
       * The name of the verifier, which is that of its pod.
       */
      "verifier": string;
      /**
       * The environment that it verifies for.
       */
      "environment": string;
      /**
       * How long after the creation of this object it began to refuse, by the clock of the verifier.
       */
      "afterMilliseconds": number;
      /**
       * When it began to refuse.
       */
      "time": string;
    }>;
    /**
     * Ready: the order is sealed. Reconciling and Stalled, which stand only while true, are as kstatus reads them.
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
 * ClusterTokenRevocation is the order to revoke tokens of the namespaces that it names, or of all: verifiers refuse them at once and for ever. Until it is sealed, the order itself is what refuses them.
 */
export class ClusterTokenRevocation extends Model<IClusterTokenRevocation> implements IClusterTokenRevocation {
  declare "apiVersion": IClusterTokenRevocation["apiVersion"];
  declare "kind": IClusterTokenRevocation["kind"];
  declare "metadata"?: NonNullable<IClusterTokenRevocation["metadata"]>;
  declare "spec": IClusterTokenRevocation["spec"];
  declare "status"?: NonNullable<IClusterTokenRevocation["status"]>;

static apiVersion: IClusterTokenRevocation["apiVersion"] = "tokenwright.dev/v1alpha1";
static kind: IClusterTokenRevocation["kind"] = "ClusterTokenRevocation";
static is = createTypeMetaGuard<IClusterTokenRevocation>(ClusterTokenRevocation);

constructor(data?: ModelData<IClusterTokenRevocation>) {
  super();

  this.setDefinedProps({
    apiVersion: ClusterTokenRevocation.apiVersion,
    kind: ClusterTokenRevocation.kind,
    ...data
  } as IClusterTokenRevocation);
}
}


setValidateFunc(ClusterTokenRevocation, validate as ValidateFunc<IClusterTokenRevocation>);
