/** Findings as code hosts show them beside the changed lines: SARIF 2.1.0 (OASIS, 27 March 2020). */
import { relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Violation } from '../../domain/policy/evaluate.ts';
import { RULES } from '../../domain/policy/rules.ts';
import { STDIN } from '../input.ts';
import type { Checked } from './judge.ts';

interface Finding {
  /** Stable: what is dismissed by it stays dismissed. */
  ruleID: string;
  about: string;
  level: 'error' | 'warning';
  text: string;
  line: number;
  token: Checked;
}

/** An ApiToken whose manifest is not one. */
const MANIFEST = { ruleID: 'Manifest', about: 'The manifest is an ApiToken.' };

export function sarifOf(checked: readonly Checked[], version: string): object {
  const findings = checked.flatMap(findingsOf);
  const rules = new Map(findings.map(({ ruleID, about }) => [ruleID, about]));
  return {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'tokenwright',
            version,
            rules: [...rules].map(([id, text]) => ({ id, shortDescription: { text } })),
          },
        },
        results: findings.map(resultOf),
      },
    ],
  };
}

function findingsOf(token: Checked): Finding[] {
  const { violations = [], audited = [] } = token.evaluation ?? {};
  const judged = (level: Finding['level']) => (violation: Violation) => ({
    ...ruleOf(violation),
    level,
    text: violation.message,
    line: lineOf(violation.rule, token),
    token,
  });
  return [
    ...token.problems.map((problem) => ({
      ...MANIFEST,
      level: 'error' as const,
      text: problem.message,
      line: problem.line,
      token,
    })),
    ...violations.map(judged('error')),
    ...audited.map(judged('warning')),
  ];
}

/** A rule that a policy states itself is about the whole. */
function lineOf(rule: string, { place, lineOf }: Checked): number {
  const field = RULES.find(({ name }) => name === rule)?.field;
  return field === undefined ? place.line : lineOf(field);
}

function ruleOf({ policy, rule }: Violation): Pick<Finding, 'ruleID' | 'about'> {
  return policy === undefined
    ? { ruleID: rule, about: 'A TokenPolicy in mode Enforce matches the namespace.' }
    : { ruleID: `${policy}/${rule}`, about: `TokenPolicy ${policy}, rule ${rule}` };
}

function resultOf({ ruleID, level, text, line, token: { namespace, name, place } }: Finding): object {
  const physicalLocation = { artifactLocation: { uri: uriOf(place.file) }, region: { startLine: line } };
  const logicalLocations = [{ fullyQualifiedName: `${namespace}/${name}`, kind: 'ApiToken' }];
  return { ruleId: ruleID, level, message: { text }, locations: [{ physicalLocation, logicalLocations }] };
}

/** From the working directory, which in a pipeline is the repository's root. */
function uriOf(file: string): string {
  if (file === STDIN) return 'stdin';
  const path = relative('.', file);
  if (path.startsWith('..')) return pathToFileURL(file).href;
  return path.split(sep).map(encodeURIComponent).join('/');
}
