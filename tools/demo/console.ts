/** What the demo says, never with a token's value; and how it waits. */
import { setTimeout as wait } from 'node:timers/promises';

const STEP_SECONDS = 45;
const began = performance.now();
const colour = (code: number, text: string) => (process.stdout.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text);

/** Fires on Ctrl-C. */
export const stop = new AbortController();

export const elapsed = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
export const redact = (text: string) => text.replace(/twk_([a-z0-9-]+)_[0-9A-Za-z]+/g, 'twk_$1_…[redacted]');
export const say = (text: string) => console.log(redact(text));
export const title = (text: string) => say(`\n${colour(1, text)} ${colour(2, `(${elapsed()})`)}`);

/** Asks until there is an answer; `what` completes "Waited 45 s in vain for …". */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = performance.now() + STEP_SECONDS * 1000;
  while (performance.now() < deadline) {
    stop.signal.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined) return answer;
    await wait(100, undefined, { signal: stop.signal });
  }
  throw new Error(`Waited ${STEP_SECONDS} s in vain for ${what}.`);
}
