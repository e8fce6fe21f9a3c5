/**
 * The invariants of design.md, section 6, judged over all that happened on a stage: every revision of every object, every
 * write of its operators, and what they logged. Each function answers with sentences, one for each breach.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { ApiToken, ApiTokenVersion } from '../../../src/api/apitoken.ts';
import { SECRET_KEYS } from '../../../src/api/names.ts';
import type { AuditRecord } from '../../../src/domain/audit.ts';
import { secretsRead } from '../../../src/domain/consumers.ts';
import { digestOf, tokenIDOf } from '../../../src/domain/value.ts';
import { VALUE } from './inspection.ts';
import { isReadyPod, keyOfSecret, type Stage, type WorkloadKind } from './stage.ts';
import { PATIENCE, type Revision } from './timeline.ts';

/** Waits for outcomes, which follow what they tell of, and until all watches have told as much as each other. */
export async function breachesOf(stage: Stage): Promise<string[]> {
  const deadline = performance.now() + 500 * PATIENCE;
  let audit = auditIsWhole(stage.auditTrails());
  while (performance.now() < deadline && audit.length > 0) {
    await wait(50);
    audit = auditIsWhole(stage.auditTrails());
  }
  await stage.caughtUp();
  return [
    ...stage.objections(),
    ...tokensOf(stage).flatMap((name) => [
      ...versionsRise(stage, name),
      ...secretIsAccepted(stage, name),
      ...podsAreAccepted(stage, name),
      ...restartedOnce(stage, name),
    ]),
    ...audit,
    ...nothingLeaked(stage),
  ];
}

function tokensOf(stage: Stage): string[] {
  return [...new Set(stage.history('apitokens').map(({ object }) => object.metadata.name))];
}

const ORDER = { Next: 0, Current: 1, Previous: 2 };

/** I4 and I9: one UID, numbers that rise, a value that keeps number and power and never comes back. */
function versionsRise(stage: Stage, name: string): string[] {
  const breaches: string[] = [];
  const known = new Map<string, { version: ApiTokenVersion; isGone: boolean }>();
  let uid = '';
  let last = 0;
  for (const { object } of stage.history('apitokens', name)) {
    if (object.metadata.uid !== uid) {
      known.clear();
      last = 0;
      uid = object.metadata.uid;
    }
    const { lastVersion = 0, tokenID, versions = [] } = object.status ?? {};
    if (tokenID !== undefined && tokenID !== tokenIDOf(uid)) breaches.push(`I4: ${name} has another's token id`);
    if (lastVersion < last) breaches.push(`I9: ${name}: lastVersion fell from ${last} to ${lastVersion}`);
    last = lastVersion;
    for (const version of versions) {
      const before = known.get(version.digest);
      const label = `${name} version ${version.version}`;
      if (version.version > lastVersion) breaches.push(`I9: ${label} is above lastVersion ${lastVersion}`);
      if (before?.isGone) breaches.push(`I9: ${label} came back`);
      if (before && before.version.version !== version.version) breaches.push(`I9: ${label} changed its number`);
      if (before && JSON.stringify(before.version.grant) !== JSON.stringify(version.grant))
        breaches.push(`I9: ${label} changed its grant`);
      if (before && ORDER[version.state] < ORDER[before.version.state])
        breaches.push(`I9: ${label} went from ${before.version.state} to ${version.state}`);
      const twin = [...known.values()].find((k) => k.version.version === version.version);
      if (twin && twin.version.digest !== version.digest) breaches.push(`I9: ${label} stands for two values`);
      known.set(version.digest, { version, isGone: false });
    }
    for (const [digest, entry] of known) {
      if (!versions.some((version) => version.digest === digest)) known.set(digest, { ...entry, isGone: true });
    }
  }
  return breaches;
}

type Step = { at: number; token?: Revision<ApiToken>; digest?: string | undefined };

/** The Secret's digest and the status, revision by revision. */
function stepsOf(
  stage: Stage,
  name: string,
): { at: number; token: ApiToken | undefined; digest: string | undefined }[] {
  const secretName = stage.history('apitokens', name)[0]?.object.spec.secret?.name ?? name;
  const steps: Step[] = [
    ...stage.history('apitokens', name).map((token) => ({ at: token.at, token })),
    ...stage.history('secrets', secretName).map(({ at, object, isDeleted }) => {
      const value = isDeleted ? undefined : keyOfSecret(object, SECRET_KEYS.token);
      return { at, digest: value === undefined ? undefined : digestOf(value) };
    }),
  ].sort((a, b) => a.at - b.at);
  let token: ApiToken | undefined;
  let digest: string | undefined;
  return steps.map((step) => {
    if (step.token) token = step.token.isDeleted ? undefined : step.token.object;
    else digest = step.digest;
    return { at: step.at, token, digest };
  });
}

function accepts(token: ApiToken, digest: string): boolean {
  return token.status?.versions?.some((version) => version.digest === digest) ?? false;
}

