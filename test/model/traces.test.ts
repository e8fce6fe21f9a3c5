/** Each interleaving that broke an earlier draft of the protocol, step by step. Every state on the way is checked. */
import { describe, expect, it } from 'vitest';
import { DEPLOYMENT, manual } from './scenarios.ts';
import { Script } from './script.ts';

/** Two operators that mint without waiting for each other, and nobody who reads the Secret. */
const RIVALS = { workloads: [], tuning: { settleAfter: 1, orphanAfter: 0, minHealInterval: 0 } };

/** A has added v2 and B v3; neither is in the Secret. */
function twoNexts(): Script {
  const script = new Script(RIVALS).user('request');
  script.A.does('PUT status: rotate');
  script.B.does('PUT status: rotate');
  expect(script.versions).toBe('v3 Next, v2 Next, v1 Current');
  return script;
}

describe('traces that broke earlier drafts', () => {
  it('1. a write that was decided before a rival promoted is not sent', () => {
    const script = new Script(RIVALS).user('request');
    const { A, B } = script;
    A.losesReplyOf('PUT status: rotate').does('GET ApiToken');
    B.does('PUT status: rotate').does('PUT Secret: writeSecret v3');
    A.does('GET Secret');
    B.does('PUT status: promote');
    A.isAboutTo('reread ApiToken').goesOn().isAboutTo('GET ApiToken');
    expect(script.secret).toBe('v3');
    expect(script.versions).toBe('v3 Current, v2 Previous, v1 Previous');
    script.comesToRest();
    expect(script.versions).toBe('v3 Current');
  });

  it('2. another Next stays accepted when one is promoted, since its write may be on its way', () => {
    const script = twoNexts();
    const { A, B } = script;
    A.isAboutTo('GET ApiToken').does('PUT Secret: writeSecret v2').isAboutTo('PUT status: promote');
    script.user('alterToken');
    B.isAboutTo('GET ApiToken').isAboutTo('PUT Secret: writeSecret v3');
    A.goesOn();
    expect(script.versions).toBe('v3 Previous, v2 Current, v1 Previous');
    B.goesOn();
    expect(script.secret).toBe('v3');
    script.comesToRest();
    expect(script.versions).toBe('v4 Current');
  });

  it('2b. a write that is still on its way when Previous is retired meets the fence', () => {
    const script = new Script({ ...RIVALS, workloads: [DEPLOYMENT], spec: () => manual(1) }).user('request');
    const { A, B } = script;
    A.does('PUT Secret: writeSecret v2');
    script.user('retemplate');
    B.isAboutTo('PUT Secret: writeSecret v3');
    script.user('retemplate'); // now the Secret is whole again, and was not written
    A.isAboutTo('GET ApiToken').does('PUT status: promote');
    expect(script.versions).toBe('v3 Previous, v2 Current, v1 Previous');
    script.event('tick');
    A.does('PUT status: recordRestart');
    script.rolls();
    A.does('PUT Secret: settle').does('PUT status: retire');
    expect(script.versions).toBe('v2 Current');
    B.goesOn().isAboutTo('GET ApiToken');
    expect(script.secret).toBe('v2');
    script.comesToRest();
  });

  it('3. the number of an orphan that is gone is not given again', () => {
    const script = twoNexts();
    script.A.isAboutTo('GET ApiToken').does('PUT Secret: writeSecret v2').does('PUT status: promote');
    script.comesToRest();
    expect(script.versions).toBe('v2 Current');
    script.user('request').comesToRest();
    expect(script.versions).toBe('v4 Current');
  });

  it('4. an old value that a user puts back does not become Current again', () => {
    const script = new Script().user('request');
    script.A.does('PUT status: promote');
    script.user('putOldBack');
    expect(script.secret).toBe('v1');
    script.comesToRest();
    expect(script.versions).toBe('v3 Current');
  });

  it('5a. a late restart for one version does not undo the restart for the next', () => {
    const script = new Script().user('request');
    const { A, B } = script;
    A.does('PUT status: promote');
    script.event('tick');
    A.isAboutTo('reread ApiToken').delays('APPLY annotation version 2');
    script.user('request');
    B.does('PUT status: promote');
    script.event('tick');
    B.does('APPLY annotation version 3');
    script.event('deliverFirst');
    expect(script.annotationOf(0)).toEqual([3, 0]);
    expect(script.restartsOf(0)).toBe(1);
    script.comesToRest();
  });

  it('5b. a tool that wipes the annotation between the patches of two operators causes no second restart', () => {
    const script = new Script().user('request');
    const { A, B } = script;
    A.does('PUT status: promote');
    script.event('tick');
    A.isAboutTo('APPLY annotation');
    B.isAboutTo('APPLY annotation');
    A.goesOn();
    script.workload('wipe');
    B.goesOn();
    expect(script.annotationOf(0)).toEqual([0, 0]);
    A.does('PUT status: recordRestart');
    script.comesToRest();
    expect(script.restartsOf(0)).toBe(0); // since the wipe, which rolled the pods itself
    expect(script.podsOf(0)).toEqual(['v2']);
  });

  it('5c. an operator that fell behind reads status again, and restarts nothing', () => {
    const script = new Script().user('request');
    const { A, B } = script;
    A.does('PUT status: promote');
    script.event('tick');
    A.isAboutTo('GET workload');
    script.user('request');
    B.does('PUT status: promote');
    script.event('tick');
    B.does('PUT status: recordRestart');
    script.rolls();
    A.does('GET workload').goesOn().isAboutTo('GET ApiToken');
    expect(script.annotationOf(0)).toEqual([3, 0]);
    script.comesToRest();
    expect(script.restartsOf(0)).toBe(1);
  });

  it('6. an ApiToken made anew reaches pods whose annotation has the same version', () => {
    const script = new Script().user('request').comesToRest();
    script.user('recreate').event('collectGarbage').comesToRest();
    expect(script.podsOf(0)).toEqual(['v1']);
    expect(script.annotationOf(0)).toEqual([2, 1]);
    script.user('request').comesToRest();
    expect(script.annotationOf(0)).toEqual([2, 2]);
    expect(script.podsOf(0)).toEqual(['v2']);
  });

  it('7. what was revoked in one write of status stays revoked when the order is gone', () => {
    const script = new Script().user('request');
    const { A, B } = script;
    A.isAboutTo('PUT Secret: writeSecret v2');
    script.user('revoke');
    B.does('PUT status: revoke');
    script.event('sealOrder');
    A.goesOn();
    expect(script.secret).toBe('refused');
    script.comesToRest();
    expect(script.versions).toBe('v3 Current');
    expect(script.podsOf(0)).toEqual(['v3']);
  });

  it('8. a pod that started on an altered key is restarted, because the repair is a new version', () => {
    const script = new Script().user('alterData').event('tick').workload('evict').pod('startPod');
    expect(script.podsOf(0)).toEqual(['refused']);
    script.comesToRest();
    expect(script.versions).toBe('v2 Current');
    expect(script.podsOf(0)).toEqual(['v2']);
  });

  it('9a. a workload that a lagging list misses keeps its value until it has rolled', () => {
    const script = new Script().user('newWorkload').pod('startPod', 1).user('request');
    const { A } = script;
    A.isAboutTo('decide').missesLatecomers();
    A.does('PUT status: promote');
    script.event('tick');
    A.isAboutTo('decide').missesLatecomers();
    A.does('PUT status: recordRestart');
    script.rolls().event('tick');
    A.isAboutTo('decide').missesLatecomers().does('LIST consumers').isAboutTo('PUT status: recordRestarts');
    expect(script.podsOf(1)).toEqual(['v1']);
    expect(script.versions).toBe('v2 Current, v1 Previous');
    script.comesToRest();
    expect(script.podsOf(1)).toEqual(['v2']);
  });

  it('9b. a pod that got the old value from a lagging kubelet is rolled before that value is retired', () => {
    const script = new Script({ kubeletLags: true }).user('request');
    const { A } = script;
    A.does('PUT Secret: writeSecret v2');
    script.workload('evict').pod('startPodFromLaggingKubelet');
    expect(script.podsOf(0)).toEqual(['v1']);
    A.does('PUT status: promote');
    script.comesToRest();
    expect(script.podsOf(0)).toEqual(['v2']);
    expect(script.restartsOf(0)).toBe(1);
  });

  it('10. a lagging read right after its own mint does not make the operator throw the value away', () => {
    const script = new Script({ operators: 1 }).user('request');
    const { A } = script;
    A.losesReplyOf('PUT status: rotate').readsLaggingCache();
    A.isAboutTo('GET ApiToken').does('PUT Secret: writeSecret v2');
    script.comesToRest();
    expect(script.versions).toBe('v2 Current');
  });

  it('11. a second rotation keeps the first Previous under pods that have not rolled', () => {
    const script = new Script().user('request');
    script.A.does('PUT status: promote');
    script.user('request');
    script.A.does('PUT status: promote');
    expect(script.versions).toBe('v3 Current, v2 Previous, v1 Previous');
    expect(script.podsOf(0)).toEqual(['v1']);
    script.comesToRest();
    expect(script.podsOf(0)).toEqual(['v3']);
  });

  it('12. accepted: a first create that lands on a deleted Secret leaves an old value there, until it is healed', () => {
    const script = new Script({ start: 'nothing', tuning: { settleAfter: 1, orphanAfter: 0, minHealInterval: 0 } });
    const { A, B } = script;
    A.delays('POST Secret: writeSecret v1');
    B.does('POST Secret: writeSecret v2').does('PUT status: promote');
    expect(script.versions).toBe('v2 Current, v1 Previous');
    script.user('deleteSecret').event('deliverFirst');
    expect(script.secret).toBe('v1');
    script.comesToRest();
    expect(script.secret).toBe('v3');
    expect(script.versions).toBe('v3 Current');
  });
});
