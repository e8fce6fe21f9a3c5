/** What can be judged of a write before it is sent on: I3 (the intent is durable before the effect), I5 and I6. */
import type { ApiToken, ApiTokenVersion } from '../../../src/api/apitoken.ts';
import type { AuditRecord } from '../../../src/domain/audit.ts';
import { type Call, isProtocolWrite, isSealKeyWrite, labelOf } from './proxy.ts';

/** What every value looks like, whoever minted it. */
export const VALUE = /twk_[a-z0-9-]{1,24}_[0-9A-Za-z]{57}/g;

export interface Scene {
  namespace: string;
  /** The test puts versions into status that nobody minted. */
  forgesStatus: boolean;
  /** Of all operators: one may carry on what another began. */
  audit(): AuditRecord[];
  /** As the API server had them at that revision; undefined where that is not known yet. */
  versions(name: string, revision: number): readonly ApiTokenVersion[] | undefined;
}

/** Throws a sentence for what is broken. */
export function inspect(call: Call, scene: Scene): void {
  // an order of the cluster is carried out in the namespace, and written itself where it reaches no other
  const isOrder = call.resource.startsWith('clustertokenrevocations');
  const isOfPolicies = call.resource === 'tokenpolicies/status' || call.resource === 'grantednamespaces';
  const isOwnBusiness = call.resource === 'leases' || isSealKeyWrite(call) || isOrder || isOfPolicies;
  if (['get', 'list', 'watch'].includes(call.verb) || isOwnBusiness) return;
  if (call.namespace !== scene.namespace) throw new Error(`I5: ${labelOf(call)} in namespace ${call.namespace}`);
  if (call.resource !== 'secrets' && call.body.match(VALUE)) throw new Error(`I6: a value is in ${labelOf(call)}`);
  if (!isProtocolWrite(call) || call.resource !== 'apitokens/status' || call.name === undefined) return;
  const written = JSON.parse(call.body) as ApiToken;
  const { uid, resourceVersion } = written.metadata;
  const after = written.status?.versions ?? [];
  const intents = scene.audit().filter((record) => record.uid === uid && record.phase === 'intent');
  const has = (operations: readonly string[], version: number) =>
    intents.some((record) => operations.includes(record.operation) && record.version === version);
  for (const { version, state } of after) {
    if (state === 'Next' && !has(['mint', 'rotate', 'heal'], version))
      throw new Error(`I3: version ${version} of ${call.name} was sealed before its intent was written`);
  }
  if (scene.forgesStatus) return;
  for (const { version } of scene.versions(call.name, Number(resourceVersion)) ?? []) {
    if (!after.some((v) => v.version === version) && !has(['retire', 'revoke'], version))
      throw new Error(`I3: version ${version} of ${call.name} was ended before its intent was written`);
  }
}
