/**
 * TokenPolicies in mode Audit warn in the words in which those in mode Enforce refuse. An admission policy cannot choose its action by
 * its parameter, and YAML refers to no other document: so a copy.
 */

export const ENFORCED_POLICY = 'deploy/admission/tokenpolicy.yaml';
export const AUDIT_POLICY = 'deploy/admission/tokenpolicy-audit.yaml';

const CHANGES: readonly (readonly [from: string, to: string])[] = [
  ['tokenpolicy.tokenwright.dev', 'tokenpolicy-audit.tokenwright.dev'],
  ["params.spec.?mode.orValue('Enforce') == 'Enforce'", "params.spec.?mode.orValue('Enforce') == 'Audit'"],
  ['validationActions: [Deny]', 'validationActions: [Warn]'],
  // a warning is no reason to refuse, nor is what cannot be evaluated
  ['failurePolicy: Fail', 'failurePolicy: Ignore'],
];

/** @throws where the source no longer says what is to be changed */
export function auditPolicy(source: string): string {
  let text = source.replace(/^(#.*\n)+/, `# Generated from ${ENFORCED_POLICY} by \`npm run generate\`. Do not edit.\n`);
  for (const [from, to] of CHANGES) {
    if (!text.includes(from)) throw new Error(`${ENFORCED_POLICY} does not say "${from}"`);
    text = text.replaceAll(from, to);
  }
  return text;
}
