/** What a seal covers, read from the status of an ApiToken as the API server keeps it. */
import type { ApiTokenStatus } from '../api/apitoken.ts';
import type { SealContent, VersionRecord } from './seal.ts';
import { type Digest, tokenIDOf } from './value.ts';

export function sealedContentOf(uid: string, status: ApiTokenStatus): SealContent {
  return {
    uid,
    tokenID: tokenIDOf(uid),
    sequence: status.seal?.sequence ?? 0,
    lastVersion: status.lastVersion ?? 0,
    revokedThroughVersion: status.revokedThroughVersion ?? 0,
    handledRevocations: status.handledRevocations ?? [],
    versions: (status.versions ?? []).map(versionOf),
  };
}

export function versionOf(version: NonNullable<ApiTokenStatus['versions']>[number]): VersionRecord {
  const { grant } = version;
  const record: VersionRecord = {
    version: version.version,
    state: version.state,
    digest: version.digest as Digest,
    issueTime: secondsOf(version.issueTime),
    expirationTime: secondsOf(version.expirationTime),
    grant: {
      subject: grant.subject,
      environment: grant.environment,
      audiences: grant.audiences,
      scopes: grant.scopes ?? [],
    },
  };
  if (version.acceptedUntilTime !== undefined) record.acceptedUntilTime = secondsOf(version.acceptedUntilTime);
  return record;
}

/** Whole epoch seconds; 0 for what is no time, which is in the past and so opens nothing. */
export function secondsOf(time: string | undefined): number {
  const milliseconds = Date.parse(time ?? '');
  return Number.isNaN(milliseconds) ? 0 : Math.floor(milliseconds / 1000);
}
