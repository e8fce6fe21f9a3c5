// Generated from crds/ by `npm run generate`. Do not edit.
import { type IObjectMeta } from "@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta";
import { Model, type ModelData, setValidateFunc, createTypeMetaGuard } from "@kubernetes-models/base";
import { type ValidateFunc } from "@kubernetes-models/validate";
import { validate } from "../../_schemas/TokenwrightDevV1alpha1ApiToken.js";

/**
 * ApiToken declares who may call which API, for what, with which scopes and for how long. Tokenwright mints the token, delivers it as a Secret, and rotates it. Its identity is <namespace>/<subject>.
 */
export interface IApiToken {
  /**
   * tokenwright.dev/v1alpha1
   */
  "apiVersion": "tokenwright.dev/v1alpha1";
  /**
   * ApiToken
   */
  "kind": "ApiToken";
  "metadata"?: IObjectMeta;
  /**
   * The grant, as declared by its owner.
   */
  "spec": {
    /**
     * Who presents the token, as <kind>:<name>, such as agent:summarizer. The kind is 1 to 32 lower-case letters, digits and hyphens and starts with a letter; the name is lower-case letters, digits, dots, hyphens and underscores, and starts and ends with a letter or digit. Speaks for this namespace only. Immutable.
     */
    "subject": string;
    /**
     * What the token is for, in words that an auditor understands.
     */
    "purpose": string;
    /**
     * The environment that the token is good for: 1 to 24 lower-case letters, digits and hyphens. Part of the value. Immutable.
     */
    "environment": string;
    /**
     * The APIs that accept the token, by the name of their TokenAudience.
     */
    "audiences": Array<string>;
    /**
     * What the token may do there. Left out, the token may do only what needs no scope. A scope is letters, digits and : . _ / @ - (a part of RFC 6749's scope-token without what shells, headers and globs read otherwise), and neither starts nor ends with a colon. A scope is taken literally: there are no wildcards.
     */
    "scopes"?: Array<string>;
    /**
     * Who answers for the token, as an e-mail address or the name of a team. Policies may require it.
     */
    "owner"?: string;
    /**
     * Lifetime of one version, from 1m to 8760h: whole hours, minutes and seconds, such as 1h30m (the duration format of GEP-2257 without milliseconds).
     */
    "ttl": string;
    /**
     * End of the whole grant: no version outlives it, and the Secret is removed then. The grant has no end unless given.
     */
    "notAfter"?: string;
    /**
     * When the next version is minted, and how long the one before it stays accepted.
     */
    "rotation"?: {
      /**
       * Automatic rotates by renewBefore and schedule, and unless given. Manual rotates only on request, by the annotation tokenwright.dev/rotate-requested-at, or where a changed spec or an altered Secret needs a new value.
       */
      "mode"?: "Automatic" | "Manual";
      /**
       * How long before its expiry a version is replaced: whole hours, minutes and seconds, at least 1s and less than ttl. A third of ttl unless given.
       */
      "renewBefore"?: string;
      /**
       * When to rotate, as a cron expression of five fields in timeZone. Whichever of schedule and renewBefore comes first counts. An expression that cannot be read is told in the condition Stalled.
       */
      "schedule"?: string;
      /**
       * The IANA time zone of schedule, such as Europe/Berlin. UTC unless given. A zone that is not known is told in the condition Stalled.
       */
      "timeZone"?: string;
      /**
       * The longest time that the version before Current stays accepted: whole hours, minutes and seconds, at least 1s and at most renewBefore. Until its own expiry unless given. It is retired earlier once all consumers have the new one.
       */
      "overlap"?: string;
    };
    /**
     * The Secret that holds the value, in this namespace.
     */
    "secret"?: {
      /**
       * Name of the Secret. The name of the ApiToken unless given. Immutable.
       */
      "name"?: string;
      /**
       * Also write the previous value, under the key previous-token, while it is accepted. False unless given.
       */
      "includePrevious"?: boolean;
      /**
       * What else the Secret holds.
       */
      "template"?: {
        /**
         * More keys of the Secret, each with a text in which $(token), $(tokenID), $(version) and $(expirationTime) stand for what they name. $$ is one literal dollar sign, so that $$(token) is the text $(token), as in the command of a container; a dollar sign before anything else stays as it is.
         */
        "data"?: {
          [key: string]: string;
        };
        /**
         * Labels and annotations of the Secret, in whose values $(tokenID) and $(version), and in annotations $(expirationTime), stand for what they name. Never the value: metadata is listed and cached where data is not.
         */
        "metadata"?: {
          /**
           * Labels of the Secret.
           */
          "labels"?: {
            [key: string]: string;
          };
          /**
           * Annotations of the Secret.
           */
          "annotations"?: {
            [key: string]: string;
          };
        };
      };
    };
    /**
     * Which workloads are restarted when the value changes. Auto, and unless given: those that read the Secret in a way that does not refresh itself (env, envFrom, subPath). Always: those that mount it as a volume too. Never: none.
     */
    "restart"?: "Auto" | "Always" | "Never";
    /**
     * How many requests the token may make, over all its versions. All of them apply.
     */
    "rateLimits"?: Array<{
      /**
       * How many requests.
       */
      "requests": number;
      /**
       * The span of time, in whole hours, minutes and seconds, from 1s to 24h.
       */
      "per": string;
    }>;
    /**
     * Active unless given. Suspended: verifiers say no while it stands, and nothing is minted; reversible.
     */
    "state"?: "Active" | "Suspended";
  };
  /**
   * What Tokenwright made of the grant. Only the operator writes it; verifiers trust in it only what its seal covers.
   */
  "status"?: {
    /**
     * The generation of the spec that this status answers.
     */
    "observedGeneration"?: number;
    /**
     * 8 base62 characters from a hash of this object's UID. Public: inside every value, in audit and metrics. An index, never proof of identity.
     */
    "tokenID"?: string;
    /**
     * The highest version ever minted. Never falls.
     */
    "lastVersion"?: number;
    /**
     * The versions that verifiers may accept.
     */
    "versions"?: Array<{
      /**
       * The number of this version.
       */
      "version": number;
      /**
       * Next: accepted, not yet known to stand in the Secret. Current: stands in the Secret. Previous: accepted until acceptedUntilTime, for those who have not read the Secret since.
       */
      "state": "Next" | "Current" | "Previous";
      /**
       * SHA-256 of the value, in hexadecimal.
       */
      "digest": string;
      /**
       * When the value was minted.
       */
      "issueTime": string;
      /**
       * From when on the value is refused, whatever else is said.
       */
      "expirationTime": string;
      /**
       * From when on a Previous value is refused. Never past expirationTime.
       */
      "acceptedUntilTime"?: string;
      /**
       * The grant as it stood at mint. A value never gains power after its mint.
       */
      "grant": {
        /**
         * spec.subject at mint.
         */
        "subject": string;
        /**
         * spec.environment at mint.
         */
        "environment": string;
        /**
         * spec.audiences at mint.
         */
        "audiences": Array<string>;
        /**
         * spec.scopes at mint.
         */
        "scopes"?: Array<string>;
      };
    }>;
    /**
     * Versions up to this one are revoked for ever. Never falls.
     */
    "revokedThroughVersion"?: number;
    /**
     * The uids of the revocations that this status has carried out and that are still pending. A verifier that holds such an order does not refuse the versions minted since.
     */
    "handledRevocations"?: Array<string>;
    /**
     * The operator's signature over the uid, tokenID, sequence, versions with times and grants, revokedThroughVersion and handledRevocations.
     */
    "seal"?: {
      /**
       * Which public key confirms the signature.
       */
      "keyID": string;
      /**
       * Rises with every seal; verifiers refuse a lower one than they have seen.
       */
      "sequence": number;
      /**
       * Ed25519 signature (RFC 8032) in base64.
       */
      "signature": string;
    };
    /**
     * What Tokenwright computed where the spec says nothing.
     */
    "effective"?: {
      /**
       * How long before its expiry a version is replaced.
       */
      "renewBefore"?: string;
      /**
       * The longest time that the version before Current stays accepted.
       */
      "overlap"?: string;
    };
    /**
     * When the next version is minted.
     */
    "nextRotationTime"?: string;
    /**
     * The Secret that holds the value, in this namespace.
     */
    "secretName"?: string;
    /**
     * The value of the annotation tokenwright.dev/rotate-requested-at that was last answered.
     */
    "lastHandledRotateRequest"?: string;
    /**
     * The workloads that have to take up a version, and how far they are.
     */
    "restarts"?: {
      /**
       * The version that they take up.
       */
      "version": number;
      /**
       * When the value was written. A pod that was created before may hold an older value.
       */
      "since"?: string;
      /**
       * How many workloads still have to roll, those not listed included.
       */
      "pending"?: number;
      /**
       * The workloads that were restarted.
       */
      "workloads"?: Array<{
        /**
         * Its kind.
         */
        "kind": "Deployment" | "StatefulSet" | "DaemonSet";
        /**
         * Its name.
         */
        "name": string;
        /**
         * Its UID.
         */
        "uid": string;
        /**
         * RollingOut: some pod that is not terminating was created before the value was written. Done: none.
         */
        "state": "RollingOut" | "Done";
      }>;
    };
    /**
     * What went wrong since the last success. Back-off is kept here, so that a restart of the operator keeps it.
     */
    "failures"?: {
      /**
       * How many attempts failed in a row.
       */
      "count": number;
      /**
       * Why the last one failed, from the documented list of reasons.
       */
      "reason"?: string;
      /**
       * The same in a sentence. Holds no value of a token.
       */
      "message"?: string;
      /**
       * When the last one failed.
       */
      "lastTime"?: string;
      /**
       * When the next attempt is made, unless the spec changes before.
       */
      "nextAttemptTime"?: string;
      /**
       * The generation of the spec that failed; another one resets the back-off.
       */
      "observedGeneration"?: number;
    };
    /**
     * Ready: a value that verifiers accept stands in the Secret. Compliant: the policies allow the grant. RolledOut: every workload that reads the Secret has the Current version. Reconciling and Stalled, which stand only while true, are as kstatus reads them.
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
 * ApiToken declares who may call which API, for what, with which scopes and for how long. Tokenwright mints the token, delivers it as a Secret, and rotates it. Its identity is <namespace>/<subject>.
 */
export class ApiToken extends Model<IApiToken> implements IApiToken {
  declare "apiVersion": IApiToken["apiVersion"];
  declare "kind": IApiToken["kind"];
  declare "metadata"?: NonNullable<IApiToken["metadata"]>;
  declare "spec": IApiToken["spec"];
  declare "status"?: NonNullable<IApiToken["status"]>;

static apiVersion: IApiToken["apiVersion"] = "tokenwright.dev/v1alpha1";
static kind: IApiToken["kind"] = "ApiToken";
static is = createTypeMetaGuard<IApiToken>(ApiToken);

constructor(data?: ModelData<IApiToken>) {
  super();

  this.setDefinedProps({
    apiVersion: ApiToken.apiVersion,
    kind: ApiToken.kind,
    ...data
  } as IApiToken);
}
}


setValidateFunc(ApiToken, validate as ValidateFunc<IApiToken>);
