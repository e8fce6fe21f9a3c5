/**
 * Every reason that Tokenwright gives: in conditions, in events, in status.failures and in metrics. A closed list, so that
 * alerts and scripts can rely on it; renaming one is a breaking change.
 */
export const REASONS = {
  // ---- a value stands
  Issued: 'The first version was minted and stands in the Secret.',
  Rotated: 'A new version is Current.',
  Retired: 'A Previous version is refused from now on, in the normal course.',
  Settled: 'Every reader of the Secret has the Current version, so Previous was retired before its time.',
  OverlapEnded: 'The overlap is over, so Previous was retired.',

  // ---- why a version was minted
  Scheduled: 'The cron schedule was due.',
  Expiring: 'The version came within renewBefore of its expiry.',
  Requested: 'Somebody asked by the annotation tokenwright.dev/rotate-requested-at.',
  SpecChanged: 'The spec grants what the living version does not, or a shorter ttl.',
  Revoked: 'A revocation ended versions; where none was left, one more is minted.',
  SecretMissing: 'The Secret was gone; its value is kept nowhere else.',
  SecretAltered: 'A data key of the Secret was not what Tokenwright had written.',
  SealInvalid: 'No public key confirms the seal of the status, which so proves nothing.',
  OrphanedVersion: 'A version was minted whose value nobody holds.',

  // ---- no value, or not yet
  Minting: 'A version is on its way into the Secret.',
  Expired: 'The version in the Secret is past its expiry, and no other has taken its place.',
  Suspended: 'spec.state is Suspended: verifiers say no, and nothing is minted.',
  GrantEnded: 'spec.notAfter has passed; the Secret was removed.',
  Blocked: 'A revocation with "afterwards: Block" stands: nothing is minted, and the Secret was removed.',
  Deleting: 'The ApiToken is being deleted.',
  NamespaceTerminating: 'The namespace is being deleted; nothing is minted in it.',

  // ---- what the policies say
  PolicySatisfied: 'The TokenPolicies allow what the spec asks for.',
  PolicyViolated: 'A TokenPolicy forbids what the spec asks for; nothing is minted.',
  PolicyBroken: 'A TokenPolicy that matches the namespace, or may, cannot be evaluated; nothing is minted.',
  NoPolicy: 'No TokenPolicy in mode Enforce matches the namespace; nothing is minted.',
  RotationForbidden: 'A version is due that the TokenPolicies do not allow: the one that stands ends at its expiry.',

  // ---- a policy
  PolicyCompiled: 'Every part of the TokenPolicy can be evaluated.',
  InvalidPolicy: 'A part of the TokenPolicy cannot be evaluated: it allows no mint until it is mended.',

  // ---- needs a person
  SecretConflict: 'A Secret of that name exists that is not controlled by this ApiToken; it is never touched.',
  InvalidSchedule: 'spec.rotation.schedule is not a cron expression that can be read, or never comes.',
  InvalidTimeZone: 'spec.rotation.timeZone is not a known IANA time zone.',
  InvalidTemplate: 'spec.secret.template cannot be rendered.',
  TooManyVersions: 'As many versions are accepted as status holds; the next mint waits until one is retired.',
  TooManyRevocations: 'More unsealed revocations match than status can note; the rest follow when some are sealed.',

  // ---- why a version was revoked
  Compromised: 'Somebody may know the value who must not.',
  Superseded: 'Something else has taken its place.',
  OwnerLeft: 'Who answered for it is gone.',
  PolicyViolation: 'It was used, or granted, against the rules.',
  Decommissioned: 'What used it is no longer there.',

  // ---- a revocation
  Sealing: 'ApiTokens that match are not sealed yet; verifiers refuse what is revoked meanwhile.',
  Sealed: 'Every ApiToken that matched is sealed without what was revoked.',

  // ---- consumers
  RollingOut: 'Workloads that read the Secret are being restarted.',
  RolledOut: 'Every workload that reads the Secret has the Current version.',
  RolloutLate: 'A workload has not taken up the Current version and the Previous one ends soon.',
  NoConsumers: 'No workload is known to read the Secret.',
  RestartNever: 'spec.restart is Never: workloads take up the value by themselves.',
  OverlapTooShort: 'The overlap is shorter than a mounted Secret takes to refresh, and a workload mounts it.',

  // ---- the API server or the operator
  WriteRefused: 'The API server refused a write that cannot succeed as it is.',
  WriteFailed: 'A write failed and is tried again.',
  AuditUnavailable: 'The audit log took no intent; nothing is minted without one.',
} as const;

export type Reason = keyof typeof REASONS;
