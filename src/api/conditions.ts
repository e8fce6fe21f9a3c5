/**
 * The condition types in status.conditions. The first three are always there once the operator has looked; Reconciling
 * and Stalled stand only while they are True, which is how kstatus reads them.
 */
export const CONDITION_TYPES = [
  /** A value that verifiers accept stands in the Secret. */
  'Ready',
  /** The policies allow the grant as it is declared. */
  'Compliant',
  /** Every workload that reads the Secret has the Current version. */
  'RolledOut',
  /** The operator is on its way to what the spec asks for. */
  'Reconciling',
  /** Nothing moves until somebody acts: the message says what to do. */
  'Stalled',
] as const;

export type ConditionType = (typeof CONDITION_TYPES)[number];
export type ConditionStatus = 'True' | 'False' | 'Unknown';