/**
 * Digests that status has ever named: others were put into the Secret by a user. Without those that were revoked on
 * purpose, which a Secret and pods may hold still.
 */
function keptDigests(stage: Stage, name: string): Set<string> {
  const revoked = stage
    .auditTrails()
    .flat()
    .filter((record) => record.name === name && record.operation === 'revoke')
    .map(({ version }) => version);
  const versions = stage.history('apitokens', name).flatMap(({ object }) => object.status?.versions ?? []);
  return new Set(versions.filter(({ version }) => !revoked.includes(version)).map(({ digest }) => digest));
}

/** I1, first half. A value that the operator minted and that status does not name is refused. */
function secretIsAccepted(stage: Stage, name: string): string[] {
  const minted = keptDigests(stage, name);
  const breaches = stepsOf(stage, name).filter(
    ({ token, digest }) => token && digest !== undefined && minted.has(digest) && !accepts(token, digest),
  );
  const first = breaches[0];
  return first && !false ? [`I1: ${name}: the Secret held a refused value from revision ${first.at} on`] : [];
}

/** I1, second half. A pod holds what the Secret held when the pod was made. */
function podsAreAccepted(stage: Stage, name: string): string[] {
  if (stage.losesOverlap) return [];
  const minted = keptDigests(stage, name);
  const secretName = stage.history('apitokens', name)[0]?.object.spec.secret?.name ?? name;
  const steps = stepsOf(stage, name);
  const breaches: string[] = [];
  // by UID: a StatefulSet gives its pods the same names again
  for (const revisions of Map.groupBy(stage.history('pods'), ({ object }) => object.metadata.uid).values()) {
    const made = revisions[0];
    // a mounted Secret is renewed in the pod
    if (!made || secretsRead(made.object.spec).get(secretName) !== 'fixed') continue;
    const held = steps.findLast((step) => step.at < made.at)?.digest;
    if (held === undefined || !minted.has(held)) continue;
    for (const { at, token } of steps.filter((step) => step.at > made.at)) {
      const then = revisions.findLast((revision) => revision.at < at);
      if (!token || !then || then.isDeleted || !isReadyPod(then.object) || accepts(token, held)) continue;
      breaches.push(`I1: pod ${made.object.metadata.name} was Ready with a refused value at revision ${at}`);
      break;
    }
  }
  return breaches;
}

const WORKLOADS: WorkloadKind[] = ['deployments', 'statefulsets', 'daemonsets'];

/** I7: versions in the annotation rise, so that none comes twice. */
function restartedOnce(stage: Stage, name: string): string[] {
  const breaches: string[] = [];
  for (const kind of WORKLOADS) {
    for (const workload of new Set(stage.history(kind).map(({ object }) => object.metadata.name))) {
      const restarts = stage.restarts(kind, workload, name).map(Number);
      const isRising = restarts.every((version, index) => index === 0 || version > (restarts[index - 1] ?? 0));
      if (!isRising && !stage.hasWipedAnnotations)
        breaches.push(`I7: ${kind}/${workload} restarted for ${restarts.join(', ')}`);
    }
  }
  return breaches;
}

/** I3: in each operator's audit file one intent and one end for each operation, in this order; and all files tell of the same end. */
function auditIsWhole(trails: readonly AuditRecord[][]): string[] {
  const breaches: string[] = [];
  const ends = new Map<string, string>();
  for (const [id, records] of trails.flatMap((trail) => [...Map.groupBy(trail, (record) => record.id)])) {
    const phases = records.map((record) => record.phase);
    const [first, second = '', ...more] = phases;
    const isWhole = first === 'intent' && (second === 'outcome' || second === 'abandoned') && more.length === 0;
    const { operation, version, name } = records[0] ?? {};
    const label = `I3: ${operation} of version ${version} of ${name} is`;
    if (!isWhole) breaches.push(`${label} in the audit file as ${phases.join(', ')}`);
    else if ((ends.get(id) ?? second) !== second)
      breaches.push(`${label} ${second} for one operator, and not for another`);
    ends.set(id, second);
  }
  return breaches;
}

/** I6, where values can be seen from outside. */
function nothingLeaked(stage: Stage): string[] {
  const places: Record<string, string> = {
    statuses: JSON.stringify(stage.history('apitokens').map(({ object }) => object.status)),
    events: JSON.stringify(stage.history('events')),
    workloads: JSON.stringify(WORKLOADS.map((kind) => stage.history(kind).map(({ object }) => object))),
    annotations: JSON.stringify(stage.history('secrets').map(({ object }) => object.metadata)),
  };
  for (const file of stage.files()) places[file] = readFileSync(file, 'utf8');
  return Object.entries(places)
    .filter(([, text]) => text.match(VALUE) !== null || stage.allValues().some((value) => text.includes(value)))
    .map(([place]) => `I6: a value is in ${place}`);
}
