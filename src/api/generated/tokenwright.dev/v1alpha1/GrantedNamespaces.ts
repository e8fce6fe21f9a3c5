// Generated from crds/ by `npm run generate`. Do not edit.
import { type IObjectMeta } from "@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta";
import { Model, type ModelData, setValidateFunc, createTypeMetaGuard } from "@kubernetes-models/base";
import { type ValidateFunc } from "@kubernetes-models/validate";
import { validate } from "../../_schemas/TokenwrightDevV1alpha1GrantedNamespaces.js";

/**
 * GrantedNamespaces tells the API server which namespaces the TokenPolicies in mode Enforce match, so that it refuses ApiTokens in all others. The operator keeps it: write TokenPolicies instead.
 */
export interface IGrantedNamespaces {
  /**
   * tokenwright.dev/v1alpha1
   */
  "apiVersion": "tokenwright.dev/v1alpha1";
  /**
   * GrantedNamespaces
   */
  "kind": "GrantedNamespaces";
  "metadata"?: IObjectMeta;
  /**
   * Which namespaces are matched.
   */
  "spec": {
    /**
     * By TokenPolicy, what it requires of a namespace: in each line one condition on a label, as in "tier In prod,test" or "team Exists". All lines must hold, and of one policy is enough. No line holds everywhere.
     */
    "grants": {
      [key: string]: string;
    };
  };
}

/**
 * GrantedNamespaces tells the API server which namespaces the TokenPolicies in mode Enforce match, so that it refuses ApiTokens in all others. The operator keeps it: write TokenPolicies instead.
 */
export class GrantedNamespaces extends Model<IGrantedNamespaces> implements IGrantedNamespaces {
  declare "apiVersion": IGrantedNamespaces["apiVersion"];
  declare "kind": IGrantedNamespaces["kind"];
  declare "metadata"?: NonNullable<IGrantedNamespaces["metadata"]>;
  declare "spec": IGrantedNamespaces["spec"];

static apiVersion: IGrantedNamespaces["apiVersion"] = "tokenwright.dev/v1alpha1";
static kind: IGrantedNamespaces["kind"] = "GrantedNamespaces";
static is = createTypeMetaGuard<IGrantedNamespaces>(GrantedNamespaces);

constructor(data?: ModelData<IGrantedNamespaces>) {
  super();

  this.setDefinedProps({
    apiVersion: GrantedNamespaces.apiVersion,
    kind: GrantedNamespaces.kind,
    ...data
  } as IGrantedNamespaces);
}
}


setValidateFunc(GrantedNamespaces, validate as ValidateFunc<IGrantedNamespaces>);
