/**
 * `node tools/build/chart.ts` writes the chart's copies of crds/ and deploy/admission; with `--check` it writes nothing, and
 * fails when they are not what the sources give. The text is kept as it is but for labels, switches and accounts.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const chart = 'charts/tokenwright/templates';

interface Copy {
  from: string;
  to: string;
  /** When the objects are part of the release. */
  condition: string;
  /** Lines under `metadata` besides the labels. */
  metadata: readonly string[];
}

const COPIES: readonly Copy[] = [
  {
    from: 'crds',
    to: `${chart}/crds`,
    condition: '.Values.crds.install',
    metadata: ['  {{- if .Values.crds.keep }}', '  annotations:', '    helm.sh/resource-policy: keep', '  {{- end }}'],
  },
  { from: 'deploy/admission', to: `${chart}/admission`, condition: '.Values.admission.install', metadata: [] },
  {
    from: 'deploy/admission/mutating',
    to: `${chart}/admission-mutating`,
    condition:
      'and .Values.admission.install (.Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy")',
    metadata: [],
  },
];

/** What differs between installations, as the sources write it, and as the chart does. */
const VARIABLES: readonly (readonly [string, string])[] = [
  ["'system:serviceaccount:tokenwright-system:tokenwright-operator'", `'{{ include "tokenwright.operatorUser" . }}'`],
  ["'system:serviceaccount:tokenwright-system:tokenwright-verifier'", `'{{ include "tokenwright.verifierUser" . }}'`],
  ["'tokenwright-system'", "'{{ .Release.Namespace }}'"],
];

/** @throws where something of the one installation that the sources are for would stay in the template */
export function templateOf(source: string, { from, condition, metadata }: Copy, name: string): string {
  let text = source.trimEnd().replaceAll('{{', '{{ "{{" }}');
  for (const [written, variable] of VARIABLES) text = text.replaceAll(written, variable);
  const left = /.*(?:tokenwright-system|tokenwright-operator|:tokenwright-verifier).*/.exec(text)?.[0];
  if (left !== undefined)
    throw new Error(`${from}/${name} names an account or a namespace in a way unknown here: ${left.trim()}`);
  return [
    `{{- /* Generated from ${from}/${name} by tools/build/chart.ts. Do not edit. */}}`,
    `{{- if ${condition} }}`,
    ...labelled(text.split('\n'), metadata),
    '{{- end }}',
    '',
  ].join('\n');
}

/** With the chart's labels in place of those of the source, and `metadata` after them, in each document. */
function labelled(lines: readonly string[], metadata: readonly string[]): string[] {
  const result: string[] = [];
  let inMetadata = false;
  let inLabels = false;
  for (const line of lines) {
    if (/^\S/.test(line) && !line.startsWith('#')) inMetadata = line === 'metadata:';
    inLabels = inMetadata && (line === '  labels:' || (inLabels && line.startsWith('    ')));
    if (inLabels) continue;
    result.push(line);
    if (line !== 'metadata:') continue;
    result.push('  labels:', '    {{- include "tokenwright.labels" . | nindent 4 }}', ...metadata);
  }
  return result;
}

async function generated(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const copy of COPIES) {
    const names = (await readdir(join(root, copy.from))).filter((name) => name.endsWith('.yaml')).sort();
    for (const name of names) {
      if (name === 'kustomization.yaml') continue;
      files.set(join(copy.to, name), templateOf(await readFile(join(root, copy.from, name), 'utf8'), copy, name));
    }
  }
  return files;
}

async function write(files: ReadonlyMap<string, string>): Promise<void> {
  for (const { to } of COPIES) {
    await rm(join(root, to), { recursive: true, force: true });
    await mkdir(join(root, to), { recursive: true });
  }
  for (const [path, content] of files) await writeFile(join(root, path), content);
}

async function differences(files: ReadonlyMap<string, string>): Promise<string[]> {
  const found: string[] = [];
  for (const [path, content] of files) {
    const there = await readFile(join(root, path), 'utf8').catch(() => undefined);
    if (there !== content) found.push(`${path} ${there === undefined ? 'is missing' : 'is out of date'}`);
  }
  for (const { to } of COPIES) {
    for (const name of await readdir(join(root, to)).catch(() => [])) {
      if (!files.has(join(to, name))) found.push(`${join(to, name)} is generated no more`);
    }
  }
  return found;
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  const files = await generated();
  if (args.length === 0) {
    await write(files);
    console.log(`wrote ${files.size} files to ${chart}`);
  } else if (args.length === 1 && args[0] === '--check') {
    const found = await differences(files);
    for (const line of found) console.error(line);
    if (found.length > 0) {
      console.error('run `node tools/build/chart.ts` and commit the result');
      process.exitCode = 1;
    }
  } else {
    console.error('usage: node tools/build/chart.ts [--check]');
    process.exitCode = 2;
  }
}
