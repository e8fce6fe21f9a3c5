/** --wait: looks again and again, tells what changes, and ends when it is done, hopeless or late. */
import { setTimeout as wait } from 'node:timers/promises';
import { KubeError } from '../ports.ts';
import { EXIT, Failure } from './failure.ts';
import type { Terminal } from './terminal.ts';

const LOOK_EVERY_MS = 250;

export type Progress =
  | { readonly is: 'done' }
  /** For whoever reads along; `ifLate` says what to look at when it was the last word. */
  | { readonly is: 'underway'; readonly says: string; readonly ifLate?: string }
  /** It will not come by waiting. */
  | { readonly is: 'hopeless'; readonly says: string };

export interface FollowOptions {
  readonly terminal: Terminal;
  readonly timeoutSeconds: number;
  /** What is being waited for, after "not": "rotated". */
  readonly goal: string;
  /** Said when somebody presses Ctrl-C: nothing is undone by it. */
  readonly ifInterrupted: string;
}

/** @throws Failure where it is hopeless or late */
export async function follow(look: () => Promise<Progress>, options: FollowOptions): Promise<void> {
  const { terminal, timeoutSeconds, goal, ifInterrupted } = options;
  const onInterrupt = () => {
    terminal.note(ifInterrupted);
    process.exit(130);
  };
  process.once('SIGINT', onInterrupt);
  const deadline = performance.now() + timeoutSeconds * 1000;
  let said = '';
  try {
    for (;;) {
      const progress = await lookOnce(look);
      if (progress.is === 'done') return;
      if (progress.is === 'hopeless') throw new Failure(progress.says);
      if (progress.says !== said) terminal.note(progress.says);
      said = progress.says;
      if (performance.now() >= deadline)
        throw new Failure(`Not ${goal} in time: ${said}. ${progress.ifLate ?? ''}`, EXIT.late);
      await wait(LOOK_EVERY_MS);
    }
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** An API server that restarts must not end the wait. */
async function lookOnce(look: () => Promise<Progress>): Promise<Progress> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof KubeError && error.transient)) throw error;
    return { is: 'underway', says: `the API server is asked again (${error.message})` };
  }
}
