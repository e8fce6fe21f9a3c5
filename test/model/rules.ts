/** What the protocol does, as switches, so that each can be turned to show that the model notices. */
import { tookEffect } from '../../src/domain/audit.ts';
import { type Action, decide } from '../../src/domain/lifecycle/decide.ts';
import type { TokenStatus } from '../../src/domain/lifecycle/seen.ts';
import { addNext, nextVersion, promote, retire, revoke } from '../../src/domain/lifecycle/transitions.ts';

export interface Rules {
  decide: typeof decide;
  addNext: typeof addNext;
  promote: typeof promote;
  retire: typeof retire;
  revoke: typeof revoke;
  nextVersion: typeof nextVersion;
  /** Status writes carry the resourceVersion read. */
  statusPrecondition: boolean;
  /** The value write carries the resourceVersion of the Secret read. */
  secretPrecondition: boolean;
  /** Settle and repair carry it too. */
  settlePrecondition: boolean;
  /** The annotation is applied under the workload's resourceVersion. */
  workloadPrecondition: boolean;
  rereadBeforeSecret: boolean;
  rereadBeforeRestart: boolean;
  /** The audit log has the intent before status has the version. */
  intentFirst: boolean;
  /** What this status says of an open intent to mint. */
  endOfMint(version: number, status: TokenStatus): 'outcome' | 'abandoned' | undefined;
  /** Status, then the Secret; in a mutant the other way round. */
  statusReadFirst: boolean;
  statusBeforeSecret: boolean;
  /** A Secret is ours by the UID of its controller, not by its label. */
  ownedByUID: boolean;
  /** Values are forgotten only on a live read. */
  forgetOnLiveReadOnly: boolean;
  /** A value whose status write may be in flight is not forgotten. */
  forgetOnlyDoomed: boolean;
  /** The annotation's key has the token id. */
  annotationPerToken: boolean;
  /** Consumers are listed live where decide asks for it. */
  listLive: boolean;
}

export const PROTOCOL: Rules = {
  decide,
  addNext,
  promote,
  retire,
  revoke,
  nextVersion,
  statusPrecondition: true,
  secretPrecondition: true,
  settlePrecondition: true,
  workloadPrecondition: true,
  rereadBeforeSecret: true,
  rereadBeforeRestart: true,
  intentFirst: true,
  endOfMint: (version, status) => (tookEffect({ operation: 'mint', version }, status) ? 'outcome' : undefined),
  statusReadFirst: true,
  statusBeforeSecret: true,
  ownedByUID: true,
  forgetOnLiveReadOnly: true,
  forgetOnlyDoomed: true,
  annotationPerToken: true,
  listLive: true,
};

export type { Action };
